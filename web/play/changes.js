/** Applies changes of a map, from the live feed or from reading it again, to the document that is shown. */

/**
 * @typedef {import('../shared/document.js').Open} Open
 * @typedef {import('../shared/document.js').GridDocument} GridDocument
 * @typedef {import('../shared/document.js').Frame} Frame
 * @typedef {import('../shared/document.js').LegendEntry} LegendEntry
 * @typedef {{x: number, y: number, width: number, height: number, layers?: {name: string, rows: string[]}[],
 *   legend?: LegendEntry[], fog?: string[]} & Open} Region
 * @typedef {{cells?: {layer: string, runs: [number, number, number, string][]}[], legend?: LegendEntry[]} & Open} Effect
 */

import { EMPTY, LISTS } from '../shared/document.js';

/** What an edit changes that is not in the lists of objects, the legend or the cells. */
const READ_AGAIN = ['reload', 'size', 'layers', 'renamed_layers', 'map'];

/**
 * Apply the effect of an edit, the payload of its event, to the document; returns false if the map must be read again
 * for the rest. docs/grid.md describes it.
 * @param {GridDocument} doc  @param {Effect} effect
 */
export function applyEffect(doc, effect) {
  if (READ_AGAIN.some((key) => key in effect)) return false;
  /** @type {Partial<Frame>} */
  const changed = {};
  for (const name of LISTS) if (effect[name]) changed[name] = withObjects(doc.frame[name], effect[name]);
  if (effect.legend) changed.legend = withEntries(doc.frame.legend, effect.legend);
  if (Object.keys(changed).length) doc.replaceFrame({ ...doc.frame, ...changed });
  return (effect.cells ?? []).every(({ layer, runs }) => {
    const found = doc.frame.layers.find(({ meta }) => meta.name === layer);
    if (!found?.cells) return false;
    /** @type {number[]} */
    const indexes = [];
    /** @type {number[]} */
    const codes = [];
    const { width, height } = doc.frame;
    for (const [x, y, count, symbols] of runs)
      // The document may have a new size already, whose event comes later.
      for (let i = 0; i < count && x + i < width && y < height; i++) {
        indexes.push(y * width + x + i);
        codes.push(symbols.charCodeAt(symbols.length === 1 ? 0 : i));
      }
    doc.setCells(found.key, indexes, codes);
    return areKnown(doc, codes);
  });
}

/**
 * @param {any[]} objects
 * @param {any[] | {put?: any[], removed?: string[]}} change  the new list, as players get walls, or what changed of it
 */
function withObjects(objects, change) {
  if (Array.isArray(change)) return change;
  const removed = new Set(change.removed);
  const put = new Map(change.put?.map((one) => [one.id, one]));
  const kept = objects.filter(({ id }) => !removed.has(id)).map((one) => put.get(one.id) ?? one);
  const known = new Set(objects.map(({ id }) => id));
  return [...kept, ...[...put.values()].filter(({ id }) => !known.has(id))];
}

/** @param {LegendEntry[]} legend  @param {LegendEntry[]} put */
const withEntries = (legend, put) => [...new Map([...legend, ...put].map((entry) => [entry.symbol, entry])).values()];

/**
 * Whether the legend has these symbols; players get only the entries of symbols that they were shown before.
 * @param {GridDocument} doc  @param {number[]} codes
 */
const areKnown = (doc, codes) => codes.every((code) => code === EMPTY || doc.legend.has(code));

/**
 * Apply the cells and the fog of a region to the document; returns false if the map must be read again for the rest.
 * @param {import('./store.js').Store} store  @param {Region} region
 */
export function applyRegion(store, region) {
  const { document: doc } = store;
  // It has the entries of its cells. One that is known may have changed while no cell with it was shown.
  const legend = withEntries(doc.frame.legend, region.legend ?? []);
  if (JSON.stringify(legend) !== JSON.stringify(doc.frame.legend)) doc.replaceFrame({ ...doc.frame, legend });
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
    isKnown &&= areKnown(doc, codes);
  }
  if (region.fog && store.fog.value) store.fog.value = withFog(store.fog.value, region.x, region.y, region.fog);
  // Walls are cut at the edges of a region: with any walls, doors, lights or entities, the map must be read.
  return isKnown && LISTS.every((name) => !region[name]?.length && !frame[name].length);
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
 * @param {GridDocument} doc  @param {Frame} frame
 */
export function applyFrame(doc, frame) {
  const before = doc.frame;
  const outline = (/** @type {Frame} */ { width, height, legend, other, layers }) =>
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
  const objects = (/** @type {Frame} */ { walls, doors, lights, entities }) =>
    JSON.stringify([walls, doors, lights, entities]);
  if (objects(before) === objects(frame)) return;
  const { walls, doors, lights, entities } = frame;
  doc.replaceFrame({ ...before, walls, doors, lights, entities });
}
