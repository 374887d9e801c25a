/** A row or column that scrolls, with a button at each end behind which there is more. */

import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';

export class Scroller {
  /** @param {HTMLElement} content */
  constructor(content) {
    this.content = content;
    this.before = this.#more('before', -1);
    this.after = this.#more('after', 1);
    this.element = h('div', { class: 'wk-scroller' }, this.before, content, this.after);
    content.addEventListener('scroll', () => this.update());
    new ResizeObserver(() => this.update()).observe(content);
  }

  /** @param {'before' | 'after'} side  @param {number} direction */
  #more(side, direction) {
    const onclick = () => {
      const { content } = this;
      const isRow = content.scrollWidth > content.clientWidth;
      const by = direction * 0.8 * (isRow ? content.clientWidth : content.clientHeight);
      content.scrollBy({ [isRow ? 'left' : 'top']: by, behavior: 'smooth' });
    };
    const props = { type: 'button', class: `wk-more wk-more-${side}`, 'aria-hidden': 'true', tabIndex: -1, onclick };
    return h('button', props, icon(direction < 0 ? 'left' : 'right'));
  }

  update() {
    const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = this.content;
    this.before.hidden = scrollLeft + scrollTop < 2;
    this.after.hidden = scrollWidth - clientWidth - scrollLeft < 2 && scrollHeight - clientHeight - scrollTop < 2;
  }

  /** @param {HTMLElement} element */
  reveal(element) {
    element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
}
