/** The form of a map: the editor takes the place of the text area, and saves the form's other fields with the map. */

import { mount } from './editor/mount.js';

/** Fields of the form that the API changes by the same name. */
const NAMES = ['name', 'description', 'universe_id', 'visibility'];

/**
 * The fields of a form that were changed since they were saved.
 * @param {HTMLFormElement} form  @param {() => void} changed  called when one is
 * @returns {import('./editor/mount.js').FormFields}
 */
function fieldsOf(form, changed) {
  const values = () => {
    const data = new FormData(form);
    return Object.fromEntries(NAMES.filter((name) => data.has(name)).map((name) => [name, String(data.get(name))]));
  };
  let saved = values();
  form.addEventListener('input', changed);
  return {
    changes() {
      const now = Object.entries(values()).filter(([name, value]) => value !== saved[name]);
      return now.length ? Object.fromEntries(now) : null;
    },
    saved(fields) {
      saved = { ...saved, ...fields };
    },
  };
}

const place = document.querySelector('[data-map-editor]');
const form = place?.closest('form');
const textarea = place?.querySelector('textarea') ?? undefined;
if (place instanceof HTMLElement && form && (place.dataset.mapUrl || textarea)) {
  const mapUrl = place.dataset.mapUrl || undefined;
  const element = document.createElement('div');
  place.querySelector('[data-too-large]')?.remove();
  place.querySelector('label')?.remove();
  place.append(element);
  /** @type {import('./editor/editor.js').Editor | null} */
  let mounted = null;
  const fields = mapUrl ? fieldsOf(form, () => mounted?.saving?.changed()) : undefined;
  const editor = await mount(element, {
    mapUrl,
    mapsUrl: '/maps',
    textarea,
    title: place.dataset.title,
    errors: JSON.parse(place.dataset.errors ?? '[]'),
    pageUrl: (map) => `/admin/map/edit/${map.id}`,
    fields,
  });
  mounted = editor;
  if (mapUrl) {
    // The editor's button saves everything, so the form has no button.
    form.querySelector('.wa-foot')?.remove();
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      editor.save();
    });
  }
  // For tests, and for use in the console.
  Object.assign(place, { editor });
  place.classList.add('wa-mounted');
}
