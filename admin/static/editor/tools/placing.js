/** Tools that place objects: entities, lights, walls and doors. Where one is already, it is selected and dragged instead. */

import { tidy } from '../../../../web/shared/geometry.js';
import { refOf, objectAt } from '../../../../web/shared/objects.js';
import { ObjectTool } from './object.js';
import { Tool } from './tool.js';

/**
 * @typedef {import('./tool.js').Pair} Pair
 * @typedef {import('./tool.js').Place} Place
 * @typedef {import('../../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../../web/shared/geometry.js').Quad} Quad
 */

const SNAP_DISTANCE = 0.3; // points: how near to a corner begins a wall there, not another wall's drag

/** Places one kind of object. */
class Placing extends ObjectTool {
  /** @param {Place} place */
  down(place) {
    if (!this.grab(place) && place.inside) this.place(place);
  }

  /** @param {Place} _place */
  place(_place) {}

  /**
   * @param {ObjectList} list  @param {Omit<MapObject, 'id'>} fields
   * @returns {import('../../../../web/shared/objects.js').ObjectRef}
   */
  add(list, fields) {
    const { objects } = this.editor;
    const item = /** @type {MapObject} */ ({ id: objects.newId(list, /** @type {MapObject} */ (fields)), ...fields });
    this.editor.run(`Added ${objects.nameOf(list, item)}`, (step) => objects.add(step, [{ list, item }]));
    return refOf(list, item);
  }

  /** @param {Place} place */
  hover(place) {
    Tool.prototype.hover.call(this, place);
  }
}

export class EntityTool extends Placing {
  /** @type {ObjectList[]} */
  lists = ['entities'];

  /** @param {Place} place */
  place({ cell: [x, y] }) {
    const kind = this.state.kind || 'npc';
    this.editor.objects.select([this.add('entities', { kind, name: '', x, y, properties: {} })], { isNew: true });
  }
}

export class LightTool extends Placing {
  /** @type {ObjectList[]} */
  lists = ['lights'];

  /** @param {Place} place */
  place({ cell }) {
    const [x, y] = this.geometry.centre(...cell);
    const light = this.add('lights', { x: tidy(x), y: tidy(y), range: 4, color: '#ffd28a', intensity: 1 });
    this.editor.objects.select([light], { isNew: true });
  }
}

/** Walls from corner to corner: a click each, until one corner is clicked twice, or one drag. */
export class WallTool extends Placing {
  /** @type {ObjectList[]} */
  lists = ['walls'];
  /** The corners of the walls being drawn, the last one open. @type {Pair[]} */
  corners = [];
  /** @type {import('../../../../web/shared/objects.js').ObjectRef[]} */
  added = [];
  /** Whether the button went down on the last corner and is still down. */
  isDown = false;

  get isBusy() {
    return this.corners.length > 0 || super.isBusy;
  }

  /** @param {Place} place */
  down(place) {
    const corner = this.geometry.nearestCorner(...place.point);
    if (this.corners.length) {
      this.isDown = true;
      if (this.#to(corner)) this.#finish();
      return;
    }
    const isNear = Math.hypot(corner[0] - place.point[0], corner[1] - place.point[1]) < SNAP_DISTANCE;
    if ((!isNear && this.grab(place)) || !(place.inside || isNear)) return;
    this.editor.objects.select([]);
    this.corners = [corner];
    this.added = [];
    this.isDown = true;
    this.move(place);
  }

  /**
   * Go on to a corner.
   * @param {Pair} to
   * @returns {boolean} whether the walls end there: at the same corner again, or where they began
   */
  #to([x2, y2]) {
    const [x1, y1] = this.corners[this.corners.length - 1];
    if (x1 === x2 && y1 === y2) return true;
    this.added.push(this.add('walls', { x1, y1, x2, y2, blocks_movement: true, blocks_sight: true }));
    this.corners.push([x2, y2]);
    const [[x0, y0]] = this.corners;
    return x0 === x2 && y0 === y2;
  }

  #finish() {
    const added = this.added;
    this.corners = [];
    this.added = [];
    this.isDown = false;
    this.state.preview = null;
    this.editor.describe('');
    if (added.length) this.editor.objects.select(added, { isNew: true });
  }

  /** @param {Place} place */
  move(place) {
    if (this.corners.length) this.#show(place);
    else super.move(place);
  }

  /** @param {Place} place */
  up(place) {
    super.settle();
    if (!this.isDown) return;
    this.isDown = false;
    const corner = this.geometry.nearestCorner(...place.point);
    const [x, y] = this.corners[this.corners.length - 1];
    if (corner[0] === x && corner[1] === y) return;
    // Dragged, not clicked: this wall alone.
    this.#to(corner);
    this.#finish();
  }

  /** @param {Place} place */
  hover(place) {
    this.state.hover = null;
    if (this.corners.length) {
      this.#show(place);
      return;
    }
    const [x, y] = this.geometry.nearestCorner(...place.point);
    const isNear = place.inside && Math.hypot(x - place.point[0], y - place.point[1]) < SNAP_DISTANCE;
    this.state.preview = isNear ? { segment: [x, y, x, y] } : null;
  }

  /** @param {Place} place */
  #show({ point }) {
    const [x1, y1] = this.corners[this.corners.length - 1];
    const [x2, y2] = this.geometry.nearestCorner(...point);
    this.state.preview = { segment: [x1, y1, x2, y2] };
    this.editor.describe('Same corner again: done');
  }

  settle() {
    super.settle();
    if (this.corners.length) this.#finish();
  }

  cancel() {
    super.cancel();
    this.#finish();
  }

  /** Take the last wall back, and go on from the corner before it. */
  stepBack() {
    if (this.corners.length < 2) {
      this.cancel();
      return;
    }
    this.corners.pop();
    this.added.pop();
    this.state.preview = null;
    this.editor.history.undo();
  }
}

/** Doors on the side of a cell; dragged along, over several. */
export class DoorTool extends Placing {
  /** @type {ObjectList[]} */
  lists = ['doors'];
  /** Where it began, and the side of the cell there. @type {{point: Pair, side: Quad} | null} */
  begun = null;

  get isBusy() {
    return this.begun !== null || super.isBusy;
  }

  /** @param {Place} place */
  place(place) {
    const side = this.geometry.nearestSide(...place.point);
    if (!side) return;
    this.begun = { point: place.point, side };
    this.move(place);
  }

  /** @param {Place} place */
  move(place) {
    if (!this.begun) {
      super.move(place);
      return;
    }
    const { point, side } = this.begun;
    let segment = side;
    if (Math.hypot(place.point[0] - point[0], place.point[1] - point[1]) > 0.8) {
      const [x, y] = this.geometry.nearestCorner(...place.point);
      const [x1, y1, x2, y2] = side;
      // From the end that lies further away from where the pointer is now.
      const isFirst = Math.hypot(x1 - x, y1 - y) > Math.hypot(x2 - x, y2 - y);
      segment = [isFirst ? x1 : x2, isFirst ? y1 : y2, x, y];
    }
    this.state.preview = { segment };
  }

  up() {
    this.settle();
  }

  settle() {
    super.settle();
    const segment = this.begun && this.state.preview?.segment;
    this.begun = this.state.preview = null;
    if (!segment) return;
    const [x1, y1, x2, y2] = segment;
    if (x1 === x2 && y1 === y2) return;
    this.editor.objects.select([this.add('doors', { x1, y1, x2, y2, state: 'closed' })], { isNew: true });
  }

  cancel() {
    super.cancel();
    this.begun = this.state.preview = null;
  }

  /** @param {Place} place */
  hover(place) {
    this.state.hover = null;
    const isFree = place.inside && !objectAt(this.document, ...place.point, this.lists);
    const side = isFree ? this.geometry.nearestSide(...place.point) : null;
    this.state.preview = side ? { segment: side } : null;
  }
}
