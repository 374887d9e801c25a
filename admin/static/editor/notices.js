/** Messages above the map, and the faults that the server found in it. */

import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';

/**
 * @typedef {import('./faults.js').Fault} Fault
 * @typedef {object} NoticeOptions
 * @property {'info' | 'warning' | 'error'} [kind]
 * @property {[string, () => unknown, boolean?][]} [actions]  label, what it does, whether the message stays then
 * @property {[string, string] | null} [link]  label and address
 * @property {boolean} [stays]  whether it cannot be dismissed
 */

const WARNING_MS = 8000; // for warnings without actions

export class Notices {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.element = h('div', { class: 'wk-notices', role: 'status' });
  }

  clear() {
    this.element.replaceChildren();
  }

  clearErrors() {
    for (const notice of this.element.querySelectorAll('.wk-error')) notice.remove();
  }

  /** @param {string | HTMLElement} content  @param {NoticeOptions} [options] */
  show(content, { kind = 'info', actions = [], link, stays = false } = {}) {
    const close = () => notice.remove();
    const buttons = actions.map(([label, act, keep]) => {
      const onclick = () => {
        if (!keep) close();
        act();
      };
      return h('button', { type: 'button', class: 'wk-button wk-slim', onclick }, label);
    });
    const notice = h(
      'div',
      { class: `wk-notice wk-${kind}` },
      kind === 'info' ? null : icon('warning'),
      h('div', { class: 'wk-notice-text' }, content),
      h(
        'div',
        { class: 'wk-notice-actions' },
        buttons,
        link && h('a', { class: 'wk-button wk-slim', href: link[1] }, link[0]),
      ),
      stays
        ? null
        : h('button', { type: 'button', class: 'wk-mini', 'aria-label': 'Dismiss', onclick: close }, icon('close')),
    );
    this.element.append(notice);
    if (kind === 'warning' && !actions.length) setTimeout(close, WARNING_MS);
  }

  /**
   * Show faults that the server found: marked on the map, listed, and at their lines in the JSON tab.
   * @param {Fault[]} faults  @param {string} [message]
   */
  showFaults(faults, message) {
    const { editor } = this;
    editor.state.faults = faults.flatMap(({ cell }) => (cell ? [cell] : []));
    this.clearErrors();
    editor.renderer.request();
    if (!faults.length) return;
    const [first] = faults;
    const isOnMap = Boolean(first.cell || first.objects);
    /** @type {NoticeOptions['actions']} */
    const actions = [['Show in JSON', () => this.#showInJson(faults), true]];
    if (isOnMap) actions.unshift(['Show on the map', () => this.#showOnMap(first), true]);
    const list = faults.map(({ text }) => h('li', {}, text));
    this.show(h('div', {}, h('strong', {}, message || 'The map was not saved.'), h('ul', {}, list)), {
      kind: 'error',
      actions,
    });
    if (!editor.raw.element.hidden) editor.raw.showFaults(faults);
  }

  /** @param {Fault[]} faults */
  #showInJson(faults) {
    const { editor } = this;
    editor.showTab('json');
    editor.raw.showFaults(faults);
    editor.raw.faults.querySelector('button')?.click();
  }

  /** @param {Fault} fault */
  #showOnMap({ cell, objects, layer }) {
    const { editor } = this;
    editor.showTab('map');
    if (layer !== undefined) editor.palette.setLayer(layer);
    if (cell) editor.reveal(cell);
    if (objects) editor.objects.select(objects, { reveal: true });
    editor.refresh();
  }
}
