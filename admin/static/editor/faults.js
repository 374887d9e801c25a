/**
 * Where a fault that the server found in the edits lies on the map, for people and as a place in the document.
 *
 * @typedef {object} Fault
 * @property {string} text  a sentence
 * @property {string} [place]  the path in the grid data document, such as `layers[0].rows[2]`
 * @property {number} [offset]  in the text of the JSON tab
 * @property {import('../../../web/shared/geometry.js').Pair} [cell]
 * @property {number} [layer]  its key
 * @property {import('../../../web/shared/objects.js').ObjectRef[]} [objects]
 * @property {string} [symbol]
 */

import { objectsOf } from '../../../web/shared/document.js';
import { refOf } from '../../../web/shared/objects.js';

/** @type {Record<string, import('../../../web/shared/document.js').ObjectList>} */
const LISTS = { entity: 'entities', wall: 'walls', door: 'doors', light: 'lights' };

/**
 * Takes an error {field, message} of an answer to edits, such as `edits[3].cells[0].x`, the edits that were sent, and
 * the frame. Gives a sentence, and what of the map it is about, as far as known.
 * @param {{field?: string, message?: string}} error
 * @param {import('../../../web/shared/api.js').Edit[] | null} edits
 * @param {import('../../../web/shared/document.js').Frame} frame
 * @returns {Fault}
 */
export function faultOf({ field = '', message = '' }, edits, frame) {
  const [, number, rest] = /^edits\[(\d+)\]\.?(.*)$/.exec(field) ?? [];
  const edit = edits?.[Number(number)];
  if (!edit)
    return { text: sentence(field.replace(/^grid_data\.?/, ''), message), place: field.replace(/^grid_data\.?/, '') };
  const name = edit.layer?.name ?? edit.layer ?? (edit.op.endsWith('_layer') ? edit.name : undefined);
  const index = frame.layers.findIndex(({ meta }) => meta.name === name);
  /** @type {Fault} */
  const fault = { text: '', place: '', layer: frame.layers[index]?.key };
  const cell = cellOf(edit, rest);
  if (cell && index >= 0) {
    const [x, y] = (fault.cell = cell);
    fault.place = `layers[${index}].rows[${y}]`;
    fault.text = sentence(`Cell (${x}, ${y}) of the layer “${name}”`, message);
    return fault;
  }
  const one = Object.keys(LISTS).find((kind) => edit.op.endsWith(`_${kind}`));
  if (one) {
    const list = LISTS[one];
    const id = edit[one]?.id ?? edit.id;
    const at = objectsOf(frame, list).findIndex((item) => item.id === id);
    fault.objects = at < 0 ? undefined : [{ list, id }];
    const key = /^\w+\.(\w+)/.exec(rest)?.[1];
    fault.place = at < 0 ? list : `${list}[${at}]${key ? `.${key}` : ''}`;
    fault.text = sentence(`The ${one} “${edit[one]?.name || id}”${key ? `, ${key}` : ''}`, message);
    return fault;
  }
  if (edit.op === 'update_legend') {
    const [, entry, key] = /^legend\[(\d+)\](?:\.(\w+))?/.exec(rest) ?? [];
    const symbol = edit.legend[Number(entry)]?.symbol;
    const at = frame.legend.findIndex((item) => item.symbol === symbol);
    fault.place = `legend[${Math.max(at, 0)}]${key ? `.${key}` : ''}`;
    fault.symbol = symbol;
    fault.text = sentence(`The tile “${frame.legend[at]?.name ?? symbol}”${key ? `, ${key}` : ''}`, message);
    return fault;
  }
  if (edit.op === 'remove_legend_entry') {
    fault.place = 'legend';
    fault.text = sentence(`The tile “${edit.symbol}”`, message);
    return fault;
  }
  if (edit.op === 'update_map') {
    // Another grid type may not suit an object, which the message names by its place.
    const [place, list, at] = /^(entities|walls|doors|lights)\[(\d+)\]/.exec(message) ?? [];
    if (!place) {
      fault.place = rest.replace(/^changes\.?/, '');
      fault.text = sentence(fault.place, message);
      return fault;
    }
    const named = /** @type {import('../../../web/shared/document.js').ObjectList} */ (list);
    const item = objectsOf(frame, named)[Number(at)];
    fault.place = place;
    fault.objects = item && [refOf(named, item, Number(at))];
    fault.text = sentence('', message);
    return fault;
  }
  fault.place = index < 0 ? '' : `layers[${index}]`;
  fault.text = sentence(name ? `The layer “${name}”` : edit.op === 'resize' ? 'The new size' : field, message);
  return fault;
}

/**
 * The cell that a field of an edit is about.
 * @param {import('../../../web/shared/api.js').Edit} edit  @param {string} [rest]
 * @returns {import('../../../web/shared/geometry.js').Pair | null}
 */
function cellOf(edit, rest = '') {
  const [, cells] = /^cells\[(\d+)\]/.exec(rest) ?? [];
  if (cells !== undefined && edit.cells?.[cells]) return [edit.cells[cells].x, edit.cells[cells].y];
  const [, rows] = /^rows\[(\d+)\]/.exec(rest) ?? [];
  return edit.op === 'fill_rectangle' || edit.op === 'paste' ? [edit.x, edit.y + Number(rows ?? 0)] : null;
}

const sentence = (/** @type {string | undefined} */ what, /** @type {string} */ message) =>
  `${what ? `${what} ` : ''}${message}${/[.!?]$/.test(message) ? '' : '.'}`;
