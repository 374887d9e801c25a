/**
 * “See as …”: the saved map as a player sees it, above the editor's own, which stays as it is. Nothing can be changed
 * while it is shown.
 *
 * @typedef {import('./map-tokens.js').Token} Token
 * @typedef {{user_id: string, display_name: string, role: string}} Member
 */

import { ApiError, read } from '../../../web/shared/api.js';
import { GridDocument, readFrame } from '../../../web/shared/document.js';
import { h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { PointerInput } from '../../../web/shared/pointer.js';
import { Renderer } from '../../../web/shared/renderer.js';
import { View } from '../../../web/shared/view.js';
import { drawFog, drawTokens } from './token-drawing.js';
import { choiceOf } from './tokens-panel.js';

const READ_INTERVAL_MS = 5000; // while it is looked at
const ANY_MEMBER = 'members'; // in the API: a member without grants of their own
const MAX_PIXELS_PER_CELL = 64; // pixels a cell of the background picture
const MAX_PIXELS = 4096; // a side of it

export class SeeAs {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.isOn = false;
    /** Whose eyes, as the API names them. */
    this.who = ANY_MEMBER;
    /** @type {Member[]} */
    this.members = [];
    /** @type {Token[]} */
    this.tokens = [];
    /** @type {string[] | null} */
    this.fog = null;
    /** The answer that is shown, and the text about it. */
    this.shown = this.said = '';
    this.timer = 0;
    this.document = new GridDocument(readFrame({}));
    this.view = new View(this.document);
    this.background = new Image();
    this.background.onload = () => this.#redraw();
    const { state } = editor;
    const pictures = { get: (/** @type {unknown} */ id) => this.#picture(id) };
    this.canvas = h('canvas', { class: 'wk-seen', role: 'img', 'aria-label': 'The map as a player sees it' });
    this.canvas.hidden = true;
    /** @type {import('../../../web/shared/renderer.js').Shown} */
    const look = {
      layer: null,
      objects: [],
      options: state.options,
      pictures: /** @type {import('../../../web/shared/pictures.js').Pictures} */ (/** @type {unknown} */ (pictures)),
      get theme() {
        return state.theme;
      },
    };
    this.renderer = new Renderer(this.canvas, this.document, this.view, look, (drawing, range) => {
      if (this.fog) drawFog(drawing, range, this.fog);
      drawTokens(drawing, this.tokens, null);
    });
    const nothing = () => {};
    new PointerInput(this.canvas, this.view, {
      down: nothing,
      move: nothing,
      up: nothing,
      cancel: nothing,
      hover: nothing,
      leave: nothing,
      pick: nothing,
      isPanning: () => true,
      viewChanged: () => this.#viewChanged(),
    });
    this.banner = h('div', { class: 'wk-seeing', role: 'status', hidden: true });
    this.button = h(
      'button',
      {
        type: 'button',
        class: 'wk-button wk-slim wk-see-as',
        title: 'See the map as a player sees it',
        onclick: () => (this.isOn ? this.end() : this.begin()),
      },
      icon('eye'),
      h('span', {}, 'See as …'),
    );
  }

  /** The background of a map with fog has no id: the server cuts it to what is seen. @param {unknown} id */
  #picture(id) {
    if (id !== ANY_MEMBER) return this.editor.state.pictures.get(id);
    return this.background.complete && this.background.naturalWidth ? this.background : null;
  }

  async begin() {
    const { editor } = this;
    const { mapUrl, universeId } = editor.tokens;
    if (!mapUrl || !editor.settle()) {
      editor.warn('Save the map first: players see what is saved.');
      return;
    }
    editor.showTab('map');
    try {
      const { items } = await read(`/universes/${universeId}/members?limit=100`);
      this.members = items.filter((/** @type {Member} */ { role }) => role === 'player' || role === 'spectator');
    } catch (error) {
      editor.notices.show(error instanceof Error ? error.message : String(error), { kind: 'error' });
      return;
    }
    this.members.sort((a, b) => a.role.localeCompare(b.role) || a.display_name.localeCompare(b.display_name));
    if (!this.members.some(({ user_id }) => user_id === this.who)) this.who = this.members[0]?.user_id ?? ANY_MEMBER;
    this.isOn = true;
    this.canvas.hidden = false;
    this.#setReadOnly(true);
    await this.read();
    this.fit();
    this.timer = window.setInterval(() => document.hidden || this.read(), READ_INTERVAL_MS);
    this.canvas.focus({ preventScroll: true });
  }

  end() {
    if (!this.isOn) return;
    this.isOn = false;
    clearInterval(this.timer);
    this.shown = this.said = '';
    this.canvas.hidden = this.banner.hidden = true;
    this.#setReadOnly(false);
    this.editor.announce('This is your own view again.');
    this.editor.layout.showZoom();
    this.editor.canvas.focus({ preventScroll: true });
  }

  /** @param {boolean} on */
  #setReadOnly(on) {
    const { editor } = this;
    const { layout } = editor;
    const parts = [layout.tools.element, layout.side, layout.tabs.map, layout.tabs.json, layout.saveButton];
    for (const part of [...parts, layout.undoButton, layout.redoButton, editor.optionBar.element, editor.canvas])
      part.inert = on;
    editor.element.classList.toggle('wk-seeing-as', on);
    this.button.setAttribute('aria-pressed', String(on));
    editor.refresh();
  }

  /** Read what they see, and show it where it is another. */
  async read() {
    const { who } = this;
    const { mapUrl } = this.editor.tokens;
    let problem = '';
    let [map, tokens] = [/** @type {any} */ ({ grid_data: {} }), /** @type {Token[]} */ ([])];
    try {
      const [found, listed] = await Promise.all([read(`${mapUrl}?as=${who}`), read(`${mapUrl}/tokens?as=${who}`)]);
      [map, tokens] = [found, listed.items];
    } catch (error) {
      const isSecret = error instanceof ApiError && error.status === 404;
      problem = isSecret
        ? 'They do not see this map at all: it is for game masters only.'
        : `It cannot be shown: ${error instanceof Error ? error.message : error}`;
    }
    if (!this.isOn || who !== this.who) return;
    const answer = JSON.stringify([who, map.grid_data, tokens]);
    if (answer !== this.shown) this.#show(map.grid_data, tokens);
    this.shown = answer;
    this.#describe(problem);
  }

  /** @param {any} grid  @param {Token[]} tokens */
  #show({ fog, ...grid }, tokens) {
    const frame = readFrame(grid);
    const { background } = frame.other;
    if (background && !background.asset_id && frame.width && frame.height) {
      frame.other = { ...frame.other, background: { x: 0, y: 0, asset_id: ANY_MEMBER } };
      const most = Math.floor(MAX_PIXELS / Math.max(frame.width, frame.height));
      const size = Math.max(Math.min(MAX_PIXELS_PER_CELL, most), 1);
      const area = `x=0&y=0&width=${frame.width}&height=${frame.height}`;
      this.background.src = `${this.editor.tokens.mapUrl}/background?${area}&cell_size=${size}&as=${this.who}`;
    }
    this.tokens = tokens;
    this.fog = fog?.rows ?? null;
    this.document.replaceFrame(frame);
    this.#redraw();
  }

  #redraw() {
    this.renderer.invalidate();
  }

  /** @param {string} problem */
  #describe(problem) {
    const { editor } = this;
    /** @type {[string, string][]} */
    const people = this.members.map(({ user_id: id, display_name: name, role }) => [
      id,
      role === 'spectator' ? `${name} (spectator)` : name,
    ]);
    const choose = (/** @type {string} */ who) => {
      this.who = who;
      this.read();
    };
    const attributes = { 'aria-label': 'Whose eyes' };
    const choice = choiceOf([...people, [ANY_MEMBER, 'a member with no token']], this.who, choose, attributes);
    const what = [
      problem || 'They are sent nothing else. You cannot edit in this view.',
      editor.saving?.isDirty && !problem ? ' Unsaved changes are not included.' : '',
    ].join('');
    const said = JSON.stringify([this.who, people, what]);
    if (said === this.said) return;
    this.said = said;
    const hadFocus = this.banner.contains(document.activeElement);
    const back = { type: 'button', class: 'wk-button wk-slim wk-primary', onclick: () => this.end() };
    this.banner.replaceChildren(
      icon('eye'),
      h('div', { class: 'wk-notice-text' }, h('label', {}, 'Seen as ', choice), ' ', what),
      h('div', { class: 'wk-notice-actions' }, h('button', back, 'Back to my view')),
    );
    this.banner.hidden = false;
    if (hadFocus) choice.focus();
    const name = choice.selectedOptions[0]?.textContent ?? '';
    editor.announce(`The map as ${name} sees it. ${problem}`);
  }

  // The view

  /** The stage has this size now, in device pixels. @param {number} width  @param {number} height  @param {number} ratio */
  resize(width, height, ratio) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.view.resize(width, height, ratio);
    if (this.isOn) this.fit();
  }

  /** All of the map; where that is of the size that is edited, just as it is shown there. */
  fit() {
    const { view, document: doc } = this.editor;
    const isSame = ['width', 'height', 'type'].every(
      (name) => /** @type {any} */ (doc.geometry)[name] === /** @type {any} */ (this.document.geometry)[name],
    );
    if (isSame && !this.editor.isFitted) {
      const { left, top, scale, exact } = view;
      Object.assign(this.view, { left, top, scale, exact });
    } else this.view.fit();
    this.#viewChanged();
  }

  /** @param {number} factor */
  zoom(factor) {
    this.view.zoom(factor);
    this.#viewChanged();
  }

  #viewChanged() {
    this.editor.layout.showZoom();
    this.renderer.request();
  }
}
