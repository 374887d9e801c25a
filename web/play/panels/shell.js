/** The layout of the page: a bar at the top, tools on the left, panels on the right, the selected token below. */

import { html, useEffect, useRef, useSignal } from '../../vendor/preact.js';
import { plural } from '../../shared/dom.js';
import { Avatar, Empty, Icon } from './parts.js';
import { GameMaster } from './game-master.js';
import { Initiative } from './initiative.js';
import { Log } from './log.js';
import { Notes } from './notes.js';
import { Party } from './party.js';
import { Sheet } from './sheet.js';
import { TokenCard } from './token-card.js';
import { Toolbar } from './toolbar.js';

/**
 * @typedef {object} Props  the props of every panel
 * @property {import('../store.js').Store} store
 * @property {import('../table.js').Table} table
 * @property {import('../map/stage.js').Stage | null} stage
 * @property {import('../map/input.js').MapInput | null} input
 */

const TABS = [
  { id: 'log', name: 'Log', icon: 'chat', panel: Log },
  { id: 'party', name: 'Party', icon: 'people', panel: Party },
  { id: 'initiative', name: 'Initiative', icon: 'swords', panel: Initiative },
  { id: 'sheet', name: 'Sheet', icon: 'sheet', panel: Sheet },
  { id: 'notes', name: 'Notes', icon: 'scroll', panel: Notes },
  { id: 'master', name: 'Master', icon: 'mask', panel: GameMaster },
];

/** @param {import('../log.js').LogEntry} entry */
const timeOf = (entry) => Date.parse(entry.created_at);

/** @param {Props} props */
export function Shell(props) {
  const { store } = props;
  const tab = useSignal('log');
  const isOpen = useSignal(!matchMedia('(max-width: 760px)').matches);
  // The time of the newest entry of the log that was shown; null until the log was read.
  const readUntil = useSignal(/** @type {number | null} */ (null));
  useEffect(() => {
    document.title = `${store.universe.value?.name ?? 'Table'} · Worldkeep`;
  }, [store.universe.value]);
  const entries = store.log.entries.value;
  const isReading = tab.value === 'log' && isOpen.value;
  useEffect(() => {
    if (store.isRead.value && (isReading || readUntil.value === null))
      readUntil.value = entries.length ? timeOf(entries[entries.length - 1]) : 0;
  }, [entries, isReading, store.isRead.value]);
  const { value: until } = readUntil;
  const isUnread = (/** @type {import('../log.js').LogEntry} */ one) =>
    until !== null && timeOf(one) > until && one.actor_id !== store.me.value?.id;
  const unread = isReading ? 0 : entries.filter(isUnread).length;
  useEffect(() => {
    if (!store.openNote.value) return;
    tab.value = 'notes';
    isOpen.value = true;
  }, [store.openNote.value]);
  const tabs = TABS.filter(({ id }) => id !== 'master' || store.isGameMaster.value);
  // A game master may have become a player.
  const current = tabs.some(({ id }) => id === tab.value) ? tab.value : 'log';
  // Panels that were opened remain, because they contain what was typed.
  const opened = useRef(new Set());
  opened.current.add(current);
  const choose = (/** @type {string} */ id) => {
    isOpen.value = tab.value !== id || !isOpen.value;
    tab.value = id;
  };
  return html`
    <${Bar} ...${props} />
    <${Toolbar} ...${props} />
    <${Turn} ...${props} />
    <${Nothing} store=${store} />
    <aside id="pl-panels" class=${`pl-side ${isOpen.value ? 'is-open' : ''}`}>
      <div class="pl-tabs" role="tablist" aria-label="Panels">
        ${tabs.map(
          ({ id, name, icon }) => html`
            <button
              role="tab"
              id=${`tab-${id}`}
              aria-selected=${isOpen.value && current === id}
              aria-controls=${`panel-${id}`}
              onClick=${() => choose(id)}
            >
              <${Icon} name=${icon} /><span>${name}</span>
              ${id === 'log' && unread > 0 && html`<b class="pl-unread">${Math.min(unread, 99)}</b>`}
            </button>
          `,
        )}
      </div>
      ${tabs
        .filter(({ id }) => opened.current.has(id))
        .map(({ id, panel: Panel }) => {
          const isShown = isOpen.value && current === id;
          return html`<div
            key=${id}
            class="pl-panel"
            id=${`panel-${id}`}
            role="tabpanel"
            aria-labelledby=${`tab-${id}`}
            hidden=${!isShown}
          >
            <${Panel} ...${props} isShown=${isShown} />
          </div>`;
        })}
    </aside>
    <${TokenCard} ...${props} />
    <${Notices} store=${store} />
    <${Closed} store=${store} />
  `;
}

/** @param {Props} props */
function Bar({ store, table }) {
  const universe = store.universe.value;
  const members = [...store.members.value.values()];
  const online = members.filter(({ user_id: id }) => store.online.value.has(id));
  return html`
    <header class="pl-bar">
      <a class="pl-home" href="/play" aria-label="All tables"><${Icon} name="castle" /></a>
      <div class="pl-where">
        <h1>${universe?.name ?? ' '}</h1>
        ${
          store.maps.value.length > 1
            ? html`<select
                aria-label="Map"
                value=${store.mapId.value}
                onChange=${(/** @type {any} */ event) => table.openMap(event.target.value).catch((error) => store.fail(error))}
              >
                ${store.maps.value.map(
                  ({ id, name, visibility }) =>
                    html`<option value=${id} selected=${id === store.mapId.value}>
                      ${name}${visibility === 'game_masters' ? ' (hidden)' : ''}${id === universe?.active_map_id ? ' ★' : ''}
                    </option>`,
                )}
              </select>`
            : html`<p>${store.map.value?.name ?? 'No map yet'}</p>`
        }
      </div>
      <span class="pl-grow"></span>
      ${
        store.seeAs.value &&
        html`<button class="pl-chip" onClick=${() => table.seeAs(null).catch((error) => store.fail(error))}>
          As ${store.nameOf(store.seeAs.value)} sees it ×
        </button>`
      }
      <${Connection} store=${store} />
      <ul class="pl-online" aria-label=${`${plural(online.length, 'member')} online`}>
        ${online
          .slice(0, 6)
          .map(
            ({ user_id: id, display_name: name }) => html`<li title=${name}><${Avatar} name=${name} id=${id} /></li>`,
          )}
      </ul>
      <a class="pl-account" href="/account" aria-label="Your account"><${Icon} name="person" /></a>
    </header>
  `;
}

/** Says why no map is shown. @param {{store: import('../store.js').Store}} props */
function Nothing({ store }) {
  let text = '';
  if (store.mapId.value)
    text = store.isBlind.value ? 'Nothing of this map is in sight: it has no token whose eyes you share.' : '';
  else if (store.isGameMaster.value) text = 'There is no map yet. Create or import one: see the tab “Master”.';
  else if (store.universe.value) text = 'The game master has not shown a map yet.';
  return text && html`<div class="pl-no-map"><${Empty} icon="castle" text=${text} /></div>`;
}

/** Shows whose turn it is; a click centres the map on their token. @param {Props} props */
function Turn({ store, stage }) {
  const running = store.encounter.value;
  const one = running?.combatants.find(({ id }) => id === running.turn);
  if (!running || !one) return null;
  const token = store.tokens.value.get(store.turnToken.value ?? '');
  const isOwn = !store.isGameMaster.value && store.may(token, 'act');
  return html`
    <div class=${`pl-turn ${isOwn ? 'is-own' : ''}`} role="status">
      <button disabled=${!token} onClick=${() => token && stage?.centreOn(...stage.tokens.centre(token))}>
        <${Icon} name="swords" /> ${isOwn ? `Your turn: ${one.name}` : `${one.name}’s turn`}
        <small>round ${running.round}</small>
      </button>
    </div>
  `;
}

/** @param {{store: import('../store.js').Store}} props */
function Connection({ store }) {
  const state = store.connection.value;
  const text =
    state === 'open' ? '' : state === 'waiting' ? 'Reconnecting…' : state === 'connecting' ? 'Connecting…' : 'Closed';
  return html`<span class="pl-connection" data-state=${state} role="status">${text}</span>`;
}

/** @param {{store: import('../store.js').Store}} props */
function Notices({ store }) {
  return html`
    <div class="pl-notices" aria-live="polite">
      ${store.notices.value.map(
        ({ id, kind, text }) =>
          html`<p key=${id} class=${`pl-notice is-${kind}`} role=${kind === 'error' ? 'alert' : null}>${text}</p>`,
      )}
    </div>
  `;
}

/** @type {Record<number, [string, string, string, string]>} */
const CLOSED = {
  401: ['You are logged out', 'Log in again to continue.', 'Log in', '/login'],
  4401: ['You are logged out', 'Log in again to continue.', 'Log in', '/login'],
  403: ['You are no longer at this table', 'A game master removed you, or you left.', 'Your tables', '/play'],
  4403: ['You are no longer at this table', 'A game master removed you, or you left.', 'Your tables', '/play'],
  404: ['Table not found', 'It does not exist, or you are not a member of it.', 'Your tables', '/play'],
  4404: ['Table not found', 'It does not exist, or you are not a member of it.', 'Your tables', '/play'],
};

/** @param {{store: import('../store.js').Store}} props */
function Closed({ store }) {
  const link = useRef(/** @type {HTMLElement | null} */ (null));
  const [title, text, label, href] = CLOSED[store.closed.value] ?? [];
  useEffect(() => link.current?.focus(), [title]);
  if (!title) return null;
  const target = href === '/login' ? `${href}?next=${encodeURIComponent(location.pathname)}` : href;
  return html`
    <div class="pl-closed" role="alertdialog" aria-modal="true" aria-labelledby="pl-closed-title">
      <div>
        <h2 id="pl-closed-title">${title}</h2>
        <p>${text}</p>
        <a class="pl-button is-primary" href=${target} ref=${link}>${label}</a>
      </div>
    </div>
  `;
}
