/** Copy, cut and paste of cells, objects, both, or rows of symbols from other programs. */

import { EMPTY } from '../../../web/shared/document.js';
import { amount, clipOfObjects } from './clip.js';

/** @typedef {import('./clip.js').Clip} Clip */

const MAX_PASTED = 600_000; // characters

export class Clipboard {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** What was copied last. @type {Clip | null} */
    this.clip = null;
  }

  /** The selection as a clip. @returns {Clip | null} */
  #current() {
    const { editor } = this;
    if (editor.state.objects.length) return clipOfObjects(editor.document, editor.state.objects);
    return editor.tools.select.clip();
  }

  /**
   * Copy the selection and, with `cut`, remove it from the map.
   * @returns {string | null} as text, for other programs; null when nothing is selected
   */
  copy(cut = false) {
    const { editor } = this;
    editor.floating.settle();
    const clip = this.#current();
    if (!clip) {
      editor.announce('Nothing is selected.');
      return null;
    }
    this.clip = clip;
    const what = amountOf(clip);
    if (!cut) editor.announce(`Copied ${what}.`);
    else if (clip.parts.some(({ layer }) => layer !== null) || !clip.parts.length || editor.palette.canPaint())
      editor.run(`Cut ${what}`, (step) => editor.tools.select.takeOff(step, clip));
    editor.refresh();
    return clip.text;
  }

  /**
   * Paste what was copied here, or rows of symbols from elsewhere: under the pointer, which it follows until a click.
   * @param {string} [text]
   */
  paste(text = this.clip?.text) {
    if (!text) return;
    const { editor } = this;
    const isOwn = text.replaceAll('\r', '') === this.clip?.text;
    const clip = isOwn ? this.clip : this.#clipOf(text);
    if (!clip) return;
    // What lies on one layer goes to the active one.
    if (clip.parts.some(({ layer }) => layer === null) && !editor.palette.canPaint()) return;
    const { state, view } = editor;
    const { geometry } = editor.document;
    const at = state.cursor ?? state.pointer ?? geometry.cellAt(...view.toPoint(view.width / 2, view.height / 2));
    editor.tool.cancel();
    const float = editor.floating.hold(clip, clip.origin);
    float.follows = state.pointer !== null && state.cursor === null;
    float.centreOn([
      Math.min(Math.max(at[0], 0), Math.max(geometry.width - 1, 0)),
      Math.min(Math.max(at[1], 0), Math.max(geometry.height - 1, 0)),
    ]);
    const how = float.follows ? 'click to place it' : 'drag it or use the arrow keys, then Enter';
    editor.announce(`Pasting ${amountOf(clip)}: ${how}.`);
    editor.refresh();
  }

  /**
   * Rows of symbols as a clip; null when they do not fit the map.
   * @param {string} text
   * @returns {Clip | null}
   */
  #clipOf(text) {
    const { editor } = this;
    if (text.length > MAX_PASTED) {
      editor.notices.show('This text is too long to be pasted.', { kind: 'warning' });
      return null;
    }
    const rows = text.replaceAll('\r', '').replace(/\n+$/, '').split('\n');
    const known = editor.document.legend;
    const unknown = [...new Set(rows.join(''))].filter((symbol) => symbol !== ' ' && !known.has(symbol.charCodeAt(0)));
    if (unknown.length) {
      const message = `This text has symbols that are not in the legend: ${unknown.slice(0, 8).join(' ')}`;
      editor.notices.show(message, { kind: 'warning' });
      return null;
    }
    const width = Math.max(...rows.map((row) => row.length));
    const codes = new Uint16Array(width * rows.length).fill(EMPTY);
    rows.forEach((row, y) => {
      for (let x = 0; x < row.length; x++) codes[y * width + x] = row.charCodeAt(x);
    });
    return width
      ? { parts: [{ layer: null, codes }], objects: [], origin: [0, 0], width, height: rows.length, text }
      : null;
  }

  /** Clear the selected cells. */
  clear() {
    const { editor } = this;
    const clip = editor.tools.select.clip();
    if (!clip || (editor.state.reach === 'layer' && !editor.palette.canPaint())) return;
    const count = clip.parts.reduce((sum, { codes }) => sum + codes.length, 0);
    const label =
      editor.state.reach === 'layer' ? editor.palette.paintedLabel(count, EMPTY) : `Cleared ${amountOf(clip)}`;
    editor.run(label, (step) => editor.tools.select.takeOff(step, clip));
  }

  /** All cells; with a tool for objects, all objects. */
  selectAll() {
    const { editor } = this;
    const { frame } = editor.document;
    if (editor.state.tool === 'object') {
      editor.objects.selectAll();
      return;
    }
    editor.setTool('select');
    const { width, height } = frame;
    editor.state.selection = width && height ? { x: 0, y: 0, width, height } : null;
    editor.announce('Selected all cells.');
    editor.refresh();
  }
}

/** @param {Clip} clip */
const amountOf = ({ parts, objects }) =>
  amount(
    parts.reduce((sum, { codes }) => sum + codes.length, 0),
    objects.length,
  );
