/** Texts on the map, and the boxes that they occupy. */

import { Text } from '../../vendor/pixi.js';

/** Pixels per cell at which texts and tokens are drawn. */
export const PIXELS_PER_CELL = 64;
/** The height of names, in widths of a cell. */
export const NAME_SIZE = 0.24;
const MAX_NAME_LENGTH = 18; // letters, so that names of neighbours do not overlap

/** @typedef {{left: number, right: number, top: number, bottom: number}} Box  in widths of a cell */

/**
 * A text, centred on its position.
 * @param {string} text  @param {number} size  of the font, in pixels  @param {string} color
 * @param {number} [outline]  the width of its outline
 */
export function label(text, size, color, outline = 0) {
  const made = new Text({
    text,
    resolution: 2,
    style: {
      fontFamily: 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
      fontSize: size,
      fontWeight: '600',
      fill: color,
      ...(outline ? { stroke: { color: '#10181a', width: outline, join: 'round' } } : {}),
    },
  });
  made.anchor.set(0.5);
  return made;
}

/** The label of a name, in pixels. @param {string} name  @param {string} color */
export const nameLabel = (name, color) => label(shortened(name), NAME_SIZE * PIXELS_PER_CELL, color, 4);

/** @param {string} name */
function shortened(name) {
  const letters = [...name];
  return letters.length > MAX_NAME_LENGTH
    ? `${letters
        .slice(0, MAX_NAME_LENGTH - 1)
        .join('')
        .trimEnd()}…`
    : name;
}

/**
 * A box around a point.
 * @param {number} X  @param {number} Y  @param {number} halfWidth  @param {number} [halfHeight]
 * @returns {Box}
 */
export const boxAround = (X, Y, halfWidth, halfHeight = NAME_SIZE / 2) => ({
  left: X - halfWidth,
  right: X + halfWidth,
  top: Y - halfHeight,
  bottom: Y + halfHeight,
});

/** @param {Box} a  @param {Box} b */
export const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
