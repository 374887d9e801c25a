/** Draws the notes that are pinned to the map, above the tokens; the title of the one under the pointer. */

import { Container, Graphics } from '../../vendor/pixi.js';
import { PIN_COLOR, pinCentre } from '../../shared/pin.js';
import { PIXELS_PER_CELL, nameLabel } from './labels.js';

const SIDE = 0.42; // of a pin, in widths of a cell
const MIN_SIDE = 20; // of a pin, in CSS pixels
const ICON_SIDE = 24; // in the pixels in which it is drawn
const GROUND_COLOR = 0x171f22;

/**
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {{id: string, title: string, x: number, y: number}} Pin
 */

export class Pins {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container();
    /** @type {{pin: Pin, icon: Graphics}[]} */
    this.shown = [];
    /** @type {Pin | null} the one under the pointer */
    this.hovered = null;
    /** @type {import('../../vendor/pixi.js').Text | null} its title */
    this.title = null;
  }

  /** @param {Pin[]} pins */
  show(pins) {
    for (const { icon } of this.shown) icon.destroy();
    this.shown = pins.map((pin) => ({ pin, icon: this.container.addChild(drawIcon()) }));
    this.hover(pins.find(({ id }) => id === this.hovered?.id) ?? null);
    this.stage.request();
  }

  /** @param {Pin | null} pin */
  hover(pin) {
    if (pin === this.hovered) return;
    this.hovered = pin;
    this.title?.destroy();
    this.title = pin && this.container.addChild(nameLabel(pin.title, '#f4e3bd'));
    this.stage.request();
  }

  /** The width of a pin, in widths of a cell. */
  get #side() {
    const { ratio, scale } = this.stage.view;
    return Math.max(SIDE, (MIN_SIDE * ratio) / scale);
  }

  draw() {
    const by = this.#side / ICON_SIDE;
    for (const { pin, icon } of this.shown) {
      icon.position.set(...this.#place(pin));
      icon.scale.set(by);
    }
    if (!this.title || !this.hovered) return;
    const [X, Y] = this.#place(this.hovered);
    this.title.position.set(X, Y + this.#side * 0.85);
    this.title.scale.set(this.#side / SIDE / PIXELS_PER_CELL);
  }

  /** @param {Pin} pin  @returns {Pair} */
  #place(pin) {
    return this.stage.place(...pinCentre(this.stage.document.geometry, pin));
  }

  /**
   * The topmost pin at a point, or null.
   * @param {number} px  @param {number} py
   */
  at(px, py) {
    const [X, Y] = this.stage.place(px, py);
    const isHit = (/** @type {Pair} */ [x, y]) => Math.hypot(x - X, y - Y) < this.#side * 0.55;
    return this.shown.findLast(({ pin }) => isHit(this.#place(pin)))?.pin ?? null;
  }
}

/** A written page on a disc. */
function drawIcon() {
  const icon = new Graphics();
  icon
    .circle(0, 0, ICON_SIDE / 2 - 1)
    .fill({ color: GROUND_COLOR, alpha: 0.88 })
    .stroke({ color: PIN_COLOR, width: 1.6 });
  icon.roundRect(-4.6, -6, 9.2, 12, 1.2).stroke({ color: PIN_COLOR, width: 1.4 });
  for (const y of [-2, 1.2]) icon.moveTo(-2.2, y).lineTo(2.2, y);
  return icon.stroke({ color: PIN_COLOR, width: 1.2, cap: 'round' });
}
