/**
 * Draws the objects above the cells: lights, walls, doors and entities.
 *
 * @typedef {import('./document.js').Door} Door
 * @typedef {import('./document.js').Entity} Entity
 * @typedef {import('./document.js').Light} Light
 * @typedef {import('./document.js').Segment} Segment
 * @typedef {import('./document.js').MapObject} MapObject
 * @typedef {import('./document.js').ObjectList} ObjectList
 * @typedef {import('./document.js').Wall} Wall
 * @typedef {import('./geometry.js').Pair} Pair
 * @typedef {import('./geometry.js').Quad} Quad
 * @typedef {import('./renderer.js').Drawing} Drawing
 */

import { kindColor, kindPath } from './kinds.js';
import { contextOf, css, parseColor } from './tiles.js';
import { objectOf } from './objects.js';

const HIDDEN_OPACITY = 0.5; // opacity of what players do not see

/**
 * Draw all objects that a range of cells may show, then call `drawAbove`.
 * @param {Drawing} drawing  @param {Quad} range  @param {(drawing: Drawing, range: Quad) => void} drawAbove
 */
export function drawObjects(drawing, range, drawAbove) {
  const { context, doc, view, state } = drawing;
  const { frame } = doc;
  const shows = shownTest(doc.geometry, range);
  const selected = new Set(state.objects.map((ref) => objectOf(frame, ref)));
  context.save();
  context.lineCap = context.lineJoin = 'round';
  if (state.options.lights && frame.lights.length) {
    context.save();
    clipToMap(drawing);
    for (const light of frame.lights) if (shows(light.x, light.y, light.range ?? 0)) drawGlow(drawing, light);
    context.restore();
  }
  if (view.scale >= 4) {
    const seen = (/** @type {Segment} */ { x1, y1, x2, y2 }) =>
      shows((x1 + x2) / 2, (y1 + y2) / 2, Math.hypot(x2 - x1, y2 - y1) / 2 + 1);
    for (const wall of frame.walls) if (seen(wall)) drawObject(drawing, 'walls', wall, selected.has(wall));
    for (const door of frame.doors) if (seen(door)) drawObject(drawing, 'doors', door, selected.has(door));
    for (const light of frame.lights)
      if (shows(light.x, light.y, 1)) drawObject(drawing, 'lights', light, selected.has(light));
  }
  const [x0, y0, x1, y1] = range;
  const entities = frame.entities.filter(({ x, y }) => x >= x0 && x < x1 && y >= y0 && y < y1);
  for (const entity of entities) drawObject(drawing, 'entities', entity, selected.has(entity));
  if (state.options.labels && view.scale >= 30 * view.ratio) drawLabels(drawing, entities);
  drawAbove(drawing, range);
  context.restore();
}

/**
 * Draw one object, fainter if players do not see it.
 * @param {Drawing} drawing  @param {ObjectList} list  @param {MapObject} item  @param {boolean} selected
 */
export function drawObject(drawing, list, item, selected) {
  const { context } = drawing;
  const alpha = context.globalAlpha;
  if (item.hidden && !selected) context.globalAlpha = alpha * HIDDEN_OPACITY;
  if (list === 'walls') drawWall(drawing, /** @type {Wall} */ (item), selected);
  else if (list === 'doors') drawDoor(drawing, /** @type {Door} */ (item), selected);
  else if (list === 'lights') drawLight(drawing, /** @type {Light} */ (item), selected);
  else drawEntity(drawing, /** @type {Entity} */ (item), selected);
  context.globalAlpha = alpha;
}

/**
 * Clip lights to the map.
 * @param {Drawing} drawing
 */
function clipToMap({ context, doc, view }) {
  const [right, bottom] = doc.geometry.extent;
  context.beginPath();
  context.lineTo(...view.toScreen(0, 0));
  context.lineTo(...view.toScreen(right, 0));
  context.lineTo(...view.toScreen(right, bottom));
  context.lineTo(...view.toScreen(0, bottom));
  context.clip();
}

/**
 * Returns a test whether a circle of points may be on screen, by the outermost cells of the range.
 * @param {import('./geometry.js').Geometry} geometry  @param {Quad} range
 * @returns {(x: number, y: number, r: number) => boolean}
 */
function shownTest(geometry, [x0, y0, x1, y1]) {
  const [[left, top], [right, bottom]] = [geometry.centre(x0, y0), geometry.centre(x1, y1)];
  return (x, y, r) => x + r >= left - 1 && x - r <= right + 1 && y + r >= top - 1 && y - r <= bottom + 1;
}

const accent = (/** @type {Drawing} */ { state }) => state.theme.accent;

/** @param {CanvasRenderingContext2D} context  @param {string} color  @param {number} width */
function stroke(context, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

/** @param {Drawing} drawing  @param {Segment} segment */
function trace({ context, view }, { x1, y1, x2, y2 }) {
  context.beginPath();
  context.moveTo(...view.toScreen(x1, y1));
  context.lineTo(...view.toScreen(x2, y2));
}

/** @param {Drawing} drawing  @param {Wall} wall  @param {boolean} selected */
function drawWall(drawing, wall, selected) {
  const { context, unit, pixel, state } = drawing;
  const width = Math.max(Math.min(2 * pixel, unit * 0.3), unit * 0.09);
  trace(drawing, wall);
  stroke(context, selected ? accent(drawing) : state.theme.casing, width + (selected ? 5 : 2) * pixel);
  if (wall.blocks_sight === false) context.setLineDash([width * 1.6, width * 1.8]);
  stroke(context, '#2f2a2a', width);
  context.setLineDash([]);
  if (selected) drawEnds(drawing, wall);
}

/** @type {Record<string, string>} */
const DOOR_COLORS = { open: '#c98f4e', closed: '#8f5a2b', locked: '#7c3f35' };

/** @param {Drawing} drawing  @param {Door} door  @param {boolean} selected */
function drawDoor(drawing, door, selected) {
  const { context, view, unit, pixel, state } = drawing;
  const width = Math.max(Math.min(3 * pixel, unit * 0.3), unit * 0.15);
  const [a, b] = [view.toScreen(door.x1, door.y1), view.toScreen(door.x2, door.y2)];
  const kind = Object.hasOwn(DOOR_COLORS, door.state ?? '') ? String(door.state) : 'closed';
  trace(drawing, door);
  if (selected) stroke(context, accent(drawing), width + 6 * pixel);
  let to = b;
  if (kind === 'open') {
    context.setLineDash([2 * pixel, 3 * pixel]);
    stroke(context, state.theme.casing, Math.max(1.5 * pixel, width / 3));
    context.setLineDash([]);
    // An open leaf, rotated around its first end.
    const angle = Math.atan2(b[1] - a[1], b[0] - a[0]) - 1.15;
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]) * 0.8;
    to = [a[0] + Math.cos(angle) * length, a[1] + Math.sin(angle) * length];
  }
  context.beginPath();
  context.moveTo(...a);
  context.lineTo(...to);
  stroke(context, state.theme.casing, width + Math.min(2.5 * pixel, unit * 0.16));
  if (door.secret) context.setLineDash([width * 0.9, width * 1.1]);
  stroke(context, door.secret ? '#7d5aa6' : DOOR_COLORS[kind], width);
  context.setLineDash([]);
  for (const [x, y] of [a, b]) {
    context.beginPath();
    context.arc(x, y, width * 0.45, 0, 7);
    context.fillStyle = '#40302a';
    context.fill();
  }
  if (kind === 'locked' && unit >= 14) {
    const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    context.beginPath();
    context.arc(x, y, width * 0.62, 0, 7);
    context.fillStyle = '#f1d58a';
    context.fill();
    stroke(context, '#40302a', 1 * pixel);
  }
  if (selected) drawEnds(drawing, door);
}

/** @param {Drawing} drawing  @param {Segment} segment */
function drawEnds(drawing, { x1, y1, x2, y2 }) {
  const { context, view, pixel } = drawing;
  for (const [x, y] of [view.toScreen(x1, y1), view.toScreen(x2, y2)]) {
    context.beginPath();
    context.arc(x, y, 5 * pixel, 0, 7);
    context.fillStyle = '#fff';
    context.fill();
    stroke(context, accent(drawing), 2 * pixel);
  }
}

/** @type {Map<unknown, HTMLCanvasElement>} */
const glows = new Map();

/** @param {unknown} color */
function glowOf(color) {
  const known = glows.get(color);
  if (known) return known;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 128;
  const context = contextOf(canvas);
  const [red, green, blue] = parseColor(color) ?? [255, 210, 138];
  const gradient = context.createRadialGradient(64, 64, 0, 64, 64, 64);
  for (const [at, alpha] of [
    [0, 0.6],
    [0.4, 0.3],
    [0.75, 0.12],
    [1, 0],
  ])
    gradient.addColorStop(at, css([red, green, blue, alpha * 255]));
  context.fillStyle = gradient;
  context.fillRect(0, 0, 128, 128);
  glows.set(color, canvas);
  return canvas;
}

/**
 * The semi-axes of a circle of points on the screen.
 * @param {Drawing} drawing  @param {number} range
 * @returns {Pair}
 */
function axes({ doc, unit }, range) {
  return doc.geometry.isIsometric
    ? [(range * unit * Math.SQRT2) / 2, (range * unit * Math.SQRT2) / 4]
    : [range * unit, range * unit];
}

/** @param {Drawing} drawing  @param {Light} light */
function drawGlow(drawing, light) {
  const { context, view } = drawing;
  const [x, y] = view.toScreen(light.x, light.y);
  const [across, down] = axes(drawing, light.range ?? 0);
  context.globalAlpha = Math.min(1, 0.75 * (light.intensity ?? 1)) * (light.hidden ? HIDDEN_OPACITY : 1);
  context.drawImage(glowOf(light.color), x - across, y - down, 2 * across, 2 * down);
  context.globalAlpha = 1;
}

/** @param {Drawing} drawing  @param {Light} light  @param {boolean} selected */
function drawLight(drawing, light, selected) {
  const { context, view, unit, pixel } = drawing;
  const [x, y] = view.toScreen(light.x, light.y);
  if (selected) {
    context.beginPath();
    const [across, down] = axes(drawing, light.range ?? 0);
    context.ellipse(x, y, across, down, 0, 0, 7);
    context.setLineDash([5 * pixel, 4 * pixel]);
    stroke(context, accent(drawing), 1.5 * pixel);
    context.setLineDash([]);
  }
  const r = Math.min(Math.max(unit * 0.12, 2 * pixel), 8 * pixel);
  if (unit >= 26 * pixel) {
    context.beginPath();
    for (let i = 0; i < 8; i++) {
      const [dx, dy] = [Math.cos((i * Math.PI) / 4), Math.sin((i * Math.PI) / 4)];
      context.moveTo(x + dx * r * 1.5, y + dy * r * 1.5);
      context.lineTo(x + dx * r * 2, y + dy * r * 2);
    }
    stroke(context, 'rgba(70, 50, 20, 0.6)', Math.max(1, r * 0.25));
  }
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fillStyle = css(parseColor(light.color) ?? [255, 210, 138, 255]);
  context.fill();
  stroke(context, selected ? accent(drawing) : 'rgba(70, 50, 20, 0.7)', (selected ? 2.5 : 1) * pixel);
}

/** @param {Drawing} drawing  @param {Entity} entity  @param {boolean} selected */
function drawEntity(drawing, entity, selected) {
  const { context, doc, view, unit, pixel } = drawing;
  const [x, y] = view.toScreen(...doc.geometry.centre(entity.x, entity.y));
  const r = Math.max(2 * pixel, unit * (doc.geometry.isIsometric ? 0.26 : 0.36));
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fillStyle = kindColor(entity.kind);
  context.fill();
  if (unit >= 9) stroke(context, 'rgba(20, 16, 12, 0.5)', r * 0.2 + 1.4 * pixel);
  if (unit >= 9) stroke(context, '#fffdf6', r * 0.16);
  if (selected) {
    context.beginPath();
    context.arc(x, y, r + 3.5 * pixel, 0, 7);
    stroke(context, accent(drawing), 2.5 * pixel);
  }
  if (r < 5.5) return;
  const size = (r * 1.22) / 24;
  context.save();
  context.translate(x - 12 * size, y - 12 * size);
  context.scale(size, size);
  context.fillStyle = '#fffdf6';
  context.fill(kindPath(entity.kind), 'evenodd');
  context.restore();
}

/** @param {Drawing} drawing  @param {Entity[]} entities */
function drawLabels(drawing, entities) {
  const { geometry } = drawing.doc;
  const below = drawing.unit * (geometry.isIsometric ? 0.29 : 0.42);
  const names = entities.map(({ name, x, y }) => ({ text: String(name ?? ''), point: geometry.centre(x, y), below }));
  drawNames(drawing, names);
}

/**
 * Draw names `below` device pixels below points; if two would overlap, only the first.
 * @param {Drawing} drawing  @param {{text: string, point: Pair, below: number}[]} names
 */
export function drawNames({ context, view, unit, pixel, state }, names) {
  const size = Math.round(Math.min(12.5, 8 + unit / pixel / 14) * pixel);
  context.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  /** @type {{x: number, top: number, half: number}[]} */
  const taken = [];
  for (const { text: name, point, below } of names) {
    const text = shortened(name, 22);
    if (!text) continue;
    const [x, y] = view.toScreen(...point);
    const top = y + below;
    const half = context.measureText(text).width / 2;
    if (taken.some((box) => Math.abs(box.x - x) < box.half + half + 2 * pixel && Math.abs(box.top - top) < size))
      continue;
    taken.push({ x, top, half });
    context.strokeStyle = state.theme.halo;
    context.lineWidth = 3.5 * pixel;
    context.strokeText(text, x, top);
    context.fillStyle = state.theme.label;
    context.fillText(text, x, top);
  }
}

const shortened = (/** @type {string} */ text, /** @type {number} */ most) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
