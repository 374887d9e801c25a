/**
 * Draws the cells and the objects on them as textures of chunks, one per level of detail, which are cached until
 * something in them changes. Each frame has a time budget for new textures, so that panning never stalls; a missing
 * chunk is shown by the coarsest level.
 */

import { Container, Graphics, Sprite, Texture } from '../../vendor/pixi.js';
import { chunkBounds, drawCells } from '../../shared/chunk-drawing.js';
import { SeenBackground } from './seen-background.js';
import { EMPTY } from '../../shared/document.js';
import { drawObjects } from '../../shared/object-drawing.js';
import { MIN_SYMBOL_SCALE, Tiles, colorOf, contextOf, parseColor } from '../../shared/tiles.js';

/** Pixels per cell, and the side of a chunk in cells: small enough to draw a chunk within one frame. */
const LEVELS = [
  { level: 1, side: 128 },
  { level: 8, side: 32 },
  { level: 16, side: 16 },
  { level: 32, side: 16 },
  { level: 64, side: 8 },
  { level: 128, side: 8 },
];
/** Cells that are not square keep their shape even when zoomed out. */
const SHAPED_LEVELS = [{ level: 4, side: 32 }, ...LEVELS.slice(1)];
const MIN_OBJECT_SCALE = 6; // pixels a cell, from which on objects are shown
const BUDGET_MS = 5; // per frame
const FIRST_BUDGET_MS = 200; // before there is anything to see
const MAX_TEXTURES = 240;
/** Under fog, cells never seen are as dark as the fog, so that no bright edge shows through where it is soft. */
const UNSEEN_COLOR = '#090d0f';

/** @type {import('../../shared/renderer.js').Theme} */
const THEME = {
  desk: '#12181a',
  paper: '#efe8d8',
  line: 'rgba(40, 30, 15, 0.16)',
  accent: '#e8c27a',
  casing: 'rgba(255, 252, 240, 0.75)',
  ink: '#2b2925',
  halo: 'rgba(255, 252, 240, 0.9)',
  label: '#2b2925',
  ruler: '#1c2426',
  rulerText: '#9fb0b0',
  wash: 'rgba(232, 194, 122, 0.2)',
  paperRgb: parseColor('#efe8d8') ?? [239, 232, 216, 255],
};

/**
 * @typedef {object} ChunkTexture
 * @property {Sprite} sprite
 * @property {HTMLCanvasElement} canvas
 * @property {import('../../shared/chunk-drawing.js').ChunkBounds} bounds
 * @property {boolean} stale
 * @property {boolean} isDark  whether none of it was ever seen
 * @property {number} level
 * @property {number} used  the last frame in which it was shown
 */

export class Cells {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  constructor(stage, pictures) {
    this.stage = stage;
    this.pictures = pictures;
    this.container = new Container();
    this.ground = new Container();
    this.coarse = new Container();
    this.fine = new Container();
    this.seenBackground = new SeenBackground(stage, pictures);
    this.container.addChild(this.ground, this.seenBackground.container, this.coarse, this.fine);
    /** @type {Map<string, ChunkTexture>} by level and position */
    this.chunks = new Map();
    /** @type {Map<number, Tiles>} by level */
    this.tiles = new Map();
    this.flat = document.createElement('canvas'); // for the cells of a chunk, as one pixel each
    /** @type {Map<number, number>} pixels as in a `Uint32Array`, by code */
    this.flatColors = new Map();
    this.frame = 0;
    this.hasMade = false; // whether a chunk was made in this frame
    this.isFogged = false;
    /** Identifies the grid that the chunks were made from. */
    this.shape = '';
    /** @type {unknown} the content of the ground */
    this.shownGround = null;
    stage.document.listen((change) => this.#changed(change));
  }

  /** @param {import('../../shared/document.js').Change} change */
  #changed({ opened, frame, layer, indexes }) {
    const { type, width: across, height: down } = this.stage.document.geometry;
    const shape = `${type} ${across} ${down}`;
    if (opened || shape !== this.shape) this.clear();
    this.shape = shape;
    if (frame) this.invalidate();
    if (layer === undefined || !indexes?.length) return;
    const { width } = this.stage.document.frame;
    const places = Array.from(indexes, (index) => [index % width, Math.floor(index / width)]);
    for (const one of this.chunks.values()) {
      const { x0, y0, x1, y1 } = one.bounds;
      one.stale ||= places.some(([x, y]) => x >= x0 && x < x1 && y >= y0 && y < y1);
    }
  }

  /** Redraw everything, within the budget of each frame. */
  invalidate() {
    this.tiles.clear();
    this.flatColors.clear();
    for (const one of this.chunks.values()) one.stale = true;
    this.stage.request();
  }

  /** The colour of empty cells. */
  get #paper() {
    return this.isFogged ? UNSEEN_COLOR : THEME.paper;
  }

  /** @param {boolean} isFogged */
  setFogged(isFogged) {
    if (isFogged === this.isFogged) return;
    this.isFogged = isFogged;
    this.shownGround = null;
    this.invalidate();
  }

  /** Delete all textures: another map was opened. */
  clear() {
    for (const key of [...this.chunks.keys()]) this.#forget(key);
    this.tiles.clear();
    this.flatColors.clear();
  }

  /**
   * Draw a range of cells; returns false if part of it remains to be drawn.
   * @param {import('../../shared/geometry.js').Quad} range
   * @param {boolean} isMaking  whether there is time to make chunks that are missing
   */
  draw(range, isMaking) {
    const until = isMaking ? performance.now() + (this.stage.hasDrawn ? BUDGET_MS : FIRST_BUDGET_MS) : 0;
    this.frame++;
    this.hasMade = !isMaking;
    this.#drawGround();
    this.seenBackground.draw(range);
    const { share, isSlow, view } = this.stage;
    const { scale } = view;
    const levels = this.stage.document.geometry.isSquare ? LEVELS : SHAPED_LEVELS;
    // As sharp as the pixels that are drawn; with a graphics card, those of the full resolution, so that fewer are made.
    const wanted = Math.max(scale * 0.75 * (isSlow ? share : 1), MIN_OBJECT_SCALE);
    const fine = scale < MIN_OBJECT_SCALE ? levels[0] : (levels.find(({ level }) => level >= wanted) ?? levels[5]);
    // The coarsest level first, because it is drawn quickly.
    const covered = this.#make(levels[0], range, until);
    const whole = fine === levels[0] ? covered : this.#make(fine, range, until);
    for (const [key, one] of this.chunks) {
      const isFine = one.level === fine.level;
      const shown = one.used === this.frame && (isFine || !whole) && !one.isDark;
      if (one.sprite.visible !== shown) one.sprite.visible = shown;
      if (one.used < this.frame - 1 && one.level !== levels[0].level && this.chunks.size > MAX_TEXTURES)
        this.#forget(key);
    }
    const bare = !covered || this.#hasBackground;
    if (this.ground.visible !== bare) this.ground.visible = bare;
    return whole;
  }

  /**
   * Draw the missing chunks of a range, from the middle outwards, until the budget is used up; returns false if any
   * is still missing.
   * @param {typeof LEVELS[number]} level  @param {import('../../shared/geometry.js').Quad} range
   * @param {number} until  the time limit; at least one chunk is made in a frame
   */
  #make({ level, side }, [x0, y0, x1, y1], until) {
    /** @type {{key: string, cx: number, cy: number}[]} */
    const missing = [];
    for (let cy = Math.floor(y0 / side); cy * side < y1; cy++) {
      for (let cx = Math.floor(x0 / side); cx * side < x1; cx++) {
        const key = `${level}/${cx}/${cy}`;
        const one = this.chunks.get(key);
        if (one) one.used = this.frame;
        if (!one || one.stale) missing.push({ key, cx, cy });
      }
    }
    const [mx, my] = [(x0 + x1) / 2 / side - 0.5, (y0 + y1) / 2 / side - 0.5];
    missing.sort((a, b) => Math.hypot(a.cx - mx, a.cy - my) - Math.hypot(b.cx - mx, b.cy - my));
    for (const { key, cx, cy } of missing) {
      if (this.hasMade && performance.now() > until) return false;
      this.#makeOne(key, cx * side, cy * side, side, level);
      this.hasMade = true;
    }
    return true;
  }

  /** @param {string} key */
  #forget(key) {
    const one = this.chunks.get(key);
    this.chunks.delete(key);
    one?.sprite.destroy({ texture: true, textureSource: true });
  }

  /** @param {string} key  @param {number} x0  @param {number} y0  @param {number} side  @param {number} level */
  #makeOne(key, x0, y0, side, level) {
    const before = this.chunks.get(key);
    if (before) {
      before.stale = false;
      this.#draw(before);
      if (!before.isDark) before.sprite.texture.source.update();
      return;
    }
    const bounds = chunkBounds(this.stage.document.geometry, x0, y0, side, level);
    const canvas = document.createElement('canvas');
    canvas.width = bounds.width;
    canvas.height = bounds.height;
    const chunk = { sprite: new Sprite(), canvas, bounds, level, stale: false, isDark: false, used: this.frame };
    this.chunks.set(key, chunk);
    this.#draw(chunk);
    const { sprite } = chunk;
    const scaleMode = level === 1 ? 'nearest' : 'linear';
    sprite.texture = Texture.from({ resource: canvas, scaleMode }, true);
    sprite.position.set(bounds.left / level, bounds.top / level);
    sprite.scale.set(1 / level);
    // Now, because many at once take too long when they are drawn.
    if (this.stage.isSlow && !chunk.isDark) this.stage.renderer.texture.initSource(sprite.texture.source);
    (level <= 4 ? this.coarse : this.fine).addChild(sprite);
  }

  /** @param {ChunkTexture} chunk */
  #draw(chunk) {
    const { canvas, bounds, level } = chunk;
    const { document: doc } = this.stage;
    chunk.isDark = this.isFogged && this.#isEmpty(bounds);
    if (chunk.isDark) return;
    const context = contextOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (level === 1) context.putImageData(this.#flat(bounds), 0, 0);
    else if (level < MIN_SYMBOL_SCALE && doc.geometry.isSquare && !this.#hasPictures) {
      // At this size a cell is a plain square: one pixel, enlarged.
      const { x0, y0, x1, y1 } = bounds;
      const { flat } = this;
      [flat.width, flat.height] = [x1 - x0, y1 - y0];
      contextOf(flat).putImageData(this.#flat(bounds), 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(flat, 0, 0, canvas.width, canvas.height);
    } else {
      const tiles = this.#tilesOf(level);
      drawCells(context, doc, bounds, this.#layers, tiles, { paper: !this.#hasBackground, grid: level >= 16 });
    }
    if (level >= MIN_OBJECT_SCALE)
      drawObjects(this.#drawing(context, bounds, level), around(bounds, doc.geometry), () => {});
  }

  /** Whether there is nothing in a chunk or next to it. @param {import('../../shared/chunk-drawing.js').ChunkBounds} bounds */
  #isEmpty(bounds) {
    const { frame, geometry } = this.stage.document;
    const [x0, y0, x1, y1] = around(bounds, geometry);
    if (frame.walls.length || frame.doors.length || frame.lights.length || frame.entities.length) return false;
    for (const { cells } of this.#layers) {
      for (let y = y0; y < y1; y++)
        for (let index = y * frame.width + x0; index < y * frame.width + x1; index++)
          if (cells[index] !== EMPTY) return false;
    }
    return true;
  }

  /** Whether any entry of the legend has a picture that is loaded. */
  get #hasPictures() {
    return [...this.stage.document.legend.values()].some(
      ({ picture }) => picture && this.pictures.get(picture.asset_id),
    );
  }

  /**
   * Cells as one pixel each.
   * @param {import('../../shared/chunk-drawing.js').ChunkBounds} bounds
   */
  #flat({ x0, y0, x1, y1 }) {
    const { width } = this.stage.document.frame;
    const image = new ImageData(x1 - x0, y1 - y0);
    const pixels = new Uint32Array(image.data.buffer);
    if (!this.#hasBackground) pixels.fill(this.#flatColor(EMPTY));
    for (const { cells, opacity } of this.#layers) {
      let at = 0;
      for (let y = y0; y < y1; y++) {
        for (let index = y * width + x0; index < y * width + x1; index++, at++) {
          const code = cells[index];
          if (code === EMPTY) continue;
          const color = this.#flatColor(code);
          pixels[at] = opacity === 1 && color >>> 24 === 255 ? color : over(pixels[at], color, opacity);
        }
      }
    }
    return image;
  }

  /** The pixel for the tile of a symbol when zoomed out. @param {number} code */
  #flatColor(code) {
    let color = this.flatColors.get(code);
    if (color === undefined) this.flatColors.set(code, (color = this.#pixelOf(code)));
    return color;
  }

  /** @param {number} code */
  #pixelOf(code) {
    const { legend } = this.stage.document;
    const entry = legend.get(code);
    if (entry?.picture && this.pictures.get(entry.picture.asset_id)) {
      // Read back only for pictures, because the browser then waits for the graphics card.
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 1;
      const context = contextOf(canvas);
      context.drawImage(this.#tilesOf(8).get(code), 0, 0, 1, 1);
      return new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0];
    }
    const color = code === EMPTY ? parseColor(this.#paper) : colorOf(entry, code);
    return new Uint32Array(Uint8Array.from(color ?? [0, 0, 0, 0]).buffer)[0];
  }

  /** @param {number} level */
  #tilesOf(level) {
    let tiles = this.tiles.get(level);
    if (!tiles) {
      const { geometry, legend } = this.stage.document;
      /** @type {ConstructorParameters<typeof Tiles>[3]} */
      const look = { symbols: 'few', paper: this.#paper, line: THEME.line, pictures: this.pictures };
      this.tiles.set(level, (tiles = new Tiles(geometry, legend, level, look)));
    }
    return tiles;
  }

  /** The layers to draw, the lowest first. */
  get #layers() {
    return this.stage.document.frame.layers.flatMap(({ meta, cells }) => {
      const opacity = meta.visible === false ? 0 : Math.min(Math.max(Number(meta.opacity ?? 1) || 0, 0), 1);
      return cells && opacity > 0 ? [{ cells, opacity }] : [];
    });
  }

  /**
   * Draws objects onto the texture of a chunk.
   * @param {CanvasRenderingContext2D} context
   * @param {import('../../shared/chunk-drawing.js').ChunkBounds} bounds  @param {number} level
   * @returns {import('../../shared/renderer.js').Drawing}
   */
  #drawing(context, bounds, level) {
    const { document: doc } = this.stage;
    const toScreen = (/** @type {number} */ px, /** @type {number} */ py) => {
      const [X, Y] = doc.geometry.project(px, py);
      return [X * level - bounds.left, Y * level - bounds.top];
    };
    const view = /** @type {import('../../shared/view.js').View} */ (
      /** @type {unknown} */ ({ toScreen, scale: level, ratio: 1 })
    );
    const options = { focus: false, grid: true, symbols: true, lights: true, labels: false, rulers: false };
    const state = { layer: null, options, theme: THEME, objects: [], pictures: this.pictures };
    return { context, doc, view, state, unit: level, pixel: Math.max(1, level / 40) };
  }

  /** The map's background picture, once it is loaded. */
  get #background() {
    return this.pictures.get(this.stage.document.frame.other.background?.asset_id);
  }

  /** Whether a picture shows through empty cells. */
  get #hasBackground() {
    return !!this.#background || this.seenBackground.exists;
  }

  /** Draw the map's paper, and its background picture on it. */
  #drawGround() {
    const { frame, geometry } = this.stage.document;
    const image = this.#background;
    const shown = `${frame.width} ${frame.height} ${geometry.type} ${JSON.stringify(frame.other.background)} ${!!image}`;
    if (shown === this.shownGround) return;
    this.shownGround = shown;
    for (const child of this.ground.removeChildren()) child.destroy();
    if (!geometry.isHex) {
      const corners = [
        [0, 0],
        [frame.width, 0],
        [frame.width, frame.height],
        [0, frame.height],
      ];
      const points = corners.flatMap(([x, y]) => geometry.project(x, y));
      this.ground.addChild(new Graphics().poly(points).fill(this.#paper));
    }
    if (!image || geometry.isIsometric) return;
    const { x = 0, y = 0, width = frame.width, height = frame.height } = frame.other.background ?? {};
    const sprite = new Sprite(Texture.from(image));
    sprite.position.set(x, y);
    sprite.setSize(width, height);
    this.ground.addChild(sprite);
    this.invalidate();
  }
}

/**
 * The cells of a chunk and its neighbours, whose objects may extend into it.
 * @param {import('../../shared/chunk-drawing.js').ChunkBounds} bounds
 * @param {import('../../shared/geometry.js').Geometry} geometry
 * @returns {import('../../shared/geometry.js').Quad}
 */
function around({ x0, y0, x1, y1 }, { width, height }) {
  return [Math.max(x0 - 2, 0), Math.max(y0 - 2, 0), Math.min(x1 + 2, width), Math.min(y1 + 2, height)];
}

/**
 * A pixel with another one drawn over it.
 * @param {number} below  @param {number} above  red in the lowest byte, alpha in the highest
 * @param {number} opacity
 */
function over(below, above, opacity) {
  const [a, b] = [((above >>> 24) / 255) * opacity, (below >>> 24) / 255];
  const alpha = a + b * (1 - a);
  if (!alpha) return 0;
  const part = (/** @type {number} */ shift) =>
    Math.round((((above >>> shift) & 255) * a + ((below >>> shift) & 255) * b * (1 - a)) / alpha) << shift;
  return (part(0) | part(8) | part(16) | (Math.round(alpha * 255) << 24)) >>> 0;
}
