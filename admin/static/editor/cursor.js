/** The cell cursor: the map by keyboard alone. */

export class CellCursor {
  constructor(editor) {
    this.editor = editor;
  }

  /** Use the tool at the cell cursor. Shapes and selections begin with one press and end with the next. */
  use(shift) {
    const { cursor, tool, float } = this.editor.state;
    if (!cursor) return;
    const place = { cell: cursor, point: this.#point(), inside: true, shift, key: true };
    const active = this.editor.activeTool;
    if (float) active.settle();
    else if (active.begunByKey) {
      active.move(place);
      active.up(place);
      active.begunByKey = false;
    } else {
      active.down(place);
      if (['line', 'rectangle', 'wall', 'select'].includes(tool)) {
        active.begunByKey = Boolean(active.start || active.first);
        if (!active.begunByKey) active.up(place);
      } else active.up(place);
    }
    this.editor.refresh();
  }

  /** Slightly above the middle: a door goes to the upper side. */
  #point() {
    const [px, py] = this.editor.document.geometry.centre(...this.editor.state.cursor);
    return [px, py - 0.1];
  }

  /** Move by a cell, or by five; the first press only shows the cursor, unless the pointer shows where it is. */
  move(dx, dy, shift) {
    const { editor } = this;
    const { state, view, activeTool } = editor;
    const { geometry } = editor.document;
    if (!geometry.width || !geometry.height) return;
    let by = shift ? 5 : 1;
    if (!state.cursor) {
      if (!state.hover) by = 0;
      state.cursor = state.hover?.[0] ?? geometry.cellAt(...view.toPoint(view.width / 2, view.height / 2));
    }
    const [x, y] = state.cursor;
    const cell = [
      Math.min(Math.max(x + dx * by, 0), geometry.width - 1),
      Math.min(Math.max(y + dy * by, 0), geometry.height - 1),
    ];
    state.float?.moveBy(state.cursor, cell);
    state.cursor = cell;
    state.hover = null;
    if (activeTool.begunByKey) activeTool.move({ cell, point: this.#point(), inside: true });
    view.reveal(...cell);
    editor.fitted = false;
    editor.showWhere({ cell, inside: true });
    editor.announce(`Column ${cell[0]}, row ${cell[1]}: ${editor.contentsOf(cell)}`);
    editor.renderer.request();
  }
}
