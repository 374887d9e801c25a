/** Doors that let nobody through. */

/**
 * Why nobody can go through a door even when it is open, as a sentence; null when it can be gone through.
 * @param {import('../../../web/shared/document.js').GridDocument} _doc
 * @param {import('../../../web/shared/document.js').Door} _door
 * @returns {string | null}
 */
export function doorProblem(_doc, _door) {
  return null;
}
