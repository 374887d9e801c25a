/** The map as a whole: its size, its kind of grid, and what it holds. */

import { ANCHORS, EMPTY, MAX_SIDE, anchorShift, resized } from '../../../web/shared/document.js';
import { ask } from './dialogs.js';
import { field, h, plural } from '../../../web/shared/dom.js';
import { Panel } from './panel.js';
import { OBJECTS } from './objects-panel.js';

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
    /**
     * Kept while the map has this size: it contains what is typed.
     * @type {{width: number, height: number, form: HTMLElement} | null}
     */
    this.size = null;
  }

  inputs() {
    const { width, height, other, entities, doors, walls, lights } = this.frame;
    return [width, height, other, entities.length, doors.length, walls.length, lights.length];
  }

  draw() {
    const { width, height } = this.frame;
    if (this.size?.width !== width || this.size.height !== height)
      this.size = { width, height, form: this.#sizeForm(width, height) };
    return [
      this.size.form,
      this.#grid(),
      h(
        'dl',
        { class: 'wk-facts' },
        [
          ['Cells', (width * height).toLocaleString('en')],
          ['Layers', this.frame.layers.length],
          ['Tiles', this.frame.legend.length],
          ...OBJECTS.map(([list, label]) => [label, this.frame[list].length]),
        ].map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, String(value)))),
      ),
    ];
  }

  /** @param {number} width  @param {number} height */
  #sizeForm(width, height) {
    const size = { width: this.#side('Width', width), height: this.#side('Height', height) };
    const anchors = h(
      'div',
      { class: 'wk-anchors', role: 'radiogroup', 'aria-label': 'Position of the old map in the new one' },
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
    return h(
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
        'The square marks the position of the old map in the new one. Anything outside is cut off.',
      ),
      h('button', { type: 'submit', form: SIZE_FORM, class: 'wk-button' }, 'Resize'),
    );
  }

  /** @param {string} key  @param {unknown} value */
  #set(key, value) {
    this.editor.run('Changed the grid', (step) => step.change({ other: { ...this.frame.other, [key]: value } }));
  }

  /**
   * Change the type of the grid. Points have other coordinates on hexes: the server moves the objects.
   * @param {string} type
   */
  async #setGridType(type) {
    const { editor, frame } = this;
    const isHex = (/** @type {unknown} */ one) => one === 'hex_row' || one === 'hex_column';
    const old = frame.other.grid_type ?? 'square';
    const isOtherPlane = old !== type && (isHex(old) || isHex(type));
    const placed = frame.walls.length + frame.doors.length + frame.lights.length;
    const change = editor.saving?.changeGrid?.bind(editor.saving);
    if (!isOtherPlane || !placed || !change) {
      this.#set('grid_type', type);
      return;
    }
    const sure = await ask(
      editor.element,
      'Change the grid?',
      'The map is saved, and its walls, doors and lights move with their cells. You cannot undo this in the editor, but you can restore the old state from the history of the map.',
      [
        { value: 'change', label: 'Save and change', primary: true },
        { value: null, label: 'Cancel' },
      ],
    );
    if (sure) await change(type);
    // The field shows what the map has.
    this.last = null;
    editor.refresh();
  }

  /**
   * @param {string} key  @param {[string, string][]} options  value and label  @param {unknown} now
   * @param {(value: string) => void} [choose]
   */
  #select(key, options, now, choose = (value) => this.#set(key, value)) {
    const select = h(
      'select',
      { 'data-focus': `map-${key}`, onchange: () => choose(select.value) },
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
    const setType = (/** @type {string} */ type) => this.#setGridType(type);
    return h(
      'div',
      { class: 'wk-form' },
      h('h2', {}, 'Grid'),
      h(
        'div',
        { class: 'wk-form-line' },
        field('Cells', this.#select('grid_type', GRID_TYPES, other.grid_type ?? 'square', setType), 'wk-grow'),
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
    const objects = OBJECTS.reduce((count, [list]) => count + frame[list].length - next[list].length, 0);
    if (lost || objects) {
      const what = [lost && plural(lost, 'cell'), objects && plural(objects, 'object')].filter(Boolean).join(' and ');
      const sure = await ask(this.editor.element, 'Cut the map?', `${what} would be cut off. You can undo this.`, [
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
