/**
 * Cells and objects that were copied or lifted, and where they float above the map. They keep their figure wherever
 * they are put, on hexes too: they move by lattice coordinates.
 *
 * @typedef {import('../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../web/shared/geometry.js').Geometry} Geometry
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 *
 * @typedef {{list: ObjectList, item: MapObject}} ClipObject
 *
 * @typedef {object} Clip
 * @property {{layer: number | null, codes: Uint16Array}[]} parts  by layer; null means the active one: the codes
 *   of all its cells, row by row
 * @property {ClipObject[]} objects
 * @property {Pair} origin  the upper left cell where it was taken
 * @property {number} width  cells
 * @property {number} height  cells
 * @property {string} text  the cells as rows of symbols, for other programs
 */

import { EMPTY, moved } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { tidy } from '../../../web/shared/geometry.js';
import { middleOf, refOf, objectOf } from '../../../web/shared/objects.js';

/** A clip that floats above the map. */
export class Float {
  /**
   * @param {Geometry} geometry  @param {Clip} clip
   * @param {Pair} at  where its upper left cell is
   */
  constructor(geometry, clip, at) {
    this.geometry = geometry;
    this.clip = clip;
    this.origin = geometry.toLattice(...clip.origin);
    /** @type {Pair} */
    this.anchor = geometry.toLattice(...at);
    /** Whether it goes where the pointer goes. */
    this.follows = false;
  }

  /**
   * The rectangle of the map that it lies in. On hexes, lines may be staggered the other way there: one cell more.
   * @returns {import('../../../web/shared/geometry.js').Rectangle}
   */
  get box() {
    const [x, y] = this.geometry.fromLattice(...this.anchor);
    const { width, height } = this.clip;
    const more = this.geometry.isHex ? 1 : 0;
    return { x: x - more, y: y - more, width: width + 2 * more, height: height + 2 * more };
  }

  /** Put its upper left cell somewhere else. @param {Pair} at */
  moveTo(at) {
    this.anchor = this.geometry.toLattice(...at);
  }

  /** With its middle at a cell. @param {Pair} cell */
  centreOn([x, y]) {
    const { width, height } = this.clip;
    this.moveTo([x - Math.floor((width - 1) / 2), y - Math.floor((height - 1) / 2)]);
  }

  /** @param {Pair} from  @param {Pair} to */
  moveBy(from, to) {
    const [[fu, fv], [tu, tv]] = [this.geometry.toLattice(...from), this.geometry.toLattice(...to)];
    this.anchor = [this.anchor[0] + tu - fu, this.anchor[1] + tv - fv];
  }

  /**
   * Where a cell of the clip is now.
   * @param {number} x  @param {number} y
   * @returns {Pair}
   */
  #moved(x, y) {
    const [u, v] = this.geometry.toLattice(x, y);
    return this.geometry.fromLattice(u - this.origin[0] + this.anchor[0], v - this.origin[1] + this.anchor[1]);
  }

  /**
   * The index in the clip of what lies on a cell of the map now; -1 beside it.
   * @param {number} x  @param {number} y
   */
  indexAt(x, y) {
    const [u, v] = this.geometry.toLattice(x, y);
    const [cx, cy] = this.geometry.fromLattice(
      u - this.anchor[0] + this.origin[0],
      v - this.anchor[1] + this.origin[1],
    );
    const { origin, width, height } = this.clip;
    const [column, row] = [cx - origin[0], cy - origin[1]];
    return column >= 0 && row >= 0 && column < width && row < height ? row * width + column : -1;
  }

  /**
   * Where each cell of the clip lies on the map now: its index in the map, -1 off it.
   * @returns {Int32Array}
   */
  #places() {
    const { origin, width, height } = this.clip;
    const places = new Int32Array(width * height);
    for (let i = 0; i < places.length; i++) {
      const [x, y] = this.#moved(origin[0] + (i % width), origin[1] + Math.floor(i / width));
      places[i] = this.geometry.holds(x, y) ? y * this.geometry.width + x : -1;
    }
    return places;
  }

  /** Its objects where they are now. @returns {ClipObject[]} */
  objects() {
    const { geometry, clip } = this;
    const [x, y] = this.#moved(...clip.origin);
    const [[fromX, fromY], [toX, toY]] = [geometry.centre(...clip.origin), geometry.centre(x, y)];
    return clip.objects.map(({ list, item }) => {
      if (list === 'entities') {
        const [ex, ey] = this.#moved(item.x, item.y);
        return { list, item: { ...item, x: ex, y: ey } };
      }
      /** @type {import('../../../web/shared/document.js').Open} */
      const next = moved(item, toX - fromX, toY - fromY);
      for (const key of ['x', 'y', 'x1', 'y1', 'x2', 'y2']) if (key in next) next[key] = tidy(next[key]);
      return { list, item: /** @type {MapObject} */ (next) };
    });
  }

  /** Whether a cell of the map is under it. @param {Pair} cell */
  holds([x, y]) {
    return this.indexAt(x, y) >= 0;
  }

  /**
   * Put it on the map: what lies off the map, and on layers that are locked or gone, is left out.
   * @param {import('./editor.js').Editor} editor
   * @param {import('./history.js').Step} step
   * @param {boolean} isCopy  whether its objects get ids of their own
   * @returns {{cells: number, objects: import('../../../web/shared/objects.js').ObjectRef[]}} how much was put
   */
  put(editor, step, isCopy) {
    const { geometry } = this;
    const places = this.clip.parts.length ? this.#places() : [];
    let count = 0;
    for (const { layer, codes } of this.clip.parts) {
      const key = layer ?? editor.state.layer;
      const target = editor.document.layer(key);
      if (!target?.cells || target.meta.locked) continue;
      /** @type {number[]} */
      const kept = [];
      for (let i = 0; i < codes.length; i++)
        if (places[i] >= 0 && (codes[i] !== EMPTY || editor.state.withEmpty)) kept.push(i);
      step.paint(
        key,
        kept.map((i) => places[i]),
        kept.map((i) => codes[i]),
      );
      count += kept.length;
    }
    const objects = this.objects()
      .filter(({ list, item }) => geometry.holds(...this.#cellNear(list, item)))
      .map(({ list, item }) => ({ list, item: isCopy ? { ...item, id: editor.objects.newId(list, item) } : item }));
    if (objects.length) editor.objects.add(step, objects);
    return { cells: count, objects: objects.map(({ list, item }) => refOf(list, item)) };
  }

  /**
   * The cell of an object; of a wall on the lower or right edge of the map, the one before it.
   * @param {ObjectList} list  @param {MapObject} item
   * @returns {Pair}
   */
  #cellNear(list, item) {
    if (list === 'entities') return [item.x, item.y];
    const [right, bottom] = this.geometry.extent;
    const [px, py] = list === 'lights' ? [item.x, item.y] : [(item.x1 + item.x2) / 2, (item.y1 + item.y2) / 2];
    return this.geometry.cellAt(px === right ? px - 0.01 : px, py === bottom ? py - 0.01 : py);
  }
}

/**
 * A clip of objects alone.
 * @param {import('../../../web/shared/document.js').GridDocument} doc
 * @param {import('../../../web/shared/objects.js').ObjectRef[]} refs
 * @returns {Clip | null}
 */
export function clipOfObjects(doc, refs) {
  const objects = refs.flatMap((ref) => {
    const item = objectOf(doc.frame, ref);
    return item ? [{ list: ref.list, item }] : [];
  });
  if (!objects.length) return null;
  const cells = objects.map(({ list, item }) =>
    list === 'entities' ? [item.x, item.y] : doc.geometry.cellAt(...middleOf(doc, list, item)),
  );
  const [xs, ys] = [cells.map(([x]) => x), cells.map(([, y]) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return {
    parts: [],
    objects,
    origin: [x, y],
    width: Math.max(...xs) - x + 1,
    height: Math.max(...ys) - y + 1,
    text: JSON.stringify(objects.map(({ item }) => item)),
  };
}

/** “12 cells and 3 objects”. @param {number} cells  @param {number} objects */
export const amount = (cells, objects) =>
  [cells || !objects ? plural(cells, 'cell') : '', objects ? plural(objects, 'object') : '']
    .filter(Boolean)
    .join(' and ');
