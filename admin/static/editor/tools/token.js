/** Places tokens, and selects and drags those that are there. */

import { Tool } from './tool.js';

/** @typedef {import('./tool.js').Place} Place */

export class TokenTool extends Tool {
  get isBusy() {
    return this.editor.tokens.drag !== null;
  }

  /** @param {Place} place */
  down(place) {
    const { tokens } = this.editor;
    if (!tokens.mapUrl) this.editor.warn('Save the map first: tokens stand on saved maps.');
    else if (!tokens.grab(place) && place.inside) this.#add(place);
  }

  /** @param {Place} place */
  #add(place) {
    const { tokens, state } = this.editor;
    const { characterId, ...fields } = state.newToken;
    const isThere = tokens.choices.characters.some(({ id }) => id === characterId);
    // Name and picture are the character's where there is one.
    tokens.add(place, isThere ? { ...fields, character_id: characterId } : { ...fields, name: 'New token' });
  }

  /** @param {Place} place */
  move(place) {
    this.editor.tokens.dragTo(place);
  }

  up() {
    this.settle();
  }

  settle() {
    this.editor.tokens.drop();
  }

  cancel() {
    this.editor.tokens.cancelDrag();
  }
}
