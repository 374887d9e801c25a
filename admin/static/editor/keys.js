/** The keyboard: a key for each tool, a cell cursor, and the shortcuts of every editor. */

import { showHelp } from './dialogs.js';
import { TOOLS } from './tools/tools.js';

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SIZES = [1, 3, 5];

export class KeyInput {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.isPanning = false;
    this.isPasting = false;
    document.addEventListener('keydown', (event) => this.#down(event));
    document.addEventListener('keyup', (event) => {
      this.isPasting = false;
      if (event.key === ' ') this.#stopPanning();
    });
    addEventListener('blur', () => this.#stopPanning());
    document.addEventListener('copy', (event) => {
      // Text that is marked on the page is copied as ever.
      if (this.#isOurs(event) && getSelection()?.isCollapsed !== false) this.#give(event, editor.clipboard.copy());
    });
    document.addEventListener('cut', (event) => {
      if (this.#isOurs(event)) this.#give(event, editor.clipboard.copy(true));
    });
    document.addEventListener('paste', (event) => {
      // On Linux the middle button pastes too, and here it moves the view.
      if (!this.isPasting || !this.#isOurs(event)) return;
      event.preventDefault();
      editor.clipboard.paste(event.clipboardData?.getData('text/plain') || undefined);
    });
  }

  /** @param {ClipboardEvent} event  @param {string | null} text */
  #give(event, text) {
    if (text === null) return;
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  }

  /**
   * Keys count when the focus is in the editor or nowhere, and not in a field, a dialog or the JSON tab.
   * @param {Event} event
   */
  #isOurs({ target }) {
    const { element, raw } = this.editor;
    if (!(target instanceof Element) || !raw.element.hidden || target.closest('dialog')) return false;
    if (target !== document.body && !element.contains(target)) return false;
    return !target.closest(
      'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]',
    );
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const { editor } = this;
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    this.isPasting = (command && key.toLowerCase() === 'v') || (event.shiftKey && key === 'Insert');
    // The form around the editor is saved with the map.
    const whole = editor.element.closest('form') ?? editor.element;
    const within = event.target === document.body || (event.target instanceof Node && whole.contains(event.target));
    if (command && key.toLowerCase() === 's' && within) {
      event.preventDefault();
      editor.save();
      return;
    }
    if (!this.#isOurs(event) || event.altKey) return;
    if (editor.seeAs.isOn) {
      if (key === 'Escape') editor.seeAs.end();
      return;
    }
    if (command) this.#command(event, key.toLowerCase());
    else this.#plain(event, key);
  }

  /** @param {KeyboardEvent} event  @param {string} key */
  #command(event, key) {
    const { editor } = this;
    /** @type {Record<string, () => void>} */
    const acts = {
      z: () => (event.shiftKey ? editor.redo() : editor.undo()),
      y: () => editor.redo(),
      a: () => editor.clipboard.selectAll(),
      d: () => editor.objects.duplicate(),
      0: () => editor.fit(),
    };
    if (!acts[key]) return;
    event.preventDefault();
    acts[key]();
  }

  /** @param {KeyboardEvent} event  @param {string} key */
  #plain(event, key) {
    const { editor } = this;
    const { canvas, state } = editor;
    const onCanvas = event.target === canvas || event.target === document.body;
    const tool = TOOLS.find((one) => one.key === key.toLowerCase());
    const step = (/** @type {number} */ by) =>
      editor.palette.setBrush(SIZES[Math.min(Math.max(SIZES.indexOf(state.brush) + by, 0), SIZES.length - 1)]);
    /** @type {Record<string, () => void>} */
    const acts = {
      '?': () => showHelp(editor.element),
      '[': () => step(-1),
      ']': () => step(1),
      '+': () => editor.zoom(1.25),
      '=': () => editor.zoom(1.25),
      '-': () => editor.zoom(1 / 1.25),
      0: () => editor.fit(),
      g: () => editor.toggleOption('grid'),
      Escape: () => editor.escape(),
      Delete: () => this.#remove(),
      Backspace: () => this.#remove(),
    };
    if (ARROWS[key] && onCanvas) {
      canvas.focus({ preventScroll: true });
      this.#arrow(...ARROWS[key], event.shiftKey);
    } else if (key === ' ' && onCanvas) {
      if (state.cursor) event.repeat || editor.cursor.use(event.shiftKey);
      else this.#startPanning();
    } else if (key === 'Enter' && onCanvas) {
      if (state.float) editor.floating.settle();
      else if (!state.cursor && editor.tool.isBusy) editor.tool.settle();
      else editor.cursor.use(event.shiftKey);
    } else if (acts[key]) acts[key]();
    else if (tool && !event.shiftKey) editor.setTool(tool.name);
    else return;
    event.preventDefault();
  }

  /** Chosen objects move, and else the cell cursor. @param {number} dx  @param {number} dy  @param {boolean} shift */
  #arrow(dx, dy, shift) {
    const { editor } = this;
    const { state } = editor;
    const by = shift ? 5 : 1;
    if (editor.tokens.selected && !state.cursor && !state.float) editor.tokens.nudge(dx * by, dy * by);
    else if (state.tool === 'object' && state.objects.length && !state.cursor && !state.float)
      editor.objects.nudge(dx * by, dy * by);
    else editor.cursor.move(dx, dy, shift);
  }

  #remove() {
    const { editor } = this;
    const token = editor.tokens.get(editor.tokens.selected);
    if (token) editor.tokens.remove(token);
    else if (editor.state.objects.length) editor.objects.remove();
    else if (editor.state.selection) editor.clipboard.clear();
  }

  #startPanning() {
    this.isPanning = true;
    this.editor.canvas.style.cursor = 'grab';
  }

  #stopPanning() {
    if (!this.isPanning) return;
    this.isPanning = false;
    this.editor.canvas.style.cursor = 'crosshair';
  }
}
