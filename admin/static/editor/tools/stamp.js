/** Puts a piece of a map again and again: taken with the right button, or from what was copied. */

import { amount, Float } from '../clip.js';
import { Tool } from './tool.js';

/**
 * @typedef {import('./tool.js').Pair} Pair
 * @typedef {import('./tool.js').Place} Place
 */

export class Stamp extends Tool {
  /** The first place of a stroke, to which the others are aligned. @type {Pair | null} */
  first = null;
  /** Where the taking of another stamp began. @type {Pair | null} */
  taking = null;
  /** @type {import('../history.js').Step | null} */
  step = null;
  /** @type {Pair | null} */
  last = null;
  /** The places of this stroke. @type {Set<string>} */
  done = new Set();
  cells = 0;
  objects = 0;

  get isBusy() {
    return this.step !== null || this.taking !== null;
  }

  get endsByKey() {
    return this.taking !== null;
  }

  activate() {
    const { clip } = this.editor.clipboard;
    this.state.stamp ??= clip?.parts.length ? clip : null;
    this.state.isTaking = !this.state.stamp;
  }

  /** @param {Place} place */
  down(place) {
    if (this.state.isTaking) {
      this.#take(place, 'down');
      return;
    }
    if (!this.state.stamp || (this.state.stamp.parts[0]?.layer === null && !this.editor.palette.canPaint())) return;
    this.step = this.editor.begin('');
    this.first = this.last = place.cell;
    this.done.clear();
    this.cells = this.objects = 0;
    this.move(place);
  }

  /** @param {Place} place */
  move(place) {
    if (this.taking) {
      this.#take(place, 'move');
      return;
    }
    const { stamp } = this.state;
    if (!this.step || !this.last || !stamp) return;
    // A quick stroke leaves no gaps.
    for (const cell of this.geometry.line(this.last, place.cell)) this.#put(this.step, stamp, cell);
    this.last = place.cell;
    this.state.ghost = null;
  }

  /**
   * Put the stamp where a cell is, beside the other places of this stroke and never twice on one.
   * @param {import('../history.js').Step} step  @param {import('../clip.js').Clip} stamp  @param {Pair} cell
   */
  #put(step, stamp, [cx, cy]) {
    const [x, y] = this.first ?? [cx, cy];
    const across = Math.round((cx - x) / stamp.width);
    const down = Math.round((cy - y) / stamp.height);
    if (this.done.has(`${across} ${down}`)) return;
    this.done.add(`${across} ${down}`);
    const float = this.#above(stamp, [x + across * stamp.width, y + down * stamp.height]);
    const { cells, objects } = float.put(this.editor, step, true);
    this.cells += cells;
    this.objects += objects.length;
  }

  /** @param {Place} place */
  up(place) {
    if (this.taking) this.#take(place, 'up');
    else this.settle();
  }

  settle() {
    this.taking = this.first = null;
    if (!this.step) return;
    this.step.label = `Stamped ${amount(this.cells, this.objects)}`;
    this.step.commit();
    this.step = null;
  }

  cancel() {
    this.step?.cancel();
    this.step = this.first = this.taking = null;
    this.state.ghost = this.state.selection = null;
  }

  /** @param {Place} place */
  hover(place) {
    const { stamp, isTaking } = this.state;
    this.state.hover = place.inside && (isTaking || !stamp) ? [place.cell] : null;
    this.state.ghost = stamp && !isTaking && place.inside ? this.#above(stamp, place.cell) : null;
  }

  /** @param {import('../clip.js').Clip} stamp  @param {Pair} cell  under its middle */
  #above(stamp, cell) {
    const float = new Float(this.geometry, stamp, stamp.origin);
    float.centreOn(cell);
    return float;
  }

  /** @param {Place} place  @param {'down' | 'move' | 'up'} phase */
  pick(place, phase) {
    this.#take(place, phase);
  }

  /**
   * Take another stamp: all cells of a rectangle.
   * @param {Place} place  @param {'down' | 'move' | 'up'} phase
   */
  #take(place, phase) {
    if (phase === 'down') this.taking = place.cell;
    if (!this.taking) return;
    const rectangle = this.geometry.rectangle(this.taking, place.cell);
    this.state.ghost = null;
    this.state.selection = rectangle.width && rectangle.height ? rectangle : null;
    this.editor.describe(`${rectangle.width} × ${rectangle.height}`);
    if (phase !== 'up') return;
    const stamp = this.editor.tools.select.clip();
    this.taking = this.state.selection = null;
    this.editor.describe('');
    if (stamp) {
      this.state.stamp = stamp;
      this.state.isTaking = false;
      this.editor.announce(`Copied a stamp of ${stamp.width} by ${stamp.height} cells.`);
    }
    this.editor.refresh();
  }
}
