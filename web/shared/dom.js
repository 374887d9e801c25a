/** Builds elements: strings of a map become text or properties, never markup. */

const FIELDS = ['input', 'select', 'textarea', 'button'];

/**
 * Create an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{[name: string]: any}} [props]  `on…` are listeners; `class`, `aria…`, `data…` and `role` attributes; all
 *   else properties
 * @param {...any} children  elements or text, in lists of any depth; null, undefined and false are left out
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  // The editor may be inside a form of the page: its fields are not part of that, and Enter in them must not submit it.
  if (FIELDS.includes(tag)) element.setAttribute('form', '');
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (/^(aria-|data-|role$|for$|list$|form$)/.test(name)) element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

let lastId = 0;
export const newId = (/** @type {string} */ prefix) => `wk-${prefix}-${++lastId}`;

/**
 * A label with its field.
 * @param {string} label  @param {HTMLElement} input  @param {string} [className]
 */
export function field(label, input, className = '') {
  input.id ||= newId('field');
  return h('div', { class: `wk-field ${className}` }, h('label', { for: input.id }, label), input);
}

/**
 * @param {string} label  @param {boolean} checked  @param {(on: boolean) => void} onchange  @param {string} [hint]
 */
export function checkbox(label, checked, onchange, hint) {
  const input = h('input', { type: 'checkbox', checked, id: newId('check'), onchange: () => onchange(input.checked) });
  return h('label', { class: 'wk-check', for: input.id, title: hint }, input, h('span', {}, label));
}

/** “1 cell”, “5 cells”. @type {(count: number, one: string, many?: string) => string} */
export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
