/**
 * The document of a map in the browser. Its frame is never modified, only replaced; the cells of layers are modified.
 *
 * @typedef {import('./geometry.js').GridType} GridType
 * @typedef {import('./geometry.js').Pair} Pair
 * @typedef {{[key: string]: any}} Open  an object that may have more keys than those declared
 * @typedef {{asset_id: string, x: number, y: number, width: number, height: number}} Picture  pixels of an asset
 * @typedef {{symbol: string, name?: string, color?: string, blocks_movement?: boolean, blocks_sight?: boolean,
 *   movement_cost?: number, picture?: Picture} & Open} LegendEntry
 * @typedef {{id?: string, kind?: string, name?: string, x: number, y: number, hidden?: boolean} & Open} Entity
 * @typedef {{id?: string, x1: number, y1: number, x2: number, y2: number, hidden?: boolean} & Open} Segment
 * @typedef {Segment & {blocks_movement?: boolean, blocks_sight?: boolean}} Wall
 * @typedef {Segment & {state?: string, secret?: boolean}} Door
 * @typedef {{id?: string, x: number, y: number, range?: number, color?: string, intensity?: number,
 *   hidden?: boolean} & Open} Light
 * @typedef {Entity | Wall | Door | Light} MapObject
 * @typedef {'entities' | 'walls' | 'doors' | 'lights'} ObjectList
 * @typedef {{name: string, visible?: boolean, locked?: boolean, opacity?: number, visible_to?: string} & Open} LayerMeta
 *
 * @typedef {object} Layer
 * @property {number} key  identifies a layer, also after it was renamed
 * @property {LayerMeta} meta  its fields, without the rows
 * @property {Uint16Array | null} cells  character codes, row by row (a symbol is one UTF-16 unit); null without rows
 *
 * @typedef {object} Frame
 * @property {string[]} keys  the keys of the document, in their original order
 * @property {number} width
 * @property {number} height
 * @property {Pair} shift  how far cells moved since the map was opened
 * @property {Layer[]} layers  the lowest first
 * @property {LegendEntry[]} legend
 * @property {Entity[]} entities
 * @property {Wall[]} walls
 * @property {Door[]} doors
 * @property {Light[]} lights
 * @property {Open} other  all other keys of the document
 *
 * @typedef {{frame?: boolean, opened?: boolean, layer?: number, indexes?: ArrayLike<number>}} Change
 */

import { Geometry } from './geometry.js';

export const EMPTY = 32;
/** @type {ObjectList[]} */
export const LISTS = ['entities', 'walls', 'doors', 'lights'];
/**
 * The nine anchors of the server's `resize`: the position of the old map in the new one.
 * @type {Record<string, Pair>}
 */
export const ANCHORS = {
  top_left: [0, 0],
  top: [1, 0],
  top_right: [2, 0],
  left: [0, 1],
  center: [1, 1],
  right: [2, 1],
  bottom_left: [0, 2],
  bottom: [1, 2],
  bottom_right: [2, 2],
};
export const MAX_SIDE = 4096;

let lastKey = 0;
export const newLayerKey = () => ++lastKey;

/**
 * A frame from a grid data document.
 * @param {any} grid
 * @returns {Frame}
 * @throws {Error} with a message to show, if the map cannot be drawn
 */
export function readFrame(grid) {
  if (grid === null || typeof grid !== 'object' || Array.isArray(grid))
    throw new Error('The grid data must be an object.');
  for (const name of ['layers', 'legend', ...LISTS]) {
    if (
      grid[name] !== undefined &&
      !(
        Array.isArray(grid[name]) && grid[name].every((/** @type {unknown} */ item) => item && typeof item === 'object')
      )
    ) {
      throw new Error(`“${name}” must be a list of objects.`);
    }
  }
  const { layers = [], legend = [], width: stated, height: high, ...rest } = grid;
  const first = layers.find((/** @type {Open} */ layer) => Array.isArray(layer.rows))?.rows;
  const width = stated ?? first?.[0]?.length ?? 0;
  const height = high ?? first?.length ?? 0;
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ]) {
    if (!Number.isInteger(side) || side < 0 || side > MAX_SIDE)
      throw new Error(`“${name}” must be a whole number from 0 to ${MAX_SIDE}.`);
  }
  const { entities = [], walls = [], doors = [], lights = [], ...other } = rest;
  return {
    keys: Object.keys(grid),
    width,
    height,
    shift: [0, 0],
    layers: layers.map((/** @type {Open} */ { rows, ...meta }, /** @type {number} */ index) => ({
      key: newLayerKey(),
      meta,
      cells: rows === undefined ? null : readRows(rows, width, height, `layers[${index}]`),
    })),
    legend,
    entities,
    walls,
    doors,
    lights,
    other,
  };
}

/** @param {unknown} rows  @param {number} width  @param {number} height  @param {string} place */
function readRows(rows, width, height, place) {
  if (!Array.isArray(rows) || rows.length !== height) {
    throw new Error(`“${place}.rows” must be a list of ${height} rows, the height of the map.`);
  }
  const cells = new Uint16Array(width * height);
  rows.forEach((row, y) => {
    if (typeof row !== 'string' || row.length !== width)
      throw new Error(`“${place}.rows[${y}]” must have ${width} cells, the width of the map.`);
    for (let x = 0; x < width; x++) cells[y * width + x] = row.charCodeAt(x);
  });
  return cells;
}

/** @param {Uint16Array} cells  @param {number} width  @param {number} height */
function rowsOf(cells, width, height) {
  return Array.from({ length: height }, (_, y) => textOf(cells, y * width, (y + 1) * width));
}

/** @param {Uint16Array} cells  @param {number} from  @param {number} to */
export function textOf(cells, from, to) {
  let text = '';
  // The number of arguments of a call is limited.
  for (let at = from; at < to; at += 4096) text += String.fromCharCode(...cells.subarray(at, Math.min(at + 4096, to)));
  return text;
}

/**
 * The grid data document of a frame, with its keys in their original order.
 * @param {Frame} frame
 * @returns {Open}
 */
export function writeFrame(frame) {
  const { keys, width, height, layers } = frame;
  /** @type {Open} */
  const all = { ...frame.other };
  if (keys.includes('width') || width) all.width = width;
  if (keys.includes('height') || height) all.height = height;
  for (const name of /** @type {const} */ (['legend', ...LISTS])) {
    if (frame[name].length || keys.includes(name)) all[name] = frame[name];
  }
  if (layers.length || keys.includes('layers')) {
    all.layers = layers.map(({ meta, cells }) =>
      cells ? { ...meta, rows: rowsOf(cells, width, height) } : { ...meta },
    );
  }
  const order = [...keys, ...['width', 'height', 'legend', 'layers', ...LISTS].filter((key) => !keys.includes(key))];
  /** @type {Open} */
  const document = {};
  for (const key of [...order, ...Object.keys(all)]) if (key in all) document[key] = all[key];
  return document;
}

/**
 * The move (dx, dy) of the cells in a resize by anchor, as the server computes it.
 * @param {Frame} frame  @param {number} width  @param {number} height  @param {string} anchor
 * @returns {Pair}
 */
export function anchorShift(frame, width, height, anchor) {
  const [across, down] = ANCHORS[anchor];
  let dx = Math.floor((across * (width - frame.width)) / 2);
  let dy = Math.floor((down * (height - frame.height)) / 2);
  const type = frame.other.grid_type;
  // Odd and even lines of hexes are staggered differently: moving by an odd number would distort shapes.
  if (type === 'hex_column') dx -= Math.abs(dx % 2);
  if (type === 'hex_row') dy -= Math.abs(dy % 2);
  return [dx, dy];
}

/**
 * The frame with another size and its cells moved by (dx, dy); what would be outside is dropped, as on the server.
 * @param {Frame} frame  @param {number} width  @param {number} height  @param {number} dx  @param {number} dy
 * @returns {Frame}
 */
export function resized(frame, width, height, dx, dy) {
  const type = frame.other.grid_type ?? 'square';
  const geometry = new Geometry(type, width, height);
  const [[ax, ay], [bx, by]] = [geometry.centre(0, 0), geometry.centre(dx, dy)];
  const [px, py] = geometry.isHex ? [bx - ax, by - ay] : [dx, dy];
  const [right, bottom] = geometry.extent;
  const layers = frame.layers.map((layer) => {
    if (!layer.cells) return layer;
    const cells = new Uint16Array(width * height).fill(EMPTY);
    const [from, to] = [Math.max(0, -dx), Math.min(frame.width, width - dx)];
    for (let y = Math.max(0, -dy); y < Math.min(frame.height, height - dy) && from < to; y++) {
      cells.set(layer.cells.subarray(y * frame.width + from, y * frame.width + to), (y + dy) * width + from + dx);
    }
    return { ...layer, cells };
  });
  /** @type {<T extends Open>(objects: T[]) => T[]} */
  const kept = (objects) =>
    objects
      .map((item) => moved(item, px, py))
      .filter((item) => {
        const xs = [item.x, item.x1, item.x2].filter((x) => x !== undefined);
        const ys = [item.y, item.y1, item.y2].filter((y) => y !== undefined);
        return Math.max(...xs) >= 0 && Math.max(...ys) >= 0 && Math.min(...xs) <= right && Math.min(...ys) <= bottom;
      });
  /** @type {Frame} */
  const next = {
    ...frame,
    width,
    height,
    layers,
    shift: [frame.shift[0] + dx, frame.shift[1] + dy],
    entities: frame.entities.map((item) => moved(item, dx, dy)).filter(({ x, y }) => geometry.holds(x, y)),
    walls: kept(frame.walls),
    doors: kept(frame.doors),
    lights: kept(frame.lights),
  };
  if (frame.other.background) next.other = { ...frame.other, background: moved(frame.other.background, px, py) };
  return next;
}

/**
 * An object with all of its coordinates moved by (dx, dy).
 * @template {Open} T
 * @param {T} item  @param {number} dx  @param {number} dy
 * @returns {T}
 */
export function moved(item, dx, dy) {
  /** @type {Open} */
  const next = { ...item };
  for (const key of ['x', 'x1', 'x2']) if (key in next) next[key] += dx;
  for (const key of ['y', 'y1', 'y2']) if (key in next) next[key] += dy;
  return /** @type {T} */ (next);
}

/**
 * One of the four lists of objects of a frame.
 * @param {Frame} frame  @param {ObjectList} list
 * @returns {MapObject[]}
 */
export const objectsOf = (frame, list) => frame[list];

/** The code of a symbol. @param {unknown} symbol */
export const codeOf = (symbol) => String(symbol).charCodeAt(0);

/** @param {Frame} frame */
const geometryOf = ({ other, width, height }) => new Geometry(other.grid_type ?? 'square', width, height);

/** @param {Frame} frame */
const legendOf = ({ legend }) => new Map(legend.map((entry) => [codeOf(entry.symbol), entry]));

/** The open map: a frame that can be edited, with listeners. */
export class GridDocument {
  /** @param {Frame} frame */
  constructor(frame) {
    /** @type {Set<(change: Change) => void>} */
    this.listeners = new Set();
    this.frame = frame;
    this.geometry = geometryOf(frame);
    this.legend = legendOf(frame);
  }

  /**
   * Show another frame, as if the map was opened again.
   * @param {Frame} frame
   */
  open(frame) {
    this.frame = frame;
    this.#measure();
    this.#notify({ frame: true, opened: true });
  }

  /**
   * Call back with {frame: true} when anything may have changed, or with {layer, indexes} when only cells changed.
   * @param {(change: Change) => void} callback
   */
  listen(callback) {
    this.listeners.add(callback);
  }

  /** @param {Change} change */
  #notify(change) {
    for (const callback of this.listeners) callback(change);
  }

  #measure() {
    const { frame } = this;
    this.geometry = geometryOf(frame);
    this.legend = legendOf(frame);
  }

  /** @param {number | null} key */
  layer(key) {
    return this.frame.layers.find((layer) => layer.key === key);
  }

  /** @param {Frame} frame */
  replaceFrame(frame) {
    this.frame = frame;
    this.#measure();
    this.#notify({ frame: true });
  }

  /**
   * Set cells to one code, or to one code each.
   * @param {number} layer  its key
   * @param {ArrayLike<number>} indexes
   * @param {number | ArrayLike<number>} codes
   */
  setCells(layer, indexes, codes) {
    const cells = this.layer(layer)?.cells;
    if (!cells) return;
    for (let i = 0; i < indexes.length; i++) cells[indexes[i]] = typeof codes === 'number' ? codes : codes[i];
    this.#notify({ layer, indexes });
  }

  /** The number of cells with each symbol code, over all layers. */
  usage() {
    const counts = new Uint32Array(65536);
    for (const { cells } of this.frame.layers) if (cells) for (let i = 0; i < cells.length; i++) counts[cells[i]]++;
    return counts;
  }

  /**
   * A copy of the frame, which later changes do not affect.
   * @returns {Frame}
   */
  snapshot() {
    return {
      ...this.frame,
      layers: this.frame.layers.map((layer) => ({ ...layer, cells: layer.cells?.slice() ?? null })),
    };
  }
}
