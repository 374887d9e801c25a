/**
 * What all tools have in common. A tool gets places of the pointer or of the cell cursor, in the order down, move…, up;
 * `cancel` takes back what was begun. Tools change the map through steps of the history.
 *
 * @typedef {import('../../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('../../../../web/shared/pointer.js').Place & {key?: boolean}} Place  `key`: by the cell cursor
 */

export class Tool {
  /** @param {import('../editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** Whether the cell cursor began what the next press of its key ends. */
    this.begunByKey = false;
  }

  get document() {
    return this.editor.document;
  }

  get state() {
    return this.editor.state;
  }

  get geometry() {
    return this.document.geometry;
  }

  /** Whether something was begun that can be cancelled. */
  get isBusy() {
    return false;
  }

  /** Whether one press of the cell cursor's key begins and the next ends it. */
  get endsByKey() {
    return false;
  }

  /** @param {Pair} cell */
  index([x, y]) {
    return y * this.geometry.width + x;
  }

  /** It is the tool in use now. */
  activate() {}

  /** @param {Place} _place */
  down(_place) {}

  /** @param {Place} _place */
  move(_place) {}

  /** @param {Place} _place */
  up(_place) {}

  cancel() {}

  /** Finish what was begun, before something else is done. */
  settle() {
    this.cancel();
  }

  /** Undo while something is begun: takes back the last part of it, or all. */
  stepBack() {
    this.cancel();
  }

  /** @param {Place} place */
  hover(place) {
    this.state.hover = place.inside ? [place.cell] : null;
  }

  /**
   * The right button: takes the tile of a cell.
   * @param {Place} place  @param {'down' | 'move' | 'up'} phase
   */
  pick(place, phase) {
    if (phase === 'down' && place.inside) this.editor.palette.pick(place.cell);
  }
}
