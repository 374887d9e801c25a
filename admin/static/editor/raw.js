/** The JSON tab: the whole document as text, with line numbers, and faults at the lines where they are. */

import { h } from '../../../web/shared/dom.js';
import { writeFrame } from '../../../web/shared/document.js';
import { JsonError, formatJson, lineOf, locate, parseJson } from './json-text.js';

export class RawTab {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** The frame that was shown last. @type {import('../../../web/shared/document.js').Frame | null} */
    this.frame = null;
    /** The text as it was shown; null of one that cannot be read. @type {string | null} */
    this.original = null;
    /** Lines with faults. @type {Set<number>} */
    this.marked = new Set();
    this.hadMarks = false;
    this.gutter = h('div', { class: 'wk-gutter', 'aria-hidden': 'true' });
    this.text = h('textarea', {
      class: 'wk-json',
      spellcheck: false,
      wrap: 'off',
      autocomplete: 'off',
      'aria-label': 'Grid data as JSON',
      oninput: () => this.#typed(),
      onscroll: () => this.#scrolled(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
    });
    this.faults = h('ul', { class: 'wk-faults', role: 'alert' });
    this.note = h('span', { class: 'wk-quiet' });
    const apply = { type: 'button', class: 'wk-button wk-primary', disabled: true, onclick: () => this.#apply() };
    this.apply = h('button', apply, 'Apply to the map');
    const revert = { type: 'button', class: 'wk-button', disabled: true, onclick: () => this.fill() };
    this.revert = h('button', revert, 'Discard changes');
    this.element = h(
      'div',
      { class: 'wk-raw', hidden: true },
      h('div', { class: 'wk-raw-bar' }, this.apply, this.revert, this.note),
      this.faults,
      h('div', { class: 'wk-raw-text' }, this.gutter, this.text),
    );
  }

  #apply() {
    if (this.commit()) this.editor.showTab('map');
  }

  get isDirty() {
    return !this.element.hidden && this.text.value !== this.original;
  }

  /** Show the document as it is now. */
  fill() {
    this.frame = this.editor.document.frame;
    this.original = this.text.value = formatJson(writeFrame(this.frame));
    this.showFaults([]);
    this.#typed();
  }

  /**
   * Show a text that cannot be read, and why.
   * @param {string} text  @param {unknown} error
   */
  show(text, error) {
    this.editor.showTab('json');
    this.text.value = text;
    this.original = null;
    this.#typed();
    this.#report(error);
  }

  #typed() {
    const changed = this.text.value !== this.original;
    this.apply.disabled = this.revert.disabled = !changed;
    this.note.textContent = changed
      ? 'Not on the map yet'
      : 'One symbol is one cell. Every row is as long as the map is wide.';
    this.#drawGutter();
    this.editor.layout.showStatus(this.editor.saving?.isDirty ? 'unsaved' : 'saved');
  }

  #drawGutter() {
    const count = this.text.value.split('\n').length;
    if (this.gutter.childElementCount === count && !this.marked.size && !this.hadMarks) return;
    this.hadMarks = this.marked.size > 0;
    this.gutter.replaceChildren(
      ...Array.from({ length: count }, (_, i) =>
        h('div', { class: this.marked.has(i + 1) ? 'wk-marked' : '' }, String(i + 1)),
      ),
    );
    this.#scrolled();
  }

  #scrolled() {
    this.gutter.scrollTop = this.text.scrollTop;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === 'Tab' && !event.shiftKey) {
      // Escape lets go of the text, so the keyboard is not caught here.
      event.preventDefault();
      this.text.setRangeText('  ', this.text.selectionStart, this.text.selectionEnd, 'end');
      this.#typed();
    } else if (event.key === 'Escape') (this.apply.disabled ? this.editor.layout.tabs.json : this.apply).focus();
  }

  /** Put the text on the map as one step. False when it cannot be read: the reason is shown at its line. */
  commit() {
    if (!this.isDirty) return true;
    try {
      const frame = this.editor.frameOf(parseJson(this.text.value));
      this.editor.run('Edited as JSON', (step) => step.change(frame));
      this.fill();
      return true;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }

  /** @param {unknown} error */
  #report(error) {
    const text = error instanceof Error ? error.message : String(error);
    const place = /^“([\w[\].]+)”/.exec(text)?.[1] ?? '';
    this.showFaults([{ text, place, offset: error instanceof JsonError ? error.offset : undefined }]);
    this.faults.querySelector('button')?.click();
  }

  /**
   * Show faults above the text, and mark their lines.
   * @param {import('./faults.js').Fault[]} faults
   */
  showFaults(faults) {
    const text = this.text.value;
    this.marked.clear();
    const items = faults.map(({ text: message, place, offset }) => {
      const [from, to] = offset === undefined ? locate(text, place ?? '') : [offset, offset + 1];
      const { line } = lineOf(text, from);
      this.marked.add(line);
      return h(
        'li',
        {},
        h('button', { type: 'button', class: 'wk-link', onclick: () => this.#select(from, to, line) }, `Line ${line}`),
        ` ${message}`,
      );
    });
    this.faults.replaceChildren(...items);
    this.#drawGutter();
  }

  /** @param {number} from  @param {number} to  @param {number} line */
  #select(from, to, line) {
    this.text.focus();
    this.text.setSelectionRange(from, to);
    const height = parseFloat(getComputedStyle(this.text).lineHeight);
    this.text.scrollTop = Math.max(0, (line - 4) * height);
  }
}
