/**
 * Tokens: their positions and their appearance.
 *
 * @typedef {import('./geometry.js').Geometry} Geometry
 * @typedef {import('./geometry.js').Pair} Pair
 * @typedef {{x: number, y: number, size: number}} Placed
 */

/** The colours of rings, by disposition. @type {Record<string, string>} */
export const RINGS = { friendly: '#4fa17c', neutral: '#d9b45b', hostile: '#cc5548' };

/** The side in cells, of tiny, small and medium, … and gargantuan creatures. */
export const SIZES = [0.5, 1, 2, 3, 4];

/**
 * The centre of a token, as a point.
 * @param {Geometry} geometry  @param {Placed} token
 * @returns {Pair}
 */
export function tokenCentre(geometry, { x, y, size }) {
  if (geometry.type === 'none') return [x + size / 2, y + size / 2];
  const side = Math.max(1, Math.round(size));
  const [ax, ay] = geometry.centre(x, y);
  const [bx, by] = geometry.centre(x + side - 1, y + side - 1);
  return [(ax + bx) / 2, (ay + by) / 2];
}

/**
 * Of the tokens that cover a point, the one with the nearest centre; null if there is none.
 * @template {Placed} T
 * @param {Geometry} geometry  @param {Iterable<T>} tokens  @param {number} px  @param {number} py
 * @returns {T | null}
 */
export function tokenAt(geometry, tokens, px, py) {
  let found = null;
  let nearest = Infinity;
  for (const token of tokens) {
    const [x, y] = tokenCentre(geometry, token);
    const away = Math.hypot(x - px, y - py) / Math.max(token.size, 0.5);
    if (away < 0.46 && away < nearest) [found, nearest] = [token, away];
  }
  return found;
}

/** The first letters of the first two words of a name. @param {string} name */
export const initials = (name) =>
  name
    .split(/\s+/)
    .filter(Boolean)
    .slice(0, 2)
    .map((word) => [...word][0].toUpperCase())
    .join('');

/** The colour of letters on a disc. @param {import('./tiles.js').Color} color */
export const letteringOn = ([red, green, blue]) =>
  0.299 * red + 0.587 * green + 0.114 * blue > 140 ? '#1d1a16' : '#fffdf6';
