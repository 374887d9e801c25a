/**
 * Cells and objects that were copied or lifted, and where they are held above the map. They keep their figure wherever
 * they are put, on hexes too: cells are kept in lattice coordinates.
 *
 * @typedef {import('../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../web/shared/geometry.js').Geometry} Geometry
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 *
 * @typedef {[number, number, number]} CellCode  x, y and the code of its symbol
 * @typedef {{list: ObjectList, item: MapObject}} ClipObject
 *
 * @typedef {object} Clip
 * @property {{layer: number | null, cells: CellCode[]}[]} parts  by layer; null stands for the active one
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

/** A clip held above the map. */
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
    this.held = new Set([
      ...clip.parts.flatMap(({ cells }) => cells.map(([x, y]) => this.#key(x, y))),
      ...clip.objects.map(({ list, item }) => this.#key(...this.#cellOf(list, item))),
    ]);
  }

  /** @param {number} x  @param {number} y */
  #key(x, y) {
    const [u, v] = this.geometry.toLattice(x, y);
    return `${u - this.origin[0]} ${v - this.origin[1]}`;
  }

  /**
   * @param {ObjectList} list  @param {MapObject} item
   * @returns {Pair}
   */
  #cellOf(list, item) {
    if (list === 'entities') return [item.x, item.y];
    return list === 'lights'
      ? this.geometry.cellAt(item.x, item.y)
      : this.geometry.cellAt((item.x1 + item.x2) / 2, (item.y1 + item.y2) / 2);
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
   * @param {CellCode[]} cells  of one of its parts
   * @returns {Generator<CellCode>}
   */
  *cells(cells) {
    for (const [x, y, code] of cells) yield [...this.#moved(x, y), code];
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
    const [u, v] = this.geometry.toLattice(x, y);
    return this.held.has(`${u - this.anchor[0]} ${v - this.anchor[1]}`);
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
    let count = 0;
    for (const { layer, cells } of this.clip.parts) {
      const key = layer ?? editor.state.layer;
      const target = editor.document.layer(key);
      if (!target?.cells || target.meta.locked) continue;
      const kept = [...this.cells(cells)].filter(
        ([x, y, code]) => geometry.holds(x, y) && (code !== EMPTY || editor.state.withEmpty),
      );
      step.paint(
        key,
        kept.map(([x, y]) => y * geometry.width + x),
        kept.map(([, , code]) => code),
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
