/** Applies regions of the live feed, and maps that were read again, to the document that is shown. */

/**
 * @typedef {import('../shared/document.js').Open} Open
 * @typedef {{x: number, y: number, width: number, height: number, layers?: {name: string, rows: string[]}[],
 *   fog?: string[]} & Open} Region
 */

import { EMPTY } from '../shared/document.js';

/**
 * Apply the cells and the fog of a region to the document; returns false if the map must be read again for the rest.
 * @param {import('./store.js').Store} store  @param {Region} region
 */
export function applyRegion(store, region) {
  const { document: doc } = store;
  const { frame } = doc;
  let isKnown = true;
  for (const layer of region.layers ?? []) {
    const found = frame.layers.find(({ meta }) => meta.name === layer.name);
    if (!found?.cells) return false;
    /** @type {number[]} */
    const indexes = [];
    /** @type {number[]} */
    const codes = [];
    layer.rows.forEach((row, dy) => {
      for (let dx = 0; dx < row.length; dx++) {
        const index = (region.y + dy) * frame.width + region.x + dx;
        if (found.cells?.[index] === row.charCodeAt(dx)) continue;
        indexes.push(index);
        codes.push(row.charCodeAt(dx));
      }
    });
    if (indexes.length) doc.setCells(found.key, indexes, codes);
    // The legend has only the symbols of cells that were shown before: a new symbol requires reading the map.
    isKnown &&= codes.every((code) => code === EMPTY || doc.legend.has(code));
  }
  if (region.fog && store.fog.value) store.fog.value = withFog(store.fog.value, region.x, region.y, region.fog);
  // Walls are cut at the edges of a region: with any walls, doors, lights or entities, the map must be read.
  const lists = /** @type {const} */ (['walls', 'doors', 'lights', 'entities']);
  return isKnown && lists.every((name) => !region[name]?.length && !frame[name].length);
}

/**
 * The rows of the fog, with a rectangle replaced.
 * @param {string[]} rows  @param {number} x  @param {number} y  @param {string[]} part
 */
function withFog(rows, x, y, part) {
  const next = [...rows];
  part.forEach((text, dy) => {
    const row = next[y + dy];
    if (row !== undefined) next[y + dy] = row.slice(0, x) + text + row.slice(x + text.length);
  });
  return next;
}

/**
 * Update the document to a new frame, so that only differences are drawn again.
 * @param {import('../shared/document.js').GridDocument} doc  @param {import('../shared/document.js').Frame} frame
 */
export function applyFrame(doc, frame) {
  const before = doc.frame;
  const outline = (/** @type {import('../shared/document.js').Frame} */ { width, height, legend, other, layers }) =>
    JSON.stringify([width, height, legend, other, layers.map(({ meta, cells }) => [meta, !cells])]);
  if (outline(before) !== outline(frame)) return doc.replaceFrame(frame);
  before.layers.forEach(({ key, cells }, i) => {
    const after = frame.layers[i].cells;
    if (!cells || !after) return;
    const indexes = [];
    for (let index = 0; index < cells.length; index++) if (cells[index] !== after[index]) indexes.push(index);
    if (indexes.length)
      doc.setCells(
        key,
        indexes,
        indexes.map((index) => after[index]),
      );
  });
  const objects = (/** @type {import('../shared/document.js').Frame} */ { walls, doors, lights, entities }) =>
    JSON.stringify([walls, doors, lights, entities]);
  if (objects(before) === objects(frame)) return;
  const { walls, doors, lights, entities } = frame;
  doc.replaceFrame({ ...before, walls, doors, lights, entities });
}
