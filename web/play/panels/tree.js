/** An editor of any JSON as a tree; each change is a merge patch (RFC 7396) of the enclosing value. */

import { html } from '../../vendor/preact.js';

/**
 * @param {{value: any, change: ((patch: any) => void) | null}} props  `change` is null if the user may not edit
 */
export function Tree({ value, change }) {
  return html`
    <dl class="pl-tree">
      ${Object.entries(value).map(([key, one]) => {
        const patch = change && ((/** @type {any} */ next) => change({ [key]: next }));
        return html`<div key=${key}>
          <dt>${key.replaceAll('_', ' ')}</dt>
          <dd>
            ${isBranch(one) ? html`<${Tree} value=${one} change=${patch} />` : html`<${Leaf} name=${key} value=${one} change=${patch} />`}
          </dd>
        </div>`;
      })}
    </dl>
  `;
}

/** @param {any} value */
const isBranch = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** @param {{name: string, value: any, change: ((value: any) => void) | null}} props */
function Leaf({ name, value, change }) {
  if (typeof value === 'boolean')
    return html`<input
      type="checkbox"
      aria-label=${name}
      checked=${value}
      disabled=${!change}
      onChange=${(/** @type {any} */ event) => change?.(event.target.checked)}
    />`;
  const isText = typeof value === 'string';
  // Lists are edited as a whole, as JSON.
  const text = isText ? value : JSON.stringify(value);
  const commit = (/** @type {any} */ event) => {
    if (event.target.value === text) return;
    try {
      change?.(isText ? event.target.value : JSON.parse(event.target.value));
      event.target.setCustomValidity('');
    } catch {
      event.target.setCustomValidity('Enter a number, text in quotes, or a list.');
      event.target.reportValidity();
    }
  };
  if (!change) return html`<span>${text}</span>`;
  return text.length > 40
    ? html`<textarea rows="3" aria-label=${name} value=${text} onChange=${commit}></textarea>`
    : html`<input aria-label=${name} value=${text} onChange=${commit} />`;
}
