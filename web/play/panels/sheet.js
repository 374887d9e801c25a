/** A character's sheet: fields for what the server validates, abilities that can be rolled, the rest as a tree. */

import { html, useSignal } from '../../vendor/preact.js';
import { Conditions, Empty, Icon, NumberField, PlayedBy, signed } from './parts.js';
import { NewField, Tree } from './tree.js';

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
/** @type {[string, string[], number][]} groups of numbers: key, the keys in it, maximum */
const GROUPS = [
  ['speed', ['walk', 'fly', 'swim', 'climb', 'burrow'], 100_000],
  ['senses', ['passive_perception', 'darkvision', 'blindsight', 'tremorsense', 'truesight'], 100_000],
];
const CHECKED = new Set([
  ...[...NUMBERS, ...GROUPS].map(([key]) => key),
  'abilities',
  'hit_points',
  'conditions',
  'death_saves',
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
  const update = async (/** @type {any} */ fields) => {
    const changed = await table.send('PATCH', `/characters/${character.id}`, fields);
    if (changed) store.put(store.characters, changed);
  };
  const send = (/** @type {any} */ patch) => update({ sheet: patch });
  const change = store.may(character, 'act') ? send : null;
  const field = (/** @type {string} */ key) => (/** @type {any} */ value) => change?.({ [key]: value });
  const rest = Object.fromEntries(Object.entries(sheet ?? {}).filter(([key]) => !CHECKED.has(key)));
  return html`
    <article class="pl-sheet" aria-labelledby="pl-character">
      <h2 id="pl-character">${character.name}</h2>
      ${
        store.isGameMaster.value &&
        html`<${PlayedBy}
          store=${store}
          grants=${character.grants}
          change=${(/** @type {import('../store.js').Grants} */ grants) => update({ grants })}
        />`
      }
      <${HitPoints} ...${props} />
      <${Abilities} ...${props} />
      <${Attacks} ...${props} />
      <div class="pl-numbers">
        ${NUMBERS.map(
          ([key, label, least, most]) =>
            html`<${NumberField}
              label=${label}
              value=${sheet?.[key]}
              least=${least}
              most=${most}
              change=${change && field(key)}
            />`,
        )}
        ${GROUPS.flatMap(([group, keys, most]) =>
          keys
            .filter((key) => sheet?.[group]?.[key] !== undefined)
            .map((key) => html`<${GroupField} ...${{ group, name: key, sheet, most, change }} />`),
        )}
      </div>
      <${Conditions} conditions=${sheet?.conditions ?? []} change=${change && field('conditions')} />
      ${change && html`<${Details} sheet=${sheet ?? {}} change=${change} />`}
      <section aria-labelledby="pl-rest">
        <h3 id="pl-rest">More</h3>
        <${Tree} value=${rest} change=${change} />
        ${change && html`<${NewField} change=${change} />`}
      </section>
    </article>
  `;
}

/**
 * @param {{group: string, name: string, sheet: any, most: number, change: ((patch: any) => void) | null}} props
 */
const GroupField = ({ group, name, sheet, most, change }) => html`
  <${NumberField}
    label=${group === 'speed' ? `Speed, ${name}` : capitalized(name.replaceAll('_', ' '))}
    value=${sheet?.[group]?.[name]}
    least=${0}
    most=${most}
    change=${change && ((/** @type {number | null} */ value) => change({ [group]: { [name]: value } }))}
  />
`;

/** Fields that are seldom changed. @param {{sheet: any, change: (patch: any) => void}} props */
function Details({ sheet, change }) {
  const points = sheet.hit_points ?? { current: 0 };
  const setPoints = (/** @type {any} */ next) => change({ hit_points: next });
  const setMaximum = (/** @type {number | null} */ maximum) => {
    if (maximum === null) change({ hit_points: null });
    // A new maximum is full.
    else setPoints({ maximum, current: sheet.hit_points ? Math.min(points.current, maximum) : maximum });
  };
  return html`
    <details class="pl-details">
      <summary>Change abilities, hit points and senses</summary>
      <div class="pl-numbers">
        ${ABILITIES.map(
          (name) =>
            html`<${NumberField}
              label=${capitalized(name)}
              value=${sheet.abilities?.[name]}
              least=${1}
              most=${30}
              change=${(/** @type {number | null} */ value) => change({ abilities: { [name]: value } })}
            />`,
        )}
        <${NumberField} label="Maximum hit points" value=${points.maximum} least=${0} change=${setMaximum} />
        ${
          sheet.hit_points &&
          html`<${NumberField}
            label="Temporary hit points"
            value=${points.temporary}
            least=${0}
            change=${(/** @type {number | null} */ temporary) => setPoints({ temporary: temporary ?? 0 })}
          />`
        }
        ${GROUPS.flatMap(([group, keys, most]) =>
          keys
            .filter((key) => sheet[group]?.[key] === undefined)
            .map((key) => html`<${GroupField} ...${{ group, name: key, sheet, most, change }} />`),
        )}
      </div>
    </details>
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
    if (!changed) return;
    store.put(store.characters, changed);
    amount.value = '';
  };
  const mayAct = store.may(character, 'act');
  const setDeathSaves = async (/** @type {any} */ saves) => {
    const changed = await table.send('PATCH', `/characters/${character.id}`, { sheet: { death_saves: saves } });
    if (changed) store.put(store.characters, changed);
  };
  return html`
    <section class="pl-hit-points" aria-label="Hit points">
      <p>
        <${Icon} name="heart" /><b>${points.current}</b> of ${points.maximum}
        ${points.temporary > 0 && html`<em>+${points.temporary} temporary</em>`}
      </p>
      <meter min="0" max="1" low="0.34" value=${part} aria-label="Hit points left"></meter>
      ${
        points.current === 0 &&
        html`<div class="pl-numbers">
          ${['successes', 'failures'].map(
            (name) =>
              html`<${NumberField}
                label=${`Death saves, ${name}`}
                value=${character.sheet.death_saves?.[name] ?? 0}
                least=${0}
                most=${3}
                change=${mayAct && ((/** @type {number | null} */ value) => setDeathSaves({ [name]: value ?? 0 }))}
              />`,
          )}
        </div>`
      }
      ${
        mayAct &&
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
            rollFor(
              { store, table, character },
              { expression: `1d20+@abilities.${name}.modifier`, reason: `${capitalized(name)} check` },
            )}
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
  if (!store.may(character, 'act')) return null;
  const button = (/** @type {string} */ label, /** @type {unknown} */ expression, /** @type {string} */ reason) =>
    typeof expression === 'string' &&
    html`<button
      class="pl-button"
      aria-label=${reason}
      onClick=${() => rollFor({ store, table, character }, { expression, reason })}
    >
      ${label}
    </button>`;
  const add = async (/** @type {any} */ attack) => {
    const sheet = { attacks: [...attacks, attack] };
    const changed = await table.send('PATCH', `/characters/${character.id}`, { sheet });
    if (changed) store.put(store.characters, changed);
    return !!changed;
  };
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
      <${NewAttack} add=${add} />
    </section>
  `;
}

/** @param {{add: (attack: {name: string, expression: string, damage?: string}) => Promise<boolean>}} props */
function NewAttack({ add }) {
  const fields = [
    { label: 'Attack', example: 'longbow', isRequired: true, value: useSignal('') },
    { label: 'Roll', example: '1d20+5', isRequired: true, value: useSignal('') },
    { label: 'Damage', example: '1d8+3', isRequired: false, value: useSignal('') },
  ];
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const [name, expression, damage] = fields.map(({ value }) => value.value.trim());
    if (await add({ name, expression, ...(damage ? { damage } : {}) }))
      for (const { value } of fields) value.value = '';
  };
  return html`
    <details class="pl-details">
      <summary>Add an attack</summary>
      <form class="pl-form" onSubmit=${submit}>
        ${fields.map(
          ({ label, example, isRequired, value }) =>
            html`<label
              >${label}
              <input
                required=${isRequired}
                maxlength="200"
                placeholder=${example}
                value=${value.value}
                onInput=${(/** @type {any} */ event) => (value.value = event.target.value)}
            /></label>`,
        )}
        <button class="pl-button">Add</button>
      </form>
    </details>
  `;
}

/**
 * Roll for a character, and say the result here: the log is not shown beside the sheet.
 * @param {{store: import('../store.js').Store, table: import('../table.js').Table, character: Character}} props
 * @param {{expression: string, reason: string}} roll
 */
async function rollFor({ store, table, character }, roll) {
  const rolled = await table.roll({ ...roll, character_id: character.id });
  if (rolled) store.notify(`${roll.reason}: ${rolled.total}`);
}

/** @param {string} word */
const capitalized = (word) => `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`;
