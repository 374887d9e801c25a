/**
 * Undo and redo: steps that remember what was before and after.
 *
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('../../../web/shared/document.js').GridDocument} GridDocument
 * @typedef {{kind: 'did' | 'undid' | 'redid', label: string}} HistoryEvent
 */

const MAX_STEPS = 500;
// About 400 MB of remembered cells; the newest step always stays.
const MAX_CELLS = 50_000_000;

/** One step being made. Changes show at once; `commit` makes them one step to undo, `cancel` takes them back. */
export class Step {
  /** @param {History} history  @param {string} label */
  constructor(history, label) {
    this.history = history;
    this.label = label;
    this.frameBefore = this.frameAfter = history.document.frame;
    /** @type {{layer: number, index: Uint32Array, before: Uint16Array, after: Uint16Array}[]} */
    this.patches = [];
    this.count = 0;
  }

  /**
   * Paint cells with one code, or each with its own; those that have it already are left out.
   * @param {number | null} layer  its key; one that has no cells is left alone
   * @param {ArrayLike<number>} indexes
   * @param {number | ArrayLike<number>} codes
   */
  paint(layer, indexes, codes) {
    const cells = this.history.document.layer(layer)?.cells;
    if (layer === null || !cells) return;
    let index = new Uint32Array(indexes.length);
    let before = new Uint16Array(indexes.length);
    let after = new Uint16Array(indexes.length);
    let count = 0;
    for (let i = 0; i < indexes.length; i++) {
      const code = typeof codes === 'number' ? codes : codes[i];
      if (cells[indexes[i]] === code) continue;
      index[count] = indexes[i];
      before[count] = cells[indexes[i]];
      after[count++] = code;
    }
    if (!count) return;
    [index, before, after] = [index.slice(0, count), before.slice(0, count), after.slice(0, count)];
    this.patches.push({ layer, index, before, after });
    this.count += index.length;
    this.history.document.setCells(layer, index, after);
  }

  /**
   * Change the frame: all but the cells of layers that stay.
   * @param {Partial<Frame>} changes
   */
  change(changes) {
    this.frameAfter = { ...this.history.document.frame, ...changes };
    this.history.document.replaceFrame(this.frameAfter);
  }

  get isEmpty() {
    return !this.patches.length && this.frameBefore === this.frameAfter;
  }

  undo() {
    const { document } = this.history;
    // Cells go with the layers they were painted on: a frame comes after the paint, so it goes first.
    if (this.frameAfter !== this.frameBefore) document.replaceFrame(this.frameBefore);
    for (const { layer, index, before } of this.patches.toReversed()) {
      // A patch contains each cell at most once, so the order within does not matter.
      document.setCells(layer, index, before);
    }
  }

  redo() {
    const { document } = this.history;
    for (const { layer, index, after } of this.patches) document.setCells(layer, index, after);
    if (this.frameAfter !== this.frameBefore) document.replaceFrame(this.frameAfter);
  }

  commit() {
    this.history.add(this);
  }

  cancel() {
    this.undo();
  }
}

export class History {
  /** @param {GridDocument} document */
  constructor(document) {
    this.document = document;
    /** @type {Set<(event: HistoryEvent | null) => void>} */
    this.listeners = new Set();
    /** @type {Step[]} */
    this.done = [];
    /** @type {Step[]} */
    this.undone = [];
    /** The step after which the map was saved; undefined at the start, null when none leads there. @type {Step | null | undefined} */
    this.saved = undefined;
  }

  /** Forget all steps; the current state counts as saved. */
  clear() {
    this.done = [];
    this.undone = [];
    this.saved = undefined;
    this.#notify(null);
  }

  /**
   * Call back after each step, undo and redo, and with null after a save.
   * @param {(event: HistoryEvent | null) => void} callback
   */
  listen(callback) {
    this.listeners.add(callback);
  }

  /** @param {HistoryEvent | null} event */
  #notify(event) {
    for (const callback of this.listeners) callback(event);
  }

  /** @param {string} label */
  begin(label) {
    return new Step(this, label);
  }

  /**
   * One step from a function that gets it.
   * @param {string} label  @param {(step: Step) => void} make
   */
  run(label, make) {
    const step = this.begin(label);
    make(step);
    step.commit();
    return step;
  }

  /** @param {Step} step */
  add(step) {
    if (step.isEmpty) return;
    this.done.push(step);
    this.undone = [];
    let cells = 0;
    let keep = 0;
    for (const { count } of this.done.toReversed()) {
      cells += count;
      if (keep && (keep >= MAX_STEPS || cells > MAX_CELLS)) break;
      keep++;
    }
    if (keep < this.done.length) {
      // The step before the oldest one kept is gone: an unedited map is not reached by undo any more.
      if (this.saved === undefined) this.saved = null;
      this.done.splice(0, this.done.length - keep);
    }
    this.#notify({ kind: 'did', label: step.label });
  }

  undo() {
    const step = this.done.pop();
    if (!step) return false;
    step.undo();
    this.undone.push(step);
    this.#notify({ kind: 'undid', label: step.label });
    return true;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return false;
    step.redo();
    this.done.push(step);
    this.#notify({ kind: 'redid', label: step.label });
    return true;
  }

  /** The last applied step; undefined at the start. */
  get position() {
    return this.done.at(-1);
  }

  /**
   * The map as it stood after a step is what the server has.
   * @param {Step | null | undefined} position
   */
  markSaved(position) {
    this.saved = position;
    this.#notify(null);
  }

  get isDirty() {
    return this.position !== this.saved;
  }
}
