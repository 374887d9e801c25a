// Small conveniences. Every page works without them.

// A map without a picture shows its icon instead.
for (const image of document.querySelectorAll('.wa-picture img')) {
  const hide = () => image.remove();
  if (image.complete && !image.naturalWidth) hide();
  else image.addEventListener('error', hide);
}

for (const select of document.querySelectorAll('[data-submits]')) {
  select.addEventListener('change', () => select.form.requestSubmit());
}

const all = document.querySelector('[data-selects-all]');
if (all) {
  const boxes = [...all.form.querySelectorAll('input[name=pks]')];
  const button = document.querySelector('[data-needs-selection]');
  const refresh = () => {
    const selected = boxes.filter((box) => box.checked).length;
    button.disabled = !selected;
    all.checked = selected === boxes.length;
    all.indeterminate = selected > 0 && !all.checked;
  };
  all.hidden = false;
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    refresh();
  });
  for (const box of boxes) box.addEventListener('change', refresh);
  refresh();
}

// The map editor takes the place of the text area, where it can be loaded.
const place = document.querySelector('[data-map-editor]');
if (place) {
  const { mount } = await import('./editor/editor.js');
  const textarea = place.querySelector('textarea') ?? undefined;
  const mapUrl = place.dataset.mapUrl || undefined;
  if (mapUrl || textarea) {
    const element = document.createElement('div');
    place.querySelector('[data-too-large]')?.remove();
    place.querySelector('label')?.remove();
    place.append(element);
    const version = document.querySelector('input[name=version]');
    place.editor = await mount(element, {
      mapUrl,
      mapsUrl: '/maps',
      textarea,
      title: place.dataset.title,
      errors: JSON.parse(place.dataset.errors),
      pageUrl: (map) => `/admin/map/edit/${map.id}`,
      onSaved: (saved) => {
        version.value = saved.version;
      },
    });
    place.classList.add('wa-mounted');
  }
}
