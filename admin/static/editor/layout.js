/** The frame of the editor: the bar, the toolbar, the stage with the map, the foot and the panels beside it. */

import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { showHelp } from './dialogs.js';
import { OPTIONS } from './look.js';
import { Scroller } from './scroller.js';
import { TOOLS } from './tools/tools.js';

/**
 * @typedef {import('./editor.js').Editor} Editor
 * @typedef {import('./editor.js').PanelName} PanelName
 * @typedef {import('../../../web/shared/icons.js').IconName} IconName
 */

/** @type {[PanelName, string][]} */
const PANELS = [
  ['tiles', 'Tiles'],
  ['objects', 'Objects'],
  ['tokens', 'Tokens'],
  ['map', 'Map'],
];

export class Layout {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.title = h('strong', { class: 'wk-title' });
    this.status = h('span', { class: 'wk-status', role: 'status' });
    this.live = h('div', { class: 'wk-unseen', 'aria-live': 'polite', 'aria-atomic': 'true' });
    this.where = h('span', { class: 'wk-where' });
    this.described = h('span', { class: 'wk-described' });
    this.tabs = { map: this.#tab('map', 'Map'), json: this.#tab('json', 'JSON') };
    this.undoButton = this.#button('undo', 'Undo (Ctrl+Z)', () => editor.undo());
    this.redoButton = this.#button('redo', 'Redo (Ctrl+Y)', () => editor.redo());
    this.panelButton = this.#button('panel', 'Panels', () => this.#togglePanels(), 'wk-only-narrow');
    const save = {
      type: 'button',
      class: 'wk-button wk-primary',
      title: 'Save (Ctrl+S)',
      onclick: () => editor.save(),
    };
    this.saveButton = h('button', save, 'Save');
    this.bar = this.#bar();
    /** @type {Map<string, HTMLButtonElement>} */
    this.toolButtons = new Map();
    this.tools = new Scroller(this.#tools());
    /** @type {Map<keyof import('./state.js').Options, HTMLButtonElement>} */
    this.optionButtons = new Map();
    const full = () => editor.zoom((32 * editor.view.ratio) / editor.view.scale);
    this.zoomLabel = h('button', { type: 'button', class: 'wk-zoom', title: 'Full size', onclick: full });
    this.stage = h('div', { class: 'wk-stage' }, editor.canvas, editor.startCard.element, editor.seeAs.canvas);
    /** @type {Map<PanelName, HTMLButtonElement>} */
    this.panelTabs = new Map();
    this.side = this.#side();
    this.body = h(
      'div',
      { class: 'wk-body' },
      this.tools.element,
      h('div', { class: 'wk-middle' }, editor.optionBar.element, this.stage, this.#foot()),
      this.side,
    );
    editor.element.replaceChildren(
      this.bar,
      editor.notices.element,
      editor.seeAs.banner,
      this.body,
      editor.raw.element,
      this.live,
    );
  }

  /** @param {IconName} picture  @param {string} label  @param {() => void} onclick  @param {string} [className] */
  #button(picture, label, onclick, className = '') {
    const props = { type: 'button', class: `wk-tool ${className}`, 'aria-label': label, title: label, onclick };
    return h('button', props, icon(picture));
  }

  /** @param {'map' | 'json'} name  @param {string} label */
  #tab(name, label) {
    const isMap = name === 'map';
    const onclick = () => this.editor.showTab(name);
    const props = { type: 'button', role: 'tab', 'aria-selected': String(isMap), 'data-tab': name, onclick };
    return h('button', props, label);
  }

  #bar() {
    const tabs = { class: 'wk-segments wk-tabs', role: 'tablist', 'aria-label': 'View of the map' };
    return h(
      'header',
      { class: 'wk-bar' },
      h('div', { class: 'wk-name' }, this.title, this.status),
      h('div', tabs, Object.values(this.tabs)),
      h('div', { class: 'wk-actions' }, this.undoButton, this.redoButton, this.panelButton, this.saveButton),
    );
  }

  #tools() {
    const toolbar = { class: 'wk-tools', role: 'toolbar', 'aria-label': 'Tools', 'aria-orientation': 'vertical' };
    const buttons = TOOLS.map(({ name, label, key, subject }, i) => {
      const take = () => this.editor.setTool(name);
      const button = this.#button(name, `${label} (${key.toUpperCase()})`, take);
      this.toolButtons.set(name, button);
      const isNew = i > 0 && TOOLS[i - 1].subject !== subject;
      return isNew ? [h('span', { class: 'wk-divider' }), button] : button;
    });
    return h('div', toolbar, buttons);
  }

  #foot() {
    const { editor } = this;
    for (const [name, label, picture] of OPTIONS) {
      const button = this.#button(picture, label, () => editor.toggleOption(name));
      button.dataset.option = name;
      this.optionButtons.set(name, button);
    }
    return h(
      'footer',
      { class: 'wk-foot' },
      this.where,
      this.described,
      h(
        'div',
        { class: 'wk-view' },
        editor.seeAs.button,
        [...this.optionButtons.values()],
        h('span', { class: 'wk-divider' }),
        this.#button('minus', 'Zoom out (−)', () => editor.zoom(1 / 1.25)),
        this.zoomLabel,
        this.#button('plus', 'Zoom in (+)', () => editor.zoom(1.25)),
        this.#button('fit', 'Fit the map (0)', () => editor.fit()),
        this.#button('help', 'Keys (?)', () => showHelp(editor.element)),
      ),
    );
  }

  #side() {
    const { editor } = this;
    for (const [name, label] of PANELS) {
      const show = () => editor.showPanel(name);
      this.panelTabs.set(name, h('button', { type: 'button', role: 'tab', onclick: show }, label));
    }
    return h(
      'aside',
      { class: 'wk-side', 'aria-label': 'Panels' },
      editor.panels.layers.element,
      h('div', { class: 'wk-segments wk-side-tabs', role: 'tablist' }, [...this.panelTabs.values()]),
      PANELS.map(([name]) => editor.panels[name].element),
    );
  }

  #togglePanels() {
    const open = this.editor.element.classList.toggle('wk-panels-open');
    this.panelButton.setAttribute('aria-expanded', String(open));
  }

  /** @param {PanelName} shown */
  showPanel(shown) {
    for (const [name, tab] of this.panelTabs) {
      tab.setAttribute('aria-selected', String(name === shown));
      this.editor.panels[name].element.hidden = name !== shown;
    }
  }

  /** @param {'map' | 'json'} shown */
  showTab(shown) {
    this.body.hidden = shown !== 'map';
    for (const [name, tab] of Object.entries(this.tabs)) tab.setAttribute('aria-selected', String(name === shown));
  }

  /** @param {'saved' | 'unsaved' | 'saving' | 'failed'} status */
  showStatus(status) {
    const labels = { saved: 'All saved', unsaved: 'Unsaved', saving: 'Saving…', failed: 'Not saved' };
    this.status.textContent = labels[status];
    this.status.dataset.status = status;
    this.saveButton.disabled = status === 'saving';
  }

  showZoom() {
    const { seeAs, view } = this.editor;
    const { scale, ratio } = seeAs.isOn ? seeAs.view : view;
    this.zoomLabel.textContent = `${Math.round((scale / ratio / 32) * 100)}%`;
  }

  update() {
    const { state, history } = this.editor;
    for (const [name, button] of this.toolButtons) button.setAttribute('aria-pressed', String(name === state.tool));
    for (const [name, button] of this.optionButtons) button.setAttribute('aria-pressed', String(state.options[name]));
    this.undoButton.disabled = !history.done.length;
    this.redoButton.disabled = !history.undone.length;
  }
}
