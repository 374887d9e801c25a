/**
 * Doors that let nobody through even when they are open.
 *
 * The rule of the server: an open door lets through the blocking cells that it lies on or at the edge of. So one on the
 * side of a cell of wall opens that cell; behind it, and before it, there has to be a cell where somebody can stand.
 */

import { EMPTY } from '../../../web/shared/document.js';
import { distanceToSegment } from '../../../web/shared/geometry.js';

/**
 * @typedef {import('../../../web/shared/document.js').Door} Door
 * @typedef {import('../../../web/shared/document.js').GridDocument} GridDocument
 * @typedef {import('../../../web/shared/document.js').Wall} Wall
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 */

const TOLERANCE = 0.05; // points: as near to a door lies on it

/** What was found of each door, until its map changes. @type {WeakMap<GridDocument, Map<Door, string | null>>} */
const found = new WeakMap();

/**
 * Why nobody can go through a door even when it is open, as a sentence; null when somebody can.
 * @param {GridDocument} doc  @param {Door} door
 */
export function doorProblem(doc, door) {
  let known = found.get(doc);
  if (!known) {
    found.set(doc, (known = new Map()));
    doc.listen(() => found.get(doc)?.clear());
  }
  let problem = known.get(door);
  if (problem === undefined) known.set(door, (problem = look(doc, door)));
  return problem;
}

/**
 * @param {GridDocument} doc  @param {Door} door
 * @returns {string | null}
 */
function look(doc, door) {
  if (door.x1 === door.x2 && door.y1 === door.y2) return 'This door has no width.';
  if (wallsOn(doc, door).length) return 'A wall blocks this door, even when it is open.';
  const opened = opens(doc, door);
  const beside = [...opened, ...opened.flatMap(([x, y]) => doc.geometry.neighbours(x, y))];
  const free = beside.filter((cell) => isFree(doc, cell));
  if ([-1, 1].every((side) => free.some((cell) => sideOf(doc, door, cell) === side))) return null;
  return 'This door leads nowhere: behind it are only cells that block movement, or the edge of the map.';
}

/**
 * The walls that block where a door is: along it, over its middle.
 * @param {GridDocument} doc  @param {Door} door
 * @returns {Wall[]}
 */
export function wallsOn({ frame }, { x1, y1, x2, y2 }) {
  const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const long = Math.hypot(x2 - x1, y2 - y1);
  return frame.walls.filter((wall) => {
    if (wall.blocks_movement === false) return false;
    if (distanceToSegment(mx, my, wall.x1, wall.y1, wall.x2, wall.y2) > TOLERANCE) return false;
    const across = (wall.x2 - wall.x1) * (y2 - y1) - (wall.y2 - wall.y1) * (x2 - x1);
    return Math.abs(across) < TOLERANCE * long * Math.hypot(wall.x2 - wall.x1, wall.y2 - wall.y1);
  });
}

/**
 * The rest of a wall beside a door on it: none, one or two pieces, without an id.
 * @param {Wall} wall  @param {Door} door
 * @returns {Wall[]}
 */
export function withoutDoor(wall, door) {
  const [dx, dy] = [wall.x2 - wall.x1, wall.y2 - wall.y1];
  const along = (/** @type {number} */ x, /** @type {number} */ y) =>
    Math.min(Math.max(((x - wall.x1) * dx + (y - wall.y1) * dy) / (dx * dx + dy * dy), 0), 1);
  const [from, to] = [along(door.x1, door.y1), along(door.x2, door.y2)].sort((a, b) => a - b);
  const at = (/** @type {number} */ t) =>
    [wall.x1 + dx * t, wall.y1 + dy * t].map((value) => Math.round(value * 1e4) / 1e4);
  return [
    [0, from],
    [to, 1],
  ]
    .filter(([begin, end]) => end - begin > 1e-6)
    .map(([begin, end]) => {
      const [[x1, y1], [x2, y2]] = [at(begin), at(end)];
      return { ...wall, id: undefined, x1, y1, x2, y2 };
    });
}

/** The cells of the map that a door lies on or at the edge of. @param {GridDocument} doc  @param {Door} door @returns {Pair[]} */
function opens({ geometry }, { x1, y1, x2, y2 }) {
  const long = Math.hypot(x2 - x1, y2 - y1);
  const [nx, ny] = [((y1 - y2) / long) * TOLERANCE, ((x2 - x1) / long) * TOLERANCE];
  /** @type {Map<string, Pair>} */
  const cells = new Map();
  const count = Math.max(2, Math.ceil(long * 4));
  for (let i = 0; i < count; i++) {
    const t = (i + 0.5) / count;
    const [px, py] = [x1 + (x2 - x1) * t, y1 + (y2 - y1) * t];
    for (const by of [-1, 1]) {
      const cell = geometry.cellAt(px + nx * by, py + ny * by);
      if (geometry.holds(...cell)) cells.set(cell.join(), cell);
    }
  }
  return [...cells.values()];
}

/** Whether somebody can stand in a cell. @param {GridDocument} doc  @param {Pair} cell */
function isFree({ frame, geometry, legend }, [x, y]) {
  if (!geometry.holds(x, y)) return false;
  const index = y * geometry.width + x;
  return frame.layers.every(({ cells, meta }) => {
    if (!cells || meta.visible === false || cells[index] === EMPTY) return true;
    return !legend.get(cells[index])?.blocks_movement;
  });
}

/** On which side of a door's line the middle of a cell is: -1, 1, or 0 on it. @param {GridDocument} doc  @param {Door} door  @param {Pair} cell */
function sideOf({ geometry }, { x1, y1, x2, y2 }, [x, y]) {
  const [px, py] = geometry.centre(x, y);
  const across = (x2 - x1) * (py - y1) - (y2 - y1) * (px - x1);
  return Math.abs(across) <= TOLERANCE ? 0 : Math.sign(across);
}
