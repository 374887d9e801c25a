/** The list of tokens on the map, and the form of the selected one. */

import { checkbox, field, h } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { css, hexOf, parseColor } from '../../../web/shared/tiles.js';
import { SIZES, initials, letteringOn } from '../../../web/shared/token.js';
import { Panel, small } from './panel.js';

/** @typedef {import('./map-tokens.js').Token} Token */

const MAX_LISTED = 300;
const DEFAULT_COLOR = '#60707a'; // of a token without a colour

/** @type {[number, string][]} */
const SIZE_NAMES = SIZES.map((size, i) => [
  size,
  ['½ · tiny', '1 · medium', '2 · large', '3 · huge', '4 · gargantuan'][i],
]);
/** @type {[string, string][]} */
const DISPOSITIONS = [
  ['friendly', 'friendly'],
  ['neutral', 'neutral'],
  ['hostile', 'hostile'],
];

/**
 * A choice of one value.
 * @template {string | number} T
 * @param {[T, string][]} options  @param {T} value  @param {(value: T) => void} choose
 * @param {{[name: string]: string}} [attributes]
 */
export function choiceOf(options, value, choose, attributes = {}) {
  const elements = options.map(([one, label], i) => h('option', { value: String(i), selected: one === value }, label));
  const onchange = () => choose(options[select.selectedIndex][0]);
  const select = h('select', { onchange, ...attributes }, elements);
  return select;
}

/** The sizes of tokens. @param {number} size  @param {(size: number) => void} choose  @param {{[name: string]: string}} attributes */
export const sizeChoice = (size, choose, attributes) => choiceOf(SIZE_NAMES, size, choose, attributes);

export class TokensPanel extends Panel {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    super(editor, 'wk-objects wk-map-tokens');
    this.query = '';
    this.list = h('ul', { class: 'wk-list', 'data-scroll': 'tokens' });
  }

  inputs() {
    const { tokens } = this.editor;
    return [
      JSON.stringify(tokens.shown),
      tokens.selected,
      tokens.mapUrl,
      tokens.choices,
      this.state.pictures.images.size,
    ];
  }

  draw() {
    const { tokens } = this.editor;
    const selected = tokens.get(tokens.selected);
    const search = h('input', {
      type: 'search',
      value: this.query,
      placeholder: 'Find by name',
      'aria-label': 'Find a token',
      'data-focus': 'find-token',
      oninput: () => {
        this.query = search.value;
        this.#fillList();
      },
    });
    this.#fillList();
    return [
      selected && this.#form(selected),
      h('div', { class: 'wk-find' }, icon('search'), search),
      this.list,
      !selected && h('p', { class: 'wk-quiet wk-pad' }, 'Changes of tokens are saved immediately.'),
    ];
  }

  #fillList() {
    const { tokens } = this.editor;
    const wanted = this.query.trim().toLowerCase();
    const found = tokens.shown.filter(({ name }) => name.toLowerCase().includes(wanted));
    found.sort((a, b) => a.name.localeCompare(b.name));
    const rows = found.slice(0, MAX_LISTED).map((token) => this.#row(token));
    const more = found.length - rows.length;
    if (more > 0)
      rows.push(h('li', { class: 'wk-quiet wk-pad' }, `and ${more.toLocaleString('en')} more: search to see them`));
    const hint = tokens.mapUrl
      ? 'No tokens. Use the token tool (K) and click on the map.'
      : 'Tokens can be placed once the map is saved.';
    if (!tokens.saved.length) rows.push(h('li', { class: 'wk-quiet wk-pad' }, hint));
    this.list.replaceChildren(...rows);
  }

  /** @param {Token} token */
  #row(token) {
    const { tokens } = this.editor;
    const isSelected = token.id === tokens.selected;
    const props = {
      type: 'button',
      class: `wk-tile ${isSelected ? 'wk-on' : ''}`,
      'aria-pressed': String(isSelected),
      'data-focus': `token-${token.id}`,
      onclick: () => tokens.select(token.id, { reveal: true }),
    };
    return h(
      'li',
      {},
      h(
        'button',
        props,
        this.#face(token),
        h('span', { class: 'wk-tile-name' }, token.name),
        token.hidden && h('span', { class: 'wk-fact', title: 'Hidden from players' }, icon('mask')),
        h('span', { class: 'wk-count' }, `${token.x}, ${token.y}`),
      ),
    );
  }

  /** @param {Token} token */
  #face(token) {
    const color = parseColor(token.color) ?? parseColor(DEFAULT_COLOR);
    const image = this.state.pictures.get(token.asset_id);
    const face = h(
      'span',
      { class: 'wk-token wk-face' },
      image ? h('img', { src: image.src, alt: '' }) : initials(token.name),
    );
    if (color) Object.assign(face.style, { background: css(color), color: letteringOn(color) });
    return face;
  }

  /** @param {Token} token */
  #form(token) {
    const { tokens } = this.editor;
    const set = (/** @type {import('./map-tokens.js').Fields} */ fields) => tokens.change(token, fields);
    const name = h('input', {
      value: token.name,
      required: true,
      maxLength: 200,
      'data-focus': 'token-name',
      onchange: () => (name.value.trim() ? set({ name: name.value.trim() }) : name.reportValidity()),
    });
    const color = h('input', {
      type: 'color',
      value: hexOf(parseColor(token.color) ?? parseColor(DEFAULT_COLOR) ?? [0, 0, 0, 255]),
      'data-focus': 'token-color',
      onchange: () => set({ color: color.value }),
    });
    const hint = 'Only game masters see it, and members with a grant for it';
    return h(
      'div',
      { class: 'wk-form wk-object-form', role: 'group', 'aria-label': 'Token' },
      h(
        'div',
        { class: 'wk-panel-head' },
        h('h2', {}, 'Token'),
        h(
          'span',
          {},
          small('remove', 'Delete', () => tokens.remove(token), { focus: 'token-remove' }),
          small('close', 'Done', () => tokens.select(null), { focus: 'token-close' }),
        ),
      ),
      h(
        'div',
        { class: 'wk-form-line' },
        field('Name', name, 'wk-grow'),
        field(
          'Size',
          sizeChoice(token.size, (size) => set({ size }), { 'data-focus': 'token-size' }),
        ),
      ),
      h(
        'div',
        { class: 'wk-form-line' },
        field(
          'Disposition',
          choiceOf(DISPOSITIONS, token.disposition, (disposition) => set({ disposition }), {
            'data-focus': 'token-disposition',
          }),
        ),
        field('Colour', color),
        field('Picture', this.#picture(token, set), 'wk-grow'),
      ),
      h(
        'div',
        { class: 'wk-form-line wk-wrap' },
        checkbox('Hidden from players', token.hidden, (hidden) => set({ hidden }), hint),
        h('a', { class: 'wk-all-fields', href: `/admin/token/edit/${token.id}` }, 'All fields'),
      ),
    );
  }

  /** @param {Token} token  @param {(fields: import('./map-tokens.js').Fields) => void} set */
  #picture({ asset_id: now }, set) {
    const { pictures } = this.editor.tokens.choices;
    /** @type {[string, string][]} */
    const options = [['', 'none'], ...pictures.map(({ id, name }) => /** @type {[string, string]} */ ([id, name]))];
    if (now && !pictures.some(({ id }) => id === now)) options.push([now, 'this picture']);
    return choiceOf(options, now ?? '', (id) => set({ asset_id: id || null }), { 'data-focus': 'token-picture' });
  }
}
