/** The legend: the tiles to paint with, as a palette or a list with how often each is used, and what each means. */

import { EMPTY, codeOf } from '../../../web/shared/document.js';
import { checkbox, field, h, plural } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { swatch } from '../../../web/shared/swatch.js';
import { colorOf, glyphOf, hexOf } from '../../../web/shared/tiles.js';
import { nameOfTile } from './palette.js';
import { Panel, small } from './panel.js';

/**
 * @typedef {import('../../../web/shared/document.js').LegendEntry} LegendEntry
 * @typedef {'palette' | 'list'} LegendView
 */

const VIEW_STORAGE_KEY = 'worldkeep:legend';
const MAX_LISTED_TILES = 14; // tiles; a list of more needs scrolling, so a palette is shown at first
const FEW_TILES = 6; // tiles; more of them need the room of the tile's form on a low page
const TALL_PAGE_HEIGHT = 820; // pixels of a page that has room for both

export class LegendPanel extends Panel {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    super(editor, 'wk-legend');
    this.query = '';
    /** The elements with the number of cells of each tile. @type {Map<number, HTMLElement>} */
    this.counts = new Map();
    /** What was counted last. @type {unknown[]} */
    this.counted = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.list = h('ul', {});
    /** @type {HTMLButtonElement | null} */
    this.removeButton = null;
    /** What the person chose; null: where there is room. @type {boolean | null} */
    this.isFormOpen = null;
    /** What the person chose; null: by how many tiles there are. @type {LegendView | null} */
    this.wantedView = keptView();
  }

  /** @returns {LegendView} */
  get view() {
    return this.wantedView ?? (this.frame.legend.length > MAX_LISTED_TILES ? 'palette' : 'list');
  }

  inputs() {
    return [this.frame.legend, this.state.symbol, this.state.theme, this.view];
  }

  update() {
    super.update();
    this.#count();
  }

  /** Update the counts while painting, without rendering the list again. */
  #count() {
    const { history } = this.editor;
    if (this.counted[0] === history.position && this.counted[1] === this.frame) return;
    this.counted = [history.position, this.frame];
    clearTimeout(this.timer);
    // Not in the frame of a stroke: on the largest maps it takes longer than one.
    this.timer = setTimeout(() => {
      const usage = this.editor.document.usage();
      for (const [code, element] of this.counts) element.textContent = usage[code].toLocaleString('en');
      if (this.removeButton) this.removeButton.disabled = usage[this.state.symbol] > 0;
    }, 40);
  }

  draw() {
    this.counts.clear();
    this.counted = [];
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
    const isPalette = this.view === 'palette';
    this.list = h(
      'ul',
      { class: `wk-list ${isPalette ? 'wk-palette' : 'wk-tiles'}`, 'data-scroll': 'tiles' },
      this.frame.legend.map((entry) => this.#tile(entry, isPalette)),
    );
    this.#filter();
    return [
      h(
        'div',
        { class: 'wk-find' },
        icon('search'),
        search,
        small(isPalette ? 'list' : 'tiles', isPalette ? 'Show a list' : 'Show a palette', () => this.#turnView(), {
          focus: 'legend-view',
        }),
        small('plus', 'Add a tile', () => this.#add(), { focus: 'add-tile' }),
      ),
      this.list,
      !this.frame.legend.length && h('p', { class: 'wk-quiet wk-pad' }, 'No tiles yet. Add one to paint with.'),
      this.#form(),
    ];
  }

  get #hasRoom() {
    const isWide = this.editor.element.clientWidth > 760;
    return isWide && (innerHeight >= TALL_PAGE_HEIGHT || this.frame.legend.length <= FEW_TILES);
  }

  #turnView() {
    this.wantedView = this.view === 'palette' ? 'list' : 'palette';
    keepView(this.wantedView);
    this.editor.refresh();
  }

  #filter() {
    const wanted = this.query.trim().toLowerCase();
    for (const row of this.list.querySelectorAll('li')) {
      const { text = '', symbol } = row.dataset;
      row.hidden = Boolean(wanted) && !text.includes(wanted) && symbol !== this.query.trim();
    }
  }

  /** @param {LegendEntry} entry  @param {boolean} isPalette */
  #tile(entry, isPalette) {
    const code = codeOf(entry.symbol);
    const isChosen = code === this.state.symbol;
    const name = nameOfTile(entry, code);
    const props = {
      type: 'button',
      class: `wk-tile ${isChosen ? 'wk-on' : ''}`,
      'aria-pressed': String(isChosen),
      'aria-label': name,
      'data-focus': `tile-${code}`,
      onclick: () => this.editor.palette.setSymbol(code),
    };
    const picture = swatch(entry, code, isPalette ? 30 : 24, this.state.pictures);
    const button = isPalette
      ? h('button', { ...props, title: `${name}${rulesOf(entry)}` }, picture)
      : h('button', props, picture, h('span', { class: 'wk-tile-name' }, name), factsOf(entry), this.#counter(code));
    return h('li', { 'data-text': `${name} ${entry.symbol}`.toLowerCase(), 'data-symbol': entry.symbol }, button);
  }

  /** @param {number} code */
  #counter(code) {
    const count = h('span', { class: 'wk-count', title: 'Cells on all layers' });
    this.counts.set(code, count);
    return count;
  }

  /**
   * Change keys of an entry; undefined removes one.
   * @param {number} index  @param {Partial<LegendEntry>} changes  @param {string} label
   */
  #set(index, changes, label) {
    const { legend } = this.frame;
    const fields = Object.entries({ ...legend[index], ...changes }).filter(([, value]) => value !== undefined);
    const entry = /** @type {LegendEntry} */ (Object.fromEntries(fields));
    this.editor.run(label, (step) => step.change({ legend: legend.with(index, entry) }));
  }

  #form() {
    const code = this.state.symbol;
    const index = this.frame.legend.findIndex(({ symbol }) => codeOf(symbol) === code);
    const entry = this.frame.legend[index];
    this.removeButton = null;
    if (!entry) return null;
    const title = nameOfTile(entry, code);
    const details = h(
      'details',
      {
        class: 'wk-tile-form',
        open: this.isFormOpen ?? this.#hasRoom,
        ontoggle: () => {
          this.isFormOpen = details.open;
        },
      },
      h(
        'summary',
        {},
        'Edit ',
        h('strong', {}, title),
        h('span', { class: 'wk-summary-facts' }, this.#summary(entry, code)),
      ),
      h(
        'div',
        { class: 'wk-form', role: 'group', 'aria-label': 'The selected tile' },
        this.#look(index, entry, code),
        this.#rules(index, entry, title),
        this.#more(index, entry, code, title),
      ),
    );
    return details;
  }

  /** What a closed form says of the tile. @param {LegendEntry} entry  @param {number} code */
  #summary(entry, code) {
    return this.view === 'palette' ? [factsOf(entry), this.#counter(code)] : [];
  }

  /** Symbol, name and colour. @param {number} index  @param {LegendEntry} entry  @param {number} code */
  #look(index, entry, code) {
    const title = nameOfTile(entry, code);
    const symbol = h('input', {
      class: 'wk-symbol',
      // What no font can show is not shown as a box.
      value: glyphOf(entry.symbol),
      placeholder: code.toString(16).toUpperCase(),
      maxLength: 2,
      'data-focus': 'tile-symbol',
      onchange: () => this.#changeSymbol(index, symbol),
    });
    const name = h('input', {
      value: entry.name ?? '',
      'data-focus': 'tile-name',
      onchange: () => this.#set(index, { name: name.value }, `Named the tile ${name.value}`),
    });
    const color = h('input', {
      type: 'color',
      value: hexOf(colorOf(entry, code)),
      'data-focus': 'tile-color',
      onchange: () => this.#set(index, { color: color.value }, `Coloured ${title}`),
    });
    return h(
      'div',
      { class: 'wk-form-line' },
      field('Symbol', symbol),
      field('Name', name, 'wk-grow'),
      field('Colour', color),
    );
  }

  /** @param {number} index  @param {LegendEntry} entry  @param {string} title */
  #rules(index, entry, title) {
    const blocks = (/** @type {'blocks_movement' | 'blocks_sight'} */ key, /** @type {string} */ what) =>
      checkbox(`Blocks ${what}`, Boolean(entry[key]), (on) =>
        this.#set(index, { [key]: on || undefined }, `${title} ${on ? 'blocks' : 'no longer blocks'} ${what}`),
      );
    return h(
      'div',
      { class: 'wk-form-line wk-wrap' },
      blocks('blocks_movement', 'movement'),
      blocks('blocks_sight', 'sight'),
    );
  }

  /** Cost, replacing and deleting. @param {number} index  @param {LegendEntry} entry  @param {number} code  @param {string} title */
  #more(index, entry, code, title) {
    const cost = h('input', {
      type: 'number',
      min: 0,
      step: 'any',
      value: entry.movement_cost ?? '',
      placeholder: '1',
      'data-focus': 'tile-cost',
      class: 'wk-short',
      onchange: () => {
        const movement_cost = cost.value === '' ? undefined : Number(cost.value);
        if (cost.validity.valid) this.#set(index, { movement_cost }, `Set the cost of ${title}`);
      },
    });
    const others = this.frame.legend.filter((other) => other !== entry);
    const replace = h(
      'select',
      { 'data-focus': 'tile-replace', onchange: () => this.#replace(code, Number(replace.value)) },
      h('option', { value: '' }, 'choose…'),
      h('option', { value: EMPTY }, 'empty'),
      others.map((other) => {
        const glyph = glyphOf(other.symbol);
        const name = other.name ?? (glyph ? '' : nameOfTile(other, codeOf(other.symbol)));
        return h('option', { value: codeOf(other.symbol) }, `${glyph}  ${name}`);
      }),
    );
    this.removeButton = small('remove', 'Delete this tile (only if no cell uses it)', () => this.#remove(index), {
      focus: 'tile-remove',
      disabled: true,
    });
    return h(
      'div',
      { class: 'wk-form-line wk-end' },
      field('Cost', cost),
      field('Replace by', replace, 'wk-grow'),
      this.removeButton,
    );
  }

  #add() {
    const taken = new Set(this.frame.legend.map(({ symbol }) => symbol));
    const symbol =
      [...'.#~,:;+=*%&^@oxABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnpqrstuvwyz0123456789'].find(
        (one) => !taken.has(one),
      ) ?? privateSymbol(taken);
    const hues = ['#cfc6b0', '#8f9a7a', '#7a98a6', '#a8876a', '#9a8fa8', '#b5a26a'];
    const entry = { symbol, name: 'new tile', color: hues[this.frame.legend.length % hues.length] };
    this.query = '';
    this.editor.run('Added a tile', (step) => step.change({ legend: [...this.frame.legend, entry] }));
    this.editor.palette.setSymbol(symbol.charCodeAt(0));
    this.editor.update();
    this.list.lastElementChild?.scrollIntoView({ block: 'nearest' });
    this.isFormOpen = true;
    const details = this.element.querySelector('details');
    if (details) details.open = true;
    const name = this.element.querySelector('[data-focus="tile-name"]');
    if (name instanceof HTMLInputElement) name.select();
  }

  /**
   * Another symbol for a tile: its cells follow.
   * @param {number} index  @param {HTMLInputElement} input
   */
  #changeSymbol(index, input) {
    const { legend, layers } = this.frame;
    const symbol = input.value;
    const old = legend[index].symbol;
    const other = legend.find((entry) => entry.symbol === symbol);
    if (symbol === glyphOf(old)) return;
    if (symbol.length !== 1 || /[\s\p{C}\p{M}]/u.test(symbol) || (other && symbol !== old)) {
      input.value = glyphOf(old);
      this.editor.notices.show(
        other
          ? `“${symbol}” is the symbol of ${other.name || 'another tile'}.`
          : 'A symbol must be one character other than a space.',
        { kind: 'warning' },
      );
      return;
    }
    this.editor.run(`Changed the symbol ${old} to ${symbol}`, (step) => {
      step.change({ legend: legend.with(index, { ...legend[index], symbol }) });
      for (const { key, cells } of layers)
        if (cells) step.paint(key, indexesOf(cells, old.charCodeAt(0)), symbol.charCodeAt(0));
    });
    this.editor.palette.setSymbol(symbol.charCodeAt(0));
  }

  /** @param {number} from  @param {number} to */
  #replace(from, to) {
    let count = 0;
    /** @type {string[]} */
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
    step.label = `Replaced ${plural(count, 'cell')} of ${this.editor.palette.nameOf(from)} by ${this.editor.palette.nameOf(to)}`;
    step.commit();
    if (skipped.length)
      this.editor.notices.show(`Not changed, because they are locked: ${skipped.join(', ')}.`, {
        kind: 'warning',
      });
    else if (!count) this.editor.announce(`No cell has ${this.editor.palette.nameOf(from)}.`);
    this.last = null;
    this.editor.refresh();
  }

  /** @param {number} index */
  #remove(index) {
    const { legend } = this.frame;
    this.editor.run(`Deleted the tile ${legend[index].name || legend[index].symbol}`, (step) =>
      step.change({ legend: legend.toSpliced(index, 1) }),
    );
    const next = this.frame.legend[Math.min(index, this.frame.legend.length - 1)];
    if (next) this.editor.palette.setSymbol(next.symbol.charCodeAt(0));
  }
}

/** @param {Uint16Array} cells  @param {number} code */
function indexesOf(cells, code) {
  /** @type {number[]} */
  const found = [];
  for (let i = 0; i < cells.length; i++) if (cells[i] === code) found.push(i);
  return found;
}

/** A symbol of the private use area that is not taken: 6,400 of them, more than a legend may have. @param {Set<string>} taken */
function privateSymbol(taken) {
  for (let code = 0xe000; ; code++) if (!taken.has(String.fromCharCode(code))) return String.fromCharCode(code);
}

/** What a tile does, as small icons. @param {LegendEntry} entry */
const factsOf = ({ blocks_movement, blocks_sight, movement_cost = 1 }) => [
  blocks_movement && h('span', { class: 'wk-fact', title: 'Blocks movement' }, icon('walk')),
  blocks_sight && h('span', { class: 'wk-fact', title: 'Blocks sight' }, icon('hidden')),
  movement_cost !== 1 && h('span', { class: 'wk-fact wk-cost', title: 'Movement cost' }, `×${movement_cost}`),
];

/** What a tile does, as text. @param {LegendEntry} entry */
function rulesOf({ blocks_movement, blocks_sight, movement_cost = 1 }) {
  const rules = [
    blocks_movement && 'blocks movement',
    blocks_sight && 'blocks sight',
    movement_cost !== 1 && `cost ${movement_cost}`,
  ].filter(Boolean);
  return rules.length ? `: ${rules.join(', ')}` : '';
}

/** @returns {LegendView | null} */
function keptView() {
  try {
    const kept = localStorage.getItem(VIEW_STORAGE_KEY);
    return kept === 'palette' || kept === 'list' ? kept : null;
  } catch {
    return null;
  }
}

/** @param {LegendView} view */
function keepView(view) {
  try {
    localStorage.setItem(VIEW_STORAGE_KEY, view);
  } catch {
    // Without storage the choice holds for this page only.
  }
}
