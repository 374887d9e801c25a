/** The selected tile, the active layer, and the size of the brush. */

import { EMPTY, newLayerKey } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { glyphOf } from '../../../web/shared/tiles.js';
import { paints } from './tools/tools.js';

/** @typedef {import('../../../web/shared/document.js').Layer} Layer */

export class Palette {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** The tool to go on painting with. @type {import('./tools/tools.js').ToolName} */
    this.lastPaintTool = 'brush';
  }

  get layer() {
    return this.editor.document.layer(this.editor.state.layer);
  }

  /** @param {number} key */
  setLayer(key) {
    const { editor } = this;
    const { state } = editor;
    editor.floating.settle();
    const isHidden = (/** @type {number | null} */ one) => editor.document.layer(one)?.meta.visible === false;
    // A hidden layer shows while it is the active one.
    if (state.options.focus || isHidden(key) || isHidden(state.layer)) editor.renderer.invalidate();
    state.layer = key;
    editor.announce(`Layer ${this.layer?.meta.name}`);
    editor.refresh();
  }

  /** @param {number} code */
  setSymbol(code) {
    const { editor } = this;
    editor.state.symbol = code;
    if (!paints(editor.state.tool) || editor.state.tool === 'eraser')
      editor.setTool(this.lastPaintTool === 'eraser' ? 'brush' : this.lastPaintTool);
    editor.announce(`Tile ${this.nameOf(code)}`);
    editor.refresh();
  }

  /** @param {number} size */
  setBrush(size) {
    this.editor.state.brush = size;
    this.editor.refresh();
  }

  /**
   * Take the tile of a cell: of the active layer, or else of the topmost layer that has one there.
   * @param {import('../../../web/shared/geometry.js').Pair} cell
   */
  pick([x, y]) {
    const { editor } = this;
    const { frame, geometry } = editor.document;
    const index = y * geometry.width + x;
    const above = frame.layers.filter(({ meta }) => meta.visible !== false).toReversed();
    const code = [this.layer, ...above].find((layer) => layer?.cells && layer.cells[index] !== EMPTY)?.cells?.[index];
    if (code === undefined) {
      editor.announce('An empty cell');
      return;
    }
    this.setSymbol(code);
    editor.showPanel('tiles');
    editor.update();
    editor.panels.tiles.element.querySelector('.wk-tile.wk-on')?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {number} code */
  nameOf(code) {
    return code === EMPTY ? 'empty' : nameOfTile(this.editor.document.legend.get(code), code);
  }

  /** Whether the active layer can be painted on; says why not. */
  canPaint() {
    const problem = this.#obstacle();
    if (problem) this.editor.warn(problem);
    return !problem;
  }

  #obstacle() {
    const { tool, symbol } = this.editor.state;
    if (!this.layer) return 'There is no layer to paint on: add one first.';
    if (!this.layer.cells) return `The layer ${this.layer.meta.name} has no cells.`;
    if (this.layer.meta.locked) return `The layer ${this.layer.meta.name} is locked.`;
    const needsTile = paints(tool) && tool !== 'eraser' && symbol !== EMPTY;
    return needsTile && !this.editor.document.legend.has(symbol) ? 'Choose a tile first.' : null;
  }

  /** @param {number} count  @param {number} code */
  paintedLabel(count, code) {
    const name = this.layer?.meta.name;
    return code === EMPTY
      ? `Cleared ${plural(count, 'cell')} on ${name}`
      : `Painted ${plural(count, 'cell')} of ${this.nameOf(code)} on ${name}`;
  }

  /**
   * A layer of empty cells.
   * @param {string} name
   * @returns {Layer}
   */
  newLayer(name) {
    const { width, height } = this.editor.document.frame;
    return { key: newLayerKey(), meta: { name }, cells: new Uint16Array(width * height).fill(EMPTY) };
  }
}

/**
 * The name of a tile: its symbol where it has none, or the number of a symbol that fonts cannot show.
 * @param {import('../../../web/shared/document.js').LegendEntry | undefined} entry  @param {number} code
 */
export function nameOfTile(entry, code) {
  if (entry?.name) return entry.name;
  const glyph = glyphOf(String.fromCharCode(code));
  return glyph ? `“${glyph}”` : `tile ${code.toString(16).toUpperCase()}`;
}
