/** What the selection tool copies, cuts and pastes: cells of the active layer, or rows of symbols from elsewhere. */

import { EMPTY } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';

const MOST_PASTED = 600_000; // characters

export class Clipboard {
  constructor(editor) {
    this.editor = editor;
    this.held = null;
  }

  /** Whether there is something to paste. */
  get isFull() {
    return this.held !== null;
  }

  /** Copy the selected cells, and empty them with `cut`; gives them as rows of text, or null without a selection. */
  copy(cut = false) {
    const { select } = this.editor.tools;
    if (this.editor.state.float) select.settle();
    const cells = select.selected();
    if (!cells.length) {
      this.editor.announce('Nothing is selected.');
      return null;
    }
    const { selection } = this.editor.state;
    const rows = Array.from({ length: selection.height }, (_, y) =>
      cells
        .slice(y * selection.width, (y + 1) * selection.width)
        .map((cell) => String.fromCharCode(cell[2]))
        .join(''),
    );
    this.held = { cells, text: rows.join('\n') };
    if (cut && this.editor.paintable()) {
      const { width } = this.editor.document.geometry;
      this.editor.run(`Cut ${plural(cells.length, 'cell')}`, (step) =>
        step.paint(
          this.editor.state.layer,
          cells.map(([x, y]) => y * width + x),
          EMPTY,
        ),
      );
    } else if (!cut) this.editor.announce(`Copied ${plural(cells.length, 'cell')}.`);
    this.editor.refresh();
    return this.held.text;
  }

  /** Paste what was copied here, or rows of symbols from elsewhere. */
  paste(text = this.held?.text) {
    if (!text || !this.editor.paintable()) return;
    const own = text.replaceAll('\r', '') === this.held?.text;
    const cells = own ? this.held.cells : this.#cellsOf(text);
    if (!cells?.length) return;
    const { geometry } = this.editor.document;
    this.editor.setTool('select');
    const [first] = cells;
    let anchor = this.editor.state.cursor ?? this.editor.state.hover?.[0];
    if (!anchor) {
      const [px, py] = this.editor.view.toPoint(this.editor.view.width / 2, this.editor.view.height / 2);
      anchor = geometry.cellAt(px, py);
    }
    const far = cells.at(-1);
    anchor = [
      Math.max(0, Math.min(anchor[0], geometry.width - 1 - (far[0] - first[0]))),
      Math.max(0, Math.min(anchor[1], geometry.height - 1 - (far[1] - first[1]))),
    ];
    this.editor.tools.select.float(cells, [first[0], first[1]]);
    this.editor.state.float.moveBy([first[0], first[1]], anchor);
    this.editor.announce(`Pasting ${plural(cells.length, 'cell')}: drag or use the arrow keys, then Enter.`);
    this.editor.refresh();
  }

  #cellsOf(text) {
    if (text.length > MOST_PASTED) {
      this.editor.notify('This text is too long to be pasted.', { kind: 'warning' });
      return null;
    }
    const rows = text.replaceAll('\r', '').replace(/\n+$/, '').split('\n');
    const unknown = [...new Set(rows.join(''))].filter(
      (symbol) => symbol !== ' ' && !this.editor.document.legend.has(symbol.charCodeAt(0)),
    );
    if (unknown.length) {
      this.editor.notify(`This text has symbols that are not in the legend: ${unknown.slice(0, 8).join(' ')}`, {
        kind: 'warning',
      });
      return null;
    }
    return rows.flatMap((row, y) => Array.from({ length: row.length }, (_, x) => [x, y, row.charCodeAt(x)]));
  }

  /** Empty the selected cells. */
  empty() {
    const cells = this.editor.tools.select.selected();
    if (!cells.length || !this.editor.paintable()) return;
    const { width } = this.editor.document.geometry;
    this.editor.run(this.editor.paintedLabel(cells.length, EMPTY), (step) =>
      step.paint(
        this.editor.state.layer,
        cells.map(([x, y]) => y * width + x),
        EMPTY,
      ),
    );
  }

  selectAll() {
    this.editor.setTool('select');
    const { width, height } = this.editor.document.geometry;
    this.editor.state.selection = width && height ? { x: 0, y: 0, width, height } : null;
    this.editor.announce('Selected all cells.');
    this.editor.refresh();
  }
}
