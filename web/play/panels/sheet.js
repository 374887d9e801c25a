/** A character's sheet: fields for what the server validates, abilities that can be rolled, the rest as a tree. */

import { html, useSignal } from '../../vendor/preact.js';
import { Empty, Icon, signed } from './parts.js';
import { Tree } from './tree.js';

/**
 * @typedef {import('../store.js').Character} Character
 * @typedef {import('./shell.js').Props & {character: Character, change: (sheet: any) => void}} SheetProps
 */

const ABILITIES = ['strength', 'dexterity', 'constitution', 'intelligence', 'wisdom', 'charisma'];
/** @type {[string, string, number, number][]} key, label, minimum, maximum */
const NUMBERS = [
  ['level', 'Level', 1, 20],
  ['proficiency_bonus', 'Proficiency', 0, 20],
  ['armor_class', 'Armor class', 0, 99],
  ['initiative_bonus', 'Initiative', -99, 99],
  ['exhaustion', 'Exhaustion', 0, 6],
];
const CHECKED = new Set([
  ...ABILITIES,
  ...NUMBERS.map(([key]) => key),
  'abilities',
  'hit_points',
  'speed',
  'conditions',
  'death_saves',
  'senses',
]);

/** @param {import('./shell.js').Props} props */
export function Sheet(props) {
  const { store, table } = props;
  const chosen = useSignal('');
  const name = useSignal('');
  const all = [...store.characters.value.values()].filter((one) => one.sheet !== undefined);
  const own = all.filter((one) => store.may(one, 'act'));
  const character = all.find(({ id }) => id === chosen.value) ?? own[0] ?? all[0];
  const create = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const made = await table.send('POST', `${table.url}/characters`, {
      name: name.value.trim(),
      kind: 'player',
      sheet: NEW_SHEET,
    });
    if (made) {
      store.put(store.characters, made);
      chosen.value = made.id;
    }
    name.value = '';
  };
  return html`
    ${
      all.length > 1 &&
      html`<label class="pl-select">
        Character
        <select value=${character?.id} onChange=${(/** @type {any} */ event) => (chosen.value = event.target.value)}>
          ${all.map(({ id, name: label }) => html`<option value=${id} selected=${id === character?.id}>${label}</option>`)}
        </select>
      </label>`
    }
    ${
      character
        ? html`<${Card} key=${character.id} ...${props} character=${character} />`
        : html`<${Empty} icon="sheet" text="You have no character yet." />`
    }
    ${
      !store.isSpectator.value &&
      (!own.length || store.isGameMaster.value) &&
      html`<form class="pl-form" onSubmit=${create}>
        <h2>New character</h2>
        <label
          >Name
          <input
            required
            maxlength="200"
            value=${name.value}
            onInput=${(/** @type {any} */ event) => (name.value = event.target.value)}
        /></label>
        <button class="pl-button">Create</button>
      </form>`
    }
  `;
}

const NEW_SHEET = {
  abilities: Object.fromEntries(ABILITIES.map((name) => [name, 10])),
  level: 1,
  proficiency_bonus: 2,
  armor_class: 10,
  hit_points: { current: 8, maximum: 8, temporary: 0 },
  speed: { walk: 30 },
};

/** @param {import('./shell.js').Props & {character: Character}} props */
function Card(props) {
  const { store, table, character } = props;
  const { sheet } = character;
  const mayChange = store.may(character, 'act');
  const change = async (/** @type {any} */ patch) => {
    const changed = await table.send('PATCH', `/characters/${character.id}`, { sheet: patch });
    if (changed) store.put(store.characters, changed);
  };
  const rest = Object.fromEntries(Object.entries(sheet ?? {}).filter(([key]) => !CHECKED.has(key)));
  return html`
    <article class="pl-sheet" aria-labelledby="pl-character">
      <h2 id="pl-character">${character.name}</h2>
      <${HitPoints} ...${props} />
      <${Abilities} ...${props} />
      <${Attacks} ...${props} />
      <div class="pl-numbers">
        ${NUMBERS.map(
          ([key, label, least, most]) =>
            html`<label>
              ${label}
              <input
                type="number"
                min=${least}
                max=${most}
                value=${sheet?.[key] ?? ''}
                disabled=${!mayChange}
                onChange=${(/** @type {any} */ event) =>
                  change({ [key]: event.target.value === '' ? null : Number(event.target.value) })}
              />
            </label>`,
        )}
        ${Object.entries(sheet?.speed ?? {}).map(
          ([kind, value]) =>
            html`<label>
              Speed, ${kind}
              <input
                type="number"
                min="0"
                value=${value}
                disabled=${!mayChange}
                onChange=${(/** @type {any} */ event) => change({ speed: { [kind]: Number(event.target.value) } })}
              />
            </label>`,
        )}
      </div>
      ${sheet?.conditions?.length > 0 && html`<p class="pl-chips">${sheet.conditions.map((/** @type {string} */ one) => html`<span>${one}</span>`)}</p>`}
      ${
        Object.keys(rest).length > 0 &&
        html`<section aria-labelledby="pl-rest">
          <h3 id="pl-rest">More</h3>
          <${Tree} value=${rest} change=${mayChange ? change : null} />
        </section>`
      }
    </article>
  `;
}

/** @param {import('./shell.js').Props & {character: Character}} props */
function HitPoints({ store, table, character }) {
  const amount = useSignal('');
  const points = character.sheet?.hit_points;
  if (!points) return null;
  const part = points.maximum > 0 ? Math.min(Math.max(points.current / points.maximum, 0), 1) : 0;
  const apply = async (/** @type {string} */ what) => {
    const number = Number(amount.value);
    if (!(number > 0)) return;
    const changed = await table.send('POST', `/characters/${character.id}/${what}`, { amount: number });
    if (changed) store.put(store.characters, changed);
    amount.value = '';
  };
  return html`
    <section class="pl-hit-points" aria-label="Hit points">
      <p>
        <${Icon} name="heart" /><b>${points.current}</b> of ${points.maximum}
        ${points.temporary > 0 && html`<em>+${points.temporary} temporary</em>`}
      </p>
      <meter min="0" max="1" low="0.34" value=${part} aria-label="Hit points left"></meter>
      ${
        store.may(character, 'act') &&
        html`<form
          class="pl-line"
          onSubmit=${(/** @type {Event} */ event) => {
            event.preventDefault();
            apply('damage');
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
          <button type="button" class="pl-button" onClick=${() => apply('heal')}>Heal</button>
        </form>`
      }
    </section>
  `;
}

/** @param {import('./shell.js').Props & {character: Character}} props */
function Abilities({ store, table, character }) {
  const scores = character.sheet?.abilities;
  if (!scores) return null;
  const mayRoll = store.may(character, 'act');
  return html`
    <div class="pl-abilities">
      ${ABILITIES.filter((name) => scores[name] !== undefined).map((name) => {
        const modifier = Math.floor((scores[name] - 10) / 2);
        const label = name.slice(0, 3).toUpperCase();
        return html`<button
          disabled=${!mayRoll}
          title=${`Roll a ${name} check`}
          aria-label=${`${name} ${scores[name]}, roll a check with ${signed(modifier)}`}
          onClick=${() =>
            table.roll({
              expression: `1d20+@abilities.${name}.modifier`,
              reason: `${name[0].toUpperCase()}${name.slice(1)} check`,
              character_id: character.id,
            })}
        >
          <small>${label}</small><b>${signed(modifier)}</b><span>${scores[name]}</span>
        </button>`;
      })}
    </div>
  `;
}

/** Rolls for the `attacks` of a sheet: [{name, expression, damage}]. @param {import('./shell.js').Props & {character: Character}} props */
function Attacks({ store, table, character }) {
  const listed = character.sheet?.attacks;
  const attacks = Array.isArray(listed) ? listed.filter((one) => typeof one?.name === 'string') : [];
  if (!attacks.length || !store.may(character, 'act')) return null;
  const button = (/** @type {string} */ label, /** @type {unknown} */ expression, /** @type {string} */ reason) =>
    typeof expression === 'string' &&
    html`<button
      class="pl-button"
      aria-label=${reason}
      onClick=${() => table.roll({ expression, reason, character_id: character.id })}
    >
      ${label}
    </button>`;
  return html`
    <section aria-labelledby="pl-attacks">
      <h3 id="pl-attacks">Attacks</h3>
      <ul class="pl-attacks">
        ${attacks.map(
          ({ name, expression, damage }) =>
            html`<li>
              <span>${name}</span>
              ${button('Attack', expression, `Attack: ${name}`)} ${button('Damage', damage, `Damage: ${name}`)}
            </li>`,
        )}
      </ul>
    </section>
  `;
}
