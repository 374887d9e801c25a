/** Pictures of single cells: the colour and the symbol of a legend entry, drawn once for each size and kept. */

import { EMPTY } from './document.js';

const UNKNOWN = [190, 60, 90, 255];
const SMALLEST_SYMBOL = 11; // device pixels a cell; smaller ones only show their colour

/** [red, green, blue, alpha] of #rgb, #rrggbb or #rrggbbaa. */
export function parseColor(text) {
  const hex = /^#(?:[\da-f]{3}|[\da-f]{6}|[\da-f]{8})$/i.test(text ?? '') ? text.slice(1) : null;
  if (!hex) return null;
  const long = hex.length === 3 ? [...hex].map((digit) => digit + digit).join('') : hex;
  return [0, 2, 4, 6].map((at) => (at < long.length ? parseInt(long.slice(at, at + 2), 16) : 255));
}

/** The colour of a legend entry; one without a colour gets a quiet one of its own, from its symbol. */
export function colorOf(entry, code) {
  if (!entry) return UNKNOWN;
  return parseColor(entry.color) ?? fromHue((code * 47) % 360);
}

function fromHue(hue) {
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.62 - 0.14 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4), 255];
}

export const css = ([red, green, blue, alpha]) => `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;

const luminance = ([red, green, blue]) => (0.299 * red + 0.587 * green + 0.114 * blue) / 255;

export const inkOn = (color) => (luminance(color) > 0.52 ? 'rgba(30, 22, 14, 0.5)' : 'rgba(255, 250, 240, 0.58)');

/** What to draw of a symbol: nothing where a font has at best a box, in private use and where nothing is assigned. */
export const glyphOf = (symbol) => (/[\p{Co}\p{Cn}]/u.test(symbol) ? '' : symbol);

const shade = ([red, green, blue, alpha], by) =>
  css([...[red, green, blue].map((c) => Math.round(Math.min(255, Math.max(0, c + by)))), alpha]);

/** Tiles of one size for one map: `get(code)` gives {canvas, dx, dy}, to be drawn that far from a cell's centre. */
export class Tiles {
  /** @param scale device pixels a cell's width */
  constructor(geometry, legend, scale, { symbols, paper, line }) {
    Object.assign(this, { geometry, legend, scale, symbols, paperColor: paper, lineColor: line });
    this.made = new Map();
    this.opaque = new Map();
    const [width, height] = geometry.cellBox;
    // One pixel more on each side, for edges that do not meet the pixels.
    this.halfWidth = Math.ceil((width * scale) / 2) + 1;
    this.halfHeight = Math.ceil((height * scale) / 2) + 1;
    this.isSquare = !geometry.isHex && !geometry.isIsometric;
    this.outline = geometry.drawnOutline.map(([x, y]) => [x * scale, y * scale]);
  }

  get(code) {
    let tile = this.made.get(code);
    if (!tile) this.made.set(code, (tile = this.#draw(code)));
    return tile;
  }

  isOpaque(code) {
    let opaque = this.opaque.get(code);
    if (opaque === undefined) this.opaque.set(code, (opaque = colorOf(this.legend.get(code), code)[3] === 255));
    return opaque;
  }

  /** An empty cell. */
  get paper() {
    return (this.emptyTile ??= this.#blank((context) => this.#fill(context, this.paperColor)));
  }

  /** The outline of a cell, for the gridlines of everything but squares. */
  get line() {
    return (this.lineTile ??= this.#blank((context) => {
      context.strokeStyle = this.lineColor;
      context.lineWidth = 1;
      this.#trace(context);
      context.stroke();
    }));
  }

  #blank(draw) {
    const canvas = document.createElement('canvas');
    canvas.width = this.isSquare ? this.scale : 2 * this.halfWidth;
    canvas.height = this.isSquare ? this.scale : 2 * this.halfHeight;
    const context = canvas.getContext('2d');
    context.translate(canvas.width / 2, canvas.height / 2);
    draw(context);
    return canvas;
  }

  #trace(context) {
    context.beginPath();
    for (const [x, y] of this.outline) context.lineTo(x, y);
    context.closePath();
  }

  #fill(context, color) {
    context.fillStyle = color;
    if (this.isSquare) {
      context.fillRect(-this.scale, -this.scale, 2 * this.scale, 2 * this.scale);
      return;
    }
    this.#trace(context);
    context.fill();
    // Neighbours overlap a little: no paper shines through between them.
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.stroke();
  }

  #draw(code) {
    if (code === EMPTY) return this.paper;
    const entry = this.legend.get(code);
    const color = colorOf(entry, code);
    return this.#blank((context) => {
      this.#fill(context, css(color));
      if (this.scale >= 14 && entry?.blocks_sight) this.#bevel(context, color);
      if (this.scale < SMALLEST_SYMBOL || !this.symbols) return;
      context.fillStyle = inkOn(color);
      // Blocks and shades of character art are loud enough at half their strength.
      context.globalAlpha = code >= 0x2580 && code <= 0x259f ? 0.4 : 1;
      this.#symbol(context, glyphOf(String.fromCharCode(code)));
    });
  }

  /** What hides the view looks raised: lighter above, darker below. */
  #bevel(context, color) {
    const width = Math.max(1, Math.round(this.scale / 20));
    context.save();
    this.#trace(context);
    context.clip();
    context.lineWidth = 2 * width;
    const half = Math.ceil(this.outline.length / 2);
    for (const [by, from] of [
      [12, 0],
      [-14, half],
    ]) {
      context.strokeStyle = shade(color, by);
      context.beginPath();
      for (let i = from; i <= from + half; i++) {
        // The upper left sides, then the lower right ones.
        const [x, y] = this.outline[(i + this.outline.length - 1) % this.outline.length];
        context.lineTo(x, y);
      }
      context.stroke();
    }
    context.restore();
  }

  #symbol(context, symbol) {
    const flat = this.geometry.isIsometric;
    const size = Math.round(this.scale * (flat ? 0.36 : 0.5));
    context.font = `500 ${size}px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    const box = context.measureText(symbol);
    // Centred by its ink, so that dots and dashes sit in the middle too, but not wholly: a full stop stays low.
    const middle = (box.actualBoundingBoxAscent - box.actualBoundingBoxDescent) / 2;
    const cap = size * 0.36;
    context.fillText(symbol, 0, Math.round(cap + (middle - cap) * 0.75));
  }
}
