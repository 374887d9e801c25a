/** The selected token: its visible data, and the actions that the user may take. */

import { html, useSignal } from '../../vendor/preact.js';
import { Icon } from './parts.js';

const CONDITIONS = [
  'blinded',
  'charmed',
  'deafened',
  'frightened',
  'grappled',
  'incapacitated',
  'invisible',
  'paralyzed',
  'petrified',
  'poisoned',
  'prone',
  'restrained',
  'stunned',
  'unconscious',
];

/** @param {import('./shell.js').Props} props */
export function TokenCard({ store, table, input }) {
  const amount = useSignal('');
  const token = store.selectedToken.value;
  if (!token) return null;
  const url = `/tokens/${token.id}`;
  const mayAct = store.may(token, 'act');
  const change = async (/** @type {any} */ fields) => {
    const changed = await table.send('PATCH', url, fields);
    if (changed) store.patchToken(changed);
  };
  const apply = async (/** @type {string} */ what, /** @type {string | undefined} */ bar) => {
    const number = Number(amount.value);
    if (!(number > 0)) return;
    const changed = await table.send('POST', `${url}/${what}`, { amount: number, ...(bar ? { bar } : {}) });
    if (changed) store.patchToken(changed);
    amount.value = '';
  };
  const bars = token.bars ?? [];
  const conditions = token.conditions ?? [];
  return html`
    <section class="pl-card" aria-label=${`Selected: ${token.name || 'token'}`}>
      <header>
        <i class=${`pl-dot is-${token.disposition}`}></i>
        <h2>${token.name || 'Unnamed'}</h2>
        ${token.hidden && html`<em>hidden</em>`}
        <button class="pl-close" aria-label="Close" onClick=${() => (store.selected.value = null)}>
          <${Icon} name="close" />
        </button>
      </header>
      ${bars.map(
        ({ name, value, max }) =>
          html`<p class="pl-bar-line">
            <span>${name}</span><meter min="0" max=${max} value=${value}></meter><b>${value} / ${max}</b>
          </p>`,
      )}
      ${
        mayAct &&
        bars.length > 0 &&
        html`<div class="pl-line">
          <input
            type="number"
            min="1"
            max="9999"
            aria-label="Amount"
            placeholder="Amount"
            value=${amount.value}
            onInput=${(/** @type {any} */ event) => (amount.value = event.target.value)}
          />
          <button class="pl-button is-danger" onClick=${() => apply('damage', bars[0].name)}>Damage</button>
          <button class="pl-button" onClick=${() => apply('heal', bars[0].name)}>Heal</button>
        </div>`
      }
      <p class="pl-chips">
        ${conditions.map((one) =>
          mayAct
            ? html`<button
                title="Remove"
                onClick=${() => change({ conditions: conditions.filter((other) => other !== one) })}
              >
                ${one} ×
              </button>`
            : html`<span>${one}</span>`,
        )}
        ${
          mayAct &&
          html`<select
            aria-label="Add a condition"
            value=""
            onChange=${(/** @type {any} */ event) => event.target.value && change({ conditions: [...conditions, event.target.value] })}
          >
            <option value="">+ condition</option>
            ${CONDITIONS.filter((one) => !conditions.includes(one)).map((one) => html`<option>${one}</option>`)}
          </select>`
        }
      </p>
      ${mayAct && html`<p class="pl-muted">Drag it, or use the arrow keys.</p>`}
      ${
        store.isGameMaster.value &&
        html`<div class="pl-buttons">
          <button class="pl-button" onClick=${() => change({ hidden: !token.hidden })}>
            ${token.hidden ? 'Show to players' : 'Hide'}
          </button>
          <button
            class="pl-button is-danger"
            onClick=${async () => (await table.send('DELETE', url)) === null || store.dropToken(token.id)}
          >
            Delete
          </button>
        </div>`
      }
      ${
        input &&
        mayAct &&
        html`<label class="pl-check">
          <input
            type="checkbox"
            checked=${input.isTapMoving.value}
            onChange=${(/** @type {any} */ event) => (input.isTapMoving.value = event.target.checked)}
          />
          Tap the map to move it
        </label>`
      }
    </section>
  `;
}
