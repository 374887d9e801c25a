/** Selects objects, by a click or by the marquee, and drags them; the ends of a wall or a door too. */

import { moved } from '../../../../web/shared/document.js';
import { plural } from '../../../../web/shared/dom.js';
import { tidy } from '../../../../web/shared/geometry.js';
import { sameObject, objectAt, objectOf, objectsWithin } from '../../../../web/shared/objects.js';
import { Tool } from './tool.js';

/**
 * @typedef {import('./tool.js').Pair} Pair
 * @typedef {import('./tool.js').Place} Place
 * @typedef {import('../../../../web/shared/document.js').Open} Open
 * @typedef {import('../../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../../web/shared/objects.js').ObjectRef} ObjectRef
 */

const END_DISTANCE = 0.22; // points: how near to an end of a wall takes it

export class ObjectTool extends Tool {
  /** The lists whose objects it selects; all without. @type {ObjectList[] | undefined} */
  lists = undefined;
  /**
   * The dragged objects: the start, their former state, and which end of a wall, if any.
   * @type {{from: Pair, point: Pair, before: {ref: ObjectRef, item: MapObject}[], end: 1 | 2 | null} | null}
   */
  drag = null;
  /** @type {import('../history.js').Step | null} */
  step = null;
  /** Where the marquee began, in the picture of the map, and what was selected then. @type {{at: Pair, kept: ObjectRef[]} | null} */
  marquee = null;

  get isBusy() {
    return this.step !== null || this.marquee !== null || this.editor.tokens.drag !== null;
  }

  get endsByKey() {
    return this.marquee !== null;
  }

  /** @param {Place} place */
  down(place) {
    // Tokens are above everything else.
    if (!place.shift && this.editor.tokens.grab(place)) return;
    if (this.grab(place)) return;
    this.editor.tokens.select(null);
    const kept = place.shift ? this.state.objects : [];
    this.marquee = { at: this.geometry.project(...place.point), kept };
    this.editor.objects.select(kept);
  }

  /**
   * Take what lies at a place, to be dragged.
   * @param {Place} place
   * @returns {boolean} whether there is something
   */
  grab(place) {
    const { objects } = this.editor;
    const end = place.shift ? null : this.#endAt(place);
    const ref = end ? this.state.objects[0] : objectAt(this.document, ...place.point, this.lists);
    if (!ref) return false;
    const isSelected = this.state.objects.some((one) => sameObject(one, ref));
    if (place.shift) {
      objects.select(
        isSelected ? this.state.objects.filter((one) => !sameObject(one, ref)) : [...this.state.objects, ref],
      );
      return true;
    }
    if (!isSelected) objects.select([ref]);
    this.drag = { from: place.cell, point: place.point, before: objects.selected(), end };
    return true;
  }

  /**
   * Which end of the selected wall or door is at a place.
   * @param {Place} place
   */
  #endAt({ point: [px, py] }) {
    const { objects } = this.state;
    const item =
      objects.length === 1 && /^(walls|doors)$/.test(objects[0].list) && objectOf(this.document.frame, objects[0]);
    if (!item) return null;
    if (Math.hypot(item.x1 - px, item.y1 - py) < END_DISTANCE) return 1;
    return Math.hypot(item.x2 - px, item.y2 - py) < END_DISTANCE ? 2 : null;
  }

  /** @param {Place} place */
  move(place) {
    if (this.editor.tokens.dragTo(place)) return;
    if (this.marquee) this.#stretch(this.marquee, place);
    else if (this.drag) this.#dragTo(this.drag, place);
  }

  /** @param {NonNullable<ObjectTool['marquee']>} marquee  @param {Place} place */
  #stretch({ at: [X, Y], kept }, place) {
    const [X2, Y2] = this.geometry.project(...place.point);
    const [left, top, right, bottom] = [Math.min(X, X2), Math.min(Y, Y2), Math.max(X, X2), Math.max(Y, Y2)];
    this.state.marquee = [left, top, right, bottom];
    const found = objectsWithin(this.document, (px, py) => {
      const [x, y] = this.geometry.project(px, py);
      return x >= left && x <= right && y >= top && y <= bottom;
    });
    this.state.objects = [...kept, ...found.filter((ref) => !kept.some((one) => sameObject(one, ref)))];
    this.editor.describe(plural(this.state.objects.length, 'object'));
  }

  /** @param {NonNullable<ObjectTool['drag']>} drag  @param {Place} place */
  #dragTo({ from, point, before, end }, place) {
    const next = before.map(({ ref, item }) => {
      if (end) {
        const [x, y] = this.geometry.nearestCorner(...place.point);
        return { ref, item: /** @type {MapObject} */ ({ ...item, [`x${end}`]: x, [`y${end}`]: y }) };
      }
      if (before.length === 1 && ref.list === 'entities')
        return { ref, item: { ...item, ...this.#clamped(place.cell) } };
      if (before.length === 1 && ref.list === 'lights')
        return {
          ref,
          item: { ...item, x: half(item.x + place.point[0] - point[0]), y: half(item.y + place.point[1] - point[1]) },
        };
      return { ref, item: movedByCells(this.geometry, ref.list, item, from, place.cell) };
    });
    // Several keep their places to each other: where one would leave the map, all stay.
    if (next.some(({ ref, item }) => ref.list === 'entities' && !this.geometry.holds(item.x, item.y))) return;
    if (next.every(({ ref, item }) => isThere(item, objectOf(this.document.frame, ref)))) return;
    this.step ??= this.editor.begin('');
    this.editor.objects.replace(this.step, next);
  }

  /** @param {Pair} cell */
  #clamped([x, y]) {
    const { width, height } = this.geometry;
    return { x: Math.min(Math.max(x, 0), width - 1), y: Math.min(Math.max(y, 0), height - 1) };
  }

  /** @param {Place} _place */
  up(_place) {
    this.settle();
  }

  settle() {
    this.editor.tokens.drop();
    const { step, drag, marquee } = this;
    this.drag = this.step = this.marquee = this.state.marquee = null;
    if (marquee) {
      this.editor.describe('');
      this.editor.objects.select(this.state.objects);
    }
    if (!step || !drag) return;
    step.label = `Moved ${this.editor.objects.summary(drag.before)}`;
    step.commit();
  }

  cancel() {
    this.editor.tokens.cancelDrag();
    this.step?.cancel();
    this.drag = this.step = this.marquee = this.state.marquee = null;
  }

  /** @param {Place} _place */
  hover(_place) {
    this.state.hover = null;
  }
}

const half = (/** @type {number} */ value) => Math.round(value * 2) / 2;

/** @param {MapObject} next  @param {MapObject | undefined} now */
const isThere = (next, now) =>
  Boolean(now) &&
  ['x', 'y', 'x1', 'y1', 'x2', 'y2'].every((key) => /** @type {Open} */ (now)[key] === /** @type {Open} */ (next)[key]);

/**
 * An object moved as far as from one cell to another.
 * @param {import('../../../../web/shared/geometry.js').Geometry} geometry
 * @param {ObjectList} list  @param {MapObject} item  @param {Pair} from  @param {Pair} to
 * @returns {MapObject}
 */
export function movedByCells(geometry, list, item, from, to) {
  if (list === 'entities') {
    const [[u, v], [fu, fv], [tu, tv]] = [[item.x, item.y], from, to].map(([x, y]) => geometry.toLattice(x, y));
    const [x, y] = geometry.fromLattice(u + tu - fu, v + tv - fv);
    return { ...item, x, y };
  }
  const [[ax, ay], [bx, by]] = [geometry.centre(...from), geometry.centre(...to)];
  /** @type {Open} */
  const next = moved(item, bx - ax, by - ay);
  for (const key of ['x', 'y', 'x1', 'y1', 'x2', 'y2']) if (key in next) next[key] = tidy(next[key]);
  return /** @type {MapObject} */ (next);
}
