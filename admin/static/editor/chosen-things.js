/** The chosen things: choosing, naming, changing, duplicating and deleting them. */

import { LISTS, thingsOf } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { indexOfThing, middleOf, refOf, sameThing, thingOf } from '../../../web/shared/things.js';
import { movedByCells } from './tools/object.js';
import { toolEntry } from './tools/tools.js';

/**
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('../../../web/shared/document.js').Thing} Thing
 * @typedef {import('../../../web/shared/document.js').ThingList} ThingList
 * @typedef {import('../../../web/shared/things.js').ThingRef} ThingRef
 * @typedef {{ref: ThingRef, item: Thing}} Chosen
 */

/** What one of a list is called. @type {Record<ThingList, string>} */
export const ONE = { entities: 'entity', doors: 'door', walls: 'wall', lights: 'light' };

export class ChosenThings {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  get frame() {
    return this.editor.document.frame;
  }

  /**
   * The chosen things as they are now.
   * @returns {Chosen[]}
   */
  chosen() {
    return this.editor.state.things.flatMap((ref) => {
      const item = thingOf(this.frame, ref);
      return item ? [{ ref, item }] : [];
    });
  }

  /** The chosen thing, when there is exactly one. */
  get only() {
    const chosen = this.chosen();
    return chosen.length === 1 ? chosen[0] : null;
  }

  /** Forget those that are gone. */
  keep() {
    const { state } = this.editor;
    if (state.things.length) state.things = state.things.filter((ref) => indexOfThing(this.frame, ref) >= 0);
  }

  /**
   * @param {ThingRef[]} refs
   * @param {{isNew?: boolean, reveal?: boolean}} [how]  whether they were just made, whether the view moves there
   */
  choose(refs, { isNew = false, reveal = false } = {}) {
    const { editor } = this;
    editor.state.things = refs;
    const chosen = this.chosen();
    if (chosen.length) {
      editor.panels.things.shown = chosen[0].ref.list;
      editor.showPanel('things');
      editor.announce(`${isNew ? 'Placed' : 'Chose'} ${this.summary(chosen)}`);
      if (toolEntry(editor.state.tool).subject !== 'things') {
        editor.setTool('object');
        editor.state.things = refs;
      }
      if (reveal) this.#reveal(chosen[0]);
    }
    editor.refresh();
  }

  chooseAll() {
    const { frame } = this;
    this.choose(LISTS.flatMap((list) => thingsOf(frame, list).map((item, index) => refOf(list, item, index))));
  }

  /** @param {Chosen} chosen */
  #reveal({ ref, item }) {
    const { document: doc } = this.editor;
    this.editor.reveal(
      ref.list === 'entities' ? [item.x, item.y] : doc.geometry.cellAt(...middleOf(doc, ref.list, item)),
    );
  }

  /** “Goblin”, or “3 things”. @param {Chosen[]} chosen */
  summary(chosen) {
    return chosen.length === 1 ? this.nameOf(chosen[0].ref.list, chosen[0].item) : plural(chosen.length, 'thing');
  }

  /** @param {ThingList} list  @param {Thing} item */
  nameOf(list, item) {
    const kind = list === 'entities' ? item.kind || 'entity' : ONE[list];
    return String(item.name || item.properties?.name || kind);
  }

  /** An id that no thing of the map has, from what it is. @param {ThingList} list  @param {Thing} item */
  newId(list, item) {
    const kind = list === 'entities' ? item.kind || 'entity' : ONE[list];
    const base = String(kind)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 40);
    const [a, b] = crypto.getRandomValues(new Uint32Array(2));
    // 64 random bits: it is nobody else's.
    return `${base || 'thing'}-${(a.toString(36) + b.toString(36)).slice(0, 12)}`;
  }

  // Changes of a step

  /** @param {import('./history.js').Step} step  @param {{list: ThingList, item: Thing}[]} things */
  add(step, things) {
    /** @type {Partial<Record<ThingList, Thing[]>>} */
    const lists = {};
    for (const { list, item } of things) (lists[list] ??= [...thingsOf(this.frame, list)]).push(item);
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  /** @param {import('./history.js').Step} step  @param {{list: ThingList, item: Thing}[]} things */
  takeOff(step, things) {
    if (!things.length) return;
    const gone = new Set(things.map(({ item }) => item));
    /** @type {Partial<Record<ThingList, Thing[]>>} */
    const lists = {};
    for (const { list } of things) lists[list] ??= thingsOf(this.frame, list).filter((item) => !gone.has(item));
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  /** Put things in the place of those that are there. @param {import('./history.js').Step} step  @param {Chosen[]} things */
  replace(step, things) {
    /** @type {Partial<Record<ThingList, Thing[]>>} */
    const lists = {};
    for (const { ref, item } of things) {
      const list = (lists[ref.list] ??= [...thingsOf(this.frame, ref.list)]);
      const index = indexOfThing(this.frame, ref);
      if (index >= 0) list[index] = item;
    }
    step.change(/** @type {Partial<Frame>} */ (lists));
  }

  // Changes of their own

  /**
   * Set keys of all chosen things; undefined removes one.
   * @param {{[key: string]: any}} changes  @param {string} [label]
   */
  set(changes, label) {
    const { editor } = this;
    const next = this.chosen().map(({ ref, item }) => {
      const fields = Object.entries({ ...item, ...changes }).filter(([, value]) => value !== undefined);
      const changed = /** @type {Thing} */ (Object.fromEntries(fields));
      // With an id, its next change can be told to the server by itself.
      changed.id ??= this.newId(ref.list, changed);
      return { ref, item: changed };
    });
    if (!next.length) return;
    editor.run(label ?? `Changed ${this.summary(next)}`, (step) => this.replace(step, next));
    editor.state.things = next.map(({ ref, item }) => refOf(ref.list, item));
    editor.refresh();
  }

  remove() {
    const chosen = this.chosen();
    if (!chosen.length) return;
    const things = chosen.map(({ ref, item }) => ({ list: ref.list, item }));
    this.editor.run(`Deleted ${this.summary(chosen)}`, (step) => this.takeOff(step, things));
    this.editor.canvas.focus({ preventScroll: true });
  }

  /** Copies beside them, chosen instead. */
  duplicate() {
    const { editor } = this;
    const { geometry } = editor.document;
    const chosen = this.chosen();
    if (!chosen.length) return;
    const last = chosen.some(({ ref, item }) => ref.list === 'entities' && item.x + 1 >= geometry.width);
    const copies = chosen.map(({ ref: { list }, item }) => {
      const copy = movedByCells(geometry, list, structuredClone(item), [0, 0], [last ? 0 : 1, 0]);
      copy.id = this.newId(list, item);
      return { list, item: copy };
    });
    editor.run(`Duplicated ${this.summary(chosen)}`, (step) => this.add(step, copies));
    this.choose(copies.map(({ list, item }) => refOf(list, item)));
  }

  /** Move them by cells, while they stay on the map. @param {number} dx  @param {number} dy */
  nudge(dx, dy) {
    const { editor } = this;
    const { geometry } = editor.document;
    const chosen = this.chosen();
    const next = chosen.map(({ ref, item }) => ({
      ref,
      item: movedByCells(geometry, ref.list, item, [0, 0], [dx, dy]),
    }));
    if (!next.length || next.some(({ ref, item }) => ref.list === 'entities' && !geometry.holds(item.x, item.y)))
      return;
    editor.run(`Moved ${this.summary(chosen)}`, (step) => this.replace(step, next));
  }

  /** @param {ThingRef} ref */
  isChosen(ref) {
    return this.editor.state.things.some((one) => sameThing(one, ref));
  }
}
