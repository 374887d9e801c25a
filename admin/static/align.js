/**
 * Aligns a background picture with the grid of a map. The fields of the form are the state: left, top, width and
 * height of the picture in cells. Dragging, scaling and marking cells change the fields, and the fields the stage.
 */

import { Geometry } from '../../web/shared/geometry.js';

const HANDLE = 9;
const MIN_CELL = 1;
const MAX_LINES = 20_000;
const ZOOM = 1.15;

/** @typedef {{ x: number, y: number, width: number, height: number }} Place in cells */
/** @typedef {[number, number]} Point */
/** @typedef {import('../../web/shared/geometry.js').GridType} GridType */

/** @param {number} value */
const tidy = (value) => Math.round(value * 1e4) / 1e4;

/**
 * @param {HTMLElement} stage
 * @param {HTMLFormElement} form
 */
export async function align(stage, form) {
  const image = new Image();
  image.src = stage.dataset.src ?? '';
  await image.decode();
  new Alignment(stage, form, image);
}

class Alignment {
  /**
   * @param {HTMLElement} stage
   * @param {HTMLFormElement} form
   * @param {HTMLImageElement} image
   */
  constructor(stage, form, image) {
    this.stage = stage;
    this.form = form;
    this.image = image;
    const { gridType = 'square', mapWidth, mapHeight, pictureWidth, pictureHeight } = stage.dataset;
    this.pixels = { width: Number(pictureWidth), height: Number(pictureHeight) };
    this.type = /** @type {GridType} */ (gridType);
    this.map = { width: Number(mapWidth), height: Number(mapHeight) };
    this.place = this.readFields();
    this.isMarking = false;
    /** @type {{ from: Point, to: Point } | null} */
    this.mark = null;
    this.canvas = document.createElement('canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'application');
    this.canvas.setAttribute('aria-label', 'The picture on the grid. Arrow keys move it.');
    const context = this.canvas.getContext('2d');
    if (!context) throw new Error('the browser has no canvas');
    this.context = context;
    stage.replaceChildren(this.canvas, this.zoomButtons());
    this.view = { scale: 1, left: 0, top: 0 };
    this.listen();
    this.resize();
    this.fit();
    new ResizeObserver(() => this.resize()).observe(stage);
    for (const element of form.querySelectorAll('[data-align-tools], [data-align-help]')) {
      if (element instanceof HTMLElement) element.hidden = false;
    }
    this.writeFields();
  }

  // The form

  /** @param {string} name */
  field(name) {
    const input = this.form.querySelector(name);
    if (!(input instanceof HTMLInputElement)) throw new Error(`the form has no ${name}`);
    return input;
  }

  /** @returns {Place} */
  readFields() {
    const [x, y, width, height] = ['x', 'y', 'width', 'height'].map(
      (name) => this.field(`[name=${name}]`).valueAsNumber,
    );
    return { x, y, width, height };
  }

  writeFields() {
    for (const [name, value] of Object.entries(this.place)) this.field(`[name=${name}]`).value = String(tidy(value));
    this.field('[data-align-cell]').value = String(tidy(this.cellSize));
    this.draw();
  }

  /** Pixels of the picture a cell. */
  get cellSize() {
    return this.pixels.width / this.place.width;
  }

  get keepsRatio() {
    return this.field('[data-align-ratio]').checked;
  }

  /** Columns and rows of the grid that is drawn: those of the map, or of what it will be resized to. */
  get size() {
    const { x, y, width, height } = this.place;
    const isResized = this.field('[name=resize]').checked;
    const [w, h] = isResized ? [Math.ceil(x + width), Math.ceil(y + height)] : [this.map.width, this.map.height];
    return { width: Math.min(Math.max(w || 1, 1), 4096), height: Math.min(Math.max(h || 1, 1), 4096) };
  }

  get geometry() {
    return new Geometry(this.type, this.size.width, this.size.height);
  }

  /**
   * Scales the picture about one of its points, so that a cell has this many of its pixels.
   *
   * @param {number} cell
   * @param {Point} about in the picture, as fractions of its sides
   */
  scaleTo(cell, [u, v] = [0, 0]) {
    const { place, pixels } = this;
    const size = Math.max(cell, MIN_CELL);
    const [width, height] = [pixels.width / size, pixels.height / size];
    place.x += (place.width - width) * u;
    place.y += (place.height - height) * v;
    Object.assign(place, { width, height });
  }

  // The view: device pixels of the canvas from points of the map

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  toScreen(x, y) {
    const [X, Y] = this.geometry.project(x, y);
    return [this.view.left + X * this.view.scale, this.view.top + Y * this.view.scale];
  }

  /**
   * @param {PointerEvent | WheelEvent} event
   * @returns {Point} a point of the map
   */
  toPoint(event) {
    const box = this.canvas.getBoundingClientRect();
    const X = (event.clientX - box.left - this.view.left) / this.view.scale;
    const Y = (event.clientY - box.top - this.view.top) / this.view.scale;
    const [x, y] = this.geometry.unproject(X, Y);
    return [x, y];
  }

  resize() {
    const { width, height } = this.stage.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  /** Shows the map and the picture whole. */
  fit() {
    const { x, y, width, height } = this.place;
    const [mapWidth, mapHeight] = this.geometry.pictureSize;
    const corners = [
      [x, y],
      [x + width, y],
      [x, y + height],
      [x + width, y + height],
    ].map(([px, py]) => this.geometry.project(px, py));
    const left = Math.min(0, ...corners.map(([X]) => X));
    const top = Math.min(0, ...corners.map(([, Y]) => Y));
    const right = Math.max(mapWidth, ...corners.map(([X]) => X));
    const bottom = Math.max(mapHeight, ...corners.map(([, Y]) => Y));
    const box = this.stage.getBoundingClientRect();
    const scale = 0.92 * Math.min(box.width / (right - left || 1), box.height / (bottom - top || 1));
    this.view = {
      scale,
      left: (box.width - (right - left) * scale) / 2 - left * scale,
      top: (box.height - (bottom - top) * scale) / 2 - top * scale,
    };
    this.draw();
  }

  /**
   * @param {number} factor
   * @param {Point} [about] in CSS pixels of the canvas; the point there stays where it is
   */
  zoom(factor, about) {
    const box = this.stage.getBoundingClientRect();
    const [cx, cy] = about ?? [box.width / 2, box.height / 2];
    const scale = Math.min(Math.max(this.view.scale * factor, 0.05), 400);
    const change = scale / this.view.scale;
    this.view = {
      scale,
      left: cx - (cx - this.view.left) * change,
      top: cy - (cy - this.view.top) * change,
    };
    this.draw();
  }

  zoomButtons() {
    const box = document.createElement('div');
    box.className = 'wa-zoom';
    /** @type {[string, string, () => void][]} */
    const buttons = [
      ['+', 'Zoom in', () => this.zoom(ZOOM * ZOOM)],
      ['−', 'Zoom out', () => this.zoom(1 / (ZOOM * ZOOM))],
      ['⤢', 'Show all', () => this.fit()],
    ];
    for (const [text, label, act] of buttons) {
      const button = document.createElement('button');
      Object.assign(button, { type: 'button', className: 'btn btn-sm', textContent: text, title: label });
      button.setAttribute('aria-label', label);
      button.addEventListener('click', act);
      box.append(button);
    }
    return box;
  }

  // Drawing

  draw() {
    const { context, canvas, geometry, view, place } = this;
    const ratio = this.ratio ?? 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const s = view.scale * ratio;
    const [left, top] = [view.left * ratio, view.top * ratio];
    if (geometry.isIsometric) context.setTransform(s / 2, s / 4, -s / 2, s / 4, left + (geometry.height / 2) * s, top);
    else context.setTransform(s, 0, 0, s, left, top);
    context.imageSmoothingEnabled = s * place.width < this.pixels.width * 2;
    context.drawImage(this.image, place.x, place.y, place.width, place.height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawGrid();
    this.drawFrame();
  }

  /** The lines of the grid, lighter on dark and darker on light parts of the picture. */
  drawGrid() {
    const { context, geometry } = this;
    const { width, height } = geometry;
    context.save();
    context.globalCompositeOperation = 'difference';
    context.strokeStyle = 'rgba(255, 255, 255, .75)';
    context.lineWidth = 1;
    context.beginPath();
    if (geometry.isHex) {
      const box = this.stage.getBoundingClientRect();
      const [x0, y0] = [-this.view.left / this.view.scale, -this.view.top / this.view.scale];
      const [x1, y1] = [x0 + box.width / this.view.scale, y0 + box.height / this.view.scale];
      const [c0, r0, c1, r1] = geometry.visible(x0, y0, x1, y1);
      const step = Math.ceil(Math.sqrt(Math.max(1, ((c1 - c0) * (r1 - r0)) / MAX_LINES)));
      for (let y = r0; y < r1; y += step) {
        for (let x = c0; x < c1; x += step) {
          const corners = geometry.corners(x, y);
          corners.forEach(([px, py], index) => context[index ? 'lineTo' : 'moveTo'](...this.toScreen(px, py)));
          context.closePath();
        }
      }
    } else {
      // Denser lines than every few pixels would hide the picture.
      const step = Math.max(1, Math.ceil(4 / this.view.scale));
      for (let x = 0; x <= width; x += step) this.line([x, 0], [x, height]);
      for (let y = 0; y <= height; y += step) this.line([0, y], [width, y]);
    }
    context.stroke();
    context.restore();
  }

  /**
   * @param {Point} from
   * @param {Point} to
   */
  line(from, to) {
    this.context.moveTo(...this.toScreen(...from));
    this.context.lineTo(...this.toScreen(...to));
  }

  /** The edge of the map, the corner that scales the picture, and the rectangle that marks cells. */
  drawFrame() {
    const { context, geometry, place, mark } = this;
    const colour = getComputedStyle(this.stage).getPropertyValue('--tblr-primary') || '#1f6b75';
    context.strokeStyle = colour;
    context.lineWidth = 2.5;
    const [width, height] = geometry.isIsometric ? [geometry.width, geometry.height] : geometry.extent;
    this.outline(0, 0, width, height);
    if (mark) {
      context.setLineDash([6, 4]);
      this.outline(mark.from[0], mark.from[1], mark.to[0] - mark.from[0], mark.to[1] - mark.from[1]);
      context.setLineDash([]);
    }
    const [X, Y] = this.toScreen(place.x + place.width, place.y + place.height);
    context.fillStyle = '#fff';
    context.fillRect(X - HANDLE, Y - HANDLE, 2 * HANDLE, 2 * HANDLE);
    context.strokeRect(X - HANDLE, Y - HANDLE, 2 * HANDLE, 2 * HANDLE);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} width
   * @param {number} height
   */
  outline(x, y, width, height) {
    const { context } = this;
    context.beginPath();
    context.moveTo(...this.toScreen(x, y));
    context.lineTo(...this.toScreen(x + width, y));
    context.lineTo(...this.toScreen(x + width, y + height));
    context.lineTo(...this.toScreen(x, y + height));
    context.closePath();
    context.stroke();
  }

  // Hands

  listen() {
    const { canvas, form } = this;
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('wheel', (event) => this.turn(event), { passive: false });
    canvas.addEventListener('keydown', (event) => this.key(event));
    form.addEventListener('input', (event) => this.typed(event.target));
    this.button('[data-align-fit]', () => {
      const [width, height] = this.geometry.extent;
      if (this.keepsRatio) this.scaleTo(Math.max(this.pixels.width / width, this.pixels.height / height));
      else Object.assign(this.place, { width, height });
      Object.assign(this.place, { x: 0, y: 0 });
      this.writeFields();
    });
    this.button('[data-align-snap]', () => {
      Object.assign(this.place, { x: Math.round(this.place.x), y: Math.round(this.place.y) });
      this.writeFields();
    });
    this.button('[data-align-mark]', () => this.setMarking(!this.isMarking));
  }

  /**
   * @param {string} selector
   * @param {() => void} act
   */
  button(selector, act) {
    this.form.querySelector(selector)?.addEventListener('click', act);
  }

  /** @param {boolean} isMarking */
  setMarking(isMarking) {
    this.isMarking = isMarking;
    this.mark = null;
    const fields = this.form.querySelector('[data-align-marking]');
    if (fields instanceof HTMLElement) fields.hidden = !isMarking;
    this.form.querySelector('[data-align-mark]')?.setAttribute('aria-pressed', String(isMarking));
    this.canvas.classList.toggle('wa-marking', isMarking);
    this.draw();
  }

  /** @param {EventTarget | null} target */
  typed(target) {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.matches('[data-align-cell]')) {
      if (target.valueAsNumber >= MIN_CELL) this.scaleTo(target.valueAsNumber);
      const { width, height } = this.place;
      this.field('[name=width]').value = String(tidy(width));
      this.field('[name=height]').value = String(tidy(height));
    } else if (['x', 'y', 'width', 'height'].includes(target.name) && Number.isFinite(target.valueAsNumber)) {
      const place = this.readFields();
      const ratio = this.pixels.height / this.pixels.width;
      if (this.keepsRatio && target.name === 'width') place.height = place.width * ratio;
      if (this.keepsRatio && target.name === 'height') place.width = place.height / ratio;
      if (place.width > 0 && place.height > 0) this.place = place;
      for (const [name, value] of Object.entries(this.place)) {
        if (name !== target.name) this.field(`[name=${name}]`).value = String(tidy(value));
      }
      this.field('[data-align-cell]').value = String(tidy(this.cellSize));
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button > 1) return;
    event.preventDefault();
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    const start = this.toPoint(event);
    const before = { ...this.place };
    const view = { ...this.view };
    const [cornerX, cornerY] = this.toScreen(before.x + before.width, before.y + before.height);
    const box = this.canvas.getBoundingClientRect();
    const isCorner =
      Math.abs(event.clientX - box.left - cornerX) <= HANDLE + 4 &&
      Math.abs(event.clientY - box.top - cornerY) <= HANDLE + 4;
    const isOnPicture =
      start[0] >= before.x &&
      start[1] >= before.y &&
      start[0] <= before.x + before.width &&
      start[1] <= before.y + before.height;
    /** @param {PointerEvent} moved */
    const move = (moved) => {
      const [x, y] = this.toPoint(moved);
      if (this.isMarking) this.mark = { from: start, to: [x, y] };
      else if (isCorner) this.stretch(before, x, y);
      else if (isOnPicture && event.button === 0) {
        Object.assign(this.place, { x: before.x + x - start[0], y: before.y + y - start[1] });
      } else {
        this.view.left = view.left + moved.clientX - event.clientX;
        this.view.top = view.top + moved.clientY - event.clientY;
      }
      this.writeFields();
    };
    const end = () => {
      this.canvas.removeEventListener('pointermove', move);
      if (this.isMarking) this.useMark();
    };
    this.canvas.addEventListener('pointermove', move);
    this.canvas.addEventListener('pointerup', end, { once: true });
    this.canvas.addEventListener('pointercancel', end, { once: true });
  }

  /**
   * Scales the picture so that its lower right corner is at a point.
   *
   * @param {Place} before
   * @param {number} x
   * @param {number} y
   */
  stretch(before, x, y) {
    const width = Math.max(x - before.x, 0.1);
    const height = Math.max(y - before.y, 0.1);
    if (!this.keepsRatio) {
      Object.assign(this.place, { width, height });
      return;
    }
    const factor = Math.max(width / before.width, height / before.height);
    Object.assign(this.place, { width: before.width * factor, height: before.height * factor });
  }

  /** Scales and moves the picture so that the marked rectangle covers the given number of whole cells. */
  useMark() {
    const { mark } = this;
    if (!mark) return;
    const [left, right] = [mark.from[0], mark.to[0]].sort((a, b) => a - b);
    const [top, bottom] = [mark.from[1], mark.to[1]].sort((a, b) => a - b);
    const columns = this.field('[data-align-columns]').valueAsNumber;
    const rows = this.field('[data-align-rows]').valueAsNumber;
    this.mark = null;
    if (!(columns >= 1 && rows >= 1) || right - left < 0.05 || bottom - top < 0.05) return;
    let [across, down] = [columns / (right - left), rows / (bottom - top)];
    if (this.keepsRatio) across = down = (across + down) / 2;
    const { place } = this;
    // Where the marked corner lies once the picture is scaled; then it moves onto the nearest corner of a cell.
    const [x, y] = [place.x + (left - place.x) * across, place.y + (top - place.y) * down];
    Object.assign(place, { width: place.width * across, height: place.height * down });
    place.x += Math.round(x) - x;
    place.y += Math.round(y) - y;
    this.setMarking(false);
    this.writeFields();
    this.fit();
  }

  /** @param {WheelEvent} event */
  turn(event) {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    this.zoom(event.deltaY < 0 ? ZOOM : 1 / ZOOM, [event.clientX - box.left, event.clientY - box.top]);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, Point>} */
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (event.key === 'Escape' && this.isMarking) this.setMarking(false);
    else if (event.key === '+') this.zoom(ZOOM);
    else if (event.key === '-') this.zoom(1 / ZOOM);
    else if (event.key === '0') this.fit();
    else if (step) {
      const pixel = (event.shiftKey ? 10 : 1) / this.cellSize;
      this.place.x += step[0] * pixel;
      this.place.y += step[1] * pixel;
      this.writeFields();
    } else return;
    event.preventDefault();
  }
}
