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
  const isLines = Array.isArray(value) && value.every((one) => typeof one === 'string' && !one.includes('\n'));
  // A list of texts has one in each line; other lists are edited as JSON.
  const text = isText ? value : isLines ? value.join('\n') : JSON.stringify(value);
  const parsed = (/** @type {string} */ input) => {
    if (isText) return input;
    return isLines ? input.split('\n').filter((line) => line.trim()) : JSON.parse(input);
  };
  const commit = (/** @type {any} */ event) => {
    if (event.target.value === text) return;
    try {
      change?.(parsed(event.target.value));
      event.target.setCustomValidity('');
    } catch {
      event.target.setCustomValidity('Enter a number, text in quotes, or a list.');
      event.target.reportValidity();
    }
  };
  if (!change) return html`<span class="pl-lines">${text}</span>`;
  return text.length > 40 || isLines
    ? html`<textarea
        rows=${isLines ? Math.min(value.length + 1, 8) : 3}
        aria-label=${name}
        value=${text}
        onChange=${commit}
      ></textarea>`
    : html`<input aria-label=${name} value=${text} onChange=${commit} />`;
}
