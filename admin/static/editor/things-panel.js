/** The lists of entities, doors, walls and lights, and the form of the chosen one. */

import { checkbox, field, h } from '../../../web/shared/dom.js';
import { icon, kindIcon } from '../../../web/shared/icons.js';
import { KINDS, kindColor } from '../../../web/shared/kinds.js';
import { Panel, small } from './panel.js';
import { parseColor } from '../../../web/shared/tiles.js';
import { indexOfThing, refOf } from '../../../web/shared/things.js';

const MOST_LISTED = 300;

export const THINGS = [
  ['entities', 'Entities'],
  ['doors', 'Doors'],
  ['walls', 'Walls'],
  ['lights', 'Lights'],
];
const ONE = { entities: 'Entity', doors: 'Door', walls: 'Wall', lights: 'Light' };

export class ThingsPanel extends Panel {
  constructor(editor) {
    super(editor, 'wk-things');
    this.query = '';
    this.shown = 'entities';
  }

  inputs() {
    const { entities, doors, walls, lights } = this.frame;
    return [entities, doors, walls, lights, this.state.thing, this.shown];
  }

  draw() {
    const chosen = this.editor.chosen();
    const search = h('input', {
      type: 'search',
      value: this.query,
      placeholder: 'Find by name or kind',
      'aria-label': 'Find a thing',
      'data-focus': 'find-thing',
      oninput: () => {
        this.query = search.value;
        this.#fillList();
      },
    });
    this.list = h('ul', { class: 'wk-list', 'data-scroll': 'things' });
    this.#fillList();
    return [
      chosen && this.#form(this.state.thing.list, chosen),
      h(
        'div',
        { class: 'wk-segments', role: 'group', 'aria-label': 'Which things' },
        THINGS.map(([list, label]) =>
          h(
            'button',
            {
              type: 'button',
              'aria-pressed': String(this.shown === list),
              'data-focus': `shown-${list}`,
              onclick: () => {
                this.shown = list;
                this.editor.refresh();
              },
            },
            `${label} `,
            h('small', {}, String(this.frame[list].length)),
          ),
        ),
      ),
      h('div', { class: 'wk-find' }, icon('search'), search),
      this.list,
    ];
  }

  #fillList() {
    const wanted = this.query.trim().toLowerCase();
    const all = this.frame[this.shown].map((item, index) => ({
      item,
      index,
      text: this.editor.thingName(this.shown, item),
    }));
    const found = all.filter(
      ({ item, text }) => !wanted || `${text} ${item.kind ?? ''}`.toLowerCase().includes(wanted),
    );
    const rows = found.slice(0, MOST_LISTED).map(({ item, index, text }) => {
      const ref = refOf(this.shown, item, index);
      const chosen = indexOfThing(this.frame, this.state.thing) === index && this.state.thing.list === this.shown;
      const mark =
        this.shown === 'entities'
          ? kindIcon(item.kind)
          : icon({ doors: 'door', walls: 'wall', lights: 'light' }[this.shown]);
      const token = h('span', { class: 'wk-token' }, mark);
      if (this.shown === 'entities') token.style.background = kindColor(item.kind);
      return h(
        'li',
        {},
        h(
          'button',
          {
            type: 'button',
            class: `wk-tile ${chosen ? 'wk-on' : ''}`,
            'aria-pressed': String(chosen),
            'data-focus': `thing-${index}`,
            onclick: () => this.editor.choose(ref, false, true),
          },
          token,
          h('span', { class: 'wk-tile-name' }, text),
          h('span', { class: 'wk-count' }, placeOf(item)),
        ),
      );
    });
    const more = found.length - rows.length;
    const empty = {
      entities: 'No entities. Take the entity tool (N) and click on the map.',
      doors: 'No doors. Take the door tool (D) and click on the side of a cell.',
      walls: 'No walls. Take the wall tool (W) and drag from corner to corner.',
      lights: 'No lights. Take the light tool (I) and click on the map.',
    }[this.shown];
    this.list.replaceChildren(
      ...rows,
      ...(more > 0
        ? [h('li', { class: 'wk-quiet wk-pad' }, `and ${more.toLocaleString('en')} more: search to see them`)]
        : []),
      ...(all.length ? [] : [h('li', { class: 'wk-quiet wk-pad' }, empty)]),
    );
  }

  #set(list, changes, label) {
    const index = indexOfThing(this.frame, this.state.thing);
    const before = this.frame[list][index];
    const next = Object.fromEntries(
      Object.entries({ ...before, ...changes }).filter(([, value]) => value !== undefined),
    );
    // With an id, the next change of this thing can be told to the server by itself.
    if (next.id === undefined) next.id = this.editor.newId(ONE[list].toLowerCase());
    this.editor.run(label ?? `Changed ${this.editor.thingName(list, next)}`, (step) =>
      step.change({ [list]: this.frame[list].with(index, next) }),
    );
    this.state.thing = refOf(list, next, index);
    this.editor.refresh();
  }

  #text(list, item, key, label, props = {}) {
    return field(
      label,
      h('input', {
        value: item[key] ?? '',
        'data-focus': `thing-${key}`,
        onchange: (event) => this.#set(list, { [key]: event.target.value || (props.keep ? '' : undefined) }),
        ...props.input,
      }),
      props.class,
    );
  }

  #number(list, item, key, label, props = {}) {
    return field(
      label,
      h('input', {
        type: 'number',
        value: item[key] ?? '',
        step: 'any',
        'data-focus': `thing-${key}`,
        class: 'wk-short',
        required: true,
        ...props,
        onchange: (event) => {
          if (event.target.validity.valid) this.#set(list, { [key]: Number(event.target.value) });
          else event.target.reportValidity();
        },
      }),
    );
  }

  #form(list, item) {
    const { width, height } = this.frame;
    const forms = {
      entities: () => [
        h(
          'div',
          { class: 'wk-form-line' },
          this.#text(list, item, 'name', 'Name', { keep: true, class: 'wk-grow' }),
          this.#text(list, item, 'kind', 'Kind', { input: { list: 'wk-kinds', class: 'wk-kind' } }),
        ),
        h(
          'datalist',
          { id: 'wk-kinds' },
          [...new Set([...KINDS, ...this.frame.entities.map(({ kind }) => kind).filter(Boolean)])]
            .slice(0, 100)
            .map((kind) => h('option', { value: kind })),
        ),
        h(
          'div',
          { class: 'wk-form-line' },
          this.#number(list, item, 'x', 'Column', { min: 0, max: width - 1, step: 1 }),
          this.#number(list, item, 'y', 'Row', { min: 0, max: height - 1, step: 1 }),
        ),
      ],
      doors: () => [
        h(
          'div',
          { class: 'wk-form-line' },
          h(
            'div',
            { class: 'wk-field wk-grow' },
            h('span', { class: 'wk-label' }, 'State'),
            h(
              'div',
              { class: 'wk-segments', role: 'group', 'aria-label': 'State of the door' },
              ['open', 'closed', 'locked'].map((state) =>
                h(
                  'button',
                  {
                    type: 'button',
                    'aria-pressed': String((item.state ?? 'closed') === state),
                    'data-focus': `door-${state}`,
                    onclick: () => this.#set(list, { state }, `The door is ${state}`),
                  },
                  state,
                ),
              ),
            ),
          ),
        ),
        checkbox('Secret', Boolean(item.secret), (on) => this.#set(list, { secret: on || undefined })),
        this.#segment(list, item),
      ],
      walls: () => [
        h(
          'div',
          { class: 'wk-form-line wk-wrap' },
          checkbox('Blocks movement', item.blocks_movement !== false, (on) => this.#set(list, { blocks_movement: on })),
          checkbox('Blocks sight', item.blocks_sight !== false, (on) => this.#set(list, { blocks_sight: on })),
        ),
        this.#segment(list, item),
      ],
      lights: () => [
        h(
          'div',
          { class: 'wk-form-line' },
          this.#number(list, item, 'range', 'Range', { min: 0 }),
          this.#number(list, item, 'intensity', 'Intensity', { min: 0, required: false, placeholder: '1' }),
          field(
            'Colour',
            h('input', {
              type: 'color',
              value: `#${(parseColor(item.color) ?? [255, 210, 138])
                .slice(0, 3)
                .map((part) => part.toString(16).padStart(2, '0'))
                .join('')}`,
              'data-focus': 'thing-color',
              onchange: (event) => this.#set(list, { color: event.target.value }),
            }),
          ),
        ),
        h('div', { class: 'wk-form-line' }, this.#number(list, item, 'x', 'x'), this.#number(list, item, 'y', 'y')),
      ],
    };
    return h(
      'div',
      { class: 'wk-form wk-thing-form', role: 'group', 'aria-label': ONE[list] },
      h(
        'div',
        { class: 'wk-panel-head' },
        h('h2', {}, ONE[list]),
        h(
          'span',
          {},
          small('duplicate', 'Duplicate', () => this.editor.duplicateThing(), { focus: 'thing-duplicate' }),
          small('remove', 'Delete', () => this.editor.removeThing(), { focus: 'thing-remove' }),
          small('close', 'Done', () => this.editor.choose(null), { focus: 'thing-close' }),
        ),
      ),
      forms[list](),
      this.#properties(list, item),
    );
  }

  #segment(list, item) {
    return h(
      'details',
      {},
      h('summary', {}, 'Place'),
      h(
        'div',
        { class: 'wk-form-line' },
        ['x1', 'y1', 'x2', 'y2'].map((key) => this.#number(list, item, key, key)),
      ),
    );
  }

  /** Properties as lines of name and value; what is not text is written as JSON. */
  #properties(list, item) {
    const entries = Object.entries(item.properties ?? {});
    const save = (next) => this.#set(list, { properties: Object.fromEntries(next) });
    const rows = entries.map(([key, value], i) =>
      h(
        'div',
        { class: 'wk-property' },
        h('input', {
          value: key,
          'aria-label': 'Property',
          'data-focus': `property-${i}-key`,
          onchange: (event) =>
            save(event.target.value ? entries.with(i, [event.target.value, value]) : entries.toSpliced(i, 1)),
        }),
        growing(
          h('textarea', {
            value: textOfValue(value),
            rows: 1,
            spellcheck: false,
            'aria-label': `Value of ${key}`,
            'data-focus': `property-${i}`,
            onchange: (event) => save(entries.with(i, [key, valueOfText(event.target.value)])),
          }),
        ),
        small('close', `Remove ${key}`, () => save(entries.toSpliced(i, 1))),
      ),
    );
    const name = h('input', {
      placeholder: 'new property',
      'aria-label': 'New property',
      'data-focus': 'property-new',
      onchange: () => name.value.trim() && save([...entries, [name.value.trim(), '']]),
    });
    return h(
      'details',
      { open: true, class: 'wk-properties' },
      h('summary', {}, 'Properties'),
      rows,
      h(
        'div',
        { class: 'wk-property wk-new' },
        name,
        small('plus', 'Add the property', () => name.focus()),
      ),
    );
  }
}

const placeOf = ({ x, y, x1, y1 }) => `${short(x ?? x1)}, ${short(y ?? y1)}`;
const short = (value) => Math.round(Number(value) * 10) / 10;

/** Text as it is; all else, and text that reads like something else, as JSON. */
function textOfValue(value) {
  if (typeof value !== 'string') return JSON.stringify(value);
  return valueOfText(value) === value ? value : JSON.stringify(value);
}

function valueOfText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A text field that is as high as its text. */
function growing(area) {
  const grow = () => {
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, 160)}px`;
  };
  area.addEventListener('input', grow);
  requestAnimationFrame(grow);
  return area;
}
