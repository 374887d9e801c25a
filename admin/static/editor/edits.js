/**
 * The edits that turn one state of a map into another, in the format of `POST /maps/{id}/edits`: `difference`
 * makes them from two frames, `applied` puts them on a frame (a kept draft on the map as it is now).
 *
 * @typedef {import('../../../web/shared/api.js').Edit} Edit
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('../../../web/shared/document.js').Layer} Layer
 * @typedef {import('../../../web/shared/document.js').LegendEntry} LegendEntry
 * @typedef {import('../../../web/shared/document.js').Open} Open
 * @typedef {import('../../../web/shared/document.js').MapObject} MapObject
 * @typedef {{x: number, y: number, symbol: string}} CellSymbol
 * @typedef {{x: number, y: number, width: number, height: number, code: number}} Box  cells of one code
 */

import {
  ANCHORS,
  EMPTY,
  LISTS,
  MAX_SIDE,
  anchorShift,
  codeOf,
  newLayerKey,
  resized,
  textOf,
  objectsOf,
} from '../../../web/shared/document.js';

const CHUNK_SIDE = 64; // cells a side, as the server stores them
// What one request may have: as many edits as the server takes, and well below its default for a body.
const MAX_EDITS = 1000;
const MAX_BYTES = 1_000_000;
const MAX_CELLS = 20_000; // of one `set`
const MAX_TILES = 4096; // in the legend, as the server takes them
const MAX_FAST_CELLS = 256; // cells of one chunk in one `set`: the server's fast path takes these
const MIN_RECTANGLE_CELLS = 6; // cells: below it, a list of cells is shorter
const MIN_PASTE_CELLS = 40;
/** @type {Record<import('../../../web/shared/document.js').ObjectList, string>} */
const SINGULAR = { entities: 'entity', walls: 'wall', doors: 'door', lights: 'light' };

/**
 * What changed from `base` to `frame`: {edits, complete}. The layers of both are identified by their keys.
 * `complete` is false where no edit can say it, and the whole document has to be sent: objects without an id; layers
 * that gain or lose their rows, or come without; a null where there was none, because in a patch it removes; tiles that
 * stay, in another order; and new tiles for which a full legend has no room before the old ones go.
 * @param {Frame} base  @param {Frame} frame
 */
export function difference(base, frame) {
  /** @type {Edit[]} */
  const edits = [];
  let from = base;
  for (const edit of resizeEdits(base, frame)) {
    from = resized(from, edit.width, edit.height, ...anchorShift(from, edit.width, edit.height, edit.anchor));
    edits.push(edit);
  }
  const map = patchOf(from.other, frame.other);
  if (map) edits.push({ op: 'update_map', changes: map });
  const legend = legendEdits(from.legend, frame.legend);
  edits.push(...legend.edits);
  const layers = layerEdits(from.layers, frame.layers);
  edits.push(...layers.edits);
  for (const layer of frame.layers) {
    const before = from.layers.find(({ key }) => key === layer.key)?.cells;
    if (layer.cells) edits.push(...cellEdits(layer.meta.name, before ?? null, layer.cells, frame.width));
  }
  let complete = legend.complete && layers.complete && same(merged(from.other, map ?? {}), frame.other);
  for (const list of LISTS) {
    const objects = objectEdits(objectsOf(from, list), objectsOf(frame, list), SINGULAR[list]);
    edits.push(...objects.edits);
    complete &&= objects.complete;
  }
  // Last, when no cell has them any more.
  edits.push(...legend.removals);
  return { edits, complete };
}

/**
 * At most two crops that lead from one size to another, with all cells moved as they were.
 * @param {Frame} base  @param {Frame} frame
 * @returns {(Edit & {width: number, height: number, anchor: string})[]}
 */
function resizeEdits(base, frame) {
  const { width, height } = frame;
  const [dx, dy] = [frame.shift[0] - base.shift[0], frame.shift[1] - base.shift[1]];
  if (width === base.width && height === base.height && !dx && !dy) return [];
  if (width !== base.width || height !== base.height) {
    const anchor = Object.keys(ANCHORS).find((name) => same(anchorShift(base, width, height, name), [dx, dy]));
    if (anchor) return [{ op: 'resize', width, height, anchor }];
  }
  const side = (/** @type {number} */ value) => Math.min(Math.max(value, 0), MAX_SIDE);
  const [across, down] = [side(base.width + dx), side(base.height + dy)];
  return [
    { op: 'resize', width: across, height: down, anchor: 'bottom_right' },
    { op: 'resize', width, height, anchor: 'top_left' },
  ];
}

/**
 * What changes entries and adds new ones after their neighbours, and what removes them.
 * @param {LegendEntry[]} before  @param {LegendEntry[]} after
 */
function legendEdits(before, after) {
  const old = new Map(before.map((entry) => [entry.symbol, entry]));
  const kept = new Set(after.map(({ symbol }) => symbol));
  const order = [...old.keys()];
  /** @type {Open[]} */
  const changed = [];
  /** @type {(Edit & {legend: Open[]})[]} */
  const added = [];
  let complete = true;
  after.forEach((entry, at) => {
    const { symbol } = entry;
    const changes = patchOf(old.get(symbol) ?? {}, entry) ?? {};
    complete &&= same(merged(old.get(symbol) ?? {}, changes), entry);
    if (old.has(symbol)) {
      if (Object.keys(changes).length) changed.push({ ...changes, symbol });
    } else if (!order.includes(symbol)) {
      const left = after[at - 1]?.symbol;
      const index = order.indexOf(left) + 1;
      const open = added.at(-1);
      if (open && open.legend.at(-1)?.symbol === left) open.legend.push({ ...changes, symbol });
      else
        added.push({
          op: 'update_legend',
          legend: [{ ...changes, symbol }],
          ...(index < order.length && { index }),
        });
      order.splice(index, 0, symbol);
    }
  });
  const gone = [...old.keys()].filter((symbol) => !kept.has(symbol));
  complete &&= order.length <= MAX_TILES || !gone.length;
  const reached = order.filter((symbol) => kept.has(symbol));
  const wanted = after.map(({ symbol }) => symbol);
  return {
    edits: [...(changed.length ? [{ op: 'update_legend', legend: changed }] : []), ...added],
    removals: gone.map((symbol) => ({ op: 'remove_legend_entry', symbol })),
    complete: complete && same(reached, wanted),
  };
}

/** @type {(value: unknown) => value is Open} */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The merge patch (RFC 7396) from one object to another, null for keys that are gone; null when they are equal.
 * @param {Open} before  @param {Open} after
 * @returns {Open | null}
 */
function patchOf(before, after) {
  /** @type {Open} */
  const patch = {};
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (!same(old, value)) patch[key] = isObject(old) && isObject(value) ? patchOf(old, value) : value;
  }
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch[key] = null;
  return Object.keys(patch).length ? patch : null;
}

/**
 * A JSON value after a merge patch (RFC 7396).
 * @param {unknown} value  @param {any} patch
 * @returns {any}
 */
function merged(value, patch) {
  if (!isObject(patch)) return patch;
  const next = isObject(value) ? { ...value } : {};
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete next[key];
    else next[key] = merged(next[key], change);
  }
  return next;
}

/** @param {Layer[]} before  @param {Layer[]} after */
function layerEdits(before, after) {
  /** @type {Edit[]} */
  const edits = [];
  const kept = new Set(after.map(({ key }) => key));
  /** @type {number[]} */
  const order = [];
  /** @type {Map<number, string>} */
  const names = new Map();
  for (const layer of before) {
    if (kept.has(layer.key)) {
      order.push(layer.key);
      names.set(layer.key, layer.meta.name);
    } else edits.push({ op: 'remove_layer', name: layer.meta.name });
  }
  const old = new Map(before.map((layer) => [layer.key, layer]));
  const rename = (/** @type {number} */ key, /** @type {string} */ name) => {
    edits.push({ op: 'update_layer', name: names.get(key), changes: { name } });
    names.set(key, name);
  };
  for (const { key, meta } of after) {
    if (!old.has(key) || names.get(key) === meta.name) continue;
    const holder = [...names].find(([other, name]) => name === meta.name && other !== key)?.[0];
    // Two layers that swap names: one of them steps aside.
    if (holder !== undefined)
      rename(holder, freeName(meta.name, [...names.values(), ...after.map((layer) => layer.meta.name)]));
    rename(key, meta.name);
  }
  let complete = true;
  after.forEach(({ key, meta, cells }, index) => {
    const former = old.get(key);
    if (!former) {
      edits.push({ op: 'add_layer', layer: { ...meta }, index });
      order.splice(index, 0, key);
      complete &&= cells !== null;
      return;
    }
    const renamed = { ...former.meta, name: meta.name };
    const changes = patchOf(renamed, meta);
    if (changes) edits.push({ op: 'update_layer', name: meta.name, changes });
    complete &&= same(merged(renamed, changes ?? {}), meta);
    complete &&= (cells === null) === (former.cells === null);
    if (order.indexOf(key) !== index) {
      edits.push({ op: 'move_layer', name: meta.name, index });
      order.splice(order.indexOf(key), 1);
      order.splice(index, 0, key);
    }
  });
  return { edits, complete };
}

/** A name with the lowest number that is not taken. @param {string} name  @param {string[]} taken */
export function freeName(name, taken) {
  for (let number = 2; ; number++) if (!taken.includes(`${name} ${number}`)) return `${name} ${number}`;
}

/**
 * Only the cells that differ: as rectangles of one symbol, as pasted rows where many differ close together, or singly.
 * @param {string} layer  its name  @param {Uint16Array | null} before  @param {Uint16Array} after  @param {number} width
 */
function cellEdits(layer, before, after, width) {
  /** @type {Box[]} */
  const rectangles = [];
  const height = width ? after.length / width : 0;
  /** @type {Map<number, Box>} */
  let open = new Map();
  for (let y = 0; y < height; y++) {
    const runs = changedRuns(before, after, y * width, width);
    /** @type {Map<number, Box>} */
    const still = new Map();
    for (const { x, length, code } of runs) {
      let box = open.get(x);
      if (box?.width === length && box.code === code) box.height++;
      else rectangles.push((box = { x, y, width: length, height: 1, code }));
      still.set(x, box);
    }
    open = still;
  }
  const few = fewCells(rectangles);
  if (few) return [{ op: 'set', layer, cells: few }];
  /** @type {Edit[]} */
  const edits = [];
  /** @type {CellSymbol[]} */
  const cells = [];
  /** @type {Map<string, CellSymbol[]>} */
  const chunks = new Map();
  for (const { x, y, width: across, height: down, code } of rectangles) {
    if (across * down >= MIN_RECTANGLE_CELLS) {
      edits.push({ op: 'fill_rectangle', layer, x, y, width: across, height: down, symbol: String.fromCharCode(code) });
      continue;
    }
    for (let cy = y; cy < y + down; cy++) {
      for (let cx = x; cx < x + across; cx++) {
        if (code === EMPTY) {
          cells.push({ x: cx, y: cy, symbol: ' ' });
          continue;
        }
        const key = `${Math.floor(cx / CHUNK_SIDE)} ${Math.floor(cy / CHUNK_SIDE)}`;
        const chunk = chunks.get(key) ?? [];
        chunk.push({ x: cx, y: cy, symbol: String.fromCharCode(code) });
        chunks.set(key, chunk);
      }
    }
  }
  for (const loose of chunks.values()) {
    if (loose.length < MIN_PASTE_CELLS) cells.push(...loose);
    else edits.push(pasteEdit(layer, loose));
  }
  for (let at = 0; at < cells.length; at += MAX_CELLS)
    edits.push({ op: 'set', layer, cells: cells.slice(at, at + MAX_CELLS) });
  return edits;
}

/**
 * The cells of boxes, where they are few and in one chunk; null otherwise, and of none.
 * @param {Box[]} boxes
 * @returns {CellSymbol[] | null}
 */
function fewCells(boxes) {
  const count = boxes.reduce((sum, { width, height }) => sum + width * height, 0);
  if (!count || count > MAX_FAST_CELLS) return null;
  const cells = boxes.flatMap(({ x, y, width, height, code }) =>
    Array.from({ length: width * height }, (_, i) => ({
      x: x + (i % width),
      y: y + Math.floor(i / width),
      symbol: String.fromCharCode(code),
    })),
  );
  const chunks = new Set(cells.map(({ x, y }) => `${Math.floor(x / CHUNK_SIDE)} ${Math.floor(y / CHUNK_SIDE)}`));
  return chunks.size === 1 ? cells : null;
}

/**
 * Stretches of a row that changed to one code; `before` null means empty cells.
 * @param {Uint16Array | null} before  @param {Uint16Array} after  @param {number} start  @param {number} width
 */
function* changedRuns(before, after, start, width) {
  for (let x = 0; x < width; x++) {
    const code = after[start + x];
    if (code === (before ? before[start + x] : EMPTY)) continue;
    const first = x;
    while (x + 1 < width && after[start + x + 1] === code && code !== (before ? before[start + x + 1] : EMPTY)) x++;
    yield { x: first, length: x + 1 - first, code };
  }
}

/**
 * Cells that are not empty as rows; the spaces between change nothing.
 * @param {string} layer  @param {CellSymbol[]} cells
 * @returns {Edit}
 */
function pasteEdit(layer, cells) {
  const [left, right] = [Math.min(...cells.map(({ x }) => x)), Math.max(...cells.map(({ x }) => x))];
  const [top, bottom] = [Math.min(...cells.map(({ y }) => y)), Math.max(...cells.map(({ y }) => y))];
  const across = right - left + 1;
  const codes = new Uint16Array(across * (bottom - top + 1)).fill(EMPTY);
  for (const { x, y, symbol } of cells) codes[(y - top) * across + x - left] = symbol.charCodeAt(0);
  const rows = Array.from({ length: bottom - top + 1 }, (_, y) => textOf(codes, y * across, (y + 1) * across));
  return { op: 'paste', layer, x: left, y: top, rows, transparent: true };
}

/** @param {MapObject[]} before  @param {MapObject[]} after  @param {string} one */
function objectEdits(before, after, one) {
  /** @type {Edit[]} */
  const edits = [];
  const named = (/** @type {MapObject[]} */ list) =>
    new Map(list.filter(({ id }) => id !== undefined).map((item) => [item.id, item]));
  const [old, now] = [named(before), named(after)];
  for (const id of old.keys()) if (!now.has(id)) edits.push({ op: `remove_${one}`, id });
  for (const [id, item] of now) if (!same(old.get(id), item)) edits.push({ op: `put_${one}`, [one]: item });
  const nameless = (/** @type {MapObject[]} */ list) => list.filter(({ id }) => id === undefined);
  return { edits, complete: same(nameless(before), nameless(after)) };
}

/**
 * Whether two JSON values are equal; the order of keys does not count.
 * @param {any} a  @param {any} b
 * @returns {boolean}
 */
export function same(a, b) {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && same(a[key], b[key]));
}

/**
 * The frame that edits of `difference` make of a frame, which stays as it is. Throws an Error with a sentence
 * where one does not fit, such as a layer that is gone.
 * @param {Frame} frame  @param {Edit[]} edits
 * @returns {Frame}
 */
export function applied(frame, edits) {
  let next = { ...frame };
  /** @type {Set<number>} */
  const fresh = new Set();
  const find = (/** @type {string} */ name) => {
    const layer = next.layers.find(({ meta }) => meta.name === name);
    if (!layer) throw new Error(`The map has no layer “${name}” any more.`);
    return layer;
  };
  const update = (/** @type {Layer} */ old, /** @type {Layer} */ layer) => {
    next.layers = next.layers.map((other) => (other === old ? layer : other));
  };
  const cellsOf = (/** @type {string} */ name) => {
    const layer = find(name);
    if (!layer.cells) throw new Error(`The layer “${name}” has no cells.`);
    if (fresh.has(layer.key)) return layer.cells;
    const cells = layer.cells.slice();
    update(layer, { ...layer, cells });
    fresh.add(layer.key);
    return cells;
  };
  /** @type {(cells: Uint16Array, x: number, y: number, symbol: string) => void} */
  const paint = (cells, x, y, symbol) => {
    if (x >= next.width || y >= next.height) throw new Error(`Cell (${x}, ${y}) is not on the map any more.`);
    cells[y * next.width + x] = codeOf(symbol);
  };
  /** @type {Record<string, (edit: any) => void>} */
  const operations = {
    resize({ width, height, anchor }) {
      next = resized(next, width, height, ...anchorShift(next, width, height, anchor));
    },
    update_map({ changes }) {
      next.other = merged(next.other, changes);
    },
    update_legend({ legend, index = next.legend.length }) {
      for (const changes of legend) {
        const at = next.legend.findIndex(({ symbol }) => symbol === changes.symbol);
        const entry = merged(next.legend[at] ?? {}, changes);
        next.legend = at < 0 ? next.legend.toSpliced(index++, 0, entry) : next.legend.with(at, entry);
      }
    },
    remove_legend_entry({ symbol }) {
      // Where somebody else has painted with it, it stays.
      if (next.layers.some(({ cells }) => cells?.includes(symbol.charCodeAt(0)))) return;
      next.legend = next.legend.filter((entry) => entry.symbol !== symbol);
    },
    remove_layer({ name }) {
      const gone = find(name);
      next.layers = next.layers.filter((layer) => layer !== gone);
    },
    update_layer({ name, changes }) {
      const layer = find(name);
      update(layer, { ...layer, meta: merged(layer.meta, changes) });
    },
    add_layer({ layer: meta, index }) {
      if (next.layers.some((layer) => layer.meta.name === meta.name))
        throw new Error(`The map already has a layer “${meta.name}”.`);
      const layer = { key: newLayerKey(), meta, cells: new Uint16Array(next.width * next.height).fill(EMPTY) };
      next.layers = next.layers.toSpliced(index ?? next.layers.length, 0, layer);
    },
    move_layer({ name, index }) {
      const layer = find(name);
      next.layers = next.layers.filter((other) => other !== layer).toSpliced(index, 0, layer);
    },
    fill_rectangle({ layer, x, y, width, height, symbol }) {
      const cells = cellsOf(layer);
      for (let cy = y; cy < y + height; cy++) for (let cx = x; cx < x + width; cx++) paint(cells, cx, cy, symbol);
    },
    set({ layer, cells: list }) {
      const cells = cellsOf(layer);
      for (const { x, y, symbol } of list) paint(cells, x, y, symbol);
    },
    paste({ layer, x, y, rows, transparent }) {
      const cells = cellsOf(layer);
      rows.forEach((/** @type {string} */ row, /** @type {number} */ down) => {
        for (let i = 0; i < row.length; i++) if (!transparent || row[i] !== ' ') paint(cells, x + i, y + down, row[i]);
      });
    },
  };
  for (const list of LISTS) {
    const one = SINGULAR[list];
    operations[`remove_${one}`] = ({ id }) => {
      next = { ...next, [list]: objectsOf(next, list).filter((item) => item.id !== id) };
    };
    operations[`put_${one}`] = ({ [one]: item }) => {
      const objects = objectsOf(next, list);
      const index = objects.findIndex(({ id }) => id === item.id);
      next = { ...next, [list]: index < 0 ? [...objects, item] : objects.with(index, item) };
    };
  }
  for (const edit of edits) {
    if (!operations[edit.op]) throw new Error(`Unknown edit “${edit.op}”.`);
    operations[edit.op](edit);
  }
  return next;
}

/**
 * Edits as the lists of as few requests as can carry them, in their order.
 * @param {Edit[]} edits
 */
export function requestsOf(edits) {
  /** @type {Edit[][]} */
  const requests = [];
  /** @type {Edit[]} */
  let open = [];
  let bytes = Infinity;
  for (const edit of edits) {
    const size = new TextEncoder().encode(JSON.stringify(edit)).length + 1;
    if (bytes + size > MAX_BYTES || open.length === MAX_EDITS) {
      requests.push((open = []));
      bytes = 0;
    }
    open.push(edit);
    bytes += size;
  }
  return requests;
}

/**
 * What the first of the edits from `base` to `frame` made of `base`: new layers have the keys of those in `frame`.
 * @param {Frame} base  @param {Edit[]} edits  @param {Frame} frame
 */
export function advanced(base, edits, frame) {
  const next = applied(base, edits);
  const kept = new Set(base.layers.map(({ key }) => key));
  const keys = new Map(frame.layers.map(({ key, meta }) => [meta.name, key]));
  next.layers = next.layers.map((layer) =>
    kept.has(layer.key) ? layer : { ...layer, key: keys.get(layer.meta.name) ?? layer.key },
  );
  return next;
}
