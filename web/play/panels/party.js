/** Who is online, and what is in sight: the accessible equivalent of the map. */

import { html } from '../../vendor/preact.js';
import { Avatar, Empty, Icon } from './parts.js';

/** @type {Record<string, string>} */
const ROLES = {
  owner: 'Owner',
  game_master: 'Game master',
  player: 'Player',
  spectator: 'Spectator',
  superuser: 'Superuser',
};

/** @param {import('./shell.js').Props} props */
export function Party(props) {
  const { store } = props;
  const members = [...store.members.value.values()].sort(
    (a, b) => Number(store.online.value.has(b.user_id)) - Number(store.online.value.has(a.user_id)),
  );
  return html`
    <section aria-labelledby="pl-members">
      <h2 id="pl-members">At the table</h2>
      <ul class="pl-list">
        ${members.map(({ user_id: id, display_name: name, role }) => {
          const isOnline = store.online.value.has(id);
          return html`<li class=${isOnline ? '' : 'is-away'}>
            <${Avatar} name=${name} id=${id} />
            <span
              >${name}${id === store.me.value?.id ? ' (you)' : ''}<small
                >${ROLES[role]}${isOnline ? '' : ', away'}</small
              ></span
            >
          </li>`;
        })}
      </ul>
      ${store.isGameMaster.value && html`<${Invite} ...${props} />`}
    </section>
    <${InSight} ...${props} />
  `;
}

/** @param {import('./shell.js').Props} props */
function Invite({ store, table }) {
  const invite = async () => {
    const made = await table.send('POST', `${table.url}/invitations`, { role: 'player' });
    if (!made) return;
    try {
      await navigator.clipboard.writeText(made.url);
      store.notify('Link copied. Send it to your players: it works for a week.');
    } catch {
      store.notify(`Send this link to your players: ${made.url}`);
    }
  };
  return html`<div class="pl-buttons">
    <button class="pl-button" onClick=${invite}>Copy an invitation link for players</button>
    <a class="pl-button" href=${`/admin/universe/members/${table.universeId}`}>Manage members</a>
  </div>`;
}

/** @param {import('./shell.js').Props} props */
function InSight({ store, stage }) {
  void store.revision.value;
  const { frame } = store.document;
  const tokens = [...store.tokens.value.values()];
  const show = (/** @type {number} */ x, /** @type {number} */ y) =>
    stage?.centreOn(...store.document.geometry.centre(x, y));
  const pins = store.pins.value;
  const entities = frame.entities.filter(({ name }) => name).slice(0, 100);
  return html`
    <section aria-labelledby="pl-sight">
      <h2 id="pl-sight">In sight</h2>
      ${!tokens.length && !entities.length && !pins.length && html`<${Empty} icon="reveal" text="Nothing with a name is in sight." />`}
      <ul class="pl-list is-compact">
        ${tokens.map(
          (token) =>
            html`<li>
              <button
                aria-pressed=${store.selected.value === token.id}
                onClick=${() => {
                  store.selected.value = token.id;
                  show(token.x, token.y);
                }}
              >
                <i class=${`pl-dot is-${token.disposition}`}></i>
                <span>${token.name || 'Unnamed'}<small>${describe(token)}</small></span>
              </button>
            </li>`,
        )}
        ${entities.map(
          ({ name, kind, x, y }) =>
            html`<li>
              <button onClick=${() => show(x, y)}>
                <i class="pl-dot"></i
                ><span>${name}<small>${[kind, `at ${x}, ${y}`].filter(Boolean).join(', ')}</small></span>
              </button>
            </li>`,
        )}
        ${pins.map(
          ({ id, title, x, y }) =>
            html`<li>
              <button onClick=${() => (store.openNote.value = { id })}>
                <${Icon} name="scroll" />
                <span>${title}<small>note, at ${Math.floor(x)}, ${Math.floor(y)}</small></span>
              </button>
            </li>`,
        )}
      </ul>
    </section>
  `;
}

/** @param {import('../store.js').Token} token */
function describe({ x, y, disposition, hidden, bars = [], conditions = [] }) {
  const numbers = bars.map(({ name, value, max }) => `${name} ${value} of ${max}`);
  return [disposition, hidden && 'hidden', `at ${x}, ${y}`, ...numbers, ...conditions].filter(Boolean).join(', ');
}
