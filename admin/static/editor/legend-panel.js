/** The legend: the tiles to paint with, how often each is used, and what each means. */

import { EMPTY } from '../../../web/shared/document.js';
import { checkbox, field, h, plural } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { swatch } from '../../../web/shared/swatch.js';
import { Panel, small } from './panel.js';
import { colorOf, glyphOf, parseColor } from '../../../web/shared/tiles.js';

const NARROW = 760; // pixels; as in the style sheet

export class LegendPanel extends Panel {
  constructor(editor) {
    super(editor, 'wk-legend');
    this.query = '';
  }

  inputs() {
    return [this.frame.legend, this.state.symbol, this.state.theme];
  }

  update() {
    super.update();
    this.#count();
  }

  /** Counts follow the paint without drawing the list anew. */
  #count() {
    const { history } = this.editor;
    if (this.counted === history.position && this.countedIn === this.frame) return;
    [this.counted, this.countedIn] = [history.position, this.frame];
    clearTimeout(this.timer);
    // Not in the frame of a stroke: on the largest maps it takes longer than one.
    this.timer = setTimeout(() => {
      const usage = this.editor.document.usage();
      for (const [code, element] of this.counts) element.textContent = usage[code].toLocaleString('en');
      if (this.removeButton) this.removeButton.disabled = usage[this.state.symbol] > 0;
    }, 40);
  }

  draw() {
    this.counts = new Map();
    this.counted = null;
    this.countedIn = null;
    const search = h('input', {
      type: 'search',
      value: this.query,
      placeholder: 'Find a tile',
      'aria-label': 'Find a tile',
      'data-focus': 'find-tile',
      oninput: () => {
        this.query = search.value;
        this.#filter();
      },
    });
    this.list = h(
      'ul',
      { class: 'wk-list wk-tiles', 'data-scroll': 'tiles' },
      this.frame.legend.map((entry) => this.#row(entry)),
    );
    this.#filter();
    return [
      h(
        'div',
        { class: 'wk-find' },
        icon('search'),
        search,
        small('plus', 'Add a tile', () => this.#add(), { focus: 'add-tile' }),
      ),
      this.list,
      !this.frame.legend.length && h('p', { class: 'wk-quiet wk-pad' }, 'No tiles yet. Add one to paint with.'),
      this.#form(),
    ];
  }

  #filter() {
    const wanted = this.query.trim().toLowerCase();
    for (const row of this.list.children)
      row.hidden = Boolean(wanted) && !row.dataset.text.includes(wanted) && row.dataset.symbol !== this.query.trim();
  }

  #row(entry) {
    const code = String(entry.symbol).charCodeAt(0);
    const chosen = code === this.state.symbol;
    const count = h('span', { class: 'wk-count', title: 'Cells on all layers' });
    this.counts.set(code, count);
    const facts = [
      entry.blocks_movement && h('span', { class: 'wk-fact', title: 'Blocks movement' }, icon('walk')),
      entry.blocks_sight && h('span', { class: 'wk-fact', title: 'Blocks sight' }, icon('hidden')),
      entry.movement_cost !== undefined &&
        entry.movement_cost !== 1 &&
        h('span', { class: 'wk-fact wk-cost', title: 'Movement cost' }, `×${entry.movement_cost}`),
    ];
    return h(
      'li',
      { 'data-text': `${entry.name ?? ''} ${entry.symbol}`.toLowerCase(), 'data-symbol': entry.symbol },
      h(
        'button',
        {
          type: 'button',
          class: `wk-tile ${chosen ? 'wk-on' : ''}`,
          'aria-pressed': String(chosen),
          'data-focus': `tile-${code}`,
          onclick: () => this.editor.setSymbol(code),
        },
        swatch(entry, code, 24, Math.min(devicePixelRatio || 1, 3)),
        h('span', { class: 'wk-tile-name' }, entry.name || `(${entry.symbol})`),
        facts,
        count,
      ),
    );
  }

  #form() {
    const code = this.state.symbol;
    const index = this.frame.legend.findIndex(({ symbol }) => String(symbol).charCodeAt(0) === code);
    const entry = this.frame.legend[index];
    this.removeButton = null;
    if (!entry) return null;
    const set = (changes, label) => {
      const next = Object.fromEntries(
        Object.entries({ ...entry, ...changes }).filter(([, value]) => value !== undefined),
      );
      this.editor.run(label, (step) => step.change({ legend: this.frame.legend.with(index, next) }));
    };
    const title = entry.name || entry.symbol;
    const [red, green, blue] = parseColor(entry.color) ?? colorOf(entry, code);
    const hex = `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
    this.removeButton = small('remove', 'Delete this tile (only when no cell has it)', () => this.#remove(index), {
      focus: 'tile-remove',
      disabled: true,
    });
    this.formOpen ??= this.editor.element.clientWidth > NARROW;
    return h(
      'details',
      {
        class: 'wk-tile-form',
        open: this.formOpen,
        ontoggle: (event) => {
          this.formOpen = event.target.open;
        },
      },
      h('summary', {}, 'Edit ', h('strong', {}, title)),
      h(
        'div',
        { class: 'wk-form', role: 'group', 'aria-label': 'The chosen tile' },
        h(
          'div',
          { class: 'wk-form-line' },
          field(
            'Symbol',
            h('input', {
              class: 'wk-symbol',
              value: entry.symbol,
              maxLength: 2,
              'data-focus': 'tile-symbol',
              onchange: (event) => this.#changeSymbol(index, event.target),
            }),
          ),
          field(
            'Name',
            h('input', {
              value: entry.name ?? '',
              'data-focus': 'tile-name',
              onchange: (event) => set({ name: event.target.value }, `Named the tile ${event.target.value}`),
            }),
            'wk-grow',
          ),
          field(
            'Colour',
            h('input', {
              type: 'color',
              value: hex,
              'data-focus': 'tile-color',
              onchange: (event) => set({ color: event.target.value }, `Coloured ${title}`),
            }),
          ),
        ),
        h(
          'div',
          { class: 'wk-form-line wk-wrap' },
          checkbox('Blocks movement', Boolean(entry.blocks_movement), (on) =>
            set({ blocks_movement: on || undefined }, `${title} ${on ? 'blocks' : 'no longer blocks'} movement`),
          ),
          checkbox('Blocks sight', Boolean(entry.blocks_sight), (on) =>
            set({ blocks_sight: on || undefined }, `${title} ${on ? 'blocks' : 'no longer blocks'} sight`),
          ),
        ),
        h(
          'div',
          { class: 'wk-form-line wk-end' },
          field(
            'Cost',
            h('input', {
              type: 'number',
              min: 0,
              step: 'any',
              value: entry.movement_cost ?? '',
              placeholder: '1',
              'data-focus': 'tile-cost',
              class: 'wk-short',
              onchange: (event) =>
                event.target.validity.valid &&
                set(
                  { movement_cost: event.target.value === '' ? undefined : Number(event.target.value) },
                  `Set the cost of ${title}`,
                ),
            }),
          ),
          field(
            'Replace by',
            h(
              'select',
              {
                'data-focus': 'tile-replace',
                onchange: (event) => this.#replace(code, Number(event.target.value)),
              },
              h('option', { value: '' }, 'choose…'),
              h('option', { value: EMPTY }, 'empty'),
              this.frame.legend
                .filter((_, i) => i !== index)
                .map(({ symbol, name }) =>
                  h('option', { value: String(symbol).charCodeAt(0) }, `${glyphOf(symbol)}  ${name ?? ''}`),
                ),
            ),
            'wk-grow',
          ),
          this.removeButton,
        ),
      ),
    );
  }

  #add() {
    const taken = new Set(this.frame.legend.map(({ symbol }) => symbol));
    const symbol =
      [...'.#~,:;+=*%&^@oxABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnpqrstuvwyz0123456789'].find(
        (one) => !taken.has(one),
      ) ??
      String.fromCharCode(
        [...Array(6400).keys()].map((i) => 0xe000 + i).find((code) => !taken.has(String.fromCharCode(code))),
      );
    const hues = ['#cfc6b0', '#8f9a7a', '#7a98a6', '#a8876a', '#9a8fa8', '#b5a26a'];
    const entry = { symbol, name: 'new tile', color: hues[this.frame.legend.length % hues.length] };
    this.query = '';
    this.editor.run('Added a tile', (step) => step.change({ legend: [...this.frame.legend, entry] }));
    this.editor.setSymbol(symbol.charCodeAt(0));
    this.editor.update();
    this.list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    const name = this.element.querySelector('[data-focus="tile-name"]');
    name?.focus();
    name?.select();
  }

  /** Another symbol for a tile: its cells follow. */
  #changeSymbol(index, input) {
    const { legend, layers } = this.frame;
    const symbol = input.value;
    const old = legend[index].symbol;
    const other = legend.find((entry) => entry.symbol === symbol);
    if (symbol.length !== 1 || /[\s\p{C}\p{M}]/u.test(symbol) || (other && symbol !== old)) {
      input.value = old;
      this.editor.notify(
        other
          ? `“${symbol}” is the symbol of ${other.name || 'another tile'}.`
          : 'A symbol is one character, and no space.',
        { kind: 'warning' },
      );
      return;
    }
    if (symbol === old) return;
    this.editor.run(`Changed the symbol ${old} to ${symbol}`, (step) => {
      step.change({ legend: legend.with(index, { ...legend[index], symbol }) });
      for (const { key, cells } of layers)
        if (cells) step.paint(key, indexesOf(cells, old.charCodeAt(0)), symbol.charCodeAt(0));
    });
    this.editor.setSymbol(symbol.charCodeAt(0));
  }

  #replace(from, to) {
    let count = 0;
    const skipped = [];
    const step = this.editor.begin('');
    for (const { key, cells, meta } of this.frame.layers) {
      if (!cells) continue;
      const indexes = indexesOf(cells, from);
      if (meta.locked && indexes.length) {
        skipped.push(meta.name);
        continue;
      }
      step.paint(key, indexes, to);
      count += indexes.length;
    }
    step.label = `Replaced ${plural(count, 'cell')} of ${this.editor.symbolName(from)} by ${this.editor.symbolName(to)}`;
    step.commit();
    if (skipped.length)
      this.editor.notify(`Left as they were, because they are locked: ${skipped.join(', ')}.`, { kind: 'warning' });
    else if (!count) this.editor.announce(`No cell has ${this.editor.symbolName(from)}.`);
    this.last = null;
    this.editor.refresh();
  }

  #remove(index) {
    const { legend } = this.frame;
    this.editor.run(`Deleted the tile ${legend[index].name || legend[index].symbol}`, (step) =>
      step.change({ legend: legend.toSpliced(index, 1) }),
    );
    const next = this.frame.legend[Math.min(index, this.frame.legend.length - 1)];
    if (next) this.editor.setSymbol(next.symbol.charCodeAt(0));
  }
}

function indexesOf(cells, code) {
  const found = [];
  for (let i = 0; i < cells.length; i++) if (cells[i] === code) found.push(i);
  return found;
}
