/** The lobby: the user's tables as cards, a form for an invitation code, and a form for a new universe. */

import { read, send } from '../shared/api.js';
import { html, render, useSignal } from '../vendor/preact.js';
import { Empty, Icon } from './panels/parts.js';

/**
 * @typedef {{id: string, name: string, description: string, role: string, active_map_id: string | null}} Universe
 * @typedef {{universe: Universe, mapId: string | null, members: string[], online: string[]}} Card
 */

/** @type {Record<string, string>} */
const ROLES = {
  owner: 'You run it',
  game_master: 'Game master',
  player: 'Player',
  spectator: 'Spectator',
  superuser: 'Superuser',
};

/** @returns {Promise<Card[]>} */
async function cards() {
  const { items } = await read('/universes?limit=50');
  return Promise.all(
    items.map(async (/** @type {Universe} */ universe) => {
      const [maps, members, online] = await Promise.all([
        read(`/maps?universe_id=${universe.id}&limit=1`),
        read(`/universes/${universe.id}/members?limit=8`),
        read(`/universes/${universe.id}/online`),
      ]);
      const names = (/** @type {any} */ page) => page.items.map((/** @type {any} */ one) => one.display_name);
      const mapId = universe.active_map_id ?? maps.items[0]?.id ?? null;
      return { universe, mapId, members: names(members), online: names(online) };
    }),
  );
}

/** @param {{tables: Card[]}} props */
function Lobby({ tables }) {
  const code = useSignal('');
  const name = useSignal('');
  const error = useSignal('');
  const join = (/** @type {Event} */ event) => {
    event.preventDefault();
    // Accepts the whole link, too.
    const found = code.value.trim().split('/').filter(Boolean).pop();
    if (found) location.assign(`/join/${encodeURIComponent(found)}`);
  };
  const create = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const made = await send('POST', '/universes', { name: name.value });
      location.assign(`/play/${made.id}`);
    } catch (failure) {
      error.value = failure instanceof Error ? failure.message : String(failure);
    }
  };
  return html`
    <h1>Your tables</h1>
    ${error.value && html`<p class="pl-notice is-error" role="alert">${error.value}</p>`}
    ${!tables.length && html`<${Empty} icon="castle" text="You have no tables yet. Enter an invitation code, or create a universe." />`}
    <ul class="pl-tables">
      ${tables.map(
        ({ universe, mapId, members, online }) =>
          html`<li>
            <a href=${`/play/${universe.id}`}>
              <span class="pl-picture"
                >${mapId ? html`<img src=${`/maps/${mapId}/image.png?cell_size=8`} alt="" loading="lazy" />` : html`<${Icon} name="castle" />`}</span
              >
              <strong>${universe.name}</strong>
              <span class="pl-role">${ROLES[universe.role]}</span>
              <small>${members.slice(0, 5).join(', ')}${members.length > 5 ? ', …' : ''}</small>
              ${online.length > 0 && html`<span class="pl-here">At the table now: ${online.slice(0, 5).join(', ')}</span>`}
            </a>
          </li>`,
      )}
    </ul>
    <div class="pl-start">
      <form class="pl-form" onSubmit=${join}>
        <h2>Join a table</h2>
        <label
          >Invitation code or link
          <input
            required
            maxlength="300"
            value=${code.value}
            onInput=${(/** @type {any} */ event) => (code.value = event.target.value)}
        /></label>
        <button class="pl-button is-primary">Join</button>
      </form>
      <form class="pl-form" onSubmit=${create}>
        <h2>Create a universe</h2>
        <label
          >Name
          <input
            required
            maxlength="200"
            value=${name.value}
            onInput=${(/** @type {any} */ event) => (name.value = event.target.value)}
        /></label>
        <button class="pl-button">Create</button>
      </form>
    </div>
  `;
}

const root = /** @type {HTMLElement} */ (document.querySelector('[data-lobby]'));
try {
  render(html`<${Lobby} tables=${await cards()} />`, root);
} catch (failure) {
  const { status, message } = /** @type {any} */ (failure);
  if (status === 401) location.assign('/login?next=/play');
  else render(html`<p class="pl-notice is-error" role="alert">${message}</p>`, root);
}
root.dataset.ready = 'true';
