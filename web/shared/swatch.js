/** Small pictures of legend entries. */

import { EMPTY } from './document.js';
import { Geometry } from './geometry.js';
import { Tiles, colorOf, contextOf, css, glyphOf, inkOn } from './tiles.js';

/**
 * A small picture of a legend entry, or of an empty cell.
 * @param {import('./document.js').LegendEntry | undefined} entry
 * @param {number} code
 * @param {number} size  CSS pixels
 * @param {import('./pictures.js').Pictures} pictures
 */
export function swatch(entry, code, size, pictures) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.round(size * ratio);
  canvas.className = 'wk-swatch';
  const context = contextOf(canvas);
  if (code === EMPTY) {
    context.strokeStyle = '#b3402f';
    context.lineWidth = 1.5 * ratio;
    context.moveTo(4 * ratio, (size - 4) * ratio);
    context.lineTo((size - 4) * ratio, 4 * ratio);
    context.stroke();
    return canvas;
  }
  if (entry && pictures.get(entry.picture?.asset_id)) {
    const look = { symbols: false, paper: '', line: '', pictures };
    const tiles = new Tiles(new Geometry('square', 1, 1), new Map([[code, entry]]), canvas.width, look);
    context.drawImage(tiles.get(code), 0, 0);
    return canvas;
  }
  const color = colorOf(entry, code);
  context.fillStyle = css(color);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = inkOn(color);
  context.font = `600 ${Math.round(size * ratio * 0.58)}px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(glyphOf(String.fromCharCode(code)), canvas.width / 2, canvas.height / 2 + ratio);
  return canvas;
}
