/**
 * Pings, pointers, rulers and areas of effect: sends those of this user, and shows those of others.
 *
 * A signal contains its cell, by which the server decides who may see it, and in its data the exact position.
 */

const SEND_INTERVAL_MS = 100; // between two pointers or rulers
const COLORS = [0x9bd3e6, 0xe58b5b, 0xa8d672, 0xd7a3e8, 0xffd166];
const OWN_COLOR = 0xffe2a0;
const MAX_TEXT_LENGTH = 40;
const KINDS = new Set(['ping', 'pointer', 'ruler', 'area']);
const MAX_AREA_LENGTH = 100; // the length of an area in cells
const CIRCLE_CORNERS = 48; // of the polygon for a circle

/**
 * @typedef {{shape: string, length: number, direction: number}} Area  `length`: its length, side or radius in cells;
 *   `direction` in degrees: 0 right, 90 down
 */

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
    /** @type {(() => void) | null} sends the next signal after the pause */
    this.next = null;
    table.onSignal = (name, message) => this.#receive(name, message);
  }

  /** @param {Pair} at */
  ping(at) {
    this.#send('ping', at, {});
    this.stage.marks.signal('me', { at, color: OWN_COLOR, name: '', kind: 'ping' });
  }

  /** @param {Pair} at */
  pointer(at) {
    this.#sendSoon(() => this.#send('pointer', at, {}));
  }

  /** @param {Pair} from  @param {Pair} at  @param {string} text  the distance */
  ruler(from, at, text) {
    this.#sendSoon(() => this.#send('ruler', at, { from: from.map(hundredths), text }));
  }

  /** @param {Pair} at  its origin  @param {Area} area  @param {string} text  its description */
  area(at, { shape, length, direction }, text) {
    const data = { shape, length: hundredths(length), direction: Math.round(direction), text };
    this.#sendSoon(() => this.#send('area', at, data));
  }

  /** Throttle signals: of those within a pause, only the last is sent. @param {() => void} send */
  #sendSoon(send) {
    this.next = send;
    if (this.timer) return;
    const go = () => {
      this.next?.();
      this.timer = this.next ? window.setTimeout(go, SEND_INTERVAL_MS) : 0;
      this.next = null;
    };
    go();
  }

  /** @param {string} name  @param {Pair} at  @param {object} data */
  #send(name, at, data) {
    const [x, y] = this.stage.document.geometry.cellAt(...at);
    const mapId = this.store.mapId.value;
    if (mapId) this.table.live.signal({ name, map_id: mapId, x, y, data: { ...data, at: at.map(hundredths) } });
  }

  /** @param {string} name  @param {import('../../shared/live.js').Message} message */
  #receive(name, { user_id: userId, map_id: mapId, x, y, data }) {
    if (!KINDS.has(name) || mapId !== this.store.mapId.value || x === undefined) return;
    const kind = /** @type {import('./marks.js').Signal['kind']} */ (name);
    const at = pairOf(data?.at) ?? [x, y];
    const from = pairOf(data?.from) ?? at;
    const outline = kind === 'area' ? outlineOf(at, data) : [];
    const isNamed = kind === 'ruler' || kind === 'area';
    const text = isNamed && typeof data?.text === 'string' ? data.text.slice(0, MAX_TEXT_LENGTH) : '';
    const label = [this.store.nameOf(userId), text].filter(Boolean).join(' · ');
    this.stage.marks.signal(userId, { at, from, outline, color: this.#colorOf(userId), name: label, kind });
  }

  /** @param {string} userId */
  #colorOf(userId) {
    const place = [...this.store.members.value.keys()].indexOf(userId);
    return COLORS[Math.max(place, 0) % COLORS.length];
  }
}

/**
 * The corners of an area of effect as defined in `game/grid/area.py`; [] if the area is invalid.
 * @param {Pair} at  its origin  @param {any} area
 * @returns {Pair[]}
 */
export function outlineOf([px, py], area) {
  // Other clients may send any data, or none.
  const { shape, length, direction } = area ?? {};
  if (typeof shape !== 'string' || !Number.isFinite(direction) || !(length > 0 && length <= MAX_AREA_LENGTH)) return [];
  const half = shape === 'line' ? 0.5 : length / 2;
  /** @type {Record<string, Pair[]>} */
  const corners = {
    cone: [
      [0, 0],
      [length, -half],
      [length, half],
    ],
    cube: [
      [0, -half],
      [length, -half],
      [length, half],
      [0, half],
    ],
    sphere: Array.from({ length: CIRCLE_CORNERS }, (_, i) => {
      const angle = (i / CIRCLE_CORNERS) * 2 * Math.PI;
      return [length * Math.cos(angle), length * Math.sin(angle)];
    }),
  };
  corners.line = corners.cube;
  corners.cylinder = corners.sphere;
  const [cos, sin] = [Math.cos((direction * Math.PI) / 180), Math.sin((direction * Math.PI) / 180)];
  const found = Object.hasOwn(corners, shape) ? corners[shape] : [];
  return found.map(([x, y]) => [px + x * cos - y * sin, py + x * sin + y * cos]);
}

/** The value if it is a pair: other clients may send anything. @param {unknown} value  @returns {Pair | null} */
const pairOf = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) ? /** @type {Pair} */ (value) : null;
const hundredths = (/** @type {number} */ value) => Math.round(value * 100) / 100;
