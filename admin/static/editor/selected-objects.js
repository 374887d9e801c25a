/** The selected objects: selecting, naming, changing, duplicating and deleting them. */

import { LISTS, objectsOf } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { indexOfObject, middleOf, refOf, sameObject, objectOf } from '../../../web/shared/objects.js';
import { movedByCells } from './tools/object.js';
import { toolEntry } from './tools/tools.js';

/**
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('../../../web/shared/document.js').MapObject} MapObject
 * @typedef {import('../../../web/shared/document.js').ObjectList} ObjectList
 * @typedef {import('../../../web/shared/objects.js').ObjectRef} ObjectRef
 * @typedef {{ref: ObjectRef, item: MapObject}} Selected
 */

/** What one of a list is called. @type {Record<ObjectList, string>} */
export const SINGULAR = { entities: 'entity', doors: 'door', walls: 'wall', lights: 'light' };

export class SelectedObjects {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get frame() {
    return this.editor.document.frame;
  }

  /**
   * The selected objects in their current state.
   * @returns {Selected[]}
   */
  selected() {
    return this.editor.state.objects.flatMap((ref) => {
      const item = objectOf(this.frame, ref);
      return item ? [{ ref, item }] : [];
    });
  }

  /** The selected object, when there is exactly one. */
  get only() {
    const selected = this.selected();
    return selected.length === 1 ? selected[0] : null;
  }

  /** Forget those that are gone. */
  keep() {
    const { state } = this.editor;
    if (state.objects.length) state.objects = state.objects.filter((ref) => indexOfObject(this.frame, ref) >= 0);
  }

  /**
   * @param {ObjectRef[]} refs
   * @param {{isNew?: boolean, reveal?: boolean}} [how]  whether they were just made, whether the view moves there
   */
  select(refs, { isNew = false, reveal = false } = {}) {
    const { editor } = this;
    if (refs.length && toolEntry(editor.state.tool).subject !== 'objects') editor.setTool('object');
    editor.state.objects = refs;
    if (refs.length) editor.tokens.selected = null;
    const selected = this.selected();
    if (selected.length) {
      editor.panels.objects.shown = selected[0].ref.list;
      editor.showPanel('objects');
      editor.announce(`${isNew ? 'Placed' : 'Selected'} ${this.summary(selected)}`);
      if (reveal) this.#reveal(selected[0]);
    }
    editor.refresh();
  }

  selectAll() {
    const { frame } = this;
    this.select(LISTS.flatMap((list) => objectsOf(frame, list).map((item, index) => refOf(list, item, index))));
  }

  /** @param {Selected} selected */
  #reveal({ ref, item }) {
    const { document: doc } = this.editor;
    this.editor.reveal(
      ref.list === 'entities' ? [item.x, item.y] : doc.geometry.cellAt(...middleOf(doc, ref.list, item)),
    );
  }

  /** “Goblin”, or “3 objects”. @param {Selected[]} selected */
  summary(selected) {
    return selected.length === 1
      ? this.nameOf(selected[0].ref.list, selected[0].item)
      : plural(selected.length, 'object');
  }

  /** @param {ObjectList} list  @param {MapObject} item */
  nameOf(list, item) {
    const kind = list === 'entities' ? item.kind || 'entity' : SINGULAR[list];
    return String(item.name || item.properties?.name || kind);
  }

  /** An id that no object of the map has, from what it is. @param {ObjectList} list  @param {MapObject} item */
  newId(list, item) {
    const kind = list === 'entities' ? item.kind || 'entity' : SINGULAR[list];
    const base = String(kind)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40);
    const [a, b] = crypto.getRandomValues(new Uint32Array(2));
    // 64 random bits: it is nobody else's.
    return `${base || 'object'}-${(a.toString(36) + b.toString(36)).slice(0, 12)}`;
  }

  // Changes of a step

  /** @param {import('./history.js').Step} step  @param {{list: ObjectList, item: MapObject}[]} objects */
  add(step, objects) {
    /** @type {Partial<Record<ObjectList, MapObject[]>>} */
    const lists = {};
    for (const { list, item } of objects) (lists[list] ??= [...objectsOf(this.frame, list)]).push(item);
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  /** @param {import('./history.js').Step} step  @param {{list: ObjectList, item: MapObject}[]} objects */
  takeOff(step, objects) {
    if (!objects.length) return;
    const gone = new Set(objects.map(({ item }) => item));
    /** @type {Partial<Record<ObjectList, MapObject[]>>} */
    const lists = {};
    for (const { list } of objects) lists[list] ??= objectsOf(this.frame, list).filter((item) => !gone.has(item));
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  /** Put objects in the place of those that are there. @param {import('./history.js').Step} step  @param {Selected[]} objects */
  replace(step, objects) {
    /** @type {Partial<Record<ObjectList, MapObject[]>>} */
    const lists = {};
    for (const { ref, item } of objects) {
      const list = (lists[ref.list] ??= [...objectsOf(this.frame, ref.list)]);
      const index = indexOfObject(this.frame, ref);
      if (index >= 0) list[index] = item;
    }
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  // Changes of their own

  /**
   * Set keys of all selected objects; undefined removes one.
   * @param {{[key: string]: any}} changes  @param {string} [label]
   */
  set(changes, label) {
    const { editor } = this;
    const next = this.selected().map(({ ref, item }) => {
      const fields = Object.entries({ ...item, ...changes }).filter(([, value]) => value !== undefined);
      const changed = /** @type {MapObject} */ (Object.fromEntries(fields));
      // With an id, its next change can be sent as an edit of its own.
      changed.id ??= this.newId(ref.list, changed);
      return { ref, item: changed };
    });
    if (!next.length) return;
    editor.run(label ?? `Changed ${this.summary(next)}`, (step) => this.replace(step, next));
    editor.state.objects = next.map(({ ref, item }) => refOf(ref.list, item));
    editor.refresh();
  }

  remove() {
    const selected = this.selected();
    if (!selected.length) return;
    const objects = selected.map(({ ref, item }) => ({ list: ref.list, item }));
    this.editor.run(`Deleted ${this.summary(selected)}`, (step) => this.takeOff(step, objects));
    this.editor.canvas.focus({ preventScroll: true });
  }

  /** Copies beside them, selected instead. */
  duplicate() {
    const { editor } = this;
    const { geometry } = editor.document;
    const selected = this.selected();
    if (!selected.length) return;
    const last = selected.some(({ ref, item }) => ref.list === 'entities' && item.x + 1 >= geometry.width);
    const copies = selected.map(({ ref: { list }, item }) => {
      const copy = movedByCells(geometry, list, structuredClone(item), [0, 0], [last ? 0 : 1, 0]);
      copy.id = this.newId(list, item);
      return { list, item: copy };
    });
    editor.run(`Duplicated ${this.summary(selected)}`, (step) => this.add(step, copies));
    this.select(copies.map(({ list, item }) => refOf(list, item)));
  }

  /** Move them by cells, while they stay on the map. @param {number} dx  @param {number} dy */
  nudge(dx, dy) {
    const { editor } = this;
    const { geometry } = editor.document;
    const selected = this.selected();
    const next = selected.map(({ ref, item }) => ({
      ref,
      item: movedByCells(geometry, ref.list, item, [0, 0], [dx, dy]),
    }));
    if (!next.length || next.some(({ ref, item }) => ref.list === 'entities' && !geometry.holds(item.x, item.y)))
      return;
    editor.run(`Moved ${this.summary(selected)}`, (step) => this.replace(step, next));
  }

  /** @param {ObjectRef} ref */
  isSelected(ref) {
    return this.editor.state.objects.some((one) => sameObject(one, ref));
  }
}
