/** Draws the names of the map's entities above the fog, where tokens and their names leave space. */

import { Container } from '../../vendor/pixi.js';
import { PIXELS_PER_CELL, boxAround, nameLabel, overlap } from './labels.js';

const COLOR = '#ddd5c2';
const MAX_NEW = 4; // new texts per frame, so that panning never stalls

/**
 * @typedef {import('./labels.js').Box} Box
 * @typedef {{text: import('../../vendor/pixi.js').Text, half: number}} Name  `half`: of its width, in widths of a cell
 */

export class EntityNames {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container({ zIndex: -1e6 });
    /** @type {Map<string, Name>} those on the screen, by position and name */
    this.names = new Map();
  }

  /**
   * @param {Box[] | null} taken  the boxes of tokens and their names; null if the map is too small for names
   * @param {import('../../shared/geometry.js').Quad} rectangle  what is on the screen
   */
  draw(taken, [left, top, right, bottom]) {
    const gone = new Set(this.names.keys());
    const { frame, geometry } = this.stage.document;
    const below = geometry.isIsometric ? 0.42 : 0.56;
    let made = 0;
    const screen = { left: left - 2, right: right + 2, top: top - 2, bottom: bottom + 2 };
    for (const { name, x, y, hidden } of taken ? frame.entities : []) {
      const [X, Y] = this.stage.place(...geometry.centre(x, y));
      const disc = boxAround(X, Y, 0.3, 0.3);
      if (!name || !overlap(disc, screen)) continue;
      const key = `${x} ${y} ${hidden} ${name}`;
      gone.delete(key);
      if (!this.names.has(key) && ++made > MAX_NEW) {
        this.stage.request();
        continue;
      }
      const { text, half } = this.names.get(key) ?? this.#add(key, `${name}`, hidden ? 0.6 : 1);
      const box = boxAround(X, Y + below, half);
      text.position.set(X, Y + below);
      const isFree = !taken?.some((other) => overlap(other, box) || overlap(other, disc));
      if (text.visible !== isFree) text.visible = isFree;
      if (isFree) taken?.push(box);
    }
    for (const key of gone) {
      this.names.get(key)?.text.destroy();
      this.names.delete(key);
    }
  }

  /** @param {string} key  @param {string} name  @param {number} alpha  @returns {Name} */
  #add(key, name, alpha) {
    const text = nameLabel(name, COLOR);
    const made = { text, half: text.width / 2 / PIXELS_PER_CELL };
    text.scale.set(1 / PIXELS_PER_CELL);
    text.alpha = alpha;
    this.container.addChild(text);
    this.names.set(key, made);
    return made;
  }
}
