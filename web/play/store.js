/**
 * The state of the game on this page: one store, filled by API reads and by the live feed. Everything on the page is
 * rendered from it, and nothing else holds state of the game.
 *
 * @typedef {import('../shared/geometry.js').Pair} Pair
 * @typedef {{user_id: string, display_name: string, role: Role, created_at?: string}} Member
 * @typedef {'owner' | 'game_master' | 'player' | 'spectator' | 'superuser'} Role
 * @typedef {{id: string, name: string, description: string, role: Role, active_map_id: string | null}} Universe
 * @typedef {{id: string, universe_id: string, name: string, visibility: string, fog?: string, fog_sharing?: string,
 *   lighting?: string, version?: number}} MapSummary
 * @typedef {{name: string, value: number, max: number, public?: boolean}} Bar
 * @typedef {Record<string, string[]>} Grants
 *
 * @typedef {object} Token
 * @property {string} id
 * @property {string} map_id
 * @property {string | null} [character_id]
 * @property {string} name
 * @property {number} x
 * @property {number} y
 * @property {number} size
 * @property {number} [rotation]
 * @property {number} [elevation]
 * @property {string | null} [asset_id]
 * @property {string | null} [color]
 * @property {string} disposition
 * @property {boolean} [hidden]
 * @property {{range: number, darkvision?: number} | null} [sight]
 * @property {string[]} [conditions]
 * @property {Bar[]} [bars]
 * @property {Grants} [grants]
 * @property {{x: number, y: number}[]} [lastPath]  the cells of its last move
 *
 * @typedef {{id: string, name: string, kind: string, asset_id: string | null, grants: Grants, sheet?: any}} Character
 * @typedef {{id: string, name: string, initiative: number | null, hidden?: boolean, defeated?: boolean,
 *   token_id?: string | null, character_id?: string | null, effects?: {name: string, rounds?: number}[]}} Combatant
 * @typedef {{id: string, name: string, map_id: string | null, state: 'prepared' | 'running' | 'ended', round: number,
 *   turn: string | null, version?: number, combatants: Combatant[]}} Encounter
 * @typedef {{id: string, title: string, body: string, html?: string, grants?: Grants, map_id?: string | null,
 *   x?: number | null, y?: number | null, version?: number}} Note
 * @typedef {{id: number, kind: 'info' | 'error', text: string}} Notice
 */

import { ApiError } from '../shared/api.js';
import { GridDocument, readFrame } from '../shared/document.js';
import { pinCell } from '../shared/pin.js';
import { batch, computed, signal } from '../vendor/preact.js';
import { Log } from './log.js';

const GAME_MASTERS = new Set(['owner', 'game_master', 'superuser']);
const MAX_TOKEN_CHANGES = 500;

/**
 * A signal, with the type of its value.
 * @template T
 * @param {T} value
 * @returns {import('../vendor/preact.js').Signal<T>}
 */
const of = (value) => signal(value);

export class Store {
  me = of(/** @type {{id: string, display_name: string} | null} */ (null));
  universe = of(/** @type {Universe | null} */ (null));
  members = of(/** @type {Map<string, Member>} */ (new Map()));
  online = of(/** @type {Set<string>} */ (new Set()));
  maps = of(/** @type {MapSummary[]} */ ([]));
  mapId = of(/** @type {string | null} */ (null));
  tokens = of(/** @type {Map<string, Token>} */ (new Map()));
  fog = of(/** @type {string[] | null} */ (null));
  /** For game masters who change the fog: what the players have seen. */
  playersFog = of(/** @type {string[] | null} */ (null));
  characters = of(/** @type {Map<string, Character>} */ (new Map()));
  encounters = of(/** @type {Map<string, Encounter>} */ (new Map()));
  notes = of(/** @type {Note[]} */ ([]));
  /** The note that is being read; a new object each time it is opened. */
  openNote = of(/** @type {{id: string} | null} */ (null));
  log = new Log();
  /** Whether everything has been read once. */
  isRead = of(false);
  connection = of(/** @type {import('../shared/live.js').State} */ ('connecting'));
  /** The close code of the live feed, if it must not reconnect. */
  closed = of(0);
  notices = of(/** @type {Notice[]} */ ([]));
  selected = of(/** @type {string | null} */ (null));
  /** The member as whom a game master views the map. */
  seeAs = of(/** @type {string | null} */ (null));
  /** Incremented by every change of the map's document, so that lists made from it are rendered again. */
  revision = of(0);

  /** The open map; its frame is empty until the first map is loaded. */
  document = new GridDocument(readFrame({}));

  /** The notes that are pinned to the open map; with `seeAs`, those that this member sees. */
  pins = computed(() => {
    const as = this.seeAs.value;
    return this.notes.value.flatMap((note) => {
      const { id, title, map_id: mapId, x, y } = note;
      if (!mapId || mapId !== this.mapId.value || typeof x !== 'number' || typeof y !== 'number') return [];
      if (as && !(this.isGranted(note, 'see', as) && this.#isSeen(x, y))) return [];
      return [{ id, title, x, y }];
    });
  });

  map = computed(() => this.maps.value.find(({ id }) => id === this.mapId.value) ?? null);
  isGameMaster = computed(() => GAME_MASTERS.has(this.universe.value?.role ?? ''));
  isSpectator = computed(() => this.universe.value?.role === 'spectator');
  selectedToken = computed(() => this.tokens.value.get(this.selected.value ?? '') ?? null);
  encounter = computed(() => [...this.encounters.value.values()].find(({ state }) => state === 'running') ?? null);
  /** The token whose turn it is. */
  turnToken = computed(() => {
    const running = this.encounter.value;
    const combatant = running?.combatants.find(({ id }) => id === running.turn);
    if (!combatant) return null;
    if (combatant.token_id) return combatant.token_id;
    const { character_id: one, name } = combatant;
    const tokens = [...this.tokens.value.values()];
    const own = tokens.find((token) => one && token.character_id === one);
    // The tokens of others have no `character_id` here, but their names are visible.
    const named = tokens.filter((token) => token.name === name);
    return own?.id ?? (named.length === 1 ? named[0].id : null);
  });

  /** Whether nothing of the open map is in sight, nor remembered. */
  isBlind = computed(() => this.fog.value?.every((row) => !/[12]/.test(row)) ?? false);

  /** The tokens of defeated combatants. */
  defeatedTokens = computed(() => {
    const defeated = this.encounter.value?.combatants.filter((one) => one.defeated && one.token_id) ?? [];
    return new Set(defeated.map((one) => /** @type {string} */ (one.token_id)));
  });

  /** @type {{at: number, id: string, token: (Partial<Token> & {id: string}) | null}[]} the last changes of single tokens */
  tokenChanges = [];

  constructor() {
    this.document.listen(() => this.revision.value++);
  }

  /** @param {string} userId */
  nameOf(userId) {
    return this.members.value.get(userId)?.display_name ?? 'Somebody';
  }

  /**
   * Whether this user has a right to a thing, by its grants.
   * @param {{grants?: Grants, character_id?: string | null} | null | undefined} thing  @param {string} right
   * @returns {boolean}
   */
  may(thing, right) {
    if (!thing) return false;
    return this.isGameMaster.value || this.isGranted(thing, right, this.me.value?.id ?? '');
  }

  /**
   * Whether a member has a right to a thing, by its grants and those of its character.
   * @param {{grants?: Grants, character_id?: string | null}} thing  @param {string} right  @param {string} userId
   * @returns {boolean}
   */
  isGranted(thing, right, userId) {
    const given = [...(thing.grants?.[userId] ?? []), ...(thing.grants?.members ?? [])];
    if (given.includes(right) || given.includes('act')) return true;
    const character = thing.character_id ? this.characters.value.get(thing.character_id) : null;
    return character ? this.isGranted({ grants: character.grants }, right, userId) : false;
  }

  /** Whether a place is or was in sight on the map, as far as it has fog. @param {number} x  @param {number} y */
  #isSeen(x, y) {
    const rows = this.fog.value;
    if (!rows) return true;
    const [column, row] = pinCell({ width: rows[0].length, height: rows.length }, { x, y });
    return rows[row][column] !== '0';
  }

  /** Replace the notes; those that are equal stay the same objects. @param {Note[]} notes */
  setNotes(notes) {
    const before = new Map(this.notes.value.map((note) => [note.id, note]));
    this.notes.value = notes.map((note) => {
      const old = before.get(note.id);
      return old && JSON.stringify(old) === JSON.stringify(note) ? old : note;
    });
  }

  /** The tokens that this user may move. */
  get mine() {
    return [...this.tokens.value.values()].filter((token) => this.may(token, 'act'));
  }

  /**
   * Replace all tokens. Changes that arrived after `readAt`, when their read began, are applied again: the response may be
   * older than they are.
   * @param {Token[]} tokens  @param {number} [readAt]
   */
  setTokens(tokens, readAt = Infinity) {
    batch(() => {
      const next = new Map(tokens.map((token) => [token.id, token]));
      for (const { at, id, token } of this.tokenChanges) {
        const isHere = !token?.map_id || token.map_id === this.mapId.value;
        if (at > readAt && isHere) changeToken(next, id, token);
      }
      this.tokens.value = next;
      if (this.selected.value && !this.tokens.value.has(this.selected.value)) this.selected.value = null;
    });
  }

  /** @param {Partial<Token> & {id: string}} token */
  patchToken(token) {
    this.#noteChange(token.id, token);
    const tokens = new Map(this.tokens.value);
    if (changeToken(tokens, token.id, token)) this.tokens.value = tokens;
  }

  /** @param {string} id */
  dropToken(id) {
    this.#noteChange(id, null);
    if (!this.tokens.value.has(id)) return;
    const tokens = new Map(this.tokens.value);
    tokens.delete(id);
    this.setTokens([...tokens.values()]);
  }

  /** @param {string} id  @param {(Partial<Token> & {id: string}) | null} token */
  #noteChange(id, token) {
    this.tokenChanges = [...this.tokenChanges.slice(1 - MAX_TOKEN_CHANGES), { at: performance.now(), id, token }];
  }

  /**
   * Add or replace an item in a map by id.
   * @template {{id: string}} T
   * @param {import('../vendor/preact.js').Signal<Map<string, T>>} list  @param {T} thing
   */
  put(list, thing) {
    list.value = new Map(list.value).set(thing.id, thing);
  }

  /**
   * @template {{id: string}} T
   * @param {import('../vendor/preact.js').Signal<Map<string, T>>} list  @param {string} id
   */
  drop(list, id) {
    const next = new Map(list.value);
    next.delete(id);
    list.value = next;
  }

  /** @param {string} text  @param {Notice['kind']} [kind] */
  notify(text, kind = 'info') {
    const notice = { id: ++lastNotice, kind, text };
    this.notices.value = [...this.notices.value.slice(-2), notice];
    setTimeout(() => {
      this.notices.value = this.notices.value.filter(({ id }) => id !== notice.id);
    }, 6000);
  }

  /** @param {unknown} error */
  fail(error) {
    this.notify(messageOf(error), 'error');
  }
}

/** What to tell the user about an error. @param {unknown} error */
export function messageOf(error) {
  // What is wrong with a field says more than that something is.
  const [first] = error instanceof ApiError ? error.errors : [];
  if (first) return `${first.field.split('.').pop()?.replaceAll('_', ' ')}: ${first.message}`;
  return error instanceof Error ? error.message : String(error);
}

let lastNotice = 0;

/**
 * Change, add or remove a token; returns false if there is nothing to change.
 * @param {Map<string, Token>} tokens  @param {string} id  @param {(Partial<Token> & {id: string}) | null} token
 */
function changeToken(tokens, id, token) {
  const before = tokens.get(id);
  if (!token) return tokens.delete(id);
  if (!before && token.name === undefined) return false;
  tokens.set(id, /** @type {Token} */ ({ ...before, ...token }));
  return true;
}
