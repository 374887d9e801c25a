/** Draws temporary marks above the tokens: the path of a drag, rulers, areas of effect, pings and pointers. */

import { Container, Graphics } from '../../vendor/pixi.js';
import { label } from './labels.js';

/** Milliseconds until a signal disappears. */
const LIFETIME_MS = { ping: 2200, pointer: 1500, ruler: 5000, area: 8000 };

/**
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {{cells: Pair[], text: string, blocked?: Pair | null, outline?: Pair[], kind: 'path' | 'ruler' | 'area' | 'fog' | 'polygon'}} Shape
 * @typedef {{at: Pair, from?: Pair, outline?: Pair[], color: number, name: string,
 *   kind: 'ping' | 'pointer' | 'ruler' | 'area'}} Signal  a ruler reaches from `from` to `at`
 * @typedef {Signal & {begin: number, label: import('../../vendor/pixi.js').Text | null}} Sent
 */

const COLORS = { path: 0xffe2a0, ruler: 0x9bd3e6, area: 0xe58b5b, fog: 0xb9a4e0, polygon: 0xb9a4e0 };

export class Marks {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container();
    this.shapes = new Graphics();
    this.signals = new Graphics();
    this.texts = new Container();
    this.names = new Container();
    this.container.addChild(this.shapes, this.signals, this.texts, this.names);
    /** @type {Shape[]} */
    this.shown = [];
    /** @type {Map<string, Sent>} by kind and sender */
    this.sent = new Map();
    this.changed = true;
  }

  /** @param {Shape[]} shapes */
  show(shapes) {
    this.shown = shapes;
    this.changed = true;
    this.stage.request();
  }

  /**
   * Show a ping, a pointer, a ruler or an area of a user.
   * @param {string} who  @param {Signal} signal
   */
  signal(who, signal) {
    const key = `${signal.kind} ${who}`;
    let name = this.sent.get(key)?.label ?? null;
    if (signal.name && !name) this.names.addChild((name = textLabel(signal.name)));
    if (name && name.text !== signal.name) name.text = signal.name;
    this.sent.set(key, { ...signal, begin: performance.now(), label: name });
    this.stage.request();
  }

  /**
   * Draw all marks; returns true while any of them is fading.
   * @param {number} now
   */
  draw(now) {
    const fading = this.sent.size > 0;
    if (this.changed) {
      this.#texts();
      this.#shapes();
      this.changed = false;
    }
    if (fading) this.#signals(now);
    const size = (13 * this.stage.view.ratio) / this.stage.view.scale / FONT_SIZE;
    for (const text of [...this.texts.children, ...this.names.children]) text.scale.set(size);
    return fading;
  }

  #texts() {
    for (const child of this.texts.removeChildren()) child.destroy();
    for (const { cells, text, blocked } of this.shown) {
      const at = blocked ?? cells[cells.length - 1];
      if (text && at) this.#place(this.texts.addChild(textLabel(text)), this.stage.document.geometry.centre(...at));
    }
  }

  /** @param {import('../../vendor/pixi.js').Text} text  @param {Pair} at */
  #place(text, at) {
    const [X, Y] = this.stage.place(...at);
    text.position.set(X, Y - 0.45);
  }

  /** The width of lines, which remain visible when zoomed out. */
  get #width() {
    return Math.max(0.09, (2.5 * this.stage.view.ratio) / this.stage.view.scale);
  }

  #shapes() {
    const { geometry } = this.stage.document;
    const graphics = this.shapes.clear();
    for (const { cells, kind, blocked, outline } of this.shown) {
      const color = COLORS[kind];
      const cellOutline = geometry.drawnOutline;
      for (const cell of cells) {
        const [X, Y] = this.stage.place(...geometry.centre(...cell));
        graphics
          .poly(cellOutline.flatMap(([dx, dy]) => [X + dx, Y + dy]))
          .fill({ color, alpha: kind === 'area' ? 0.4 : 0.16 });
      }
      if (outline?.length)
        graphics
          .poly(outline.flatMap((corner) => this.stage.place(...corner)))
          .stroke({ color, width: this.#width, join: 'round' });
      if (kind === 'path' || kind === 'ruler' || kind === 'polygon') {
        cells.forEach((cell, i) => {
          const [X, Y] = this.stage.place(...geometry.centre(...cell));
          if (i) graphics.lineTo(X, Y);
          else graphics.moveTo(X, Y);
        });
        if (kind === 'polygon' && cells.length > 2) graphics.closePath();
        graphics.stroke({ color, width: this.#width, cap: 'round', join: 'round' });
      }
      if (blocked) {
        const [X, Y] = this.stage.place(...geometry.centre(...blocked));
        graphics.circle(X, Y, 0.32).stroke({ color: 0xe0584a, width: 0.09 });
        graphics
          .moveTo(X - 0.22, Y + 0.22)
          .lineTo(X + 0.22, Y - 0.22)
          .stroke({ color: 0xe0584a, width: 0.09 });
      }
    }
  }

  /** @param {number} now */
  #signals(now) {
    const graphics = this.signals.clear();
    for (const [key, sent] of this.sent) {
      const { at, from, outline, color, begin, kind, label: name } = sent;
      const age = now - begin;
      const rest = 1 - age / LIFETIME_MS[kind];
      if (rest <= 0) {
        this.sent.delete(key);
        name?.destroy();
        continue;
      }
      if (name) this.#place(name, at);
      const [X, Y] = this.stage.place(...at);
      if (kind === 'ping') {
        for (const delay of [0, 500, 1000]) {
          const t = (age - delay) / 1000;
          if (t > 0 && t < 1) graphics.circle(X, Y, 0.2 + t * 1.3).stroke({ color, width: 0.1, alpha: 1 - t });
        }
      } else if (kind === 'ruler' && from) {
        graphics.moveTo(...this.stage.place(...from)).lineTo(X, Y);
        graphics.stroke({ color, width: this.#width, cap: 'round', alpha: Math.min(1, 2 * rest) });
      }
      if (kind === 'area' && outline?.length) {
        graphics.poly(outline.flatMap((corner) => this.stage.place(...corner)));
        graphics.fill({ color, alpha: 0.28 * Math.min(1, 2 * rest) });
        graphics.stroke({ color, width: this.#width, alpha: Math.min(1, 2 * rest) });
      }
      graphics.circle(X, Y, 2 * this.#width).fill({ color, alpha: Math.min(1, 2 * rest) });
    }
  }
}

const FONT_SIZE = 26; // pixels in which texts are drawn, to be scaled

/** @param {string} text */
function textLabel(text) {
  const made = label(text, FONT_SIZE, '#fffdf6', 10);
  made.anchor.set(0.5, 1);
  return made;
}
