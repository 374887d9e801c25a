/** Pictures of single cells: the colour and the symbol of a legend entry, cached for each size. */

import { EMPTY } from './document.js';

/**
 * @typedef {[number, number, number, number]} Color  red, green, blue, alpha: 0 to 255
 * @typedef {import('./document.js').LegendEntry} LegendEntry
 */

/** @type {Color} */
const UNKNOWN_COLOR = [190, 60, 90, 255];
/** With few symbols, those of floors are not drawn, nor those of cells that block sight, which look raised. */
const PLAIN = new Set(['.', ',', ':', ';', "'", '`', '_', '-', '·']);
export const MIN_SYMBOL_SCALE = 11; // device pixels a cell; smaller ones only show their colour

/**
 * Parse #rgb, #rrggbb or #rrggbbaa; null for anything else.
 * @param {unknown} text
 * @returns {Color | null}
 */
export function parseColor(text) {
  if (typeof text !== 'string' || !/^#(?:[\da-f]{3}|[\da-f]{6}|[\da-f]{8})$/i.test(text)) return null;
  const hex = text.length === 4 ? [...text.slice(1)].map((digit) => digit + digit).join('') : text.slice(1);
  const part = (/** @type {number} */ at) => (at < hex.length ? parseInt(hex.slice(at, at + 2), 16) : 255);
  return [part(0), part(2), part(4), part(6)];
}

/** The colour without its alpha, as `<input type="color">` takes it. @param {Color} color */
export const hexOf = (color) =>
  `#${color
    .slice(0, 3)
    .map((part) => part.toString(16).padStart(2, '0'))
    .join('')}`;

/**
 * The colour of a legend entry; one without a colour gets an unobtrusive one that is derived from its symbol.
 * @param {LegendEntry | undefined} entry  @param {number} code
 * @returns {Color}
 */
export function colorOf(entry, code) {
  if (!entry) return UNKNOWN_COLOR;
  return parseColor(entry.color) ?? fromHue((code * 47) % 360);
}

/**
 * @param {number} hue
 * @returns {Color}
 */
function fromHue(hue) {
  const part = (/** @type {number} */ n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.62 - 0.14 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4), 255];
}

export const css = (/** @type {Color} */ [red, green, blue, alpha]) =>
  `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;

const luminance = (/** @type {Color} */ [red, green, blue]) => (0.299 * red + 0.587 * green + 0.114 * blue) / 255;

export const inkOn = (/** @type {Color} */ color) =>
  luminance(color) > 0.52 ? 'rgba(30, 22, 14, 0.5)' : 'rgba(255, 250, 240, 0.58)';

/**
 * The text to draw for a symbol: none for private use and unassigned characters, for which fonts have no glyph.
 * @param {string} symbol
 */
export const glyphOf = (symbol) => (/[\p{Co}\p{Cn}]/u.test(symbol) ? '' : symbol);

/** @param {Color} color  @param {number} by */
function shade([red, green, blue, alpha], by) {
  const part = (/** @type {number} */ value) => Math.round(Math.min(255, Math.max(0, value + by)));
  return css([part(red), part(green), part(blue), alpha]);
}

/**
 * The flips of an imported tile's picture: horizontal, vertical, diagonal.
 *
 * Sources: Tiled's "Tile flipping" of global tile ids; LDtk's flip bits of a tile.
 * @param {LegendEntry} entry
 */
function flipsOf({ tiled, ldtk }) {
  const gid = Number(tiled?.gid) || 0;
  const bits = Number(ldtk?.flips) || 0;
  const has = (/** @type {number} */ power) => Math.floor(gid / 2 ** power) % 2 === 1;
  return { across: has(31) || (bits & 1) !== 0, down: has(30) || (bits & 2) !== 0, diagonal: has(29) };
}

/** Tiles of one size for one map: `get(code)` returns a canvas to draw centred on a cell. */
export class Tiles {
  /**
   * @param {import('./geometry.js').Geometry} geometry
   * @param {Map<number, LegendEntry>} legend
   * @param {number} scale  device pixels per width of a cell
   * @param {{symbols: boolean | 'few', paper: string, line: string, pictures: import('./pictures.js').Pictures}} look
   */
  constructor(geometry, legend, scale, { symbols, paper, line, pictures }) {
    this.geometry = geometry;
    this.legend = legend;
    this.scale = scale;
    this.symbols = symbols;
    this.paperColor = paper;
    this.lineColor = line;
    this.pictures = pictures;
    /** @type {Map<number, HTMLCanvasElement>} */
    this.made = new Map();
    /** @type {Map<number, boolean>} */
    this.opaque = new Map();
    /** @type {HTMLCanvasElement | null} */
    this.emptyTile = null;
    /** @type {HTMLCanvasElement | null} */
    this.lineTile = null;
    const [width, height] = geometry.cellBox;
    // One more pixel on each side, for edges between pixels.
    this.halfWidth = Math.ceil((width * scale) / 2) + 1;
    this.halfHeight = Math.ceil((height * scale) / 2) + 1;
    this.isSquare = geometry.isSquare;
    this.outline = geometry.drawnOutline.map(([x, y]) => [x * scale, y * scale]);
  }

  /** @param {number} code */
  get(code) {
    let tile = this.made.get(code);
    if (!tile) this.made.set(code, (tile = this.#draw(code)));
    return tile;
  }

  /** Whether a tile is opaque; false for pictures, which may be transparent. @param {number} code */
  isOpaque(code) {
    let opaque = this.opaque.get(code);
    if (opaque === undefined) {
      const entry = this.legend.get(code);
      opaque = colorOf(entry, code)[3] === 255 && !(entry?.picture && this.pictures.get(entry.picture.asset_id));
      this.opaque.set(code, opaque);
    }
    return opaque;
  }

  /** An empty cell. */
  get paper() {
    return (this.emptyTile ??= this.#blank((context) => this.#fill(context, this.paperColor)));
  }

  /** The outline of a cell, for the grid lines of all but square grids. */
  get line() {
    return (this.lineTile ??= this.#blank((context) => {
      context.strokeStyle = this.lineColor;
      context.lineWidth = 1;
      this.#trace(context);
      context.stroke();
    }));
  }

  /** @param {(context: CanvasRenderingContext2D) => void} draw */
  #blank(draw) {
    const canvas = document.createElement('canvas');
    canvas.width = this.isSquare ? this.scale : 2 * this.halfWidth;
    canvas.height = this.isSquare ? this.scale : 2 * this.halfHeight;
    const context = contextOf(canvas);
    context.translate(canvas.width / 2, canvas.height / 2);
    draw(context);
    return canvas;
  }

  /** @param {CanvasRenderingContext2D} context */
  #trace(context) {
    context.beginPath();
    for (const [x, y] of this.outline) context.lineTo(x, y);
    context.closePath();
  }

  /** @param {CanvasRenderingContext2D} context  @param {string} color */
  #fill(context, color) {
    context.fillStyle = color;
    if (this.isSquare) {
      context.fillRect(-this.scale, -this.scale, 2 * this.scale, 2 * this.scale);
      return;
    }
    this.#trace(context);
    context.fill();
    // Neighbours overlap slightly, so that no paper shows between them.
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.stroke();
  }

  /** @param {number} code */
  #draw(code) {
    if (code === EMPTY) return this.paper;
    const entry = this.legend.get(code);
    const color = colorOf(entry, code);
    const image = this.pictures.get(entry?.picture?.asset_id);
    if (entry && image) return this.#blank((context) => this.#picture(context, entry, image));
    return this.#blank((context) => {
      this.#fill(context, css(color));
      if (this.scale >= 14 && entry?.blocks_sight) this.#bevel(context, color);
      const isPlain = entry?.blocks_sight || PLAIN.has(String.fromCharCode(code));
      if (this.scale < MIN_SYMBOL_SCALE || !this.symbols || (this.symbols === 'few' && isPlain)) return;
      context.fillStyle = inkOn(color);
      // Block elements are drawn fainter, because they fill the cell.
      context.globalAlpha = code >= 0x2580 && code <= 0x259f ? 0.4 : 1;
      this.#symbol(context, glyphOf(String.fromCharCode(code)));
    });
  }

  /**
   * Draw the picture of an imported tile: as wide as the cell, aligned to its lower edge, as in Tiled and LDtk.
   * @param {CanvasRenderingContext2D} context  @param {LegendEntry} entry  @param {HTMLImageElement} image
   */
  #picture(context, entry, image) {
    const { x = 0, y = 0, width = image.naturalWidth, height = image.naturalHeight } = entry.picture ?? {};
    const { across, down, diagonal } = flipsOf(entry);
    const [boxWidth, boxHeight] = this.geometry.cellBox;
    const wide = boxWidth * this.scale;
    const high = (wide * height) / width;
    context.imageSmoothingEnabled = wide < width;
    context.translate(0, (boxHeight * this.scale - high) / 2);
    context.scale(across ? -1 : 1, down ? -1 : 1);
    if (diagonal) context.transform(0, 1, 1, 0, 0, 0);
    // Whole pixels cover the cell, so that there is no seam between two tiles.
    const [left, top] = this.isSquare ? [-wide / 2, -high / 2] : [-wide / 2 - 0.5, -high / 2 - 0.5];
    const more = this.isSquare ? 0 : 1;
    context.drawImage(image, x, y, width, height, left, top, wide + more, high + more);
  }

  /**
   * Make a cell that blocks sight look raised: lighter at the top, darker at the bottom.
   * @param {CanvasRenderingContext2D} context  @param {Color} color
   */
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

  /** @param {CanvasRenderingContext2D} context  @param {string} symbol */
  #symbol(context, symbol) {
    const flat = this.geometry.isIsometric;
    const size = Math.round(this.scale * (flat ? 0.36 : 0.5));
    context.font = `500 ${size}px ui-sans-serif, system-ui, "DejaVu Sans", sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'alphabetic';
    const box = context.measureText(symbol);
    // Moved towards the centre by its bounding box, so that dashes are centred, but a full stop remains low.
    const middle = (box.actualBoundingBoxAscent - box.actualBoundingBoxDescent) / 2;
    const cap = size * 0.36;
    context.fillText(symbol, 0, Math.round(cap + (middle - cap) * 0.75));
  }
}

/** The 2D context of a new canvas. @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext('2d');
  if (!context) throw new Error('This browser cannot draw.');
  return context;
}
