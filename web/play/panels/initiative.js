/** The encounter: the order of initiative, and whose turn it is; game masters run it. */

import { html, useSignal } from '../../vendor/preact.js';
import { Confirmed, Empty, Icon, Select, useDraft } from './parts.js';

/** @param {import('./shell.js').Props} props */
export function Initiative(props) {
  const { store } = props;
  const chosen = useSignal('');
  const running = store.encounter.value;
  const all = [...store.encounters.value.values()];
  const shown =
    running ??
    all.find(({ id }) => id === chosen.value) ??
    all.find(({ map_id: mapId }) => mapId === store.mapId.value) ??
    all[0] ??
    null;
  return html`
    ${
      !running &&
      all.length > 1 &&
      html`<${Select}
        label="Encounter"
        value=${shown.id}
        options=${all.map(({ id, name }) => [id, name])}
        change=${(/** @type {string} */ id) => (chosen.value = id)}
      />`
    }
    ${
      shown
        ? html`<${Encounter} key=${shown.id} ...${props} encounter=${shown} />`
        : html`<${Empty} icon="swords" text="There is no encounter." />`
    }
    ${
      store.isGameMaster.value &&
      !running &&
      html`<${NewEncounter} ...${props} show=${(/** @type {string} */ id) => (chosen.value = id)} />`
    }
  `;
}

/** @param {import('./shell.js').Props & {encounter: import('../store.js').Encounter}} props */
function Encounter({ store, table, stage, encounter }) {
  const post = (/** @type {string} */ what) => table.stepEncounter(encounter.id, what);
  const isRunning = encounter.state === 'running';
  const show = (/** @type {string | null | undefined} */ tokenId) => {
    const token = store.tokens.value.get(tokenId ?? '');
    if (!token || !stage) return;
    store.selected.value = token.id;
    stage.approach(...stage.tokens.centre(token));
  };
  const isMaster = store.isGameMaster.value;
  const selected = store.selectedToken.value;
  const isNew = selected && encounter.combatants.every((one) => one.token_id !== selected.id);
  const add = (/** @type {import('../store.js').Token} */ token) =>
    table.changeCombatants(encounter.id, (combatants) => [...combatants, combatantOf(token)]);
  return html`
    <section aria-labelledby="pl-fight">
      <h2 id="pl-fight">${encounter.name}</h2>
      <p class="pl-muted" role="status">
        ${isRunning ? `Round ${encounter.round}` : encounter.state === 'ended' ? 'Ended' : 'Prepared: players do not see it yet.'}
      </p>
      <ol class="pl-turns">
        ${encounter.combatants.map(
          (one) =>
            html`<li
              key=${one.id}
              class=${[one.id === encounter.turn && 'is-turn', one.defeated && 'is-defeated', one.hidden && 'is-hidden'].filter(Boolean).join(' ')}
              aria-current=${one.id === encounter.turn ? 'true' : null}
            >
              ${isMaster && html`<${InitiativeField} ...${{ table, encounter, combatant: one }} />`}
              <button onClick=${() => show(one.token_id)}>
                ${!isMaster && html`<b>${one.initiative ?? '–'}</b>`}
                <span>${one.name}<small>${effectsOf(one)}</small></span>
              </button>
              ${isMaster && html`<${Flags} ...${{ table, encounter, combatant: one }} />`}
            </li>`,
        )}
      </ol>
      ${isMaster && isNew && html`<button class="pl-button" onClick=${() => add(selected)}>Add ${selected.name || 'the selected token'}</button>`}
      ${
        isMaster &&
        html`<div class="pl-buttons">
          ${!isRunning && html`<button class="pl-button" onClick=${() => post('initiative')}>Roll initiative</button>`}
          ${
            encounter.state === 'prepared' &&
            html`<button class="pl-button is-primary" onClick=${() => post('start')}>Start</button>
              <${Confirmed}
                label="Delete"
                className="is-danger"
                change=${() => table.send('DELETE', `/encounters/${encounter.id}`)}
              />`
          }
          ${
            isRunning &&
            html`<button class="pl-button" onClick=${() => post('previous')}><${Icon} name="left" /> Back</button>
              <button class="pl-button is-primary" onClick=${() => post('next')}>
                Next turn <${Icon} name="right" />
              </button>
              <button class="pl-button" onClick=${() => post('end')}>End</button>`
          }
        </div>`
      }
    </section>
  `;
}

/**
 * @typedef {{table: import('../table.js').Table, encounter: import('../store.js').Encounter,
 *   combatant: import('../store.js').Combatant}} CombatantProps
 */

/** @param {CombatantProps} props */
function InitiativeField({ table, encounter, combatant }) {
  const field = useDraft(combatant.initiative, (text) =>
    table.changeCombatant(encounter.id, combatant, { initiative: text === '' ? null : Number(text) }),
  );
  const label = `Initiative of ${combatant.name}`;
  return html`<input type="number" step="any" aria-label=${label} placeholder="–" ...${field} />`;
}

/** @param {CombatantProps} props */
function Flags({ table, encounter, combatant }) {
  const { id, name, hidden = false, defeated = false } = combatant;
  return html`
    <button
      class="pl-flag"
      aria-pressed=${hidden}
      aria-label=${`${name} is hidden`}
      title=${hidden ? 'Hidden from players' : 'Hide from players'}
      onClick=${() => table.changeCombatant(encounter.id, combatant, { hidden: !hidden })}
    >
      <${Icon} name="hide" />
    </button>
    <button
      class="pl-flag"
      aria-pressed=${defeated}
      aria-label=${`${name} is defeated`}
      title=${defeated ? 'Defeated: takes no turns' : 'Mark as defeated'}
      onClick=${() => table.changeCombatant(encounter.id, combatant, { defeated: !defeated })}
    >
      <${Icon} name="skull" />
    </button>
    <button
      class="pl-flag"
      aria-label=${`Remove ${name} from the encounter`}
      title="Remove from the encounter"
      onClick=${() => table.changeCombatants(encounter.id, (combatants) => combatants.filter((one) => one.id !== id))}
    >
      <${Icon} name="close" />
    </button>
  `;
}

/** @param {import('../store.js').Token} token */
const combatantOf = (token) => ({
  token_id: token.id,
  ...(token.character_id ? { character_id: token.character_id } : {}),
  name: token.name || 'Unnamed',
  initiative: null,
  hidden: !!token.hidden,
});

/** @param {import('../store.js').Combatant} combatant */
const effectsOf = ({ hidden, defeated, effects = [] }) =>
  [
    hidden && 'hidden',
    defeated && 'defeated',
    ...effects.map(({ name, rounds }) => (rounds ? `${name}, ${rounds} rounds` : name)),
  ]
    .filter(Boolean)
    .join(' · ');

/** @param {import('./shell.js').Props & {show: (id: string) => void}} props */
function NewEncounter({ store, table, show }) {
  const name = useSignal('');
  const create = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const tokens = [...store.tokens.value.values()];
    const made = await table.send('POST', `${table.url}/encounters`, {
      name: name.value.trim() || 'Encounter',
      map_id: store.mapId.value,
      combatants: tokens.map(combatantOf),
    });
    if (!made) return;
    name.value = '';
    show(made.id);
  };
  return html`
    <form class="pl-form" onSubmit=${create}>
      <h2>New encounter</h2>
      <label
        >Name
        <input
          value=${name.value}
          maxlength="200"
          placeholder="Ambush at the ford"
          onInput=${(/** @type {any} */ event) => (name.value = event.target.value)}
      /></label>
      <p class="pl-muted">All tokens on this map become combatants. Hidden tokens stay hidden.</p>
      <button class="pl-button">Prepare</button>
    </form>
  `;
}
