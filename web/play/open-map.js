/** The map that is open: reads it, and keeps it equal to what the live feed says of it. */

import { ApiError, read } from '../shared/api.js';
import { readFrame } from '../shared/document.js';
import { applyEffect, applyFrame, applyRegion } from './changes.js';
import { Reads } from './reads.js';

/**
 * @typedef {import('./store.js').Store} Store
 * @typedef {(store: Store) => boolean} MapChange  applies a change; false if the map must be read again for the rest
 */

const READ_AFTER_MS = 60; // so that several changes cause one read
const RETRY_AFTER_MS = 5000;
/** No answer, too many requests, a busy server. */
const RETRIED = new Set([0, 429, 503]);

export class OpenMap {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.reads = new Reads();
    this.runningReads = 0;
    /** The changes that arrived while the map is being read: a response may be older. @type {MapChange[]} */
    this.changes = [];
    this.shownId = /** @type {string | null} */ (null);
    this.timer = 0;
  }

  /** Show another map. @param {string} mapId */
  open(mapId) {
    const { store } = this;
    store.mapId.value = mapId;
    store.selected.value = null;
    this.changes = [];
    return this.read();
  }

  /** Show no map. */
  close() {
    const { store } = this;
    store.mapId.value = null;
    store.selected.value = null;
    store.fog.value = null;
    store.setTokens([]);
    store.document.open(readFrame({}));
    this.shownId = null;
    this.changes = [];
  }

  /** Read the map, as the member as whom it is viewed. @returns {Promise<void>} */
  async read() {
    const mapId = this.store.mapId.value;
    const as = this.#as;
    // It may have been deleted or hidden since the read was asked for.
    if (!mapId) return;
    await this.reads.once(mapId + as, () => this.#read(mapId, as));
  }

  get #as() {
    const { seeAs } = this.store;
    return seeAs.value ? `?as=${seeAs.value}` : '';
  }

  /** @param {string} mapId  @param {string} as */
  async #read(mapId, as) {
    const { store } = this;
    const readAt = performance.now();
    const { changes } = this;
    const { length } = changes;
    this.runningReads++;
    try {
      const [map, tokens] = await Promise.all([read(`/maps/${mapId}${as}`), read(`/maps/${mapId}/tokens${as}`)]);
      // Another map may have been opened meanwhile, or this one viewed as somebody else.
      if (changes !== this.changes || as !== this.#as) return;
      this.#show(map);
      store.setTokens(tokens.items, readAt);
      const areApplied = changes.slice(length).map((change) => change(store));
      if (areApplied.includes(false)) this.readSoon();
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
      // If it was deleted or hidden meanwhile, the live feed says so.
      if (as && as === this.#as && changes === this.changes) this.#seeAsMyself();
    } finally {
      if (--this.runningReads === 0) this.changes = [];
    }
  }

  /** Go back to one's own view: the member does not see this map. */
  #seeAsMyself() {
    const { store } = this;
    store.notify(`${store.nameOf(store.seeAs.value ?? '')} cannot see this map.`, 'error');
    store.seeAs.value = null;
    this.readSoon();
  }

  /** @param {any} map */
  #show({ grid_data: { fog, ...grid }, ...fields }) {
    const { store } = this;
    const frame = readFrame(grid);
    if (this.shownId === fields.id) applyFrame(store.document, frame);
    else store.document.open(frame);
    this.shownId = fields.id;
    store.fog.value = fog?.rows ?? null;
    // With fog, players get no event when the settings of the map change.
    if (!store.seeAs.value) store.maps.value = store.maps.value.map((one) => (one.id === fields.id ? fields : one));
  }

  /** Read the map once for all that changed in a short time. */
  readSoon(afterMs = READ_AFTER_MS) {
    if (this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.read().catch((error) => {
        this.store.fail(error);
        if (error instanceof ApiError && RETRIED.has(error.status)) this.readSoon(RETRY_AFTER_MS);
      });
    }, afterMs);
  }

  /** @param {import('./changes.js').Region} region  of a `view` */
  applyRegion(region) {
    this.#apply((store) => applyRegion(store, region));
  }

  /** @param {import('./changes.js').Effect} effect  the payload of an edit's event */
  applyEffect(effect) {
    this.#apply((store) => applyEffect(store.document, effect));
  }

  /** @param {MapChange} change */
  #apply(change) {
    const { store } = this;
    // Only the server knows what another member sees of a change.
    if (store.seeAs.value) return this.readSoon();
    if (this.runningReads) this.changes.push(change);
    if (this.shownId === store.mapId.value && !change(store)) this.readSoon();
  }
}
