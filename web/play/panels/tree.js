/** An editor of any JSON as a tree; each change is a merge patch (RFC 7396) of the enclosing value. */

import { html, useSignal } from '../../vendor/preact.js';
import { Icon, useDraft } from './parts.js';

/** @typedef {((patch: any) => void) | null} Change  null if the user may not edit */

/** @param {{value: any, change: Change}} props */
export function Tree({ value, change }) {
  return html`
    <dl class="pl-tree">
      ${Object.entries(value).map(([key, one]) => {
        const patch = change && ((/** @type {any} */ next) => change({ [key]: next }));
        return html`<div key=${key}>
          <dt>
            ${key.replaceAll('_', ' ')} <${Remove} name=${key} change=${change && (() => change({ [key]: null }))} />
          </dt>
          <dd><${Value} name=${key} value=${one} change=${patch} /></dd>
        </div>`;
      })}
    </dl>
  `;
}

/** @param {{name: string, value: any, change: Change}} props */
function Value({ name, value, change }) {
  if (isObject(value)) return html`<${Tree} value=${value} change=${change} />`;
  if (typeof value === 'boolean')
    return html`<input
      type="checkbox"
      aria-label=${name}
      checked=${value}
      disabled=${!change}
      onChange=${(/** @type {any} */ event) => change?.(event.target.checked)}
    />`;
  if (!Array.isArray(value) || !value.length || !value.every(isObject))
    return html`<${Leaf} name=${name} value=${value} change=${change} />`;
  // A merge patch replaces lists.
  return value.map((one, i) => {
    const patch = change && ((/** @type {any} */ next) => change(value.with(i, merged(one, next))));
    return html`<div class="pl-item" key=${i}>
      <${Remove} name=${`${name} ${i + 1}`} change=${change && (() => change(value.toSpliced(i, 1)))} />
      <${Tree} value=${one} change=${patch} />
    </div>`;
  });
}

/** @param {{name: string, change: (() => void) | null}} props */
const Remove = ({ name, change }) =>
  change &&
  html`<button class="pl-remove" aria-label=${`Remove ${name}`} title="Remove" onClick=${change}>
    <${Icon} name="close" />
  </button>`;

/** A form that adds a field. @param {{change: (patch: any) => void}} props */
export function NewField({ change }) {
  const key = useSignal('');
  const text = useSignal('');
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    const isNumber = text.value.trim() !== '' && Number.isFinite(Number(text.value));
    change({ [key.value.trim().toLowerCase().replaceAll(' ', '_')]: isNumber ? Number(text.value) : text.value });
    key.value = text.value = '';
  };
  return html`
    <form class="pl-line" onSubmit=${add}>
      <input
        required
        maxlength="100"
        pattern=".*\\S.*"
        aria-label="Name of a new field"
        placeholder="New field"
        value=${key.value}
        onInput=${(/** @type {any} */ event) => (key.value = event.target.value)}
      />
      <input
        maxlength="1000"
        aria-label="Value of the new field"
        placeholder="Value"
        value=${text.value}
        onInput=${(/** @type {any} */ event) => (text.value = event.target.value)}
      />
      <button class="pl-button">Add</button>
    </form>
  `;
}

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** A value with a merge patch applied. @param {any} value  @param {any} patch  @returns {any} */
function merged(value, patch) {
  if (!isObject(patch)) return patch;
  const next = isObject(value) ? { ...value } : {};
  for (const [key, one] of Object.entries(patch)) {
    if (one === null) delete next[key];
    else next[key] = merged(next[key], one);
  }
  return next;
}

/** @param {{name: string, value: any, change: Change}} props */
function Leaf({ name, value, change }) {
  const isText = typeof value === 'string';
  const isLines = Array.isArray(value) && value.every((one) => typeof one === 'string' && !one.includes('\n'));
  // A list of texts has one in each line; other lists are edited as JSON.
  const text = isText ? value : isLines ? value.join('\n') : JSON.stringify(value);
  const parsed = (/** @type {string} */ input) => {
    if (isText) return input;
    return isLines ? input.split('\n').filter((line) => line.trim()) : JSON.parse(input);
  };
  const check = (/** @type {any} */ event) => {
    let problem = '';
    try {
      parsed(event.target.value);
    } catch {
      problem = 'Enter a number, text in quotes, or a list.';
    }
    event.target.setCustomValidity(problem);
    field.onInput(event);
  };
  const field = useDraft(text, (input) => change?.(parsed(input)));
  if (!change) return html`<span class="pl-lines">${text}</span>`;
  return text.length > 40 || isLines
    ? html`<textarea
        rows=${isLines ? Math.min(value.length + 1, 8) : 3}
        aria-label=${name}
        ...${field}
        onInput=${check}
      ></textarea>`
    : html`<input aria-label=${name} ...${field} onInput=${check} />`;
}
