/** Components that several panels use. */

import { html, useRef, useSignal } from '../../vendor/preact.js';

/** @type {Record<string, string>} */
const ICONS = {
  castle: 'M4 20V6h3v2h2.5V6h5v2H17V6h3v14zM10 20v-4a2 2 0 0 1 4 0v4',
  chat: 'M4 5.5h16v11H10l-4.5 3.5v-3.5H4zM8 9.5h8M8 12.5h5',
  people:
    'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c.4-3.3 2.6-5 5.5-5s5.1 1.7 5.5 5M15.5 5.6a3 3 0 0 1 0 5M16.5 14.2c2.3.4 3.7 2 4 4.8',
  person: 'M12 11.2a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2zM5 20c.5-3.9 3.3-6 7-6s6.5 2.1 7 6',
  swords: 'M4 4l9 9M4 4v3l8 8M20 4l-9 9M20 4v3l-8 8M7 14l3 3M17 14l-3 3M5 19l3-3M19 19l-3-3',
  sheet: 'M6 3.5h9l3.5 3.5v13.5H6zM15 3.5V7h3.5M9 11h6.5M9 14h6.5M9 17h4',
  scroll: 'M7 4h11a2 2 0 0 1 2 2v1.5h-4M16 7.5V18a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-1.5h8V18M7 4a2 2 0 0 0-2 2v10.5',
  mask: 'M4 6c5 1.6 11 1.6 16 0 .8 7-2 12.5-8 13.5C6 18.5 3.2 13 4 6zM8 11.5h2.5M13.5 11.5H16',
  move: 'M5.5 3.8 19 10.6l-5.7 1.9-2.2 5.8z',
  ruler: 'M3.5 15.5 15.5 3.5l5 5-12 12zM7 12l1.8 1.8M10 9l2.5 2.5M13 6l1.8 1.8',
  area: 'M12 4v3M12 17v3M4 12h3M17 12h3M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9z',
  ping: 'M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7.8 16.2a6 6 0 0 1 0-8.4M16.2 7.8a6 6 0 0 1 0 8.4M5 19a10 10 0 0 1 0-14M19 5a10 10 0 0 1 0 14',
  reveal: 'M2.5 12S6 6 12 6s9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6zM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z',
  hide: 'M4 4l16 16M9.5 6.4A9 9 0 0 1 12 6c6 0 9.5 6 9.5 6a17 17 0 0 1-3 3.5M6 8.3A17 17 0 0 0 2.5 12S6 18 12 18a9 9 0 0 0 3.6-.8',
  polygon: 'M12 3.5 20.5 10l-3 10h-11l-3-10z',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  dice: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12 4 7.5M12 12v9',
  close: 'M6 6l12 12M18 6 6 18',
  skull:
    'M5 11a7 7 0 1 1 14 0c0 2.3-1 4-2.500 5v3h-9v-3C6 15 5 13.300 5 11zM9.200 12.500v-1M14.800 12.500v-1M11 19v-2M13.500 19v-2',
  heart: 'M12 20s-7.5-4.6-7.5-10.2A4 4 0 0 1 12 7.6a4 4 0 0 1 7.5 2.2C19.5 15.4 12 20 12 20z',
  left: 'm14.5 6-6 6 6 6',
  right: 'm9.5 6 6 6-6 6',
};

/** @param {{name: string}} props */
export const Icon = ({ name }) =>
  html`<svg class="pl-icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/** @param {string} id */
const hueOf = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);

/** @param {{name: string, id: string}} props */
export const Avatar = ({ name, id }) =>
  html`<span class="pl-avatar" style=${{ '--hue': hueOf(id) }} aria-hidden="true"
    >${[...name][0]?.toUpperCase() ?? '?'}</span
  >`;

/**
 * A button for what cannot be undone: the second click does it.
 * @param {{label: string, className?: string, change: () => void}} props
 */
export function Confirmed({ label, className = '', change }) {
  const isAsked = useSignal(false);
  const click = () => {
    if (isAsked.value) change();
    isAsked.value = !isAsked.value;
  };
  return html`<button class=${`pl-button ${className}`} onClick=${click} onBlur=${() => (isAsked.value = false)}>
    ${isAsked.value ? `${label} for good` : label}
  </button>`;
}

/** A number with its sign, as modifiers are written. @param {number} value */
export const signed = (value) => (value < 0 ? `−${-value}` : `+${value}`);

/** @param {string} time */
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

/** @param {{icon?: string, text: string}} props */
export const Empty = ({ icon = 'scroll', text }) =>
  html`<div class="pl-empty">
    <${Icon} name=${icon} />
    <p>${text}</p>
  </div>`;

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

/** @param {{conditions: string[], change: ((conditions: string[]) => void) | null}} props */
export const Conditions = ({ conditions, change }) => html`
  <p class="pl-chips">
    ${conditions.map((one) =>
      change
        ? html`<button
            title="Remove"
            aria-label=${`Remove ${one}`}
            onClick=${() => change(conditions.filter((other) => other !== one))}
          >
            ${one} ×
          </button>`
        : html`<span>${one}</span>`,
    )}
    ${
      change &&
      html`<select
        aria-label="Add a condition"
        value=""
        onChange=${(/** @type {any} */ event) => event.target.value && change([...conditions, event.target.value])}
      >
        <option value="">+ condition</option>
        ${CONDITIONS.filter((one) => !conditions.includes(one)).map((one) => html`<option>${one}</option>`)}
      </select>`
    }
  </p>
`;

/**
 * The props of a field that keeps what is being typed while its panel is rendered again, until it was sent.
 * @param {unknown} value  @param {(text: string) => unknown} commit  called when the text was changed; may be async
 */
export function useDraft(value, commit) {
  const draft = useSignal(/** @type {string | null} */ (null));
  const isCommitting = useRef(false);
  return {
    value: draft.value ?? value ?? '',
    onInput: (/** @type {any} */ event) => (draft.value = event.target.value),
    onChange: async (/** @type {any} */ event) => {
      if (!event.target.reportValidity()) return;
      isCommitting.current = true;
      await commit(event.target.value);
      isCommitting.current = false;
      draft.value = null;
    },
    onBlur: () => {
      if (!isCommitting.current) draft.value = null;
    },
  };
}

/**
 * @param {{label: string, value: number | null | undefined, least?: number, most?: number, step?: string,
 *   change: ((value: number | null) => unknown) | null}} props  `change` gets null for an empty field
 */
export function NumberField({ label, value, least, most, step, change }) {
  const field = useDraft(value, (text) => change?.(text === '' ? null : Number(text)));
  return html`
    <label>
      ${label}
      <input type="number" min=${least} max=${most} step=${step ?? '1'} disabled=${!change} ...${field} />
    </label>
  `;
}

/** @param {{label: string, value: string, options: [string, string][], change: (value: string) => void}} props */
export const Select = ({ label, value, options, change }) => html`
  <label class="pl-select">
    ${label}
    <select value=${value} onChange=${(/** @type {any} */ event) => change(event.target.value)}>
      ${options.map(([id, name]) => html`<option value=${id} selected=${id === value}>${name}</option>`)}
    </select>
  </label>
`;

/**
 * The player who may act for a token or character.
 * @param {{store: import('../store.js').Store, grants: import('../store.js').Grants | undefined,
 *   change: (grants: import('../store.js').Grants) => void}} props
 */
export function PlayedBy({ store, grants = {}, change }) {
  const players = [...store.members.value.values()].filter(({ role }) => role === 'player');
  const now = players.find(({ user_id: id }) => grants[id]?.includes('act'))?.user_id ?? '';
  const give = (/** @type {string} */ id) => {
    const others = Object.entries(grants).filter(([userId]) => userId !== now);
    change(Object.fromEntries(id ? [...others, [id, ['act']]] : others));
  };
  return html`<${Select}
    label="Played by"
    value=${now}
    options=${[['', 'game masters'], ...players.map((one) => [one.user_id, one.display_name])]}
    change=${give}
  />`;
}
