/**
 * Draws the fog: cells never seen are dark, cells seen before are dimmed. The server never sends what the dark hides,
 * so the soft edges reveal nothing.
 */

import { Container, Rectangle, Sprite, Texture } from '../../vendor/pixi.js';
import { contextOf } from '../../shared/tiles.js';

const SQUARE_CHUNK = { side: 128, pixels: 1 }; // the side of a chunk in cells, pixels per cell
const SHAPED_CHUNK = { side: 32, pixels: 4 };
const BUDGET_MS = 4; // per frame
const MARGIN = 1; // cells around a chunk, so that the fog is as soft at its edges
const UNSEEN = [9, 13, 15, 255];
const EXPLORED = [9, 13, 15, 143];
const [COVERED, DIMMED] = [UNSEEN, EXPLORED].map(
  ([red, green, blue, alpha]) => `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`,
);

/** @typedef {{sprite: Sprite, canvas: HTMLCanvasElement, x0: number, y0: number, stale: boolean}} FogChunk */

export class Fog {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container();
    /** @type {string[] | null} a character per cell: 0 never seen, 1 seen before, 2 in sight */
    this.rows = null;
    this.isTranslucent = false;
    /** @type {Map<string, FogChunk>} */
    this.chunks = new Map();
    stage.document.listen(({ opened }) => opened && this.#forgetAll());
  }

  /**
   * @param {string[] | null} rows
   * @param {boolean} [isTranslucent]  for game masters, who see what is under it
   */
  show(rows, isTranslucent = false) {
    const before = this.rows;
    this.rows = rows;
    this.isTranslucent = isTranslucent;
    this.container.alpha = isTranslucent ? 0.55 : 1;
    this.stage.cells.setFogged(rows !== null && !isTranslucent);
    const isOther = !rows || before?.length !== rows.length || before[0]?.length !== rows[0]?.length;
    if (isOther) this.#forgetAll();
    else this.#markStale(before, rows);
    this.stage.request();
  }

  /** @param {string[]} before  @param {string[]} rows */
  #markStale(before, rows) {
    const { side } = this.#chunk;
    const changed = rows.flatMap((row, y) => (row === before[y] ? [] : [y]));
    for (const one of this.chunks.values()) {
      const part = (/** @type {string} */ row) => row.slice(Math.max(one.x0 - MARGIN, 0), one.x0 + side + MARGIN);
      one.stale ||= changed.some(
        (y) => y >= one.y0 - MARGIN && y < one.y0 + side + MARGIN && part(before[y]) !== part(rows[y]),
      );
    }
  }

  get #chunk() {
    return this.stage.document.geometry.isSquare ? SQUARE_CHUNK : SHAPED_CHUNK;
  }

  #forgetAll() {
    for (const { sprite } of this.chunks.values()) sprite.destroy({ texture: true, textureSource: true });
    this.chunks.clear();
  }

  /**
   * Draw the fog of a range of cells; returns false if part of it remains to be drawn.
   * @param {import('../../shared/geometry.js').Quad} range
   */
  draw([x0, y0, x1, y1]) {
    if (!this.rows) return true;
    const begin = performance.now();
    const { side } = this.#chunk;
    let whole = true;
    for (let cy = Math.floor(y0 / side); cy * side < y1; cy++) {
      for (let cx = Math.floor(x0 / side); cx * side < x1; cx++) {
        const key = `${cx}/${cy}`;
        const one = this.chunks.get(key);
        if (one && !one.stale) continue;
        if (performance.now() - begin > BUDGET_MS) whole = false;
        else this.#make(key, cx * side, cy * side);
      }
    }
    return whole;
  }

  /** @param {string} key  @param {number} x0  @param {number} y0 */
  #make(key, x0, y0) {
    const before = this.chunks.get(key);
    if (before) {
      this.#paint(before);
      before.stale = false;
      before.sprite.texture.source.update();
      return;
    }
    const canvas = document.createElement('canvas');
    const chunk = { sprite: new Sprite(), canvas, x0, y0, stale: false };
    const { pixels } = this.#chunk;
    const [left, top, right, bottom] = this.#box(x0, y0);
    const margin = this.stage.document.geometry.isSquare ? MARGIN : 0;
    canvas.width = Math.ceil((right - left) * pixels) + 2 * margin;
    canvas.height = Math.ceil((bottom - top) * pixels) + 2 * margin;
    this.#paint(chunk);
    const { source } = Texture.from({ resource: canvas, scaleMode: 'linear' }, true);
    const frame = new Rectangle(margin, margin, canvas.width - 2 * margin, canvas.height - 2 * margin);
    chunk.sprite.texture = new Texture({ source, frame });
    chunk.sprite.position.set(left, top);
    chunk.sprite.scale.set(1 / pixels);
    this.container.addChild(chunk.sprite);
    this.chunks.set(key, chunk);
  }

  /**
   * The bounding box of a chunk's cells, in world coordinates.
   * @param {number} x0  @param {number} y0
   */
  #box(x0, y0) {
    const { geometry } = this.stage.document;
    const { side: size } = this.#chunk;
    const [x1, y1] = [Math.min(x0 + size, geometry.width) - 1, Math.min(y0 + size, geometry.height) - 1];
    const [halfWidth, halfHeight] = geometry.cellBox.map((side) => side / 2);
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const x of [x0, Math.min(x0 + 1, x1), x1]) {
      for (const y of [y0, Math.min(y0 + 1, y1), y1]) {
        const [X, Y] = geometry.project(...geometry.centre(x, y));
        left = Math.min(left, X - halfWidth);
        top = Math.min(top, Y - halfHeight);
        right = Math.max(right, X + halfWidth);
        bottom = Math.max(bottom, Y + halfHeight);
      }
    }
    return [left, top, right, bottom];
  }

  /** @param {FogChunk} chunk */
  #paint(chunk) {
    chunk.sprite.visible = this.#covers(chunk);
    if (this.stage.document.geometry.isSquare) this.#paintPixels(chunk);
    else this.#paintShapes(chunk);
  }

  /** Whether a chunk needs fog: not if all of it is in sight, or as dark as the background. @param {FogChunk} chunk */
  #covers({ x0, y0 }) {
    const { side } = this.#chunk;
    const { frame } = this.stage.document;
    const rows = this.rows?.slice(y0, y0 + side).map((row) => row.slice(x0, x0 + side)) ?? [];
    const all = (/** @type {string} */ state) => rows.every((row) => row === state.repeat(row.length));
    return !all('2') && (this.isTranslucent || !!frame.other.background || !all('0'));
  }

  /** The state of a cell; outside the map, that of the nearest cell. @param {number} x  @param {number} y */
  #stateAt(x, y) {
    const { width, height } = this.stage.document.geometry;
    return this.rows?.[Math.min(Math.max(y, 0), height - 1)]?.[Math.min(Math.max(x, 0), width - 1)];
  }

  /** Each square is one pixel; the edges become soft when the texture is enlarged. @param {FogChunk} chunk */
  #paintPixels({ canvas: { width, height }, canvas, x0, y0 }) {
    const image = new ImageData(width, height);
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at += 4) {
        const state = this.#stateAt(x0 + x - MARGIN, y0 + y - MARGIN);
        if (state !== '2') image.data.set(state === '1' ? EXPLORED : UNSEEN, at);
      }
    }
    contextOf(canvas).putImageData(image, 0, 0);
  }

  /** @param {FogChunk} chunk */
  #paintShapes({ canvas, x0, y0 }) {
    const { geometry } = this.stage.document;
    const { side, pixels } = SHAPED_CHUNK;
    const [left, top] = this.#box(x0, y0);
    const context = contextOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.filter = `blur(${pixels * 0.45}px)`;
    const outline = geometry.drawnOutline.map(([x, y]) => [x * pixels * 1.06, y * pixels * 1.06]);
    for (const [state, color] of [
      ['1', DIMMED],
      ['0', COVERED],
    ]) {
      context.beginPath();
      for (let y = y0 - MARGIN; y < y0 + side + MARGIN; y++) {
        for (let x = x0 - MARGIN; x < x0 + side + MARGIN; x++) {
          if (this.#stateAt(x, y) !== state) continue;
          const [X, Y] = geometry.project(...geometry.centre(x, y));
          const [cx, cy] = [(X - left) * pixels, (Y - top) * pixels];
          outline.forEach(([dx, dy], i) => (i ? context.lineTo(cx + dx, cy + dy) : context.moveTo(cx + dx, cy + dy)));
          context.closePath();
        }
      }
      context.fillStyle = color;
      context.fill();
    }
    context.restore();
  }
}
