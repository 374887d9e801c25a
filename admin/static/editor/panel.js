/** What the panels beside the map have in common. */

import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';

/**
 * A panel renders again when one of the values of `inputs()` has changed, but not while somebody types in it; it keeps
 * the focus.
 */
export class Panel {
  /** @param {import('./editor.js').Editor} editor  @param {string} className */
  constructor(editor, className) {
    this.editor = editor;
    this.element = h('div', { class: `wk-panel ${className}` });
    /** @type {unknown[] | null} */
    this.last = null;
    /** The field with text that is not entered yet. @type {EventTarget | null} */
    this.typing = null;
    this.element.addEventListener('input', ({ target }) => {
      // A search field filters while one types, and keeps its text.
      if (!(target instanceof HTMLInputElement && target.type === 'search')) this.typing = target;
    });
    for (const end of ['change', 'focusout'])
      this.element.addEventListener(end, () => {
        if (!this.typing) return;
        this.typing = null;
        editor.refresh();
      });
  }

  /** What it shows: it renders again when one of these values has changed. @returns {unknown[]} */
  inputs() {
    return [];
  }

  /** @returns {(HTMLElement | null | false | undefined)[]} */
  draw() {
    return [];
  }

  get frame() {
    return this.editor.document.frame;
  }

  get state() {
    return this.editor.state;
  }

  update() {
    const inputs = this.inputs();
    const { last } = this;
    if (last && inputs.every((value, i) => value === last[i])) return;
    const { activeElement } = document;
    if (this.typing && this.typing === activeElement) return;
    this.last = inputs;
    const isHere = activeElement instanceof HTMLElement && this.element.contains(activeElement);
    const focus = isHere ? activeElement.dataset.focus : null;
    const scrolled = this.#all('[data-scroll]').map(({ dataset, scrollTop }) => ({ name: dataset.scroll, scrollTop }));
    this.element.replaceChildren(...this.draw().filter((part) => part instanceof HTMLElement));
    for (const { name, scrollTop } of scrolled) {
      const box = this.#all('[data-scroll]').find(({ dataset }) => dataset.scroll === name);
      if (box) box.scrollTop = scrollTop;
    }
    if (focus)
      this.#all('[data-focus]')
        .find(({ dataset }) => dataset.focus === focus)
        ?.focus({ preventScroll: true });
  }

  /** @param {string} selector @returns {HTMLElement[]} */
  #all(selector) {
    return [...this.element.querySelectorAll(selector)].filter((one) => one instanceof HTMLElement);
  }
}

/**
 * A small button with an icon.
 * @param {import('../../../web/shared/icons.js').IconName} name  @param {string} label  @param {() => void} onclick
 * @param {{focus?: string, disabled?: boolean, attributes?: {[name: string]: string}}} [props]
 */
export const small = (name, label, onclick, props = {}) =>
  h(
    'button',
    {
      type: 'button',
      class: 'wk-mini',
      'aria-label': label,
      title: label,
      onclick,
      'data-focus': props.focus,
      ...props.attributes,
      disabled: props.disabled,
    },
    icon(name),
  );
