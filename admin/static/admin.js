/** Small conveniences. Every page works without them. */

import { align } from './align.js';
import { enhanceExports } from './export.js';
import { enhanceUploads } from './upload.js';

/**
 * The elements of a page that a selector finds, of one type.
 * @template {Element} T
 * @param {new () => T} type  @param {string} selector  @param {ParentNode} [root]
 * @returns {T[]}
 */
function find(type, selector, root = document) {
  /** @type {T[]} */
  const found = [];
  for (const element of root.querySelectorAll(selector)) if (element instanceof type) found.push(element);
  return found;
}

// A map without a picture shows its icon instead.
for (const image of find(HTMLImageElement, '.wa-picture img, .wa-past > img')) {
  const hide = () => image.remove();
  if (image.complete && !image.naturalWidth) hide();
  else image.addEventListener('error', hide);
}

for (const select of find(HTMLSelectElement, '[data-submits]')) {
  select.addEventListener('change', () => select.form?.requestSubmit());
}

for (const all of find(HTMLInputElement, '[data-selects-all]')) {
  const boxes = find(HTMLInputElement, 'input[name=pks]', all.form ?? document);
  const buttons = find(HTMLButtonElement, '[data-needs-selection]');
  const refresh = () => {
    const selected = boxes.filter((box) => box.checked).length;
    for (const button of buttons) button.disabled = !selected;
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

for (const button of find(HTMLButtonElement, '[data-copies]')) {
  const [input] = find(HTMLInputElement, 'input', button.parentElement ?? document);
  const [label] = find(HTMLSpanElement, 'span', button);
  if (!input || !label) continue;
  button.hidden = false;
  button.addEventListener('click', async () => {
    input.select();
    // Without HTTPS, browsers have no clipboard but that of a selection.
    const copied = navigator.clipboard
      ? await navigator.clipboard.writeText(input.value).then(
          () => true,
          () => false,
        )
      : document.execCommand('copy');
    label.textContent = copied ? 'Copied' : 'Press Ctrl+C';
  });
}

enhanceUploads(document.body);
enhanceExports(find(HTMLAnchorElement, '[data-export]'));

const [stage] = find(HTMLElement, '[data-align]');
const [form] = find(HTMLFormElement, '[data-align-form]');
if (stage && form) align(stage, form);
