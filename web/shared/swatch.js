/** Small pictures of legend entries. */

import { EMPTY } from './document.js';
import { colorOf, css, glyphOf, inkOn } from './tiles.js';

/** A picture of one legend entry for the panels. */
export function swatch(entry, code, size, ratio) {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size * ratio;
  canvas.className = 'wk-swatch';
  const context = canvas.getContext('2d');
  if (code === EMPTY) {
    context.strokeStyle = '#b3402f';
    context.lineWidth = 1.5 * ratio;
    context.moveTo(4 * ratio, (size - 4) * ratio);
    context.lineTo((size - 4) * ratio, 4 * ratio);
    context.stroke();
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
