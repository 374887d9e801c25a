/** What the panels beside the map have in common. */

import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';

/** A panel draws itself anew when one of the values of `inputs()` is another one; the focus stays where it was. */
export class Panel {
  constructor(editor, className) {
    this.editor = editor;
    this.element = h('div', { class: `wk-panel ${className}` });
  }

  get frame() {
    return this.editor.document.frame;
  }

  get state() {
    return this.editor.state;
  }

  update() {
    const inputs = this.inputs();
    if (this.last && inputs.every((value, i) => value === this.last[i])) return;
    this.last = inputs;
    const { activeElement } = document;
    const focus = this.element.contains(activeElement) ? activeElement.dataset.focus : null;
    const scrolled = [...this.element.querySelectorAll('[data-scroll]')].map((box) => [
      box.dataset.scroll,
      box.scrollTop,
    ]);
    this.element.replaceChildren(...this.draw().filter(Boolean));
    for (const [name, top] of scrolled) {
      const box = this.element.querySelector(`[data-scroll="${name}"]`);
      if (box) box.scrollTop = top;
    }
    if (focus)
      [...this.element.querySelectorAll('[data-focus]')]
        .find((one) => one.dataset.focus === focus)
        ?.focus({ preventScroll: true });
  }
}

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
