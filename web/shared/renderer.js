/**
 * Draws a map: only what is on screen, from cached pictures of chunks of cells, which are valid until a cell changes.
 *
 * When zoomed out far, and until a chunk is drawn, an overview of one pixel per cell is shown instead. Chunks are drawn
 * within a time budget per frame, the painted ones first, so neither panning nor zooming ever waits.
 *
 * @typedef {import('./geometry.js').Pair} Pair
 * @typedef {import('./geometry.js').Quad} Quad
 *
 * @typedef {object} Theme  CSS colours
 * @property {string} desk  around the map
 * @property {string} paper  an empty cell
 * @property {string} line  between cells
 * @property {string} accent  what is selected
 * @property {string} casing  around lines
 * @property {string} ink
 * @property {string} halo  around names
 * @property {string} label
 * @property {string} ruler
 * @property {string} rulerText
 * @property {string} wash  over what is selected
 * @property {import('./tiles.js').Color} paperRgb
 *
 * @typedef {{focus: boolean, grid: boolean, symbols: boolean, lights: boolean, labels: boolean,
 *   rulers: boolean}} Options
 *
 * @typedef {object} Shown  how the map is shown
 * @property {number | null} layer  the key of the active layer
 * @property {Options} options
 * @property {Theme} theme
 * @property {import('./objects.js').ObjectRef[]} objects  the selected ones
 * @property {import('./pictures.js').Pictures} pictures
 *
 * @typedef {object} Drawing  a drawing in progress: on which canvas, where and how
 * @property {CanvasRenderingContext2D} context
 * @property {import('./document.js').GridDocument} doc
 * @property {import('./view.js').View} view
 * @property {Shown} state
 * @property {number} unit  device pixels per cell
 * @property {number} pixel  device pixels per CSS pixel
 *
 * @typedef {object} KeptPicture
 * @property {HTMLCanvasElement} canvas
 * @property {boolean} stale  to be drawn again within the time budget
 * @property {boolean} painted  to be drawn again in the next frame
 * @property {number} used  when it was last on screen
 *
 * @typedef {import('./chunk-drawing.js').ChunkBounds & KeptPicture} Chunk  a picture of some cells
 *
 * @typedef {object} Overview  one pixel per cell
 * @property {HTMLCanvasElement} canvas
 * @property {ImageData} image
 * @property {number} x0
 * @property {number} y0
 * @property {boolean} stale
 * @property {number[]} painted  x, y, x, y, …
 *
 * @typedef {import('./chunk-drawing.js').ShownLayer} ShownLayer
 */

import { chunkBounds, drawCells } from './chunk-drawing.js';
import { EMPTY } from './document.js';
import { Tiles, colorOf, contextOf } from './tiles.js';
import { drawObjects } from './object-drawing.js';

const MIN_DETAIL_SCALE = 6; // device pixels a cell; below it only the overview is drawn
const BUDGET_MS = 8; // per frame, for chunks that are new on screen
const OVERVIEW_SIDE = 128; // cells a side of an overview tile
const MAX_CACHED_PIXELS = 48e6; // of kept chunks
const MANY_CELLS = 20_000; // changed at once: then everything is drawn again, as time allows
const MANY_CHUNKS = 10;

const GHOST_OPACITY = 0.55; // opacity of a hidden layer while it is the active one
const DIMMED_OPACITY = 0.3; // of all other layers while only the active one counts

export class Renderer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('./document.js').GridDocument} doc
   * @param {import('./view.js').View} view
   * @param {Shown} state
   * @param {(drawing: Drawing, range: Quad) => void} [drawAbove]  draws on top of everything
   */
  constructor(canvas, doc, view, state, drawAbove = () => {}) {
    this.canvas = canvas;
    this.document = doc;
    this.view = view;
    this.state = state;
    this.drawAbove = drawAbove;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
    /** @type {Map<number, Chunk>} */
    this.chunks = new Map();
    this.chunkScale = 0;
    /** @type {Map<number, Overview>} */
    this.overviews = new Map();
    /** @type {Tiles | null} */
    this.tiles = null;
    this.pixels = 0;
    this.requested = 0;
    /** @type {unknown[]} */
    this.drawn = [];
    /** @type {number[]} */
    this.frameTimes = [];
    doc.listen((change) => this.#changed(change));
  }

  /** @param {import('./document.js').Change} change */
  #changed({ frame, layer, indexes }) {
    if (frame) {
      // Objects are drawn in each frame; only these parts are in the cached pictures.
      const { width, height, legend, layers, other } = this.document.frame;
      const drawn = [width, height, legend, layers, other.grid_type];
      const isAnother = drawn.map((part, i) => part !== this.drawn[i]);
      if (isAnother[0] || isAnother[1] || isAnother[4]) this.#dropAll();
      if (isAnother.includes(true)) this.invalidate();
      this.drawn = drawn;
    }
    if (layer !== undefined && indexes) this.#touch(indexes);
    this.request();
  }

  /** Redraw all pictures: the legend, the layers or their display has changed. */
  invalidate() {
    for (const chunk of this.chunks.values()) chunk.stale = true;
    for (const tile of this.overviews.values()) tile.stale = true;
    this.tiles = null;
    this.request();
  }

  /** @param {ArrayLike<number>} indexes */
  #touch(indexes) {
    if (indexes.length > MANY_CELLS) {
      for (const kept of [...this.chunks.values(), ...this.overviews.values()]) kept.stale = true;
      return;
    }
    const { width } = this.document.frame;
    const size = this.chunkSize;
    for (let i = 0; i < indexes.length; i++) {
      const index = indexes[i];
      const [x, y] = [index % width, Math.floor(index / width)];
      const chunk = this.chunks.get(keyOf(Math.floor(x / size), Math.floor(y / size)));
      if (chunk) chunk.painted = true;
      const tile = this.overviews.get(keyOf(Math.floor(x / OVERVIEW_SIDE), Math.floor(y / OVERVIEW_SIDE)));
      if (tile) tile.painted.push(x % OVERVIEW_SIDE, y % OVERVIEW_SIDE);
    }
  }

  /** Request a draw in the next animation frame. */
  request() {
    if (this.requested) return;
    this.requested = requestAnimationFrame(() => {
      this.requested = 0;
      this.draw();
    });
  }

  /** Draw now; returns true if the whole screen is drawn in full detail. */
  draw() {
    const begin = performance.now();
    const { context, view, canvas } = this;
    const { geometry } = this.document;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = this.state.theme.desk;
    context.fillRect(0, 0, canvas.width, canvas.height);
    let whole = true;
    if (geometry.width && geometry.height) {
      const range = geometry.visible(...view.pictureRect());
      this.#drawGround();
      whole = view.scale >= MIN_DETAIL_SCALE ? this.#drawChunks(range, begin) : this.#drawOverview(range, begin);
      const { document: doc, state } = this;
      drawObjects({ context, doc, view, state, unit: view.scale, pixel: view.ratio }, range, this.drawAbove);
    }
    this.frameTimes.push(performance.now() - begin);
    if (this.frameTimes.length > 240) this.frameTimes.shift();
    if (!whole) this.request();
    return whole;
  }

  /** Draw the map's paper, and its background picture on it. */
  #drawGround() {
    const { context, view } = this;
    const { geometry, frame } = this.document;
    if (!geometry.isHex) {
      context.beginPath();
      for (const [x, y] of [
        [0, 0],
        [frame.width, 0],
        [frame.width, frame.height],
        [0, frame.height],
      ]) {
        context.lineTo(...view.toScreen(x, y));
      }
      context.fillStyle = this.state.theme.paper;
      context.fill();
    }
    const picture = this.#picture;
    if (!picture) return;
    const { x = 0, y = 0, width = frame.width, height = frame.height } = frame.other.background ?? {};
    this.#setCellTransform();
    context.drawImage(picture, x, y, width, height);
    context.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Set the transform from points to device pixels. */
  #setCellTransform() {
    const { context, view } = this;
    const { scale, x, y } = view;
    const { geometry } = this.document;
    if (geometry.isIsometric)
      context.setTransform(scale / 2, scale / 4, -scale / 2, scale / 4, x + (geometry.height / 2) * scale, y);
    else context.setTransform(scale, 0, 0, scale, x, y);
  }

  /** The background picture, once it is loaded; null without one. */
  get #picture() {
    return this.state.pictures.get(this.document.frame.other.background?.asset_id);
  }

  get chunkSize() {
    if (this.view.scale <= 48) return 16;
    return this.view.scale <= 96 ? 8 : 4;
  }

  /**
   * The layers to draw with their opacity, the lowest first. A hidden layer is shown while it is the active one.
   * @returns {ShownLayer[]}
   */
  get shown() {
    return this.document.frame.layers.flatMap(({ key, meta, cells }) => {
      const active = key === this.state.layer;
      let opacity = Math.min(Math.max(Number(meta.opacity ?? 1) || 0, 0), 1);
      if (meta.visible === false) opacity *= active ? GHOST_OPACITY : 0;
      else if (this.state.options.focus && !active) opacity *= DIMMED_OPACITY;
      return cells && opacity > 0 ? [{ cells, opacity }] : [];
    });
  }

  #tilesOfScale() {
    const { view, document: doc, state } = this;
    if (this.tiles?.scale === view.scale) return this.tiles;
    this.tiles = tilesOf(doc, view.scale, state);
    if (this.chunkScale !== view.scale) this.#dropChunks();
    this.chunkScale = view.scale;
    return this.tiles;
  }

  /**
   * @param {Quad} range
   * @param {number} begin
   */
  #drawChunks([x0, y0, x1, y1], begin) {
    const { context, view } = this;
    const tiles = this.#tilesOfScale();
    const size = this.chunkSize;
    const layers = this.shown;
    /** @type {{cx: number, cy: number, key: number, chunk?: Chunk}[]} */
    const missing = [];
    /** @type {{cx: number, cy: number, key: number, chunk: Chunk}[]} */
    const painted = [];
    /** @type {Chunk[]} */
    const ready = [];
    for (let cy = Math.floor(y0 / size); cy * size < y1; cy++) {
      for (let cx = Math.floor(x0 / size); cx * size < x1; cx++) {
        const key = keyOf(cx, cy);
        const chunk = this.chunks.get(key);
        if (!chunk || chunk.stale) missing.push({ cx, cy, key, chunk });
        else if (chunk.painted) painted.push({ cx, cy, key, chunk });
        else ready.push(chunk);
      }
    }
    // Chunks painted by a brush are drawn in the same frame; the many chunks of a flood fill within the budget.
    if (painted.length > MANY_CHUNKS) missing.push(...painted.splice(MANY_CHUNKS));
    for (const { chunk } of painted) {
      this.#drawChunk(chunk, layers, tiles);
      ready.push(chunk);
    }
    // From the middle of the screen outwards.
    const [mx, my] = [(x0 + x1) / 2 / size, (y0 + y1) / 2 / size];
    missing.sort((a, b) => Math.hypot(a.cx - mx, a.cy - my) - Math.hypot(b.cx - mx, b.cy - my));
    // A chunk that waits to be drawn again shows its old state; the overview replaces one that was never drawn.
    if (missing.some(({ chunk }) => !chunk)) this.#drawOverview([x0, y0, x1, y1], begin, BUDGET_MS);
    const place = (/** @type {Chunk} */ chunk) => {
      chunk.used = begin;
      context.drawImage(chunk.canvas, Math.round(chunk.left + view.x), Math.round(chunk.top + view.y));
    };
    ready.forEach(place);
    let drawn = 0;
    for (const { cx, cy, key, chunk: old } of missing) {
      const inTime = !drawn || performance.now() - begin < BUDGET_MS;
      if (!inTime && !old) continue;
      const chunk = old ?? this.#newChunk(cx, cy, key);
      if (inTime) {
        this.#drawChunk(chunk, layers, tiles);
        drawn++;
      }
      place(chunk);
    }
    if (this.pixels > MAX_CACHED_PIXELS) this.#forgetOldest(begin);
    return drawn === missing.length;
  }

  #dropAll() {
    this.#dropChunks();
    this.overviews.clear();
  }

  #dropChunks() {
    this.chunks.clear();
    this.pixels = 0;
  }

  /** @param {number} now */
  #forgetOldest(now) {
    const old = [...this.chunks].filter(([, chunk]) => chunk.used !== now).sort((a, b) => a[1].used - b[1].used);
    for (const [key, { canvas }] of old) {
      if (this.pixels < MAX_CACHED_PIXELS / 2) return;
      this.chunks.delete(key);
      this.pixels -= canvas.width * canvas.height;
    }
  }

  /** @param {number} cx  @param {number} cy  @param {number} key */
  #newChunk(cx, cy, key) {
    const size = this.chunkSize;
    const bounds = chunkBounds(this.document.geometry, cx * size, cy * size, size, this.view.scale);
    const canvas = document.createElement('canvas');
    canvas.width = bounds.width;
    canvas.height = bounds.height;
    /** @type {Chunk} */
    const chunk = { ...bounds, canvas, stale: false, painted: false, used: 0 };
    this.pixels += canvas.width * canvas.height;
    this.chunks.set(key, chunk);
    return chunk;
  }

  /** @param {Chunk} chunk  @param {ShownLayer[]} layers  @param {Tiles} tiles */
  #drawChunk(chunk, layers, tiles) {
    const context = contextOf(chunk.canvas);
    context.clearRect(0, 0, chunk.width, chunk.height);
    drawCells(context, this.document, chunk, layers, tiles, {
      paper: !this.#picture,
      grid: this.state.options.grid && this.view.scale >= 8,
    });
    chunk.stale = chunk.painted = false;
  }

  /** @param {Quad} range  @param {number} begin  @param {number} [budget]  milliseconds */
  #drawOverview([x0, y0, x1, y1], begin, budget = 12) {
    const { context, view } = this;
    const { geometry } = this.document;
    const { scale } = view;
    let whole = true;
    context.imageSmoothingEnabled = scale < 1;
    for (let cy = Math.floor(y0 / OVERVIEW_SIDE); cy * OVERVIEW_SIDE < y1; cy++) {
      for (let cx = Math.floor(x0 / OVERVIEW_SIDE); cx * OVERVIEW_SIDE < x1; cx++) {
        const key = keyOf(cx, cy);
        let tile = this.overviews.get(key);
        if (!tile || tile.stale) {
          if (performance.now() - begin < budget) this.overviews.set(key, (tile = this.#makeOverview(cx, cy)));
          else whole = false;
        } else if (tile.painted.length) this.#paintOverview(tile);
        if (tile) this.#placeOverview(tile.canvas, cx * OVERVIEW_SIDE, cy * OVERVIEW_SIDE, geometry, scale);
      }
    }
    context.imageSmoothingEnabled = true;
    return whole;
  }

  /**
   * @param {HTMLCanvasElement} image  @param {number} x  @param {number} y
   * @param {import('./geometry.js').Geometry} geometry  @param {number} scale
   */
  #placeOverview(image, x, y, geometry, scale) {
    const { context, view } = this;
    if (geometry.isIsometric) {
      this.#setCellTransform();
      context.drawImage(image, x, y);
      context.setTransform(1, 0, 0, 1, 0, 0);
      return;
    }
    if (!geometry.isHex) {
      const [left, top] = [Math.round(x * scale + view.x), Math.round(y * scale + view.y)];
      const right = Math.round((x + image.width) * scale + view.x);
      const bottom = Math.round((y + image.height) * scale + view.y);
      context.drawImage(image, left, top, right - left, bottom - top);
      return;
    }
    // Hexes: line by line, each with its stagger.
    const isRow = geometry.type === 'hex_row';
    const count = isRow ? image.height : image.width;
    for (let i = 0; i < count; i++) {
      const [px, py] = geometry.centre(isRow ? x : x + i, isRow ? y + i : y);
      const left = Math.floor((px - 0.5) * scale + view.x);
      const top = Math.floor((py - 0.5) * scale + view.y);
      const thick = Math.ceil(scale * 1.08);
      if (isRow) context.drawImage(image, 0, i, image.width, 1, left, top, Math.ceil(image.width * scale), thick);
      else context.drawImage(image, i, 0, 1, image.height, left, top, thick, Math.ceil(image.height * scale));
    }
  }

  /** @param {number} cx  @param {number} cy */
  #makeOverview(cx, cy) {
    const { frame } = this.document;
    const [x0, y0] = [cx * OVERVIEW_SIDE, cy * OVERVIEW_SIDE];
    const canvas = document.createElement('canvas');
    canvas.width = Math.min(OVERVIEW_SIDE, frame.width - x0);
    canvas.height = Math.min(OVERVIEW_SIDE, frame.height - y0);
    /** @type {Overview} */
    const tile = { canvas, x0, y0, image: new ImageData(canvas.width, canvas.height), stale: false, painted: [] };
    const color = this.#colors();
    for (let y = 0; y < canvas.height; y++) for (let x = 0; x < canvas.width; x++) color(tile, x, y);
    contextOf(canvas).putImageData(tile.image, 0, 0);
    return tile;
  }

  /**
   * Update only the pixels of cells that were painted.
   * @param {Overview} tile
   */
  #paintOverview(tile) {
    const color = this.#colors();
    let [left, top, right, bottom] = [OVERVIEW_SIDE, OVERVIEW_SIDE, 0, 0];
    for (let i = 0; i < tile.painted.length; i += 2) {
      const [x, y] = [tile.painted[i], tile.painted[i + 1]];
      color(tile, x, y);
      [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
    }
    tile.painted = [];
    contextOf(tile.canvas).putImageData(tile.image, 0, 0, left, top, right - left + 1, bottom - top + 1);
  }

  /**
   * Returns a function that sets a pixel of an overview to the colour of its cell, with all layers blended.
   * @returns {(tile: Overview, x: number, y: number) => void}
   */
  #colors() {
    const { frame, legend } = this.document;
    const layers = this.shown;
    const paper = this.state.theme.paperRgb;
    const colors = new Map();
    const bare = this.#picture ? 0 : 255;
    return ({ image: { data, width }, x0, y0 }, x, y) => {
      let red = paper[0];
      let green = paper[1];
      let blue = paper[2];
      let opacity = bare;
      const index = (y0 + y) * frame.width + x0 + x;
      for (let i = 0; i < layers.length; i++) {
        const code = layers[i].cells[index];
        if (code === EMPTY) continue;
        let color = colors.get(code);
        if (!color) colors.set(code, (color = colorOf(legend.get(code), code)));
        const alpha = (color[3] / 255) * layers[i].opacity;
        red += (color[0] - red) * alpha;
        green += (color[1] - green) * alpha;
        blue += (color[2] - blue) * alpha;
        opacity = 255;
      }
      const at = (y * width + x) * 4;
      data[at] = red;
      data[at + 1] = green;
      data[at + 2] = blue;
      data[at + 3] = opacity;
    };
  }
}

const keyOf = (/** @type {number} */ x, /** @type {number} */ y) => x * 65536 + y;

/**
 * Tiles for the present options and theme.
 * @param {import('./document.js').GridDocument} doc  @param {number} scale  @param {Shown} state
 */
export function tilesOf({ geometry, legend }, scale, { options, theme, pictures }) {
  return new Tiles(geometry, legend, scale, {
    symbols: options.symbols,
    paper: theme.paper,
    line: theme.line,
    pictures,
  });
}
