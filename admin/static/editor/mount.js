/** Puts the map editor into a page. */

import { Editor } from './editor.js';
import { FormSaving, MapSaving } from './saving.js';

/**
 * @typedef {object} FormFields
 * @property {() => {[key: string]: string} | null} changes  what was changed of them; null when nothing was
 * @property {(values: {[key: string]: string}) => void} saved  called when these are saved
 *
 * @typedef {object} MountOptions
 * @property {string} [mapUrl]  the map in the API (`/maps/{id}`): it is read from there and saved to there
 * @property {HTMLTextAreaElement} [textarea]  of a form: without `mapUrl`, the map is read from it and saved to it.
 *   With both, it is hidden and disabled
 * @property {string} [mapsUrl]  where maps are in the API (`/maps`)
 * @property {(map: {id: string}) => string} [pageUrl]  the page of a map
 * @property {FormFields} [fields]  the fields of the form around the map, saved with it
 * @property {{field: string, message: string}[]} [errors]  what the server found wrong, to be shown
 * @property {string} [title]  the name of a map that comes from a textarea
 * @property {string} [assetsUrl]  where pictures are
 */

/**
 * Resolves to the editor when the map is shown.
 * @param {HTMLElement} element  @param {MountOptions} options
 */
export async function mount(element, { assetsUrl = '/assets', errors = [], ...options }) {
  const { textarea, mapUrl } = options;
  const editor = new Editor(element, assetsUrl);
  if (textarea) {
    textarea.hidden = true;
    textarea.disabled = Boolean(mapUrl);
  }
  if (mapUrl) editor.saving = new MapSaving(editor, mapUrl, options);
  else if (textarea) editor.saving = new FormSaving(editor, textarea, options.title);
  try {
    await editor.saving?.load();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    editor.notices.show(`The map cannot be shown. ${reason}`, { kind: 'error', stays: true });
  }
  if (errors.length) {
    const faults = errors.map(({ field, message }) => ({
      text: `${field}: ${message}`,
      place: field.replace(/^grid_data\.?/, ''),
    }));
    editor.notices.showFaults(faults);
  }
  editor.refresh();
  return editor;
}
