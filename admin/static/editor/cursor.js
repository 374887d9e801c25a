/** The cell cursor: the map by keyboard alone. */

export class CellCursor {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  /** Use the tool at the cell cursor. Shapes and selections begin with one press and end with the next. */
  /** @param {boolean} shift */
  use(shift) {
    const { editor } = this;
    const { cursor, float } = editor.state;
    if (!cursor) return;
    const place = this.#place(cursor, shift);
    const { tool } = editor;
    if (float) editor.floating.settle();
    else if (tool.begunByKey) {
      tool.move(place);
      tool.up(place);
      tool.begunByKey = false;
    } else {
      tool.down(place);
      if (tool.endsByKey && tool.isBusy) tool.begunByKey = true;
      else tool.up(place);
    }
    editor.refresh();
  }

  /**
   * A place slightly above the middle of a cell: a door goes to the upper side.
   * @param {import('../../../web/shared/geometry.js').Pair} cell  @param {boolean} shift
   * @returns {import('./tools/tool.js').Place}
   */
  #place(cell, shift) {
    const [px, py] = this.editor.document.geometry.centre(...cell);
    return { cell, point: [px, py - 0.1], inside: true, shift, key: true };
  }

  /**
   * Move by a cell, or by five; the first press only shows the cursor, unless the pointer shows where it is.
   * @param {number} dx  @param {number} dy  @param {boolean} shift
   */
  move(dx, dy, shift) {
    const { editor } = this;
    const { state, view } = editor;
    const { geometry } = editor.document;
    if (!geometry.width || !geometry.height) return;
    let by = shift ? 5 : 1;
    if (!state.cursor) {
      if (!state.pointer) by = 0;
      state.cursor = state.pointer ?? geometry.cellAt(...view.toPoint(view.width / 2, view.height / 2));
    }
    const [x, y] = state.cursor;
    /** @type {import('../../../web/shared/geometry.js').Pair} */
    const cell = [
      Math.min(Math.max(x + dx * by, 0), geometry.width - 1),
      Math.min(Math.max(y + dy * by, 0), geometry.height - 1),
    ];
    if (state.float) {
      state.float.follows = false;
      state.float.moveBy(state.cursor, cell);
    }
    state.cursor = cell;
    state.hover = null;
    if (editor.tool.isBusy) editor.tool.move(this.#place(cell, shift));
    editor.reveal(cell);
    editor.input.showWhere({ cell, inside: true });
    editor.announce(`Column ${cell[0]}, row ${cell[1]}: ${editor.input.contentsOf(cell)}`);
    editor.renderer.request();
  }
}
