/**
 * The cells and what stands on them, as textures of chunks: made once for each level of detail, kept until something
 * in them changes. Making them has a budget of time in each frame, so that panning never waits.
 */

import { Container, Graphics, Sprite, Texture } from '../../vendor/pixi.js';
import { chunkBounds, drawCells } from '../../shared/chunk-drawing.js';
import { drawObjects } from '../../shared/object-drawing.js';
import { Tiles, contextOf, parseColor } from '../../shared/tiles.js';

const LEVELS = [4, 8, 16, 32, 64, 128]; // pixels a cell
const TEXTURE = 1024; // pixels a side at most
const MOST_CELLS = 64; // a side of a chunk
const BUDGET = 6; // milliseconds a frame
const MOST_TEXTURES = 120;
/** Under fog, what was never seen is as dark as the fog: no light edge shines through where it is soft. */
const DARK = '#090d0f';

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
 * @typedef {object} Kept
 * @property {Sprite} sprite
 * @property {HTMLCanvasElement} canvas
 * @property {import('../../shared/chunk-drawing.js').ChunkBounds} bounds
 * @property {boolean} stale
 * @property {number} used  the frame in which it was shown last
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
    this.chunks = new Container();
    this.container.addChild(this.ground, this.chunks);
    /** @type {Map<string, Kept>} by level and place */
    this.kept = new Map();
    /** @type {Map<number, Tiles>} by level */
    this.tiles = new Map();
    this.frame = 0;
    this.isFogged = false;
    /** @type {unknown} what the ground shows */
    this.shownGround = null;
    stage.document.listen((change) => this.#changed(change));
  }

  /** @param {import('../../shared/document.js').Change} change */
  #changed({ frame, layer, indexes }) {
    if (frame) this.invalidate();
    if (layer === undefined || !indexes) return;
    const { width } = this.stage.document.frame;
    for (const one of this.kept.values()) {
      const { x0, y0, x1, y1 } = one.bounds;
      for (let i = 0; i < indexes.length && !one.stale; i++) {
        const [x, y] = [indexes[i] % width, Math.floor(indexes[i] / width)];
        one.stale = x >= x0 && x < x1 && y >= y0 && y < y1;
      }
    }
  }

  /** Draw everything anew, as time allows. */
  invalidate() {
    this.tiles.clear();
    for (const one of this.kept.values()) one.stale = true;
    this.stage.request();
  }

  /** The colour of empty cells. */
  get #paper() {
    return this.isFogged ? DARK : THEME.paper;
  }

  /** @param {boolean} isFogged */
  setFogged(isFogged) {
    if (isFogged === this.isFogged) return;
    this.isFogged = isFogged;
    this.shownGround = null;
    this.invalidate();
  }

  /** Forget all pictures: the map is another one. */
  clear() {
    for (const key of [...this.kept.keys()]) this.#forget(key);
    this.tiles.clear();
  }

  /**
   * Show a range of cells; false when some of it is still to be drawn.
   * @param {import('../../shared/geometry.js').Quad} range
   */
  draw([x0, y0, x1, y1]) {
    const begin = performance.now();
    this.frame++;
    this.#drawGround();
    const level = LEVELS.find((one) => one >= this.stage.view.scale * 0.75) ?? LEVELS[LEVELS.length - 1];
    const size = Math.min(MOST_CELLS, TEXTURE / level);
    /** @type {{key: string, cx: number, cy: number}[]} */
    const missing = [];
    for (let cy = Math.floor(y0 / size); cy * size < y1; cy++) {
      for (let cx = Math.floor(x0 / size); cx * size < x1; cx++) {
        const key = `${level}/${cx}/${cy}`;
        const one = this.kept.get(key);
        if (one) one.used = this.frame;
        if (!one || one.stale) missing.push({ key, cx, cy });
      }
    }
    const [mx, my] = [(x0 + x1) / 2 / size, (y0 + y1) / 2 / size];
    missing.sort((a, b) => Math.hypot(a.cx - mx, a.cy - my) - Math.hypot(b.cx - mx, b.cy - my));
    let made = 0;
    for (const { key, cx, cy } of missing) {
      if (made && performance.now() - begin > BUDGET) break;
      this.#make(key, cx * size, cy * size, size, level);
      made++;
    }
    const whole = made === missing.length;
    // Until all is drawn, pictures of other levels stand in.
    for (const [key, one] of this.kept) {
      one.sprite.visible = one.used === this.frame || !whole;
      one.sprite.zIndex = one.used === this.frame ? 1 : 0;
      if (one.used < this.frame - 1 && whole && this.kept.size > MOST_TEXTURES) this.#forget(key);
    }
    this.chunks.sortableChildren = true;
    return whole;
  }

  /** @param {string} key */
  #forget(key) {
    const one = this.kept.get(key);
    this.kept.delete(key);
    one?.sprite.destroy({ texture: true, textureSource: true });
  }

  /** @param {string} key  @param {number} x0  @param {number} y0  @param {number} size  @param {number} level */
  #make(key, x0, y0, size, level) {
    const { geometry } = this.stage.document;
    const bounds = chunkBounds(geometry, x0, y0, size, level);
    let one = this.kept.get(key);
    if (!one) {
      const canvas = document.createElement('canvas');
      canvas.width = bounds.width;
      canvas.height = bounds.height;
      one = { sprite: new Sprite(), canvas, bounds, stale: false, used: this.frame };
      this.kept.set(key, one);
      this.#draw(one, level);
      one.sprite.texture = Texture.from({ resource: canvas, autoGenerateMipmaps: true, scaleMode: 'linear' }, true);
      one.sprite.position.set(bounds.left / level, bounds.top / level);
      one.sprite.scale.set(1 / level);
      this.chunks.addChild(one.sprite);
      return;
    }
    one.used = this.frame;
    one.stale = false;
    this.#draw(one, level);
    one.sprite.texture.source.update();
  }

  /** @param {Kept} kept  @param {number} level */
  #draw({ canvas, bounds }, level) {
    const { document: doc } = this.stage;
    const context = contextOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const tiles = this.#tilesOf(level);
    drawCells(context, doc, bounds, this.#layers, tiles, { paper: !this.#background, grid: level >= 16 });
    if (level >= 8) drawObjects(this.#drawing(context, bounds, level), around(bounds, doc.geometry), () => {});
  }

  /** @param {number} level */
  #tilesOf(level) {
    let tiles = this.tiles.get(level);
    if (!tiles) {
      const { geometry, legend } = this.stage.document;
      const look = { symbols: true, paper: this.#paper, line: THEME.line, pictures: this.pictures };
      this.tiles.set(level, (tiles = new Tiles(geometry, legend, level, look)));
    }
    return tiles;
  }

  /** The layers to draw, from the lowest. */
  get #layers() {
    return this.stage.document.frame.layers.flatMap(({ meta, cells }) => {
      const opacity = meta.visible === false ? 0 : Math.min(Math.max(Number(meta.opacity ?? 1) || 0, 0), 1);
      return cells && opacity > 0 ? [{ cells, opacity }] : [];
    });
  }

  /**
   * What draws objects into the picture of a chunk.
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
    const options = { focus: false, grid: true, symbols: true, lights: true, labels: true, rulers: false };
    const state = { layer: null, options, theme: THEME, objects: [], pictures: this.pictures };
    return { context, doc, view, state, unit: level, pixel: Math.max(1, level / 40) };
  }

  /** The picture of the map itself, once it has come. */
  get #background() {
    return this.pictures.get(this.stage.document.frame.other.background?.asset_id);
  }

  /** The paper of the map, and its background picture on it. */
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
 * The cells of a chunk and those beside it: their objects may reach into it.
 * @param {import('../../shared/chunk-drawing.js').ChunkBounds} bounds
 * @param {import('../../shared/geometry.js').Geometry} geometry
 * @returns {import('../../shared/geometry.js').Quad}
 */
function around({ x0, y0, x1, y1 }, { width, height }) {
  return [Math.max(x0 - 2, 0), Math.max(y0 - 2, 0), Math.min(x1 + 2, width), Math.min(y1 + 2, height)];
}
