/**
 * Fog as the server sends it: never seen is dark, seen before is dimmed, in sight is clear. What lies in the dark was
 * never sent, so this is for the eye alone: the edges are soft.
 */

import { Container, Sprite, Texture } from '../../vendor/pixi.js';
import { contextOf } from '../../shared/tiles.js';

const SIZE = 64; // cells a side of a chunk
const PIXELS = 6; // a cell
const MARGIN = 1; // cells, so that the edges of chunks are as soft as the rest
const UNSEEN = 'rgba(9, 13, 15, 1)';
const EXPLORED = 'rgba(9, 13, 15, 0.56)';

/** @typedef {{sprite: Sprite, canvas: HTMLCanvasElement, x0: number, y0: number, stale: boolean}} Kept */

export class Fog {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container();
    /** @type {string[] | null} a character a cell: 0 never seen, 1 seen before, 2 in sight */
    this.rows = null;
    /** @type {Map<string, Kept>} */
    this.kept = new Map();
  }

  /** @param {string[] | null} rows */
  show(rows) {
    const before = this.rows;
    this.rows = rows;
    this.stage.cells.setFogged(rows !== null);
    const { geometry } = this.stage.document;
    for (const [key, one] of this.kept) {
      if (!rows || before?.length !== rows.length || before[0]?.length !== rows[0]?.length) this.#forget(key);
      else {
        for (let y = Math.max(one.y0 - 1, 0); y < Math.min(one.y0 + SIZE + 1, geometry.height) && !one.stale; y++)
          one.stale = part(before[y], one.x0) !== part(rows[y], one.x0);
      }
    }
    this.stage.request();
  }

  /** @param {string} key */
  #forget(key) {
    this.kept.get(key)?.sprite.destroy({ texture: true, textureSource: true });
    this.kept.delete(key);
  }

  /**
   * Show the fog of a range of cells; false when some of it is still to be drawn.
   * @param {import('../../shared/geometry.js').Quad} range
   */
  draw([x0, y0, x1, y1]) {
    if (!this.rows) return true;
    const begin = performance.now();
    let whole = true;
    for (let cy = Math.floor(y0 / SIZE); cy * SIZE < y1; cy++) {
      for (let cx = Math.floor(x0 / SIZE); cx * SIZE < x1; cx++) {
        const key = `${cx}/${cy}`;
        const one = this.kept.get(key);
        if (one && !one.stale) continue;
        if (performance.now() - begin > 8) whole = false;
        else this.#make(key, cx * SIZE, cy * SIZE);
      }
    }
    return whole;
  }

  /** @param {string} key  @param {number} x0  @param {number} y0 */
  #make(key, x0, y0) {
    const before = this.kept.get(key);
    const [left, top, right, bottom] = this.#box(x0, y0);
    const canvas = before?.canvas ?? document.createElement('canvas');
    if (!before) {
      canvas.width = Math.ceil((right - left) * PIXELS);
      canvas.height = Math.ceil((bottom - top) * PIXELS);
    }
    this.#paint(canvas, x0, y0, left, top);
    if (before) {
      before.stale = false;
      before.sprite.texture.source.update();
      return;
    }
    const texture = Texture.from({ resource: canvas, scaleMode: 'linear' }, true);
    const sprite = new Sprite(texture);
    sprite.position.set(left, top);
    sprite.scale.set(1 / PIXELS);
    this.container.addChild(sprite);
    this.kept.set(key, { sprite, canvas, x0, y0, stale: false });
  }

  /**
   * The rectangle of the picture that the cells of a chunk take.
   * @param {number} x0  @param {number} y0
   */
  #box(x0, y0) {
    const { geometry } = this.stage.document;
    const [x1, y1] = [Math.min(x0 + SIZE, geometry.width) - 1, Math.min(y0 + SIZE, geometry.height) - 1];
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

  /**
   * @param {HTMLCanvasElement} canvas  @param {number} x0  @param {number} y0
   * @param {number} left  @param {number} top
   */
  #paint(canvas, x0, y0, left, top) {
    const { geometry } = this.stage.document;
    const context = contextOf(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.filter = `blur(${PIXELS * 0.45}px)`;
    const outline = geometry.drawnOutline.map(([x, y]) => [x * PIXELS * 1.06, y * PIXELS * 1.06]);
    for (const [state, color] of [
      ['1', EXPLORED],
      ['0', UNSEEN],
    ]) {
      context.beginPath();
      for (let y = y0 - MARGIN; y < y0 + SIZE + MARGIN; y++) {
        for (let x = x0 - MARGIN; x < x0 + SIZE + MARGIN; x++) {
          // Beyond the map it is as dark as at its edge.
          const row = this.rows?.[Math.min(Math.max(y, 0), geometry.height - 1)] ?? '';
          if (row[Math.min(Math.max(x, 0), geometry.width - 1)] !== state) continue;
          const [X, Y] = geometry.project(...geometry.centre(x, y));
          const [cx, cy] = [(X - left) * PIXELS, (Y - top) * PIXELS];
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

/** @param {string} row  @param {number} x0 */
const part = (row, x0) => row.slice(Math.max(x0 - MARGIN, 0), x0 + SIZE + MARGIN);
