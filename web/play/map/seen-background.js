/**
 * The background picture of a map with fog. Players do not get the picture itself, only what they have seen of it, which
 * the server draws tile by tile: a tile is loaded when it comes on the screen, and again when more of it was seen. A map
 * without fog has such a background, too, if another map has the same picture under fog.
 */

import { Container, Sprite, Texture } from '../../vendor/pixi.js';
import { contextOf } from '../../shared/tiles.js';

const TILE_PIXELS = 1024;
/** Pixels per cell; the fine ones are loaded above this scale. */
const [COARSE, FINE, MIN_FINE_SCALE] = [16, 64, 20];
const MAX_TILES = 40;
const RELOAD_MS = 200; // to wait for further changes
const RETRY_MS = 5000;

/**
 * @typedef {import('../../shared/geometry.js').Quad} Quad
 * @typedef {object} Tile
 * @property {Sprite} sprite
 * @property {Quad} part  x, y, width, height in cells
 * @property {number} level  pixels per cell
 * @property {string[] | null} rows  the fog from which `now` was made
 * @property {string} now  the cells that have been seen
 * @property {string} seen  the cells that were seen when it was loaded
 * @property {number} loadAt  not before this time
 * @property {boolean} isWanted  whether it is on the screen
 */

export class SeenBackground {
  /** The URL of the picture with what the user has seen, up to the parameters of the part; set by the page. */
  url = () => '';

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  constructor(stage, pictures) {
    this.stage = stage;
    this.pictures = pictures;
    this.container = new Container();
    this.fine = new Container();
    this.coarse = new Container();
    this.container.addChild(this.coarse, this.fine);
    /** @type {Map<string, Tile>} by level and position */
    this.tiles = new Map();
    this.isLoading = false;
    this.timer = 0;
    /** Identifies the picture that the tiles show. */
    this.shown = '';
  }

  /** Whether there is a picture that is not sent whole. */
  get exists() {
    const { frame, geometry } = this.stage.document;
    const { background } = frame.other;
    if (!background || geometry.isIsometric) return false;
    return background.asset_id ? this.pictures.isRefused(background.asset_id) : this.stage.fog.rows !== null;
  }

  /** Load the tiles of a range of cells. @param {Quad} range */
  draw([x0, y0, x1, y1]) {
    const { frame, geometry } = this.stage.document;
    const shown = this.exists
      ? `${this.url()} ${JSON.stringify(frame.other.background)} ${geometry.type} ${frame.width} ${frame.height}`
      : '';
    if (shown !== this.shown) this.#clear();
    this.shown = shown;
    if (!shown) return;
    for (const tile of this.tiles.values()) tile.isWanted = false;
    const isFine = !geometry.isHex && this.stage.view.scale > MIN_FINE_SCALE;
    for (const level of isFine ? [COARSE, FINE] : [COARSE]) {
      // The staggered tiles of a hex map would not fit together.
      const side = geometry.isHex ? Math.max(frame.width, frame.height) : TILE_PIXELS / level;
      for (let y = Math.floor(y0 / side) * side; y < y1; y += side)
        for (let x = Math.floor(x0 / side) * side; x < x1; x += side) this.#want(level, x, y, side);
    }
    this.fine.visible = isFine;
    this.#loadNext();
  }

  /** @param {number} level  @param {number} x  @param {number} y  @param {number} side */
  #want(level, x, y, side) {
    const { width, height } = this.stage.document.frame;
    const key = `${level}/${x}/${y}`;
    let tile = this.tiles.get(key);
    if (!tile) {
      /** @type {Quad} */
      const part = [x, y, Math.min(side, width - x), Math.min(side, height - y)];
      tile = { sprite: new Sprite(), part, level, rows: null, now: '', seen: '', loadAt: 0, isWanted: true };
      (level === FINE ? this.fine : this.coarse).addChild(tile.sprite);
    }
    tile.isWanted = true;
    // The last one is the most recently used.
    this.tiles.delete(key);
    this.tiles.set(key, tile);
  }

  /** The cells of a tile that were seen. @param {Tile} tile */
  #seenOf(tile) {
    const { rows } = this.stage.fog;
    if (!rows) return '1';
    const [x, y, width, height] = tile.part;
    if (tile.rows !== rows) {
      const part = rows.slice(y, y + height).map((row) => row.slice(x, x + width).replaceAll('2', '1'));
      Object.assign(tile, { rows, now: part.join('') });
    }
    return tile.now;
  }

  /** Load the tile that waits longest, one at a time, because the server draws it. */
  async #loadNext() {
    if (this.isLoading) return;
    const now = performance.now();
    const stale = [...this.tiles.values()].filter((tile) => {
      const seen = tile.isWanted ? this.#seenOf(tile) : '';
      return seen !== tile.seen && seen.includes('1');
    });
    const next = stale.sort((a, b) => a.loadAt - b.loadAt)[0];
    if (!next) return;
    clearTimeout(this.timer);
    if (next.loadAt > now) {
      this.timer = window.setTimeout(() => this.#loadNext(), next.loadAt - now);
      return;
    }
    this.isLoading = true;
    const { shown } = this;
    const seen = this.#seenOf(next);
    const picture = await this.#load(next);
    this.isLoading = false;
    if (shown === this.shown) {
      next.loadAt = performance.now() + (picture ? RELOAD_MS : RETRY_MS);
      if (picture) {
        next.seen = seen;
        this.#show(next, picture);
      }
    }
    this.stage.request();
  }

  /** @param {Tile} tile  @returns {Promise<ImageBitmap | null>} */
  async #load({ part: [x, y, width, height], level }) {
    try {
      const url = `${this.url()}x=${x}&y=${y}&width=${width}&height=${height}&cell_size=${level}`;
      const response = await fetch(url, { credentials: 'same-origin' });
      return response.ok ? await createImageBitmap(await response.blob()) : null;
    } catch {
      return null;
    }
  }

  /** @param {Tile} tile  @param {ImageBitmap} picture */
  #show(tile, picture) {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [picture.width, picture.height];
    contextOf(canvas).drawImage(picture, 0, 0);
    picture.close();
    if (tile.sprite.texture !== Texture.EMPTY) tile.sprite.texture.destroy(true);
    tile.sprite.texture = Texture.from({ resource: canvas, scaleMode: 'linear' }, true);
    tile.sprite.position.set(tile.part[0], tile.part[1]);
    tile.sprite.scale.set(1 / tile.level);
    for (const [key, { sprite, isWanted }] of this.tiles) {
      if (this.tiles.size <= MAX_TILES || isWanted) break;
      sprite.destroy({ texture: true, textureSource: true });
      this.tiles.delete(key);
    }
  }

  #clear() {
    clearTimeout(this.timer);
    for (const { sprite } of this.tiles.values()) sprite.destroy({ texture: true, textureSource: true });
    this.tiles.clear();
  }
}
