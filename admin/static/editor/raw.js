/** The JSON tab: the whole document as text, with line numbers, and faults at the lines where they are. */

import { h } from '../../../web/shared/dom.js';
import { writeFrame } from '../../../web/shared/document.js';
import { formatJson, lineOf, locate, parseJson } from './json-text.js';

export class RawTab {
  constructor(editor) {
    this.editor = editor;
    this.gutter = h('div', { class: 'wk-gutter', 'aria-hidden': 'true' });
    this.text = h('textarea', {
      class: 'wk-json',
      spellcheck: false,
      wrap: 'off',
      autocomplete: 'off',
      'aria-label': 'Grid data as JSON',
      oninput: () => this.#typed(),
      onscroll: () => this.#scrolled(),
      onkeydown: (event) => this.#key(event),
    });
    this.faults = h('ul', { class: 'wk-faults', role: 'alert' });
    this.note = h('span', { class: 'wk-quiet' });
    this.element = h(
      'div',
      { class: 'wk-raw', hidden: true },
      h(
        'div',
        { class: 'wk-raw-bar' },
        (this.apply = h(
          'button',
          {
            type: 'button',
            class: 'wk-button wk-primary',
            disabled: true,
            onclick: () => this.commit() && editor.showTab('map'),
          },
          'Apply to the map',
        )),
        (this.revert = h(
          'button',
          { type: 'button', class: 'wk-button', disabled: true, onclick: () => this.fill() },
          'Discard changes',
        )),
        this.note,
      ),
      this.faults,
      h('div', { class: 'wk-raw-text' }, this.gutter, this.text),
    );
    this.marked = new Set();
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

  /** Show a text that cannot be read, and why. */
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
    this.editor.showStatus(this.editor.saving?.isDirty ? 'unsaved' : 'saved');
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

  #key(event) {
    if (event.key === 'Tab' && !event.shiftKey) {
      // Escape lets go of the text, so the keyboard is not caught here.
      event.preventDefault();
      this.text.setRangeText('  ', this.text.selectionStart, this.text.selectionEnd, 'end');
      this.#typed();
    } else if (event.key === 'Escape') this.apply.disabled ? this.editor.tabs.json.focus() : this.apply.focus();
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

  #report(error) {
    const place = /^“([\w[\].]+)”/.exec(error.message)?.[1] ?? '';
    this.showFaults([{ text: error.message, place, offset: error.offset }]);
    this.faults.querySelector('button')?.click();
  }

  /** Show faults [{text, place or offset}] above the text, and mark their lines. */
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

  #select(from, to, line) {
    this.text.focus();
    this.text.setSelectionRange(from, to);
    const height = parseFloat(getComputedStyle(this.text).lineHeight);
    this.text.scrollTop = Math.max(0, (line - 4) * height);
  }
}
