/** Tools that paint cells with the selected tile: brush, eraser, line, rectangle, fill; and the picker of tiles. */

import { EMPTY } from '../../../../web/shared/document.js';
import { plural } from '../../../../web/shared/dom.js';
import { Tool } from './tool.js';

/**
 * @typedef {import('./tool.js').Pair} Pair
 * @typedef {import('./tool.js').Place} Place
 */

/** Paints along the way of the pointer. */
export class Brush extends Tool {
  /** @type {import('../history.js').Step | null} */
  step = null;
  painted = 0;
  /** @type {Pair | null} */
  last = null;

  get isBusy() {
    return this.step !== null;
  }

  get code() {
    return this.state.symbol;
  }

  /** @param {Place} place */
  down(place) {
    if (!this.editor.palette.canPaint()) return;
    this.step = this.editor.begin('');
    this.painted = 0;
    this.#along(this.step, place.shift && this.last ? this.last : place.cell, place.cell);
  }

  /** @param {Place} place */
  move(place) {
    if (this.step) this.#along(this.step, this.last ?? place.cell, place.cell);
  }

  /** @param {import('../history.js').Step} step  @param {Pair} from  @param {Pair} to */
  #along(step, from, to) {
    const { layer, brush } = this.state;
    const cells = this.geometry.line(from, to).flatMap(([x, y]) => this.geometry.brush(x, y, brush));
    const before = step.count;
    step.paint(layer, [...new Set(cells.map((cell) => this.index(cell)))], this.code);
    this.painted += step.count - before;
    this.last = to;
  }

  up() {
    if (!this.step) return;
    this.step.label = this.editor.palette.paintedLabel(this.painted, this.code);
    this.step.commit();
    this.step = null;
  }

  settle() {
    this.up();
  }

  cancel() {
    this.step?.cancel();
    this.step = null;
  }

  /** @param {Place} place */
  hover({ cell: [x, y], inside }) {
    this.state.hover = inside ? this.geometry.brush(x, y, this.state.brush) : null;
  }
}

export class Eraser extends Brush {
  get code() {
    return EMPTY;
  }
}

/** Line and rectangle: shown while the pointer is down, painted when it is up. */
class Shape extends Tool {
  /** @type {Pair | null} */
  start = null;
  /** @type {Pair} */
  end = [0, 0];

  get isBusy() {
    return this.start !== null;
  }

  get endsByKey() {
    return true;
  }

  /** @param {Place} place */
  down(place) {
    if (!this.editor.palette.canPaint()) return;
    this.start = place.cell;
    this.move(place);
  }

  /** @param {Place} place */
  move({ cell }) {
    if (!this.start) return;
    this.end = cell;
    this.state.preview = this.preview(this.start, cell);
    this.editor.describe(this.size(this.start, cell));
  }

  up() {
    if (!this.start) return;
    const { layer, symbol } = this.state;
    const indexes = this.indexes(this.start, this.end);
    const label = this.editor.palette.paintedLabel(indexes.length, symbol);
    this.cancel();
    this.editor.run(label, (step) => step.paint(layer, indexes, symbol));
  }

  settle() {
    this.up();
  }

  cancel() {
    this.start = this.state.preview = null;
    this.editor.describe('');
  }

  /**
   * @param {Pair} _start  @param {Pair} _end
   * @returns {import('../state.js').Preview | null}
   */
  preview(_start, _end) {
    return null;
  }

  /**
   * @param {Pair} _start  @param {Pair} _end
   * @returns {ArrayLike<number>}
   */
  indexes(_start, _end) {
    return [];
  }

  /** @param {Pair} _start  @param {Pair} _end */
  size(_start, _end) {
    return '';
  }
}

export class Line extends Shape {
  /** @param {Pair} start  @param {Pair} end */
  #cells(start, end) {
    const cells = this.geometry.line(start, end).flatMap(([x, y]) => this.geometry.brush(x, y, this.state.brush));
    return [...new Map(cells.map((cell) => [this.index(cell), cell])).values()];
  }

  /** @param {Pair} start  @param {Pair} end */
  preview(start, end) {
    return { cells: this.#cells(start, end), code: this.state.symbol };
  }

  /** @param {Pair} start  @param {Pair} end */
  indexes(start, end) {
    return this.#cells(start, end).map((cell) => this.index(cell));
  }

  /** @param {Pair} start  @param {Pair} end */
  size(start, end) {
    return `${plural(this.geometry.line(start, end).length, 'cell')} long`;
  }
}

export class Rectangle extends Shape {
  /**
   * @param {Pair} start  @param {Pair} end
   * @returns {Pair[]}
   */
  #border(start, end) {
    const { x, y, width, height } = this.geometry.rectangle(start, end);
    /** @type {Pair[]} */
    const cells = [];
    for (let cx = x; cx < x + width; cx++) {
      cells.push([cx, y]);
      if (height > 1) cells.push([cx, y + height - 1]);
    }
    for (let cy = y + 1; cy < y + height - 1; cy++) {
      cells.push([x, cy]);
      if (width > 1) cells.push([x + width - 1, cy]);
    }
    return cells;
  }

  /** @param {Pair} start  @param {Pair} end */
  preview(start, end) {
    const code = this.state.symbol;
    return this.state.hollow
      ? { cells: this.#border(start, end), code }
      : { rectangle: this.geometry.rectangle(start, end), code };
  }

  /** @param {Pair} start  @param {Pair} end */
  indexes(start, end) {
    if (this.state.hollow) return this.#border(start, end).map((cell) => this.index(cell));
    const { x, y, width, height } = this.geometry.rectangle(start, end);
    return Uint32Array.from({ length: width * height }, (_, i) =>
      this.index([x + (i % width), y + Math.floor(i / width)]),
    );
  }

  /** @param {Pair} start  @param {Pair} end */
  size(start, end) {
    const { width, height } = this.geometry.rectangle(start, end);
    return `${width} × ${height}`;
  }
}

export class Fill extends Tool {
  /** @param {Place} place */
  down({ cell, inside }) {
    if (!inside || !this.editor.palette.canPaint()) return;
    const { layer, symbol } = this.state;
    const cells = this.document.layer(layer)?.cells;
    if (!cells) return;
    const old = cells[this.index(cell)];
    if (old === symbol) {
      this.editor.announce(`It is ${this.editor.palette.nameOf(symbol)} already.`);
      return;
    }
    const indexes = this.geometry.flood(...cell, (index) => cells[index] === old);
    const label = this.editor.palette.paintedLabel(indexes.length, symbol);
    this.editor.run(label, (step) => step.paint(layer, indexes, symbol));
  }
}

export class Picker extends Tool {
  /** @param {Place} place */
  down({ cell, inside }) {
    if (inside) this.editor.palette.pick(cell);
  }

  up() {
    this.editor.setTool(this.editor.palette.lastPaintTool);
  }
}

export class Hand extends Tool {
  hover() {
    this.state.hover = null;
  }
}
