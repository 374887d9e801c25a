/**
 * What people point at: pings, pointers and rulers, sent to the others at the table and shown as they come.
 *
 * A signal names its cell, by which the server decides who may see it, and in its data the exact place.
 */

const PAUSE = 100; // milliseconds between two pointers or rulers
const COLORS = [0x9bd3e6, 0xe58b5b, 0xa8d672, 0xd7a3e8, 0xffd166];
const OWN = 0xffe2a0;
const LONGEST_TEXT = 40;
const KINDS = new Set(['ping', 'pointer', 'ruler']);

/** @typedef {import('../../shared/geometry.js').Pair} Pair */

export class Signals {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('../store.js').Store} store
   * @param {import('../table.js').Table} table
   */
  constructor(stage, store, table) {
    this.stage = stage;
    this.store = store;
    this.table = table;
    this.timer = 0;
    /** @type {(() => void) | null} what is sent when the pause is over */
    this.next = null;
    table.onSignal = (name, message) => this.#receive(name, message);
  }

  /** @param {Pair} at */
  ping(at) {
    this.#send('ping', at, {});
    this.stage.marks.signal('me', { at, color: OWN, name: '', kind: 'ping' });
  }

  /** @param {Pair} at */
  pointer(at) {
    this.#sendSoon(() => this.#send('pointer', at, {}));
  }

  /** @param {Pair} from  @param {Pair} at  @param {string} text  the distance */
  ruler(from, at, text) {
    this.#sendSoon(() => this.#send('ruler', at, { from: from.map(tidy), text }));
  }

  /** Of what comes within the pause, the last is sent. @param {() => void} send */
  #sendSoon(send) {
    this.next = send;
    if (this.timer) return;
    const go = () => {
      this.next?.();
      this.timer = this.next ? window.setTimeout(go, PAUSE) : 0;
      this.next = null;
    };
    go();
  }

  /** @param {string} name  @param {Pair} at  @param {object} data */
  #send(name, at, data) {
    const [x, y] = this.stage.document.geometry.cellAt(...at);
    const mapId = this.store.mapId.value;
    if (mapId) this.table.live.signal({ name, map_id: mapId, x, y, data: { ...data, at: at.map(tidy) } });
  }

  /** @param {string} name  @param {import('../../shared/live.js').Message} message */
  #receive(name, { user_id: userId, map_id: mapId, x, y, data }) {
    if (!KINDS.has(name) || mapId !== this.store.mapId.value || x === undefined) return;
    const kind = /** @type {import('./marks.js').Signal['kind']} */ (name);
    const at = pairOf(data?.at) ?? [x, y];
    const from = pairOf(data?.from) ?? at;
    const text = kind === 'ruler' && typeof data?.text === 'string' ? data.text.slice(0, LONGEST_TEXT) : '';
    const label = [this.store.nameOf(userId), text].filter(Boolean).join(' · ');
    this.stage.marks.signal(userId, { at, from, color: this.#colorOf(userId), name: label, kind });
  }

  /** @param {string} userId */
  #colorOf(userId) {
    const place = [...this.store.members.value.keys()].indexOf(userId);
    return COLORS[Math.max(place, 0) % COLORS.length];
  }
}

/** A place, when it is one: others may send anything. @param {unknown} value  @returns {Pair | null} */
const pairOf = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) ? /** @type {Pair} */ (value) : null;
const tidy = (/** @type {number} */ value) => Math.round(value * 100) / 100;
