/** Pointer input on the map, for the floating clip or else for the tool; and the cell info. */

import { EMPTY } from '../../../web/shared/document.js';
import { PointerInput } from '../../../web/shared/pointer.js';
import { objectAt } from '../../../web/shared/objects.js';
import { holds } from './tools/select.js';

/**
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('../../../web/shared/pointer.js').Place} Place
 */

export class CanvasInput {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** Whether a press only put down the floating clip. */
    this.isSpent = false;
    this.pointer = new PointerInput(editor.canvas, editor.view, {
      down: (place) => this.#then(place, () => this.#down(place)),
      move: (place) => this.#then(place, () => this.#move(place)),
      up: (place) => this.#then(place, () => this.#up(place)),
      cancel: () => this.#cancel(),
      hover: (place) => this.#hover(place),
      leave: () => this.#leave(),
      pick: (place, phase) => this.#then(place, () => editor.tool.pick(place, phase)),
      isPanning: () => editor.keys.isPanning || editor.state.tool === 'hand',
      viewChanged: () => editor.viewChanged(),
    });
  }

  /** @param {Place} place  @param {() => void} act */
  #then(place, act) {
    const { editor } = this;
    editor.state.cursor = null;
    act();
    editor.state.pointer = place.inside ? place.cell : null;
    this.showWhere(place);
    editor.renderer.request();
  }

  /** @param {Place} place */
  #down(place) {
    const { editor } = this;
    this.isSpent = editor.floating.down(place);
    if (!this.isSpent) editor.tool.down(place);
  }

  /** @param {Place} place */
  #move(place) {
    const { editor } = this;
    if (!editor.floating.move(place) && !this.isSpent) editor.tool.move(place);
    editor.state.hover = null;
  }

  /** @param {Place} place */
  #up(place) {
    const { editor } = this;
    if (!editor.floating.up() && !this.isSpent) editor.tool.up(place);
    this.isSpent = false;
    editor.refresh();
  }

  #cancel() {
    const { editor } = this;
    if (editor.floating.dragged) editor.floating.up();
    else if (!this.isSpent) editor.tool.cancel();
    this.isSpent = false;
    editor.refresh();
  }

  /** @param {Place} place */
  #hover(place) {
    const { editor } = this;
    editor.state.pointer = place.inside ? place.cell : null;
    editor.floating.hover(place);
    editor.tool.hover(place);
    if (editor.state.float) Object.assign(editor.state, { hover: null, ghost: null });
    this.showWhere(place);
    this.#showCursor(place);
    editor.renderer.request();
  }

  #leave() {
    const { editor } = this;
    Object.assign(editor.state, { hover: null, ghost: null, pointer: null });
    if (!editor.tool.isBusy) editor.state.preview = null;
    editor.layout.where.textContent = '';
    editor.renderer.request();
  }

  /** @param {Place} place */
  #showCursor(place) {
    const { point, cell } = place;
    const { editor } = this;
    const { tool, selection, float } = editor.state;
    let cursor = 'crosshair';
    if (editor.keys.isPanning || tool === 'hand') cursor = 'grab';
    else if (float) cursor = float.follows || float.holds(cell) ? 'move' : 'crosshair';
    else if (tool === 'select' && selection && holds(selection, cell)) cursor = 'move';
    else if (tool === 'token') cursor = editor.tokens.at(place) ? 'move' : 'crosshair';
    else if (tool === 'object')
      cursor = editor.tokens.at(place) || objectAt(editor.document, ...point) ? 'move' : 'default';
    if (editor.canvas.style.cursor !== cursor) editor.canvas.style.cursor = cursor;
  }

  /** The content of a cell, as text. @param {Pair} cell */
  contentsOf([x, y]) {
    const { document: doc, palette, objects } = this.editor;
    const { frame, geometry } = doc;
    const index = y * geometry.width + x;
    const top = frame.layers.findLast(({ cells, meta }) => cells && meta.visible !== false && cells[index] !== EMPTY);
    const active = palette.layer?.cells;
    const code = active && active[index] !== EMPTY ? active[index] : (top?.cells?.[index] ?? EMPTY);
    const here = frame.entities.filter((entity) => entity.x === x && entity.y === y).slice(0, 3);
    return [palette.nameOf(code), ...here.map((entity) => objects.nameOf('entities', entity))].join(' · ');
  }

  /** @param {{cell: Pair, inside: boolean}} place */
  showWhere({ cell, inside }) {
    this.editor.layout.where.textContent = inside ? `${cell[0]}, ${cell[1]}  ${this.contentsOf(cell)}` : '';
  }
}
