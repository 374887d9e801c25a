/**
 * The editor's own marks above the map: selection, what a tool is about to do, cursors, faults and rulers.
 *
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('../../../web/shared/geometry.js').Quad} Quad
 * @typedef {import('../../../web/shared/geometry.js').Rectangle} Rectangle
 * @typedef {import('../../../web/shared/tiles.js').Tiles} Tiles
 * @typedef {import('./clip.js').Float} Float
 * @typedef {import('./state.js').Preview} Preview
 * @typedef {import('../../../web/shared/renderer.js').Drawing & {state: import('./state.js').EditorState}} Drawing
 */

import { EMPTY } from '../../../web/shared/document.js';
import { tilesOf } from '../../../web/shared/renderer.js';
import { drawObject } from '../../../web/shared/object-drawing.js';
import { middleOf } from '../../../web/shared/objects.js';
import { colorOf, css } from '../../../web/shared/tiles.js';
import { doorProblem } from './doors.js';

/** @param {import('../../../web/shared/renderer.js').Drawing} above  @param {Quad} range */
export function drawMarks(above, range) {
  const drawing = /** @type {Drawing} */ (above);
  const { state } = drawing;
  drawWarnings(drawing, range);
  if (state.ghost) drawFloat(drawing, state.ghost, range);
  if (state.float) drawFloat(drawing, state.float, range);
  drawMarquee(drawing);
  drawSelection(drawing, range);
  drawPreview(drawing, range);
  if (state.hover && !state.preview) outlineCells(drawing, state.hover, state.theme.casing, state.theme.ink);
  if (state.cursor) outlineCells(drawing, [state.cursor], '#fff', state.theme.accent, 2.5);
  for (const cell of state.faults ?? []) outlineCells(drawing, [cell], '#fff', '#c92a2a', 3);
  if (state.options.rulers) drawRulers(drawing, range);
}

/** @param {Drawing} drawing  @param {number} x  @param {number} y */
function cellPath({ context, doc, view }, x, y) {
  const corners = doc.geometry.corners(x, y);
  corners.forEach(([px, py], i) => {
    const [sx, sy] = view.toScreen(px, py);
    if (i) context.lineTo(sx, sy);
    else context.moveTo(sx, sy);
  });
  context.closePath();
}

/**
 * @param {Drawing} drawing  @param {Pair[]} cells  @param {string} outer  @param {string} inner
 * @param {number} [width]  CSS pixels
 */
function outlineCells(drawing, cells, outer, inner, width = 1.5) {
  const { context, doc } = drawing;
  context.beginPath();
  traceAround(drawing, cells, doc.geometry);
  strokeTwice(drawing, outer, inner, width);
}

/** @param {Drawing} drawing  @param {string} outer  @param {string} inner  @param {number} width  CSS pixels */
function strokeTwice({ context, pixel }, outer, inner, width) {
  context.strokeStyle = outer;
  context.lineWidth = (width + 2) * pixel;
  context.stroke();
  context.strokeStyle = inner;
  context.lineWidth = width * pixel;
  context.stroke();
}

/**
 * The outline of a set of cells: only the sides that no two of them share.
 * @param {Drawing} drawing  @param {Pair[]} cells  @param {import('../../../web/shared/geometry.js').Geometry} geometry
 */
function traceAround({ context, view }, cells, geometry) {
  /** @type {Map<string, [number[], number[]]>} */
  const sides = new Map();
  for (const [x, y] of cells) {
    const corners = geometry.corners(x, y).map(([px, py]) => view.toScreen(px, py).map(Math.round));
    corners.forEach((a, i) => {
      const b = corners[(i + 1) % corners.length];
      const key = [a, b].sort((p, q) => p[0] - q[0] || p[1] - q[1]).join();
      if (sides.has(key)) sides.delete(key);
      else sides.set(key, [a, b]);
    });
  }
  for (const [a, b] of sides.values()) {
    context.moveTo(a[0] + 0.5, a[1] + 0.5);
    context.lineTo(b[0] + 0.5, b[1] + 0.5);
  }
}

/**
 * The outline of a rectangle of rows and columns; jagged on hexes, as its cells are.
 * @param {Drawing} drawing  @param {Rectangle} rectangle
 */
function traceRectangle(drawing, { x, y, width, height }) {
  const { context, doc, view } = drawing;
  if (!doc.geometry.isHex) {
    context.moveTo(...view.toScreen(x, y));
    context.lineTo(...view.toScreen(x + width, y));
    context.lineTo(...view.toScreen(x + width, y + height));
    context.lineTo(...view.toScreen(x, y + height));
    context.closePath();
    return;
  }
  /** @type {Pair[]} */
  const edge = [];
  for (let cx = x; cx < x + width; cx++) edge.push([cx, y], [cx, y + height - 1]);
  for (let cy = y + 1; cy < y + height - 1; cy++) edge.push([x, cy], [x + width - 1, cy]);
  const within = (/** @type {Pair} */ [cx, cy]) => cx >= x && cy >= y && cx < x + width && cy < y + height;
  for (const cell of edge) {
    const [mx, my] = doc.geometry.centre(...cell);
    const corners = doc.geometry.corners(...cell);
    corners.forEach((a, i) => {
      const b = corners[(i + 1) % corners.length];
      // The middle of the cell on the other side of this side.
      if (within(doc.geometry.cellAt(a[0] + b[0] - mx, a[1] + b[1] - my))) return;
      context.moveTo(...view.toScreen(...a));
      context.lineTo(...view.toScreen(...b));
    });
  }
}

/**
 * The same, with all of its cells, to be filled.
 * @param {Drawing} drawing  @param {Rectangle} rectangle  @param {Quad} range
 */
function traceFilled(drawing, rectangle, [x0, y0, x1, y1]) {
  if (!drawing.doc.geometry.isHex) {
    traceRectangle(drawing, rectangle);
    return;
  }
  const { x, y, width, height } = rectangle;
  for (let cy = Math.max(y, y0); cy < Math.min(y + height, y1); cy++)
    for (let cx = Math.max(x, x0); cx < Math.min(x + width, x1); cx++) cellPath(drawing, cx, cy);
}

/** @param {Drawing} drawing  @param {Quad} range */
function drawSelection(drawing, range) {
  const { context, state, pixel } = drawing;
  const { selection } = state;
  if (!selection || !selection.width || !selection.height) return;
  context.beginPath();
  traceFilled(drawing, selection, range);
  context.fillStyle = state.theme.wash;
  context.fill();
  context.beginPath();
  traceRectangle(drawing, selection);
  context.strokeStyle = '#fff';
  context.lineWidth = 3 * pixel;
  context.stroke();
  context.setLineDash([6 * pixel, 4 * pixel]);
  context.strokeStyle = state.theme.accent;
  context.lineWidth = 2 * pixel;
  context.stroke();
  context.setLineDash([]);
}

/** Tiles of the scale on screen, kept while it and what they look like stay. @type {{inputs: unknown[], tiles: Tiles} | null} */
let kept = null;

/** @param {Drawing} drawing */
function tilesFor({ doc, view, state }) {
  const scale = Math.max(2, Math.round(view.scale));
  const inputs = [doc.legend, scale, state.theme, state.options.symbols, state.pictures, doc.geometry.type];
  if (kept && inputs.every((value, i) => value === kept?.inputs[i])) return kept.tiles;
  kept = { inputs, tiles: tilesOf(doc, scale, state) };
  return kept.tiles;
}

/** @param {Drawing} drawing  @param {Tiles} tiles  @param {number} x  @param {number} y  @param {number} code */
function drawCell(drawing, tiles, x, y, code) {
  const { context, doc, view } = drawing;
  const image = code === EMPTY ? tiles.paper : tiles.get(code);
  const [cx, cy] = view.toScreen(...doc.geometry.centre(x, y));
  context.drawImage(image, Math.round(cx - image.width / 2), Math.round(cy - image.height / 2));
}

const MAX_SHOWN = 40_000; // cells; of more, only the place is shown

/**
 * The floating clip, or the place of the stamp.
 * @param {Drawing} drawing  @param {Float} float  @param {Quad} range
 */
function drawFloat(drawing, float, [x0, y0, x1, y1]) {
  const { context, state } = drawing;
  const tiles = tilesFor(drawing);
  context.globalAlpha = 0.88;
  const { box } = float;
  /** @type {Pair[]} */
  const shown = [];
  for (let y = Math.max(y0, box.y); y < Math.min(y1, box.y + box.height) && shown.length < MAX_SHOWN; y++)
    for (let x = Math.max(x0, box.x); x < Math.min(x1, box.x + box.width); x++)
      if (float.indexAt(x, y) >= 0) shown.push([x, y]);
  const { parts } = float.clip;
  if (shown.length < MAX_SHOWN)
    for (const { codes } of parts) {
      for (const [x, y] of shown) {
        const code = codes[float.indexAt(x, y)];
        if (code !== EMPTY || state.withEmpty) drawCell(drawing, tiles, x, y, code);
      }
    }
  for (const { list, item } of float.objects()) drawObject(drawing, list, item, !parts.length);
  context.globalAlpha = 1;
  if (!parts.length) return;
  context.beginPath();
  if (drawing.doc.geometry.isHex) traceFloat(drawing, float, shown);
  else traceRectangle(drawing, box);
  strokeTwice(drawing, '#fff', state.theme.accent, 1.5);
}

/**
 * The outline of the floating clip: the outer sides of its cells.
 * @param {Drawing} drawing  @param {Float} float  @param {Pair[]} cells
 */
function traceFloat({ context, doc, view }, float, cells) {
  const { geometry } = doc;
  for (const cell of cells) {
    const [mx, my] = geometry.centre(...cell);
    const corners = geometry.corners(...cell);
    corners.forEach((a, i) => {
      const b = corners[(i + 1) % corners.length];
      if (float.indexAt(...geometry.cellAt(a[0] + b[0] - mx, a[1] + b[1] - my)) >= 0) return;
      context.moveTo(...view.toScreen(...a));
      context.lineTo(...view.toScreen(...b));
    });
  }
}

/** @param {Drawing} drawing */
function drawMarquee({ context, view, state, pixel }) {
  if (!state.marquee) return;
  const [left, top, right, bottom] = state.marquee;
  const box = /** @type {const} */ ([
    left * view.scale + view.x,
    top * view.scale + view.y,
    (right - left) * view.scale,
    (bottom - top) * view.scale,
  ]);
  context.fillStyle = state.theme.wash;
  context.fillRect(...box);
  context.strokeStyle = state.theme.accent;
  context.lineWidth = 1.5 * pixel;
  context.strokeRect(...box);
}

/**
 * A sign on each door that lets nobody through.
 * @param {Drawing} drawing  @param {Quad} range
 */
function drawWarnings({ context, doc, view, pixel, unit }, [x0, y0, x1, y1]) {
  if (unit < 8 * pixel) return;
  for (const door of doc.frame.doors) {
    const middle = middleOf(doc, 'doors', door);
    const [cx, cy] = doc.geometry.cellAt(...middle);
    if (cx < x0 - 1 || cy < y0 - 1 || cx > x1 || cy > y1 || !doorProblem(doc, door)) continue;
    const [x, y] = view.toScreen(...middle);
    const r = Math.min(Math.max(unit * 0.2, 6 * pixel), 11 * pixel);
    context.beginPath();
    context.moveTo(x, y - r);
    context.lineTo(x + r, y + r * 0.8);
    context.lineTo(x - r, y + r * 0.8);
    context.closePath();
    context.fillStyle = '#f2b632';
    context.strokeStyle = '#3a2a10';
    context.lineWidth = 1.5 * pixel;
    context.fill();
    context.stroke();
    context.fillStyle = '#3a2a10';
    context.fillRect(x - r * 0.1, y - r * 0.4, r * 0.2, r * 0.6);
    context.fillRect(x - r * 0.1, y + r * 0.4, r * 0.2, r * 0.2);
  }
}

/**
 * What the tool would do now.
 * @param {Drawing} drawing  @param {Quad} range
 */
function drawPreview(drawing, [x0, y0, x1, y1]) {
  const { context, view, state, pixel, unit } = drawing;
  const { preview } = state;
  if (!preview) return;
  const { code = EMPTY } = preview;
  if (preview.segment) {
    const [ax, ay, bx, by] = preview.segment;
    context.beginPath();
    context.moveTo(...view.toScreen(ax, ay));
    context.lineTo(...view.toScreen(bx, by));
    context.strokeStyle = '#fff';
    context.lineWidth = Math.max(6 * pixel, unit * 0.2);
    context.stroke();
    context.strokeStyle = state.theme.accent;
    context.lineWidth = Math.max(3.5 * pixel, unit * 0.13);
    context.stroke();
    return;
  }
  if (preview.rectangle) {
    context.globalAlpha = 0.6;
    context.beginPath();
    traceFilled(drawing, preview.rectangle, [x0, y0, x1, y1]);
    context.fillStyle = fillOf(drawing, code);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    traceRectangle(drawing, preview.rectangle);
    context.strokeStyle = '#fff';
    context.lineWidth = 4 * pixel;
    context.stroke();
    context.strokeStyle = state.theme.accent;
    context.lineWidth = 2 * pixel;
    context.stroke();
    return;
  }
  const cells = (preview.cells ?? []).filter(([x, y]) => x >= x0 && y >= y0 && x < x1 && y < y1);
  const tiles = tilesFor(drawing);
  context.globalAlpha = 0.75;
  for (const [x, y] of cells) drawCell(drawing, tiles, x, y, code);
  context.globalAlpha = 1;
  outlineCells(drawing, cells, state.theme.casing, state.theme.accent);
}

/** @param {Drawing} drawing  @param {number} code */
const fillOf = ({ doc, state }, code) =>
  code === EMPTY ? state.theme.paper : css(colorOf(doc.legend.get(code), code));

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/** @param {Drawing} drawing  @param {Quad} range */
function drawRulers(drawing, range) {
  const { context, doc, view, state, pixel } = drawing;
  const { geometry } = doc;
  context.font = `500 ${Math.round(10 * pixel)}px ui-sans-serif, system-ui, sans-serif`;
  context.textBaseline = 'middle';
  context.textAlign = 'center';
  const step = STEPS.find((n) => n * view.scale * (geometry.isIsometric ? 0.56 : 1) >= 26 * pixel) ?? 1000;
  const [x0, y0, x1, y1] = range;
  if (geometry.isIsometric) {
    // Along the two upper edges of the diamond.
    context.fillStyle = state.theme.rulerText;
    for (let x = 0; x < geometry.width; x += step)
      context.fillText(String(x), ...shifted(view.toScreen(x + 0.5, 0), 9 * pixel, -8 * pixel));
    for (let y = 0; y < geometry.height; y += step)
      context.fillText(String(y), ...shifted(view.toScreen(0, y + 0.5), -9 * pixel, -8 * pixel));
    return;
  }
  const size = 18 * pixel;
  context.fillStyle = state.theme.ruler;
  context.fillRect(0, 0, view.width, size);
  context.fillRect(0, size, size, view.height);
  const at = state.cursor ?? state.pointer;
  for (const axis of ['x', 'y']) {
    const [from, to] = axis === 'x' ? [x0, x1] : [y0, y1];
    for (let n = Math.ceil(from / step) * step; n < to; n += step) {
      const [sx, sy] = view.toScreen(...geometry.centre(axis === 'x' ? n : 0, axis === 'x' ? 0 : n));
      context.fillStyle = state.theme.rulerText;
      if (axis === 'x' && sx > size + 6 * pixel) context.fillText(String(n), sx, size / 2 + pixel);
      if (axis === 'y' && sy > size + 6 * pixel) {
        context.save();
        context.translate(size / 2, sy);
        if (n > 99) context.rotate(-Math.PI / 2);
        context.fillText(String(n), 0, pixel);
        context.restore();
      }
    }
  }
  if (!at) return;
  const [sx, sy] = view.toScreen(...geometry.centre(...at));
  context.fillStyle = state.theme.accent;
  context.fillRect(sx - view.scale / 2, size - 2 * pixel, view.scale, 2 * pixel);
  context.fillRect(size - 2 * pixel, sy - view.scale / 2, 2 * pixel, view.scale);
  context.fillStyle = state.theme.ruler;
  context.fillRect(0, 0, size, size);
}

/** @type {(place: Pair, dx: number, dy: number) => Pair} */
const shifted = ([x, y], dx, dy) => [x + dx, y + dy];
