/** What lies above the tokens for a moment: the way of a drag, the ruler, an area of effect, pings and pointers. */

import { Container, Graphics, Text } from '../../vendor/pixi.js';

const PING = 2200; // milliseconds
const POINTER = 1500;

/**
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {{cells: Pair[], text: string, blocked?: Pair | null, kind: 'path' | 'ruler' | 'area' | 'fog'}} Shape
 * @typedef {{at: Pair, color: number, name: string, begin: number, kind: 'ping' | 'pointer'}} Signal
 */

const COLORS = { path: 0xffe2a0, ruler: 0x9bd3e6, area: 0xe58b5b, fog: 0xb9a4e0 };

export class Marks {
  /** @param {import('./stage.js').Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.container = new Container();
    this.shapes = new Graphics();
    this.signals = new Graphics();
    this.texts = new Container();
    this.container.addChild(this.shapes, this.signals, this.texts);
    /** @type {Shape[]} */
    this.shown = [];
    /** @type {Map<string, Signal>} by who sends it */
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
   * Show a ping or a pointer of somebody.
   * @param {string} who  @param {Omit<Signal, 'begin'>} signal
   */
  signal(who, signal) {
    this.sent.set(`${signal.kind} ${who}`, { ...signal, begin: performance.now() });
    this.stage.request();
  }

  /**
   * Draw all; true while something fades.
   * @param {number} now
   */
  draw(now) {
    const fading = this.sent.size > 0;
    if (this.changed || fading) this.#texts();
    if (this.changed) this.#shapes();
    this.changed = false;
    if (fading) this.#signals(now);
    return fading;
  }

  #texts() {
    for (const child of this.texts.removeChildren()) child.destroy();
    const size = (13 * this.stage.view.ratio) / this.stage.view.scale;
    const write = (/** @type {string} */ text, /** @type {Pair} */ at) => {
      const made = new Text({
        text,
        resolution: 2,
        style: {
          fontFamily: 'Inter, system-ui, sans-serif',
          fontSize: 26,
          fontWeight: '600',
          fill: '#fffdf6',
          stroke: { color: '#10181a', width: 7, join: 'round' },
        },
      });
      made.anchor.set(0.5, 1);
      made.scale.set(size / 26);
      const [X, Y] = this.stage.place(...at);
      made.position.set(X, Y - 0.45);
      this.texts.addChild(made);
    };
    for (const { cells, text, blocked } of this.shown) {
      const at = blocked ?? cells[cells.length - 1];
      if (text && at) write(text, this.stage.document.geometry.centre(...at));
    }
    for (const { name, at } of this.sent.values()) if (name) write(name, at);
  }

  #shapes() {
    const { geometry } = this.stage.document;
    const graphics = this.shapes.clear();
    for (const { cells, kind, blocked } of this.shown) {
      const color = COLORS[kind];
      const outline = geometry.drawnOutline;
      for (const cell of cells) {
        const [X, Y] = this.stage.place(...geometry.centre(...cell));
        graphics
          .poly(outline.flatMap(([dx, dy]) => [X + dx, Y + dy]))
          .fill({ color, alpha: kind === 'area' ? 0.32 : 0.16 });
      }
      if (kind === 'path' || kind === 'ruler') {
        cells.forEach((cell, i) => {
          const [X, Y] = this.stage.place(...geometry.centre(...cell));
          if (i) graphics.lineTo(X, Y);
          else graphics.moveTo(X, Y);
        });
        graphics.stroke({ color, width: 0.09, cap: 'round', join: 'round' });
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
    for (const [who, { at, color, begin, kind }] of this.sent) {
      const age = now - begin;
      const [X, Y] = this.stage.place(...at);
      if (age > (kind === 'ping' ? PING : POINTER)) {
        this.sent.delete(who);
        this.changed = true;
      } else if (kind === 'pointer') graphics.circle(X, Y, 0.16).fill({ color, alpha: 1 - age / POINTER });
      else {
        for (const delay of [0, 500, 1000]) {
          const t = (age - delay) / 1000;
          if (t > 0 && t < 1) graphics.circle(X, Y, 0.2 + t * 1.3).stroke({ color, width: 0.1, alpha: 1 - t });
        }
        graphics.circle(X, Y, 0.14).fill({ color, alpha: 1 - age / PING });
      }
    }
  }
}
