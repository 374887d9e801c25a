/**
 * Objects on a map (entities, doors, walls and lights): references to them, and finding them by position.
 *
 * @typedef {import('./document.js').Frame} Frame
 * @typedef {import('./document.js').GridDocument} GridDocument
 * @typedef {import('./document.js').MapObject} MapObject
 * @typedef {import('./document.js').ObjectList} ObjectList
 * @typedef {{list: ObjectList, id?: string, index?: number}} ObjectRef  by id, or by index if the object has no id
 */

import { objectsOf } from './document.js';
import { distanceToSegment } from './geometry.js';

/** @type {ObjectList[]} A door at the edge of a cell has priority over an object in the cell. */
const UPPERMOST = ['doors', 'entities', 'lights', 'walls'];

/**
 * The index of an object in its list; -1 if it no longer exists.
 * @param {Frame} frame  @param {ObjectRef} ref
 */
export function indexOfObject(frame, { list, id, index = -1 }) {
  if (id === undefined) return index < frame[list].length ? index : -1;
  return objectsOf(frame, list).findIndex((item) => item.id === id);
}

/**
 * @param {Frame} frame  @param {ObjectRef} ref
 * @returns {MapObject | undefined}
 */
export const objectOf = (frame, ref) => objectsOf(frame, ref.list)[indexOfObject(frame, ref)];

/**
 * @param {ObjectList} list  @param {MapObject} item  @param {number} [index]
 * @returns {ObjectRef}
 */
export const refOf = (list, item, index) => (item.id === undefined ? { list, index } : { list, id: item.id });

/** @param {ObjectRef} a  @param {ObjectRef} b */
export const sameObject = (a, b) => a.list === b.list && a.id === b.id && a.index === b.index;

/**
 * The topmost object at a point, or null.
 * @param {GridDocument} doc  @param {number} px  @param {number} py  @param {ObjectList[]} [lists]
 * @returns {ObjectRef | null}
 */
export function objectAt(doc, px, py, lists = UPPERMOST) {
  const { frame, geometry } = doc;
  const [x, y] = geometry.cellAt(px, py);
  /** @type {(item: import('./document.js').Segment) => number} */
  const away = ({ x1, y1, x2, y2 }) => distanceToSegment(px, py, x1, y1, x2, y2);
  const found = {
    entities: () => frame.entities.findLastIndex((item) => item.x === x && item.y === y),
    doors: () => frame.doors.findLastIndex((item) => away(item) < 0.26),
    lights: () => frame.lights.findLastIndex((item) => Math.hypot(item.x - px, item.y - py) < 0.34),
    walls: () => frame.walls.findLastIndex((item) => away(item) < 0.2),
  };
  for (const list of UPPERMOST) {
    const index = lists.includes(list) ? found[list]() : -1;
    if (index >= 0) return refOf(list, frame[list][index], index);
  }
  return null;
}

/**
 * The objects whose points all satisfy `holds`: the centre of an entity, both ends of a wall.
 * @param {GridDocument} doc  @param {(px: number, py: number) => boolean} holds
 * @returns {ObjectRef[]}
 */
export function objectsWithin({ frame, geometry }, holds) {
  const { entities, walls, doors, lights } = frame;
  /** @type {(item: import('./document.js').Segment) => boolean} */
  const segment = ({ x1, y1, x2, y2 }) => holds(x1, y1) && holds(x2, y2);
  return [
    ...entities.flatMap((item, i) => (holds(...geometry.centre(item.x, item.y)) ? refOf('entities', item, i) : [])),
    ...doors.flatMap((item, i) => (segment(item) ? refOf('doors', item, i) : [])),
    ...walls.flatMap((item, i) => (segment(item) ? refOf('walls', item, i) : [])),
    ...lights.flatMap((item, i) => (holds(item.x, item.y) ? refOf('lights', item, i) : [])),
  ];
}

/**
 * The centre of an object, as a point.
 * @param {GridDocument} doc  @param {ObjectList} list  @param {MapObject} item
 * @returns {import('./geometry.js').Pair}
 */
export function middleOf({ geometry }, list, item) {
  if (list === 'entities') return geometry.centre(item.x, item.y);
  return list === 'lights' ? [item.x, item.y] : [(item.x1 + item.x2) / 2, (item.y1 + item.y2) / 2];
}
