/** The lists of entities, doors, walls and lights, and the form of the selected ones. */

import { checkbox, field, h, plural } from '../../../web/shared/dom.js';
import { icon, kindIcon } from '../../../web/shared/icons.js';
import { KINDS, kindColor } from '../../../web/shared/kinds.js';
import { refOf, sameObject } from '../../../web/shared/objects.js';
import { hexOf, parseColor } from '../../../web/shared/tiles.js';
import { objectsOf } from '../../../web/shared/document.js';
import { doorProblem, wallsOn, withoutDoor } from './doors.js';
import { Panel, small } from './panel.js';

/**
 * @typedef {import('../../../web/shared/document.js').Door} Door
 * @typedef {import('../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../web/shared/objects.js').ObjectRef} ObjectRef
 */

const MAX_LISTED = 300;

/** @type {[ObjectList, string][]} */
export const OBJECTS = [
  ['entities', 'Entities'],
  ['doors', 'Doors'],
  ['walls', 'Walls'],
  ['lights', 'Lights'],
];
const TITLES = { entities: 'Entity', doors: 'Door', walls: 'Wall', lights: 'Light' };
const ICONS = /** @type {const} */ ({ entities: 'entity', doors: 'door', walls: 'wall', lights: 'light' });
const EMPTY_HINTS = {
  entities: 'No entities. Use the entity tool (N) and click on the map.',
  doors: 'No doors. Use the door tool (D) and click on the side of a cell.',
  walls: 'No walls. Use the wall tool (W) and click from corner to corner.',
  lights: 'No lights. Use the light tool (I) and click on the map.',
};

export class ObjectsPanel extends Panel {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    super(editor, 'wk-objects');
    this.query = '';
    /** @type {ObjectList} */
    this.shown = 'entities';
    this.list = h('ul', { class: 'wk-list', 'data-scroll': 'objects' });
  }

  inputs() {
    const { entities, doors, walls, lights, legend } = this.frame;
    // Whether a door leads anywhere depends on the cells too.
    const painted = doors.length ? this.editor.history.position : null;
    return [entities, doors, walls, lights, legend, painted, this.state.objects, this.shown];
  }

  draw() {
    const selected = this.editor.objects.selected();
    const search = h('input', {
      type: 'search',
      value: this.query,
      placeholder: 'Find by name or kind',
      'aria-label': 'Find an object',
      'data-focus': 'find-object',
      oninput: () => {
        this.query = search.value;
        this.#fillList();
      },
    });
    this.#fillList();
    const lists = OBJECTS.map(([list, label]) => {
      const onclick = () => {
        this.shown = list;
        this.editor.refresh();
      };
      const props = {
        type: 'button',
        'aria-pressed': String(this.shown === list),
        'data-focus': `shown-${list}`,
        onclick,
      };
      return h('button', props, `${label} `, h('small', {}, String(this.frame[list].length)));
    });
    return [
      selected.length === 1 && this.#form(selected[0].ref.list, selected[0].item),
      selected.length > 1 && this.#formOfMany(selected),
      h('div', { class: 'wk-segments', role: 'group', 'aria-label': 'Which objects' }, lists),
      h('div', { class: 'wk-find' }, icon('search'), search),
      this.list,
    ];
  }

  #fillList() {
    const { objects } = this.editor;
    const wanted = this.query.trim().toLowerCase();
    const all = objectsOf(this.frame, this.shown).map((item, index) => ({
      item,
      ref: refOf(this.shown, item, index),
      name: objects.nameOf(this.shown, item),
    }));
    const found = all.filter(({ item, name }) => `${name} ${item.kind ?? ''}`.toLowerCase().includes(wanted));
    const rows = found.slice(0, MAX_LISTED).map(({ item, ref, name }) => this.#row(item, ref, name));
    const more = found.length - rows.length;
    if (more > 0)
      rows.push(h('li', { class: 'wk-quiet wk-pad' }, `and ${more.toLocaleString('en')} more: search to see them`));
    if (!all.length) rows.push(h('li', { class: 'wk-quiet wk-pad' }, EMPTY_HINTS[this.shown]));
    this.list.replaceChildren(...rows);
  }

  /** @param {MapObject} item  @param {ObjectRef} ref  @param {string} name */
  #row(item, ref, name) {
    const isSelected = this.editor.objects.isSelected(ref);
    const isEntity = this.shown === 'entities';
    const token = h('span', { class: 'wk-token' }, isEntity ? kindIcon(item.kind) : icon(ICONS[this.shown]));
    if (isEntity) token.style.background = kindColor(item.kind);
    const problem = this.shown === 'doors' ? doorProblem(this.editor.document, /** @type {Door} */ (item)) : null;
    const props = {
      type: 'button',
      class: `wk-tile ${isSelected ? 'wk-on' : ''}`,
      'aria-pressed': String(isSelected),
      'data-focus': `object-${ref.id ?? ref.index}`,
      onclick: (/** @type {MouseEvent} */ event) => this.#select(ref, event),
    };
    return h(
      'li',
      {},
      h(
        'button',
        props,
        token,
        h('span', { class: 'wk-tile-name' }, name),
        problem && h('span', { class: 'wk-fact wk-alert', title: problem }, icon('warning')),
        item.hidden && h('span', { class: 'wk-fact', title: 'Hidden from players' }, icon('mask')),
        h('span', { class: 'wk-count' }, placeOf(item)),
      ),
    );
  }

  /** @param {ObjectRef} ref  @param {MouseEvent} event */
  #select(ref, event) {
    const { objects, state } = this.editor;
    const others = state.objects.filter((one) => !sameObject(one, ref));
    if (!event.shiftKey && !event.ctrlKey && !event.metaKey) objects.select([ref], { reveal: true });
    else objects.select(others.length < state.objects.length ? others : [...others, ref]);
  }

  /** @param {{[key: string]: any}} changes  @param {string} [label] */
  #set(changes, label) {
    this.editor.objects.set(changes, label);
  }

  /**
   * @param {MapObject} item  @param {string} key  @param {string} label
   * @param {{keep?: boolean, class?: string, input?: {[key: string]: any}}} [props]  `keep`: also when it is empty
   */
  #text(item, key, label, props = {}) {
    const input = h('input', {
      value: item[key] ?? '',
      'data-focus': `object-${key}`,
      onchange: () => this.#set({ [key]: input.value || (props.keep ? '' : undefined) }),
      ...props.input,
    });
    return field(label, input, props.class);
  }

  /** @param {MapObject} item  @param {string} key  @param {string} label  @param {{[key: string]: any}} [props] */
  #number(item, key, label, props = {}) {
    const input = h('input', {
      type: 'number',
      value: item[key] ?? '',
      step: 'any',
      'data-focus': `object-${key}`,
      class: 'wk-short',
      required: true,
      ...props,
      onchange: () => {
        if (input.validity.valid) this.#set({ [key]: input.value === '' ? undefined : Number(input.value) });
        else input.reportValidity();
      },
    });
    return field(label, input);
  }

  /** Whether players see it. @param {boolean} hidden */
  #hidden(hidden) {
    const hint = 'Only game masters see it; it is not sent to players at all';
    return checkbox('Hidden from players', hidden, (on) => this.#set({ hidden: on || undefined }), hint);
  }

  /** @param {string} title  @param {HTMLElement[]} parts */
  #frameOfForm(title, parts) {
    const { objects } = this.editor;
    return h(
      'div',
      { class: 'wk-form wk-object-form', role: 'group', 'aria-label': title },
      h(
        'div',
        { class: 'wk-panel-head' },
        h('h2', {}, title),
        h(
          'span',
          {},
          small('duplicate', 'Duplicate', () => objects.duplicate(), { focus: 'object-duplicate' }),
          small('remove', 'Delete', () => objects.remove(), { focus: 'object-remove' }),
          small('close', 'Done', () => objects.select([]), { focus: 'object-close' }),
        ),
      ),
      parts,
    );
  }

  /** @param {import('./selected-objects.js').Selected[]} selected */
  #formOfMany(selected) {
    const counts = OBJECTS.map(([list, label]) => {
      const count = selected.filter(({ ref }) => ref.list === list).length;
      return count ? plural(count, TITLES[list].toLowerCase(), label.toLowerCase()) : '';
    });
    return this.#frameOfForm(plural(selected.length, 'object'), [
      h('p', { class: 'wk-quiet' }, counts.filter(Boolean).join(', ')),
      this.#hidden(selected.every(({ item }) => item.hidden)),
    ]);
  }

  /** @param {ObjectList} list  @param {MapObject} item */
  #form(list, item) {
    const forms = {
      entities: () => this.#entity(item),
      doors: () => this.#door(/** @type {Door} */ (item)),
      walls: () => this.#wall(item),
      lights: () => this.#light(item),
    };
    return this.#frameOfForm(TITLES[list], [...forms[list](), this.#properties(item)]);
  }

  /** @param {MapObject} item */
  #entity(item) {
    const { width, height, entities } = this.frame;
    const kinds = [...new Set([...KINDS, ...entities.map(({ kind }) => kind).filter(Boolean)])].slice(0, 100);
    return [
      h(
        'div',
        { class: 'wk-form-line' },
        this.#text(item, 'name', 'Name', { keep: true, class: 'wk-grow' }),
        this.#text(item, 'kind', 'Kind', { input: { list: 'wk-kinds', class: 'wk-kind' } }),
      ),
      h(
        'datalist',
        { id: 'wk-kinds' },
        kinds.map((kind) => h('option', { value: kind })),
      ),
      h(
        'div',
        { class: 'wk-form-line wk-end' },
        this.#number(item, 'x', 'Column', { min: 0, max: width - 1, step: 1 }),
        this.#number(item, 'y', 'Row', { min: 0, max: height - 1, step: 1 }),
      ),
      this.#hidden(Boolean(item.hidden)),
    ];
  }

  /** @param {Door} item */
  #door(item) {
    const states = ['open', 'closed', 'locked'].map((state) => {
      const onclick = () => this.#set({ state }, `The door is ${state}`);
      const isNow = (item.state ?? 'closed') === state;
      return h(
        'button',
        { type: 'button', 'aria-pressed': String(isNow), 'data-focus': `door-${state}`, onclick },
        state,
      );
    });
    const problem = doorProblem(this.editor.document, item);
    const secret = 'Players see a wall here until it is open';
    return [
      ...(problem ? [this.#problem(item, problem)] : []),
      h(
        'div',
        { class: 'wk-field' },
        h('span', { class: 'wk-label' }, 'State'),
        h('div', { class: 'wk-segments', role: 'group', 'aria-label': 'State of the door' }, states),
      ),
      h(
        'div',
        { class: 'wk-form-line wk-wrap' },
        checkbox('Secret', Boolean(item.secret), (on) => this.#set({ secret: on || undefined }), secret),
        this.#hidden(Boolean(item.hidden)),
      ),
      this.#segment(item),
    ];
  }

  /** The problem of a door, and the button that fixes it. @param {Door} door  @param {string} problem */
  #problem(door, problem) {
    const { editor } = this;
    const walls = wallsOn(editor.document, door);
    const cut = () =>
      editor.run('Cut the wall at the door', (step) => {
        const pieces = walls.flatMap((wall) => withoutDoor(wall, door));
        const rest = this.frame.walls.filter((wall) => !walls.includes(wall));
        step.change({
          walls: [...rest, ...pieces.map((wall) => ({ ...wall, id: editor.objects.newId('walls', wall) }))],
        });
      });
    const props = { type: 'button', class: 'wk-link', 'data-focus': 'door-cut', onclick: cut };
    return h(
      'p',
      { class: 'wk-problem' },
      icon('warning'),
      h('span', {}, problem, walls.length ? [' ', h('button', props, 'Cut the wall here')] : null),
    );
  }

  /** @param {MapObject} item */
  #wall(item) {
    const blocks = (/** @type {string} */ key, /** @type {string} */ label) =>
      checkbox(label, item[key] !== false, (on) => this.#set({ [key]: on }));
    return [
      h(
        'div',
        { class: 'wk-form-line wk-wrap' },
        blocks('blocks_movement', 'Blocks movement'),
        blocks('blocks_sight', 'Blocks sight'),
        this.#hidden(Boolean(item.hidden)),
      ),
      this.#segment(item),
    ];
  }

  /** @param {MapObject} item */
  #light(item) {
    const color = h('input', {
      type: 'color',
      value: hexOf(parseColor(item.color) ?? [255, 210, 138, 255]),
      'data-focus': 'object-color',
      onchange: () => this.#set({ color: color.value }),
    });
    return [
      h(
        'div',
        { class: 'wk-form-line' },
        this.#number(item, 'range', 'Range', { min: 0 }),
        this.#number(item, 'intensity', 'Intensity', { min: 0, required: false, placeholder: '1' }),
        field('Colour', color),
      ),
      h('div', { class: 'wk-form-line' }, this.#number(item, 'x', 'x'), this.#number(item, 'y', 'y')),
      this.#hidden(Boolean(item.hidden)),
    ];
  }

  /** @param {MapObject} item */
  #segment(item) {
    return h(
      'details',
      {},
      h('summary', {}, 'Place'),
      h(
        'div',
        { class: 'wk-form-line' },
        ['x1', 'y1', 'x2', 'y2'].map((key) => this.#number(item, key, key)),
      ),
    );
  }

  /**
   * Properties as lines of name and value; values other than text are written as JSON.
   * @param {MapObject} item
   */
  #properties(item) {
    /** @type {[string, unknown][]} */
    const entries = Object.entries(item.properties ?? {});
    const save = (/** @type {[string, unknown][]} */ next) => this.#set({ properties: Object.fromEntries(next) });
    const rows = entries.map(([key, value], i) => {
      const name = h('input', {
        value: key,
        'aria-label': 'Property',
        'data-focus': `property-${i}-key`,
        onchange: () => save(name.value ? entries.with(i, [name.value, value]) : entries.toSpliced(i, 1)),
      });
      const text = h('textarea', {
        value: textOfValue(value),
        rows: 1,
        spellcheck: false,
        'aria-label': `Value of ${key}`,
        'data-focus': `property-${i}`,
        onchange: () => save(entries.with(i, [key, valueOfText(text.value)])),
      });
      const remove = small('close', `Remove ${key}`, () => save(entries.toSpliced(i, 1)));
      return h('div', { class: 'wk-property' }, name, growing(text), remove);
    });
    const fresh = h('input', {
      placeholder: 'new property',
      'aria-label': 'New property',
      'data-focus': 'property-new',
      onchange: () => fresh.value.trim() && save([...entries, [fresh.value.trim(), '']]),
    });
    const add = small('plus', 'Add the property', () => fresh.focus());
    return h(
      'details',
      { open: true, class: 'wk-properties' },
      h('summary', {}, 'Properties'),
      rows,
      h('div', { class: 'wk-property wk-new' }, fresh, add),
    );
  }
}

const placeOf = (/** @type {MapObject} */ { x, y, x1, y1 }) => `${short(x ?? x1)}, ${short(y ?? y1)}`;
const short = (/** @type {unknown} */ value) => Math.round(Number(value) * 10) / 10;

/** Text as it is; all else, and text that reads like something else, as JSON. @param {unknown} value */
function textOfValue(value) {
  if (typeof value !== 'string') return JSON.stringify(value);
  return valueOfText(value) === value ? value : JSON.stringify(value);
}

/**
 * @param {string} text
 * @returns {unknown}
 */
function valueOfText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A text field that is as high as its text. @param {HTMLTextAreaElement} area */
function growing(area) {
  const grow = () => {
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight + 2, 160)}px`;
  };
  area.addEventListener('input', grow);
  requestAnimationFrame(grow);
  return area;
}
