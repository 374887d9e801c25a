/** The floating clip, lifted or pasted: it can be dragged, follows the pointer, and is put down or discarded. */

import { amount, Float } from './clip.js';

/**
 * @typedef {import('./clip.js').Clip} Clip
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('./tools/tool.js').Place} Place
 */

export class Floating {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** The step that took it off the map; null of what was pasted. @type {import('./history.js').Step | null} */
    this.lifted = null;
    /** @type {Pair | null} */
    this.dragged = null;
  }

  /**
   * Hold a clip above the map.
   * @param {Clip} clip
   * @param {Pair} at  where its upper left cell is
   * @param {import('./history.js').Step | null} [lifted]
   */
  hold(clip, at, lifted = null) {
    this.settle();
    const { editor } = this;
    this.lifted = lifted;
    editor.state.selection = null;
    editor.state.float = new Float(editor.document.geometry, clip, at);
    editor.refresh();
    return editor.state.float;
  }

  /**
   * The pointer goes down: drags it, or puts it down.
   * @param {Place} place
   * @returns {boolean} whether that was all that was meant
   */
  down(place) {
    const { float } = this.editor.state;
    if (!float) return false;
    if (float.follows) {
      float.centreOn(place.cell);
      this.settle();
      return true;
    }
    if (float.holds(place.cell)) {
      this.dragged = place.cell;
      return true;
    }
    this.settle();
    return false;
  }

  /**
   * @param {Place} place
   * @returns {boolean} whether it was dragged
   */
  move({ cell }) {
    if (!this.dragged) return false;
    this.editor.state.float?.moveBy(this.dragged, cell);
    this.dragged = cell;
    return true;
  }

  /** @returns {boolean} whether it was let go */
  up() {
    const was = this.dragged !== null;
    this.dragged = null;
    return was;
  }

  /** @param {Place} place */
  hover({ cell }) {
    const { float } = this.editor.state;
    if (float?.follows) float.centreOn(cell);
  }

  /** Put it down where it is, as one step. */
  settle() {
    const { editor, lifted } = this;
    const { float } = editor.state;
    this.dragged = this.lifted = editor.state.float = null;
    if (!float) return;
    const step = lifted ?? editor.history.begin('');
    const { cells, objects } = float.put(editor, step, !lifted);
    step.label = `${lifted ? 'Moved' : 'Pasted'} ${amount(cells, objects.length)}`;
    step.commit();
    if (objects.length && !cells) editor.objects.select(objects);
    editor.refresh();
  }

  /** Drop it: what was lifted is where it was. */
  cancel() {
    this.lifted?.cancel();
    this.dragged = this.lifted = this.editor.state.float = null;
    this.editor.refresh();
  }
}
