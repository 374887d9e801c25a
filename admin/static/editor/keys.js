/** The keyboard: Tiled's letters for the tools, a cell cursor, and the shortcuts of every editor. */

import { showHelp } from './dialogs.js';
import { TOOLS } from './tools.js';

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SIZES = [1, 3, 5];

export class KeyInput {
  constructor(editor) {
    this.editor = editor;
    this.isPanning = false;
    document.addEventListener('keydown', (event) => this.#down(event));
    document.addEventListener('keyup', (event) => {
      this.pasteKey = false;
      if (event.key === ' ') this.#stopPanning();
    });
    addEventListener('blur', () => this.#stopPanning());
    for (const [name, act] of [
      // Text that is marked on the page is copied as ever.
      ['copy', (event) => getSelection().isCollapsed && this.#give(event, editor.clipboard.copy())],
      ['cut', (event) => this.#give(event, editor.clipboard.copy(true))],
      [
        'paste',
        (event) => {
          // On Linux the middle button pastes too, and here it moves the view.
          if (!this.pasteKey) return;
          event.preventDefault();
          editor.clipboard.paste(event.clipboardData.getData('text/plain') || undefined);
        },
      ],
    ])
      document.addEventListener(name, (event) => this.#isOurs(event) && act(event));
  }

  #give(event, text) {
    if (text === null) return;
    event.clipboardData.setData('text/plain', text);
    event.preventDefault();
  }

  /** Keys count when the focus is in the editor or nowhere, and not in a field, a dialog or the JSON tab. */
  #isOurs(event) {
    const { target } = event;
    const { element, raw } = this.editor;
    if (!raw.element.hidden || target.closest?.('dialog')) return false;
    if (target !== document.body && !element.contains(target)) return false;
    return !target.closest?.(
      'input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]',
    );
  }

  #down(event) {
    const { editor } = this;
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    this.pasteKey = (command && key.toLowerCase() === 'v') || (event.shiftKey && key === 'Insert');
    const within = event.target === document.body || editor.element.contains(event.target);
    if (command && key.toLowerCase() === 's' && within) {
      event.preventDefault();
      editor.save();
      return;
    }
    if (!this.#isOurs(event) || event.altKey) return;
    if (command) this.#command(event, key.toLowerCase());
    else this.#plain(event, key);
  }

  #command(event, key) {
    const { editor } = this;
    const acts = {
      z: () => (event.shiftKey ? editor.redo() : editor.undo()),
      y: () => editor.redo(),
      a: () => editor.clipboard.selectAll(),
      d: () => editor.duplicateThing(),
      0: () => editor.fit(),
    };
    if (!acts[key]) return;
    event.preventDefault();
    acts[key]();
  }

  #plain(event, key) {
    const { editor } = this;
    const { canvas, state } = editor;
    const onCanvas = event.target === canvas || event.target === document.body;
    const tool = TOOLS.find((one) => one?.key === key.toLowerCase());
    const step = (by) =>
      editor.setBrush(SIZES[Math.min(Math.max(SIZES.indexOf(state.brush) + by, 0), SIZES.length - 1)]);
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
      editor.cursor.move(...ARROWS[key], event.shiftKey);
    } else if (key === ' ' && onCanvas) {
      if (state.cursor) event.repeat || editor.cursor.use(event.shiftKey);
      else this.#startPanning();
    } else if (key === 'Enter' && onCanvas) {
      if (state.float) editor.tools.select.settle();
      else editor.cursor.use(event.shiftKey);
    } else if (acts[key]) acts[key]();
    else if (tool && !event.shiftKey) editor.setTool(tool.name);
    else return;
    event.preventDefault();
  }

  #remove() {
    const { editor } = this;
    if (editor.state.thing) editor.removeThing();
    else if (editor.state.selection) editor.clipboard.empty();
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
