/** The place of a note on a map: shows it, and sets, moves and removes it. */

import { PIN_COLOR, pinCentre } from '../../shared/pin.js';
import { html } from '../../vendor/preact.js';

/** @param {import('./shell.js').Props & {note: import('../store.js').Note}} props */
export function NotePin({ store, table, stage, input, note }) {
  if (!stage || !input) return null;
  const isPinned = !!note.map_id;
  const mayPin = store.may(note, 'act') && store.map.value && !store.seeAs.value;
  const show = async () => {
    if (!note.map_id) return;
    if (note.map_id !== store.mapId.value) await table.openMap(note.map_id);
    const at = pinCentre(stage.document.geometry, { x: note.x ?? 0, y: note.y ?? 0 });
    stage.approach(...at);
    stage.marks.signal('pin', { at, color: PIN_COLOR, name: '', kind: 'ping' });
  };
  return html`
    ${isPinned && html`<button class="pl-button" onClick=${() => show().catch((error) => store.fail(error))}>Show on the map</button>`}
    ${mayPin && html`<button class="pl-button" onClick=${() => input.pin(note)}>${isPinned ? 'Move the pin' : 'Pin to the map'}</button>`}
    ${mayPin && isPinned && html`<button class="pl-button" onClick=${() => table.placeNote(note.id, { map_id: null })}>Remove the pin</button>`}
  `;
}
