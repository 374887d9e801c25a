/** The editor's own marks above the map: selection, what a tool is about to do, cursors, faults and rulers. */

import { EMPTY } from '../../../web/shared/document.js';
import { Tiles, colorOf, css } from '../../../web/shared/tiles.js';

export function drawMarks(drawing, range) {
  const { state } = drawing;
  drawFloat(drawing, range);
  drawSelection(drawing, range);
  drawPreview(drawing, range);
  if (state.hover && !state.preview) outlineCells(drawing, state.hover, state.theme.casing, state.theme.ink);
  if (state.cursor) outlineCells(drawing, [state.cursor], '#fff', state.theme.accent, 2.5);
  for (const cell of state.faults ?? []) outlineCells(drawing, [cell], '#fff', '#c92a2a', 3);
  if (state.options.rulers) drawRulers(drawing, range);
}

function cellPath({ context, doc, view }, x, y) {
  const corners = doc.geometry.corners(x, y);
  corners.forEach(([px, py], i) => {
    const at = view.toScreen(px, py);
    if (i) context.lineTo(...at);
    else context.moveTo(...at);
  });
  context.closePath();
}

function outlineCells(drawing, cells, outer, inner, width = 1.5) {
  const { context, doc, pixel } = drawing;
  context.beginPath();
  traceAround(drawing, cells, doc.geometry);
  context.strokeStyle = outer;
  context.lineWidth = (width + 2) * pixel;
  context.stroke();
  context.strokeStyle = inner;
  context.lineWidth = width * pixel;
  context.stroke();
}

/** The outline of a set of cells: only the sides that no two of them share. */
function traceAround({ context, view }, cells, geometry) {
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

/** The outline of a rectangle of rows and columns; jagged on hexes, as its cells are. */
function traceRectangle(drawing, { x, y, width, height }) {
  const { context, doc, view } = drawing;
  if (!doc.geometry.isHex) {
    [
      [x, y],
      [x + width, y],
      [x + width, y + height],
      [x, y + height],
    ].forEach((corner, i) => {
      if (i) context.lineTo(...view.toScreen(...corner));
      else context.moveTo(...view.toScreen(...corner));
    });
    context.closePath();
    return;
  }
  const edge = [];
  for (let cx = x; cx < x + width; cx++) edge.push([cx, y], [cx, y + height - 1]);
  for (let cy = y + 1; cy < y + height - 1; cy++) edge.push([x, cy], [x + width - 1, cy]);
  const within = ([cx, cy]) => cx >= x && cy >= y && cx < x + width && cy < y + height;
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

/** The same, with all of its cells, to be filled. */
function traceFilled(drawing, rectangle, [x0, y0, x1, y1]) {
  if (!drawing.doc.geometry.isHex) {
    traceRectangle(drawing, rectangle);
    return;
  }
  const { x, y, width, height } = rectangle;
  for (let cy = Math.max(y, y0); cy < Math.min(y + height, y1); cy++)
    for (let cx = Math.max(x, x0); cx < Math.min(x + width, x1); cx++) cellPath(drawing, cx, cy);
}

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

function tilesFor({ doc, view, state }) {
  const fits = state.ghostTiles?.scale === view.scale && state.ghostTiles.legend === doc.legend;
  if (!fits)
    state.ghostTiles = new Tiles(doc.geometry, doc.legend, Math.max(2, Math.round(view.scale)), {
      symbols: state.options.symbols,
      paper: state.theme.paper,
      line: state.theme.line,
    });
  return state.ghostTiles;
}

function drawCell(drawing, tiles, x, y, code) {
  const { context, doc, view } = drawing;
  const image = code === EMPTY ? tiles.paper : tiles.get(code);
  const [cx, cy] = view.toScreen(...doc.geometry.centre(x, y));
  context.drawImage(image, Math.round(cx - image.width / 2), Math.round(cy - image.height / 2));
}

/** Cells that were lifted or pasted and are not put down yet. */
function drawFloat(drawing, [x0, y0, x1, y1]) {
  const { context, state } = drawing;
  if (!state.float) return;
  const tiles = tilesFor(drawing);
  context.globalAlpha = 0.88;
  const shown = [];
  for (const [x, y, code] of state.float.cells()) {
    if (x < x0 || y < y0 || x >= x1 || y >= y1) continue;
    if (code === EMPTY && !state.float.opaque) continue;
    drawCell(drawing, tiles, x, y, code);
    if (shown.length < 4000) shown.push([x, y]);
  }
  context.globalAlpha = 1;
  outlineCells(drawing, shown, '#fff', state.theme.accent, 1.5);
}

/** What the tool would do now: {cells, code}, {rectangle, code, hollow} or {segment}. */
function drawPreview(drawing, [x0, y0, x1, y1]) {
  const { context, view, state, pixel, unit } = drawing;
  const { preview } = state;
  if (!preview) return;
  if (preview.segment) {
    const [ax, ay, bx, by] = preview.segment;
    context.beginPath();
    context.moveTo(...view.toScreen(ax, ay));
    context.lineTo(...view.toScreen(bx, by));
    for (const [color, width] of [
      ['#fff', Math.max(6 * pixel, unit * 0.2)],
      [state.theme.accent, Math.max(3.5 * pixel, unit * 0.13)],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.stroke();
    }
    return;
  }
  if (preview.rectangle && !preview.hollow) {
    context.globalAlpha = 0.6;
    context.beginPath();
    traceFilled(drawing, preview.rectangle, [x0, y0, x1, y1]);
    context.fillStyle = fillOf(drawing, preview.code);
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    traceRectangle(drawing, preview.rectangle);
    for (const [color, thick] of [
      ['#fff', 4],
      [state.theme.accent, 2],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = thick * pixel;
      context.stroke();
    }
    return;
  }
  const cells = preview.cells.filter(([x, y]) => x >= x0 && y >= y0 && x < x1 && y < y1);
  const tiles = tilesFor(drawing);
  context.globalAlpha = 0.75;
  for (const [x, y] of cells) drawCell(drawing, tiles, x, y, preview.code);
  context.globalAlpha = 1;
  outlineCells(drawing, cells, state.theme.casing, state.theme.accent);
}

const fillOf = ({ doc, state }, code) =>
  code === EMPTY ? state.theme.paper : css(colorOf(doc.legend.get(code), code));

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

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
      context.fillText(x, ...shifted(view.toScreen(x + 0.5, 0), 9 * pixel, -8 * pixel));
    for (let y = 0; y < geometry.height; y += step)
      context.fillText(y, ...shifted(view.toScreen(0, y + 0.5), -9 * pixel, -8 * pixel));
    return;
  }
  const size = 18 * pixel;
  context.fillStyle = state.theme.ruler;
  context.fillRect(0, 0, view.width, size);
  context.fillRect(0, size, size, view.height);
  const at = state.cursor ?? state.hover?.[0];
  for (const [axis, from, to] of [
    ['x', x0, x1],
    ['y', y0, y1],
  ]) {
    for (let n = Math.ceil(from / step) * step; n < to; n += step) {
      const [sx, sy] = view.toScreen(...geometry.centre(axis === 'x' ? n : 0, axis === 'x' ? 0 : n));
      context.fillStyle = state.theme.rulerText;
      if (axis === 'x' && sx > size + 6 * pixel) context.fillText(n, sx, size / 2 + pixel);
      if (axis === 'y' && sy > size + 6 * pixel) {
        context.save();
        context.translate(size / 2, sy);
        if (n > 99) context.rotate(-Math.PI / 2);
        context.fillText(n, 0, pixel);
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

const shifted = ([x, y], dx, dy) => [x + dx, y + dy];
