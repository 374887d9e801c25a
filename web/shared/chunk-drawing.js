/**
 * Draws a rectangle of cells on a separate canvas, which the editor and the players' page cache.
 *
 * @typedef {{cells: Uint16Array, opacity: number}} ShownLayer
 *
 * @typedef {object} ChunkBounds  a rectangle of cells [x0, x1) x [y0, y1), and the box of its picture in the map's
 * @property {number} x0
 * @property {number} y0
 * @property {number} x1
 * @property {number} y1
 * @property {number} left  in pixels, as all below
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

import { EMPTY } from './document.js';

/**
 * The bounds of the picture of `size` x `size` cells from (x0, y0) on, at `scale` pixels per cell.
 * @param {import('./geometry.js').Geometry} geometry
 * @param {number} x0  @param {number} y0  @param {number} size  @param {number} scale
 * @returns {ChunkBounds}
 */
export function chunkBounds(geometry, x0, y0, size, scale) {
  const [x1, y1] = [Math.min(x0 + size, geometry.width), Math.min(y0 + size, geometry.height)];
  const [halfWidth, halfHeight] = geometry.cellBox.map((side) => side / 2);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  // The corners, and the cells next to them, which may be staggered.
  for (const x of [x0, Math.min(x0 + 1, x1 - 1), x1 - 1]) {
    for (const y of [y0, Math.min(y0 + 1, y1 - 1), y1 - 1]) {
      const [X, Y] = geometry.project(...geometry.centre(x, y));
      left = Math.min(left, X - halfWidth);
      top = Math.min(top, Y - halfHeight);
      right = Math.max(right, X + halfWidth);
      bottom = Math.max(bottom, Y + halfHeight);
    }
  }
  const margin = geometry.isHex || geometry.isIsometric ? 2 : 0;
  const [pixelLeft, pixelTop] = [Math.floor(left * scale) - margin, Math.floor(top * scale) - margin];
  return {
    x0,
    y0,
    x1,
    y1,
    left: pixelLeft,
    top: pixelTop,
    width: Math.ceil(right * scale) + margin - pixelLeft,
    height: Math.ceil(bottom * scale) + margin - pixelTop,
  };
}

/**
 * Draw the cells of all layers, the lowest first.
 * @param {CanvasRenderingContext2D} context  with its origin at the top left of the bounds
 * @param {import('./document.js').GridDocument} doc
 * @param {ChunkBounds} bounds
 * @param {ShownLayer[]} layers
 * @param {import('./tiles.js').Tiles} tiles
 * @param {{paper: boolean, grid: boolean}} options  whether empty cells are filled, and lines drawn between cells
 */
export function drawCells(context, { geometry, frame }, bounds, layers, tiles, { paper, grid }) {
  const { x0, y0, x1, y1 } = bounds;
  const places = placesOf(geometry, bounds, tiles);
  if (paper) drawPaper(context, frame.width, bounds, places, layers[0], tiles);
  for (const { cells, opacity } of layers) {
    context.globalAlpha = opacity;
    let i = 0;
    for (let y = y0; y < y1; y++) {
      for (let index = y * frame.width + x0; index < y * frame.width + x1; index++, i += 2) {
        const code = cells[index];
        if (code !== EMPTY) context.drawImage(tiles.get(code), places[i], places[i + 1]);
      }
    }
  }
  context.globalAlpha = 1;
  if (grid && geometry.type !== 'none') drawLines(context, places, x1 - x0, y1 - y0, tiles);
}

/**
 * The position of each cell's tile in pixels: x, y, x, y, …
 * @param {import('./geometry.js').Geometry} geometry  @param {ChunkBounds} bounds
 * @param {import('./tiles.js').Tiles} tiles
 */
function placesOf(geometry, { x0, y0, x1, y1, left, top }, tiles) {
  const { scale, isSquare } = tiles;
  const [dx, dy] = isSquare ? [-left, -top] : [-left - tiles.halfWidth, -top - tiles.halfHeight];
  /** @type {number[]} */
  const places = [];
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      if (isSquare) places.push(x * scale + dx, y * scale + dy);
      else {
        const [X, Y] = geometry.project(...geometry.centre(x, y));
        places.push(Math.round(X * scale + dx), Math.round(Y * scale + dy));
      }
    }
  }
  return places;
}

/**
 * Draw paper in empty cells; not below opaque cells of the ground layer.
 * @param {CanvasRenderingContext2D} context  @param {number} mapWidth  @param {ChunkBounds} bounds
 * @param {number[]} places  @param {ShownLayer | undefined} ground  @param {import('./tiles.js').Tiles} tiles
 */
function drawPaper(context, mapWidth, { x0, y0, x1, y1 }, places, ground, tiles) {
  let i = 0;
  for (let y = y0; y < y1; y++) {
    for (let index = y * mapWidth + x0; index < y * mapWidth + x1; index++, i += 2) {
      const covered = ground?.opacity === 1 && ground.cells[index] !== EMPTY && tiles.isOpaque(ground.cells[index]);
      if (!covered) context.drawImage(tiles.paper, places[i], places[i + 1]);
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context  @param {number[]} places
 * @param {number} across  @param {number} down  @param {import('./tiles.js').Tiles} tiles
 */
function drawLines(context, places, across, down, tiles) {
  const { scale } = tiles;
  if (!tiles.isSquare) {
    for (let i = 0; i < places.length; i += 2) context.drawImage(tiles.line, places[i], places[i + 1]);
    return;
  }
  context.fillStyle = tiles.lineColor;
  for (let x = 1; x <= across; x++) context.fillRect(places[0] + x * scale - 1, places[1], 1, down * scale);
  for (let y = 1; y <= down; y++) context.fillRect(places[0], places[1] + y * scale - 1, across * scale, 1);
}
