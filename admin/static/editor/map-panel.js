/** The map as a whole: its size, its kind of grid, and what it holds. */

import { ANCHORS, EMPTY, MAX_SIDE, anchorShift, resized } from '../../../web/shared/document.js';
import { ask } from './dialogs.js';
import { field, h, plural } from '../../../web/shared/dom.js';
import { Panel } from './panel.js';
import { THINGS } from './things-panel.js';

/** @type {[import('../../../web/shared/geometry.js').GridType, string][]} */
const GRID_TYPES = [
  ['square', 'Squares'],
  ['hex_row', 'Hexes in rows'],
  ['hex_column', 'Hexes in columns'],
  ['isometric', 'Isometric'],
  ['none', 'No grid'],
];
const SIZE_FORM = 'wk-size';
/** @type {[string, string][]} */
const DIAGONALS = [
  ['5-5-5', '5-5-5'],
  ['5-10-5', '5-10-5'],
  ['none', 'none'],
];

export class MapPanel extends Panel {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    super(editor, 'wk-map');
    this.anchor = 'top_left';
  }

  inputs() {
    const { width, height, other, entities, doors, walls, lights } = this.frame;
    return [width, height, other, entities.length, doors.length, walls.length, lights.length, this.anchor];
  }

  draw() {
    const { width, height } = this.frame;
    const size = { width: this.#side('Width', width), height: this.#side('Height', height) };
    const anchors = h(
      'div',
      { class: 'wk-anchors', role: 'radiogroup', 'aria-label': 'Where the old map lies in the new one' },
      Object.keys(ANCHORS).map((name) => {
        const input = h('input', {
          type: 'radio',
          name: 'wk-anchor',
          checked: name === this.anchor,
          'aria-label': name.replace('_', ' '),
          onchange: () => {
            this.anchor = name;
          },
        });
        return h('label', { title: name.replace('_', ' ') }, input, h('span', {}));
      }),
    );
    return [
      h(
        'form',
        {
          id: SIZE_FORM,
          class: 'wk-form',
          onsubmit: (/** @type {SubmitEvent} */ event) => {
            event.preventDefault();
            this.#resize(Number(size.width.value), Number(size.height.value));
          },
        },
        h('h2', {}, 'Size'),
        h('div', { class: 'wk-form-line wk-end' }, field('Width', size.width), field('Height', size.height), anchors),
        h(
          'p',
          { class: 'wk-quiet' },
          'The square marks where the old map lies in the new one. What does not fit is cut off.',
        ),
        h('button', { type: 'submit', form: SIZE_FORM, class: 'wk-button' }, 'Resize'),
      ),
      this.#grid(),
      h(
        'dl',
        { class: 'wk-facts' },
        [
          ['Cells', (width * height).toLocaleString('en')],
          ['Layers', this.frame.layers.length],
          ['Tiles', this.frame.legend.length],
          ...THINGS.map(([list, label]) => [label, this.frame[list].length]),
        ].map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, String(value)))),
      ),
    ];
  }

  /** @param {string} key  @param {unknown} value */
  #set(key, value) {
    this.editor.run('Changed the grid', (step) => step.change({ other: { ...this.frame.other, [key]: value } }));
  }

  /** @param {string} key  @param {[string, string][]} options  value and label  @param {unknown} now */
  #select(key, options, now) {
    const select = h(
      'select',
      { 'data-focus': `map-${key}`, onchange: () => this.#set(key, select.value) },
      options.map(([value, label]) => h('option', { value, selected: value === now }, label)),
    );
    return select;
  }

  #grid() {
    const { other } = this.frame;
    const distance = h('input', {
      type: 'number',
      min: 0,
      step: 'any',
      value: other.cell_distance ?? 5,
      class: 'wk-short',
      'data-focus': 'map-distance',
      onchange: () => Number(distance.value) > 0 && this.#set('cell_distance', Number(distance.value)),
    });
    const unit = h('input', {
      value: other.distance_unit ?? 'ft',
      maxLength: 32,
      class: 'wk-short',
      'data-focus': 'map-unit',
      onchange: () => this.#set('distance_unit', unit.value),
    });
    return h(
      'div',
      { class: 'wk-form' },
      h('h2', {}, 'Grid'),
      h(
        'div',
        { class: 'wk-form-line' },
        field('Cells', this.#select('grid_type', GRID_TYPES, other.grid_type ?? 'square'), 'wk-grow'),
        field('Diagonals', this.#select('diagonal_rule', DIAGONALS, other.diagonal_rule ?? '5-5-5')),
      ),
      h('div', { class: 'wk-form-line' }, field('A cell is', distance), field('Unit', unit)),
    );
  }

  /** @param {string} label  @param {number} value */
  #side(label, value) {
    return h('input', {
      form: SIZE_FORM,
      type: 'number',
      min: 0,
      max: MAX_SIDE,
      step: 1,
      required: true,
      value,
      class: 'wk-short',
      'data-focus': `map-${label}`,
    });
  }

  /** @param {number} width  @param {number} height */
  async #resize(width, height) {
    this.editor.settle();
    const { frame } = this;
    if (width === frame.width && height === frame.height) return;
    const next = resized(frame, width, height, ...anchorShift(frame, width, height, this.anchor));
    const lost = frame.layers.reduce(
      (count, layer, i) => count + filled(layer.cells) - filled(next.layers[i].cells),
      0,
    );
    const things = THINGS.reduce((count, [list]) => count + frame[list].length - next[list].length, 0);
    if (lost || things) {
      const what = [lost && plural(lost, 'cell'), things && plural(things, 'thing')].filter(Boolean).join(' and ');
      const sure = await ask(this.editor.element, 'Cut the map?', `${what} would be cut off. Undo brings them back.`, [
        { value: 'cut', label: 'Resize', danger: true },
        { value: null, label: 'Cancel' },
      ]);
      if (!sure) return;
    }
    this.editor.run(`Resized the map to ${width} by ${height}`, (step) => step.change(next));
    this.editor.fit();
  }
}

const filled = (/** @type {Uint16Array | null} */ cells) =>
  cells?.reduce((count, code) => count + Number(code !== EMPTY), 0) ?? 0;
