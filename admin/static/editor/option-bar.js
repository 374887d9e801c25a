/** The bar above the map: what the tool in hand does, and how. */

import { checkbox, h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { KINDS } from '../../../web/shared/kinds.js';
import { swatch } from '../../../web/shared/swatch.js';
import { Scroller } from './scroller.js';
import { choiceOf, sizeChoice } from './tokens-panel.js';
import { paints, toolEntry } from './tools/tools.js';

/** @typedef {import('./tools/tools.js').ToolName} ToolName */

const SIZES = [1, 3, 5];

/** @type {Partial<Record<ToolName, string>>} */
const HINTS = {
  fill: 'Fills the connected cells of one kind',
  picker: 'Takes the tile of a cell; so does a right click',
  object: 'Click or drag a rectangle to select; drag to move',
  door: 'Click on the side of a cell; drag for a wider door',
  wall: 'Click corner after corner, or drag for one wall',
  light: 'Click to place a light',
  token: 'Click to place a token; drag one to move it',
  hand: 'Drag to move the view',
};

/** @type {[import('./state.js').EditorState['reach'], string, string][]} */
const REACHES = [
  ['layer', 'This layer', 'Only the cells of the active layer'],
  ['layers', 'All layers', 'The cells of all layers'],
  ['everything', 'Everything', 'The cells of all layers, and the objects there'],
];

export class OptionBar {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.row = h('div', { class: 'wk-options' });
    this.scroller = new Scroller(this.row);
    this.element = this.scroller.element;
    /** @type {unknown[] | null} */
    this.last = null;
  }

  update() {
    const { editor, last } = this;
    const { state } = editor;
    const inputs = [
      state.tool,
      state.brush,
      state.symbol,
      editor.document.legend.get(state.symbol),
      state.hollow,
      state.withEmpty,
      state.reach,
      state.selection !== null,
      state.float !== null,
      state.stamp,
      state.isTaking,
      // They arrive some time after the map.
      state.tool === 'token' && editor.tokens.choices,
      state.objects.length,
      editor.clipboard.clip,
      editor.palette.layer?.meta,
    ];
    if (last && inputs.every((value, i) => value === last[i])) return;
    this.last = inputs;
    this.row.replaceChildren(...this.#parts());
    this.scroller.update();
  }

  #parts() {
    const { state } = this.editor;
    const { tool } = state;
    const parts = [h('strong', { class: 'wk-option-title' }, toolEntry(tool).label)];
    if (paints(tool) && tool !== 'eraser') parts.push(this.#tile());
    if (tool === 'brush' || tool === 'eraser' || tool === 'line')
      parts.push(this.#choice('Size', SIZES, state.brush, (size) => this.editor.palette.setBrush(size)));
    if (tool === 'rectangle') parts.push(this.#shape());
    if (tool === 'stamp') parts.push(...this.#stamp());
    if (tool === 'select') parts.push(this.#reach(), ...this.#clipboard(state.selection !== null));
    if (tool === 'object') parts.push(...this.#clipboard(state.objects.length > 0));
    if (tool === 'entity') parts.push(...this.#kind());
    if (tool === 'token') parts.push(...this.#token());
    if (state.float) parts.push(this.#putDown());
    else if (HINTS[tool]) parts.push(h('span', { class: 'wk-hint' }, HINTS[tool]));
    if (paints(tool)) parts.push(...this.#layer());
    return parts;
  }

  #tile() {
    const { document: doc, palette, state } = this.editor;
    return h(
      'span',
      { class: 'wk-current' },
      swatch(doc.legend.get(state.symbol), state.symbol, 20, state.pictures),
      h('span', {}, palette.nameOf(state.symbol)),
    );
  }

  #layer() {
    const meta = this.editor.palette.layer?.meta;
    if (!meta) return [];
    const how = meta.locked ? ' (locked)' : meta.visible === false ? ' (hidden)' : '';
    return [h('span', { class: 'wk-on-layer' }, `on ${meta.name}${how}`)];
  }

  /**
   * @template {string | number} T
   * @param {string} label  @param {T[]} values  @param {T} now  @param {(value: T) => void} choose
   */
  #choice(label, values, now, choose) {
    return h(
      'div',
      { class: 'wk-segments', role: 'group', 'aria-label': label },
      values.map((value) => {
        const props = { type: 'button', 'aria-pressed': String(value === now), onclick: () => choose(value) };
        return h('button', props, String(value));
      }),
    );
  }

  #shape() {
    const { state } = this.editor;
    return this.#choice('Shape', ['filled', 'outline'], state.hollow ? 'outline' : 'filled', (shape) => {
      state.hollow = shape === 'outline';
      this.editor.refresh();
    });
  }

  #reach() {
    const { state } = this.editor;
    return h(
      'div',
      { class: 'wk-segments', role: 'group', 'aria-label': 'What is selected' },
      REACHES.map(([reach, label, title]) => {
        const onclick = () => {
          state.reach = reach;
          this.editor.refresh();
        };
        return h('button', { type: 'button', title, 'aria-pressed': String(reach === state.reach), onclick }, label);
      }),
    );
  }

  /**
   * @param {import('../../../web/shared/icons.js').IconName} picture  @param {string} label
   * @param {() => unknown} onclick  @param {{disabled?: boolean, 'aria-pressed'?: string}} [props]
   */
  #button(picture, label, onclick, props = {}) {
    const all = { type: 'button', class: 'wk-tool', 'aria-label': label, title: label, onclick, ...props };
    return h('button', all, icon(picture));
  }

  /** Copy, cut and paste. @param {boolean} isSelected */
  #clipboard(isSelected) {
    const { clipboard, objects, state } = this.editor;
    const isCells = state.tool === 'select';
    const remove = isCells
      ? this.#button('remove', 'Clear the cells (Del)', () => clipboard.clear(), { disabled: !isSelected })
      : this.#button('remove', 'Delete the objects (Del)', () => objects.remove(), { disabled: !isSelected });
    return [
      this.#button('copy', 'Copy (Ctrl+C)', () => clipboard.copy(), { disabled: !isSelected }),
      this.#button('cut', 'Cut (Ctrl+X)', () => clipboard.copy(true), { disabled: !isSelected }),
      this.#button('paste', 'Paste (Ctrl+V)', () => clipboard.paste(), { disabled: !clipboard.clip }),
      remove,
      ...(isCells ? [this.#makeStamp(isSelected), this.#withEmpty()] : []),
    ];
  }

  /** @param {boolean} isSelected */
  #makeStamp(isSelected) {
    const { editor } = this;
    const make = () => {
      editor.state.stamp = editor.tools.select.clip();
      editor.state.selection = null;
      if (editor.state.stamp) editor.setTool('stamp');
    };
    return this.#button('stamp', 'Use as a stamp', make, { disabled: !isSelected });
  }

  /** Whether empty cells of a moved or pasted clip clear the cells below. */
  #withEmpty() {
    const { state } = this.editor;
    const turn = () => {
      state.withEmpty = !state.withEmpty;
      this.editor.refresh();
    };
    const label = 'Empty cells clear the cells below';
    return this.#button('eraser', label, turn, { 'aria-pressed': String(state.withEmpty) });
  }

  #putDown() {
    const onclick = () => this.editor.floating.settle();
    return h('button', { type: 'button', class: 'wk-button wk-slim wk-primary', onclick }, 'Put down');
  }

  #stamp() {
    const { editor } = this;
    const { stamp, isTaking } = editor.state;
    const take = () => {
      editor.state.isTaking = !editor.state.isTaking;
      editor.refresh();
    };
    const size = stamp ? `${stamp.width} × ${stamp.height}` : 'none yet';
    const hint = isTaking
      ? 'Drag over the map to copy a stamp'
      : 'Click or drag to stamp; drag with the right button to copy another';
    return [
      h('span', { class: 'wk-current' }, size),
      this.#reach(),
      this.#button('picker', 'Copy a stamp from the map', take, { 'aria-pressed': String(isTaking) }),
      h('span', { class: 'wk-hint' }, hint),
    ];
  }

  /** What the next token is. */
  #token() {
    const { state, tokens } = this.editor;
    const { newToken } = state;
    /** @type {[string, string][]} */
    const characters = [['', 'none'], ...tokens.choices.characters.map(one)];
    const character = choiceOf(characters, newToken.characterId ?? '', (id) => (newToken.characterId = id || null));
    const size = sizeChoice(newToken.size, (value) => (newToken.size = value), {});
    return [
      h('label', { class: 'wk-inline' }, 'Character ', character),
      h('label', { class: 'wk-inline' }, 'Size ', size),
      checkbox('Hidden', newToken.hidden, (on) => (newToken.hidden = on), 'Players do not see it until you show it'),
    ];
  }

  #kind() {
    const { state, document: doc } = this.editor;
    const input = h('input', {
      value: state.kind,
      list: 'wk-option-kinds',
      class: 'wk-kind',
      'aria-label': 'Kind of the next entity',
      oninput: () => {
        state.kind = input.value.trim();
      },
    });
    const kinds = [...new Set([...doc.frame.entities.map(({ kind }) => kind).filter(Boolean), ...KINDS])].slice(0, 60);
    return [
      h('label', { class: 'wk-inline' }, 'Kind ', input),
      h(
        'datalist',
        { id: 'wk-option-kinds' },
        kinds.map((kind) => h('option', { value: kind })),
      ),
    ];
  }
}

/** @param {import('./map-tokens.js').Named} named @returns {[string, string]} */
const one = ({ id, name }) => [id, name];
