/**
 * Notes that are pinned to maps. Their `x` and `y` are in cells: the whole part is the cell, the rest the place in it.
 *
 * @typedef {import('./geometry.js').Geometry} Geometry
 * @typedef {import('./geometry.js').Pair} Pair
 */

export const PIN_COLOR = 0xe8c27a;

/** The cell of a pin; one on the far edge of the map is in the last cell. @type {(size: {width: number, height: number}, pin: {x: number, y: number}) => Pair} */
export const pinCell = ({ width, height }, { x, y }) => [
  Math.min(Math.floor(x), width - 1),
  Math.min(Math.floor(y), height - 1),
];

/** The point where a pin is drawn. @param {Geometry} geometry  @param {{x: number, y: number}} pin  @returns {Pair} */
export function pinCentre(geometry, pin) {
  const [x, y] = pinCell(geometry, pin);
  const [px, py] = geometry.centre(x, y);
  return [px + pin.x - x - 0.5, py + pin.y - y - 0.5];
}

/**
 * Where a pin is set by a point: in the middle of its cell, or exactly there on a map without a grid.
 * @param {Geometry} geometry  @param {Pair} point
 */
export function pinAt(geometry, [px, py]) {
  if (geometry.type === 'none') return { x: Math.round(px * 100) / 100, y: Math.round(py * 100) / 100 };
  const [x, y] = geometry.cellAt(px, py);
  return { x: x + 0.5, y: y + 0.5 };
}
