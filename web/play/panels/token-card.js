/** The selected token: its visible data, and the actions that the user may take. */

import { html, useLayoutEffect, useRef, useSignal } from '../../vendor/preact.js';
import { Conditions, Confirmed, Icon } from './parts.js';
import { TokenForm } from './token-form.js';

/** @param {import('./shell.js').Props} props */
export function TokenCard({ store, table, stage, input }) {
  const amount = useSignal('');
  const isAside = useSignal(false);
  const card = useRef(/** @type {HTMLElement | null} */ (null));
  const token = store.selectedToken.value;
  useLayoutEffect(() => {
    if (stage && token && card.current && covers(card.current, stage, token)) isAside.value = !isAside.value;
  }, [token?.id, token?.x, token?.y]);
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
    if (!changed) return;
    amount.value = '';
    store.patchToken(changed);
    const left = changed.bars?.find((/** @type {import('../store.js').Bar} */ { name }) => name === bar)?.value;
    if (what === 'damage' && left === 0) await defeat();
  };
  /** A monster without hit points takes no more turns; characters may still be saved. */
  const defeat = async () => {
    const encounter = store.encounter.value;
    const combatant = encounter?.combatants.find((one) => one.token_id === token.id);
    if (!store.isGameMaster.value || !encounter || !combatant || combatant.defeated || token.disposition !== 'hostile')
      return;
    if (await table.changeCombatant(encounter.id, combatant, { defeated: true }))
      store.notify(`${combatant.name} is defeated.`);
  };
  const bars = token.bars ?? [];
  return html`
    <section
      ref=${card}
      class=${`pl-card ${isAside.value ? 'is-aside' : ''} ${input?.isDragging.value ? 'is-dragging' : ''}`}
      aria-label=${`Selected: ${token.name || 'token'}`}
    >
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
        html`<form
          class="pl-line"
          onSubmit=${(/** @type {Event} */ event) => {
            event.preventDefault();
            apply('damage', bars[0].name);
          }}
        >
          <input
            type="number"
            min="1"
            max="9999"
            aria-label="Amount"
            placeholder="Amount"
            value=${amount.value}
            onInput=${(/** @type {any} */ event) => (amount.value = event.target.value)}
          />
          <button class="pl-button is-danger">Damage</button>
          <button type="button" class="pl-button" onClick=${() => apply('heal', bars[0].name)}>Heal</button>
        </form>`
      }
      <${Conditions}
        conditions=${token.conditions ?? []}
        change=${mayAct && ((/** @type {string[]} */ conditions) => change({ conditions }))}
      />
      ${
        store.isGameMaster.value &&
        html`<div class="pl-buttons">
          <button class="pl-button" onClick=${() => change({ hidden: !token.hidden })}>
            ${token.hidden ? 'Show to players' : 'Hide'}
          </button>
          <${Confirmed}
            key=${token.id}
            label="Delete"
            className="is-danger"
            change=${() => table.send('DELETE', url)}
          />
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
      ${
        input &&
        store.isGameMaster.value &&
        html`<label class="pl-check">
          <input
            type="checkbox"
            checked=${input.isForcing.value}
            onChange=${(/** @type {any} */ event) => (input.isForcing.value = event.target.checked)}
          />
          Move through everything, as with Shift
        </label>`
      }
      ${mayAct && html`<${TokenForm} key=${token.id} ...${{ store, table, token, change }} />`}
    </section>
  `;
}

/**
 * Whether the card covers its token.
 * @param {HTMLElement} card  @param {import('../map/stage.js').Stage} stage  @param {import('../store.js').Token} token
 */
function covers(card, stage, token) {
  const { left, right, top, bottom } = card.getBoundingClientRect();
  const [x, y] = stage.onPage(...stage.tokens.centre(token));
  const margin = 24;
  return x > left - margin && x < right + margin && y > top - margin && y < bottom + margin;
}
