/** The controller of a table: loads data into the store, applies the live feed to it, and sends what users do. */

import { ApiError, read, readAll, send } from '../shared/api.js';
import { LiveClient } from '../shared/live.js';
import { KINDS } from './log.js';
import { OpenMap } from './open-map.js';
import { Reads } from './reads.js';

/**
 * @typedef {import('../shared/live.js').Message} Message
 * @typedef {import('./store.js').Token} Token
 * @typedef {import('./store.js').Combatant} Combatant
 */

const LOG_PAGE_SIZE = 50;
const MAX_TRIES = 5;
/** Events whose payload is the effect of an edit. */
const EDITS = new Set(['edited', 'undone', 'redone']);
const PINS_PAUSE_MS = 2000; // until pins are read after a change of what is in sight

export class Table {
  /** @param {import('./store.js').Store} store  @param {string} universeId */
  constructor(store, universeId) {
    this.store = store;
    this.universeId = universeId;
    this.url = `/universes/${universeId}`;
    this.live = new LiveClient(`${this.url}/live`, {
      message: (message) => this.#receive(message),
      state: (state, code) => {
        store.connection.value = state;
        if (state === 'closed') store.closed.value = code;
        if (state !== 'connecting') this.hasTried();
      },
    });
    this.map = new OpenMap(store);
    this.reads = new Reads();
    /**
     * Tokens with moves of this user that the server has not answered yet: where it last said that they are, and whether
     * it has stopped one of the moves.
     * @type {Map<string, {x: number, y: number, moves: number, isStopped: boolean}>}
     */
    this.moving = new Map();
    /** Called when the live feed is connected, or cannot be. */
    this.hasTried = () => {};
    /** @type {((name: string, data: Message) => void) | null} */
    this.onSignal = null;
  }

  get membersUrl() {
    return `${this.url}/members?limit=100`;
  }

  get mapsUrl() {
    return `/maps?universe_id=${this.universeId}&limit=100`;
  }

  async open() {
    const { store } = this;
    const [me, universe, members, readMaps] = await Promise.all([
      read('/users/me'),
      read(this.url),
      readAll(this.membersUrl),
      readAll(this.mapsUrl),
    ]);
    store.me.value = me;
    store.universe.value = universe;
    this.#setMembers(members);
    store.maps.value = readMaps;
    const { maps } = store;
    const first = maps.value.find(({ id }) => id === universe.active_map_id) ?? maps.value[0];
    if (first) await this.openMap(first.id);
    const tried = new Promise((resolve) => (this.hasTried = () => resolve(null)));
    this.live.connect();
    // What happened before the live feed began is in none of its events.
    await tried;
    await this.#readAll();
    store.isRead.value = true;
  }

  // Reading

  /** Read everything that may have changed while the live feed was not connected. */
  #readAll() {
    return Promise.all([
      this.#readUniverse(),
      this.#readMembers(),
      this.#readMaps(),
      this.#readCharacters(),
      this.#readEncounters(),
      this.#readNotes(),
      this.#readLog(),
    ]);
  }

  /** @param {string} name  @param {(items: any[]) => void} use  always the same for a name */
  #readList(name, use) {
    return this.#once(name, async () => use(await readAll(`${this.url}/${name}?limit=100`)));
  }

  #readCharacters() {
    return this.#readList('characters', (items) => (this.store.characters.value = byId(items)));
  }

  /** Schedule one read of the notes for several changes of what is in sight: no event says which pins that concerns. */
  #sightChanged() {
    const { store } = this;
    if (this.notesTimer || store.isGameMaster.value || !store.notes.value.length) return;
    this.notesTimer = window.setTimeout(() => {
      this.notesTimer = 0;
      this.#readNotes();
    }, PINS_PAUSE_MS);
  }
  notesTimer = 0;

  /** Read the encounters that have not ended. */
  #readEncounters() {
    return this.#readList('encounters', (items) => {
      this.store.encounters.value = byId(items.filter(({ state }) => state !== 'ended'));
    });
  }

  #readNotes() {
    return this.#readList('notes', (items) => {
      this.store.setNotes(items);
      this.knownNotes ??= new Set(items.map(({ id }) => id));
    });
  }

  #readMembers() {
    return this.#once('members', async () => this.#setMembers(await readAll(this.membersUrl)));
  }

  /** @param {any[]} members */
  #setMembers(members) {
    this.store.members.value = new Map(members.map((one) => [one.user_id, one]));
  }

  #readMaps() {
    return this.#once('maps', async () => {
      this.store.maps.value = await readAll(this.mapsUrl);
    });
  }

  #readLog() {
    const { log } = this.store;
    return Promise.all(
      KINDS.map((kind) => this.#once(`${kind}s`, async () => log.addNewest(kind, await read(this.#logUrl(kind))))),
    );
  }

  /** @param {import('./log.js').Kind} kind */
  #logUrl(kind) {
    return `${this.url}/${kind}s?limit=${LOG_PAGE_SIZE}`;
  }

  /** Read the page before the first entry of the log. */
  async readEarlierLog() {
    const { log } = this.store;
    const readBefore = async (/** @type {import('./log.js').Kind} */ kind) => {
      const { next } = log.lists[kind].value;
      if (!next) return;
      const page = await read(`${this.#logUrl(kind)}&cursor=${encodeURIComponent(next)}`);
      log.addEarlier(kind, next, page);
    };
    await this.#try(Promise.all(KINDS.map(readBefore)));
  }

  /**
   * Read something, after a read of it that may have begun before it changed.
   * @param {string} name  @param {() => Promise<void>} readIt
   */
  #once(name, readIt) {
    return this.reads.once(name, readIt).catch((error) => this.store.fail(error));
  }

  // The map

  /** @param {string} mapId */
  async openMap(mapId) {
    const { store, live } = this;
    if (store.mapId.value) live.unwatch(store.mapId.value);
    await this.map.open(mapId);
    live.watch(mapId);
  }

  /**
   * What the players have seen of the open map; null if it has no fog, or they do not share their sight.
   * @returns {Promise<string[] | null>}
   */
  async playersFog() {
    const map = this.store.map.peek();
    const player = [...this.store.members.peek().values()].find(({ role }) => role === 'player');
    if (!map || !player || (map.fog ?? 'off') === 'off' || map.fog_sharing === 'each') return null;
    return (await read(`/maps/${map.id}/fog?as=${player.user_id}`)).rows;
  }

  /** @param {string | null} userId */
  async seeAs(userId) {
    this.store.seeAs.value = userId;
    await this.map.read();
  }

  // The live feed

  /** @param {Message} message */
  #receive(message) {
    const { store } = this;
    if (message.type === 'welcome') this.#welcome(message);
    else if (message.type === 'event') this.#event(message);
    else if (message.type === 'map') this.#mapSnapshot(message);
    else if (message.type === 'view') this.#view(message);
    else if (message.type === 'online') {
      store.online.value = new Set(store.online.value).add(message.user_id);
      this.#nameMember(message);
    } else if (message.type === 'offline') {
      const online = new Set(store.online.value);
      online.delete(message.user_id);
      store.online.value = online;
    } else if (message.type === 'signal') this.onSignal?.(message.name, message);
    else if (message.type === 'error') store.notify(message.problem?.detail ?? 'The server refused this.', 'error');
  }

  /** Show the current name of a member who is online. @param {Message} online */
  #nameMember({ user_id: id, display_name: name }) {
    const { members } = this.store;
    const member = members.value.get(id);
    if (member && member.display_name !== name)
      members.value = new Map(members.value).set(id, { ...member, display_name: name });
  }

  /** @param {Message} message */
  #welcome(message) {
    const { store } = this;
    for (const one of message.online) this.#nameMember(one);
    store.online.value = new Set(message.online.map((/** @type {any} */ one) => one.user_id));
    if (message.resumed) return;
    // Events were missed: read everything again.
    if (this.wasWelcomed) this.#readAll();
    this.wasWelcomed = true;
  }
  wasWelcomed = false;

  /** @param {Message} message */
  #mapSnapshot(message) {
    const { store } = this;
    if (message.map_id !== store.mapId.value || store.seeAs.value) return;
    store.setTokens(message.tokens);
    for (const token of message.tokens) if (this.moving.has(token.id)) this.#place(token);
    if (message.fog?.rows) store.fog.value = message.fog.rows;
    this.#sightChanged();
    // Cells are read after this message, so that no change is missed.
    this.map.readSoon();
  }

  /** @param {Message} message */
  #view(message) {
    const { store } = this;
    if (message.map_id !== store.mapId.value) return;
    if (store.seeAs.value) return this.map.readSoon();
    for (const token of message.shown ?? []) store.patchToken(token);
    for (const { id, x, y, cells } of message.moved ?? []) this.#place({ id, x, y, lastPath: cells });
    for (const id of message.gone ?? []) store.dropToken(id);
    if (!message.region) return;
    this.map.applyRegion(message.region);
    this.#sightChanged();
  }

  /** @param {Message} message */
  #event(message) {
    const { store } = this;
    const [thing, what] = message.kind.split('.');
    const id = message.subject_id;
    if (thing === 'token') this.#tokenEvent(what, id, message.payload);
    else if (thing === 'map') this.#mapEvent(what, id, message.payload);
    else if (thing === 'member' || thing === 'invitation') this.#memberEvent(message.payload.user_id);
    else if (thing === 'universe') this.#universeEvent(what);
    else if (thing === 'character') this.#characterEvent(what, id);
    else if (thing === 'encounter') this.#readEncounters();
    else if (thing === 'note') this.#noteEvent(message.actor_id);
    else if (thing === 'roll' || thing === 'message') {
      // It may be earlier than the newest page.
      if (what === 'revealed') store.log.change('roll', id, message.payload);
      this.#readLog();
    }
  }

  /** @param {string} what  @param {string} id  @param {any} payload */
  #tokenEvent(what, id, payload) {
    const { store } = this;
    if (store.seeAs.value) return this.map.readSoon();
    if (what === 'deleted') store.dropToken(id);
    else if (what === 'moved' && store.tokens.value.has(id)) {
      this.#place({ id, x: payload.x, y: payload.y, lastPath: payload.cells });
    } else if (payload.map_id === undefined || payload.map_id === store.mapId.value || store.tokens.value.has(id)) {
      this.#readTokens();
    }
  }

  #readTokens() {
    const { store } = this;
    const mapId = store.mapId.value;
    if (!mapId) return;
    return this.#once(`tokens of ${mapId}`, async () => {
      const readAt = performance.now();
      const { items } = await read(`/maps/${mapId}/tokens`);
      if (mapId === store.mapId.value && !store.seeAs.value) store.setTokens(items, readAt);
    });
  }

  /** @param {string} what  @param {string} id  @param {any} payload */
  async #mapEvent(what, id, payload) {
    const { store } = this;
    if (EDITS.has(what)) {
      if (id === store.mapId.value) this.map.applyEffect(payload);
      return;
    }
    await this.#readMaps();
    this.#sightChanged();
    if (store.mapId.value && id !== store.mapId.value) return;
    if (store.map.value) this.map.readSoon();
    else {
      // This is the first map, or the open one was hidden or deleted.
      const next = store.maps.value[0];
      if (next) await this.openMap(next.id);
      else {
        if (store.mapId.value) this.live.unwatch(store.mapId.value);
        this.map.close();
      }
    }
  }

  /** @param {string | undefined} userId */
  #memberEvent(userId) {
    this.#readMembers();
    if (userId === this.store.me.value?.id) this.#readUniverse();
  }

  /** @param {string} what */
  #universeEvent(what) {
    if (what === 'deleted') this.live.close();
    else this.#readUniverse();
  }

  /** Read the universe, and go with the party to another map. */
  async #readUniverse() {
    const { store } = this;
    const before = store.universe.value;
    await this.#once('universe', async () => {
      // Its ETag does not change with the role of the reader.
      store.universe.value = await read(this.url, { cache: 'no-store' });
    });
    const now = store.universe.value;
    // With another role, one sees other things.
    if (now?.role !== before?.role) this.#readAll();
    const active = now?.active_map_id;
    if (!active || active === before?.active_map_id || active === store.mapId.value) return;
    await this.#readMaps();
    store.notify(`The party moved to ${store.maps.value.find(({ id }) => id === active)?.name ?? 'another map'}.`);
    await this.openMap(active);
  }

  /** Read the notes; notify the user of notes that were shown to them. @param {string} actorId */
  async #noteEvent(actorId) {
    const { store } = this;
    await this.#readNotes();
    const isNew = store.notes.value.filter(({ id }) => !this.knownNotes?.has(id));
    for (const { id } of isNew) this.knownNotes?.add(id);
    if (actorId !== store.me.value?.id) for (const { title } of isNew) store.notify(`New in your notes: ${title}`);
  }
  /** @type {Set<string> | null} */
  knownNotes = null;

  /** @param {string} what  @param {string} id */
  #characterEvent(what, id) {
    const { store } = this;
    if (what === 'deleted') store.drop(store.characters, id);
    else this.#readCharacters();
    // Values that tokens take from their character may have changed, too.
    if (store.seeAs.value) this.map.readSoon();
    else this.#readTokens();
  }

  // Actions

  /**
   * Put a token where the server says that it is. While moves of this user wait for an answer, those are shown instead.
   * @param {Partial<Token> & {id: string, x: number, y: number}} token
   */
  #place(token) {
    const moving = this.moving.get(token.id);
    if (moving) Object.assign(moving, { x: token.x, y: token.y });
    else this.store.patchToken(token);
  }

  /**
   * Move a token: shown immediately, and reverted if the server refuses the move.
   * @param {Token} token  @param {{x: number, y: number}} to
   * @param {{force?: boolean, isStep?: boolean}} [options]  `isStep`: straight to the next cell, not around obstacles
   */
  async move(token, to, { force = false, isStep = false } = {}) {
    const { store } = this;
    const { id, name, x, y } = token;
    const moving = this.moving.get(id) ?? { x, y, moves: 0, isStopped: false };
    this.moving.set(id, moving);
    moving.moves++;
    store.patchToken({ id, ...to, lastPath: [] });
    const way = isStep ? { path: [{ x, y }, to] } : to;
    try {
      const done = await this.live.command('move', { token_id: id, ...way, ...(force ? { force: true } : {}) });
      Object.assign(moving, { x: done.x, y: done.y });
      if (done.stopped) store.notify(`${name} was stopped${byWhat(done.stopped.by)}.`);
      moving.isStopped ||= !!done.stopped;
      return done;
    } catch (error) {
      // The steps after one that was stopped are refused, too, which says nothing new.
      if (!isStep || !moving.isStopped) this.#refused(name, error);
      moving.isStopped = true;
      return null;
    } finally {
      if (!--moving.moves) {
        this.moving.delete(id);
        store.patchToken({ id, x: moving.x, y: moving.y, lastPath: [] });
      }
    }
  }

  /** Say why a token did not move. @param {string} name  @param {unknown} error */
  #refused(name, error) {
    const by = error instanceof ApiError && error.code === 'MOVE_BLOCKED' ? error.problem.by : null;
    if (by) this.store.notify(`${name} cannot go there: stopped${byWhat(by)}.`, 'error');
    else this.store.fail(error);
  }

  /** @param {string} doorId  @param {'open' | 'closed' | 'locked'} state */
  door(doorId, state) {
    const { store } = this;
    return this.#try(this.live.command('door', { map_id: store.mapId.value, door_id: doorId, state }));
  }

  /** @param {string} text  @param {string[]} to  @param {string | null} characterId */
  say(text, to, characterId) {
    return this.#try(
      this.live.command('say', {
        text,
        ...(to.length ? { to } : {}),
        ...(characterId ? { character_id: characterId } : {}),
      }),
    );
  }

  /**
   * Pin a note to a map, or remove its pin.
   * @param {string} id  @param {{map_id: string, x: number, y: number} | {map_id: null}} place
   */
  async placeNote(id, place) {
    const { store } = this;
    const saved = await this.send('PATCH', `/notes/${id}`, place);
    if (!saved) return;
    // Players get no event of a pin on a map with fog.
    const { map_id, x, y } = saved;
    store.notes.value = store.notes.value.map((note) => (note.id === id ? { ...note, map_id, x, y } : note));
    if (place.map_id && !map_id) store.notify('The note is pinned. You will see its pin once you see the place.');
  }

  /** @param {{expression: string, visibility?: string, reason?: string, character_id?: string | null}} roll */
  roll(roll) {
    return this.#try(this.live.command('roll', roll));
  }

  /**
   * Start or end an encounter, or go to another turn of it.
   * @param {string} id  @param {string} what  the last part of the operation's URL
   */
  stepEncounter(id, what) {
    return this.#changeEncounter(() => send('POST', `/encounters/${id}/${what}`, {}));
  }

  /**
   * Change the combatants of an encounter; those without an id are new. If somebody else changed them meanwhile, it is
   * done again with theirs.
   * @param {string} id  @param {(combatants: Combatant[]) => (Combatant | Omit<Combatant, 'id'>)[]} change
   */
  changeCombatants(id, change) {
    const { encounters } = this.store;
    const write = async (tries = 1) => {
      const encounter = encounters.value.get(id);
      if (!encounter) throw new Error('The encounter has ended.');
      const { version, combatants } = encounter;
      try {
        return await send('PATCH', `/encounters/${id}`, { combatants: change(combatants) }, version);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 412 && tries < MAX_TRIES)) throw error;
        await this.#readEncounters();
        return write(tries + 1);
      }
    };
    return this.#changeEncounter(() => write());
  }

  /**
   * Change fields of a combatant.
   * @param {string} id  of the encounter  @param {Combatant} combatant  @param {Partial<Combatant>} fields
   */
  changeCombatant(id, combatant, fields) {
    return this.changeCombatants(id, (combatants) =>
      combatants.map((one) => (one.id === combatant.id ? { ...one, ...fields } : one)),
    );
  }

  /**
   * Write an encounter after all earlier writes, so that each knows the version of the one before.
   * @param {() => Promise<import('./store.js').Encounter>} write  gives the changed encounter
   */
  #changeEncounter(write) {
    const { store } = this;
    const writing = this.writing.then(write).then((changed) => {
      const { id, state, version = 0 } = changed;
      if (state === 'ended') store.drop(store.encounters, id);
      // What others did afterwards may have been read already.
      else if (version > (store.encounters.value.get(id)?.version ?? Infinity)) store.put(store.encounters, changed);
      return changed;
    });
    this.writing = writing.catch(() => {});
    return this.#try(writing);
  }
  /** @type {Promise<unknown>} */
  writing = Promise.resolve();

  /**
   * Send a request to the API; on an error, notifies the user and returns null.
   * @param {string} method  @param {string} url  @param {unknown} [body]  @param {number} [version]
   */
  send(method, url, body, version) {
    return this.#try(send(method, url, body ?? {}, version));
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T | null>}
   */
  async #try(promise) {
    try {
      return await promise;
    } catch (error) {
      this.store.fail(error);
      return null;
    }
  }
}

/** @param {any[]} items */
const byId = (items) => new Map(items.map((one) => [one.id, one]));

/** @type {Record<string, string>} */
const OBSTACLES = { wall: 'a wall', door: 'a door', cell: 'a blocked cell', edge: 'the edge of the map' };

/** @param {{kind?: string} | null | undefined} by */
const byWhat = (by) => (by?.kind ? ` by ${OBSTACLES[by.kind]}` : '');
