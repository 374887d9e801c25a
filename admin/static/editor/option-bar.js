/** The bar above the map: what the tool in hand does, and how. */

import { checkbox, h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { swatch } from '../../../web/shared/swatch.js';
import { TOOLS } from './tools.js';

const SIZES = [1, 3, 5];

const HINTS = {
  fill: 'Fills the cells of one kind that hang together',
  picker: 'Takes the tile of a cell; so does a right click',
  object: 'Click to choose, drag to move, Del to delete',
  door: 'Click on the side of a cell; drag for a wider door',
  wall: 'Drag from corner to corner',
  light: 'Click where it shines',
  hand: 'Drag to move the view',
};

export class OptionBar {
  constructor(editor) {
    this.editor = editor;
    this.element = h('div', { class: 'wk-options' });
  }

  update() {
    const { state } = this.editor;
    const legend = this.editor.document.legend.get(state.symbol);
    const inputs = [
      state.tool,
      state.brush,
      state.symbol,
      legend,
      state.hollow,
      state.pasteEmpty,
      Boolean(state.selection),
      Boolean(state.float),
      this.editor.clipboard.isFull,
      this.editor.document.layer(state.layer)?.meta,
    ];
    if (this.last && inputs.every((value, i) => value === this.last[i])) return;
    this.last = inputs;
    const { name, label, paints } = TOOLS.find((tool) => tool?.name === state.tool);
    const parts = [h('strong', { class: 'wk-option-title' }, label)];
    if (paints && name !== 'eraser')
      parts.push(
        h(
          'span',
          { class: 'wk-current' },
          swatch(legend, state.symbol, 20, Math.min(devicePixelRatio || 1, 3)),
          h('span', {}, this.editor.symbolName(state.symbol)),
        ),
      );
    if (['brush', 'eraser', 'line'].includes(name))
      parts.push(this.#choice('Size', SIZES, state.brush, (size) => this.editor.setBrush(size)));
    if (name === 'rectangle') {
      parts.push(
        this.#choice('Shape', ['filled', 'outline'], state.hollow ? 'outline' : 'filled', (shape) => {
          state.hollow = shape === 'outline';
          this.editor.refresh();
        }),
      );
    }
    if (name === 'select') parts.push(...this.#selectOptions());
    if (name === 'entity') {
      const kind = h('input', {
        value: state.kind,
        list: 'wk-option-kinds',
        class: 'wk-kind',
        'aria-label': 'Kind of the next entity',
        onchange: (event) => {
          state.kind = event.target.value.trim();
        },
      });
      const kinds = [
        ...new Set([
          ...this.editor.document.frame.entities.map((entity) => entity.kind).filter(Boolean),
          'npc',
          'monster',
          'container',
          'exit',
          'trap',
          'item',
        ]),
      ].slice(0, 60);
      parts.push(
        h('label', { class: 'wk-inline' }, 'Kind ', kind),
        h(
          'datalist',
          { id: 'wk-option-kinds' },
          kinds.map((one) => h('option', { value: one })),
        ),
      );
    }
    const hint = HINTS[name];
    if (hint) parts.push(h('span', { class: 'wk-hint' }, hint));
    const layer = this.editor.document.layer(state.layer);
    if (paints && layer)
      parts.push(
        h(
          'span',
          { class: 'wk-on-layer' },
          `on ${layer.meta.name}${layer.meta.locked ? ' (locked)' : layer.meta.visible === false ? ' (hidden)' : ''}`,
        ),
      );
    this.element.replaceChildren(...parts);
  }

  #choice(label, values, now, choose) {
    return h(
      'div',
      { class: 'wk-segments', role: 'group', 'aria-label': label },
      values.map((value) =>
        h(
          'button',
          { type: 'button', 'aria-pressed': String(value === now), onclick: () => choose(value) },
          String(value),
        ),
      ),
    );
  }

  #selectOptions() {
    const { state } = this.editor;
    const act = (picture, label, onclick, disabled) =>
      h(
        'button',
        { type: 'button', class: 'wk-tool', 'aria-label': label, title: label, disabled, onclick },
        icon(picture),
      );
    return [
      act('copy', 'Copy (Ctrl+C)', () => this.editor.clipboard.copy(), !state.selection),
      act('cut', 'Cut (Ctrl+X)', () => this.editor.clipboard.copy(true), !state.selection),
      act('paste', 'Paste (Ctrl+V)', () => this.editor.clipboard.paste(), !this.editor.clipboard.isFull),
      act('remove', 'Empty the cells (Del)', () => this.editor.clipboard.empty(), !state.selection),
      state.float
        ? h(
            'button',
            { type: 'button', class: 'wk-button wk-slim wk-primary', onclick: () => this.editor.tools.select.settle() },
            'Put down',
          )
        : null,
      checkbox(
        'With empty cells',
        state.pasteEmpty,
        (on) => {
          state.pasteEmpty = on;
          if (state.float) state.float.opaque = on;
          this.editor.refresh();
        },
        'Empty cells of what is moved or pasted empty the cells below',
      ),
    ].filter(Boolean);
  }
}
