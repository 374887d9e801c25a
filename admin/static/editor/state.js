/**
 * What the editor shows and does right now, besides the map itself.
 *
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('../../../web/shared/geometry.js').Quad} Quad
 * @typedef {import('../../../web/shared/geometry.js').Rectangle} Rectangle
 * @typedef {import('../../../web/shared/renderer.js').Options} Options
 *
 * @typedef {object} Preview  what the tool would do now: paint cells or a rectangle, or draw a segment
 * @property {Pair[]} [cells]
 * @property {Rectangle} [rectangle]
 * @property {number} [code]  of the symbol that it would paint
 * @property {Quad} [segment]
 *
 * @typedef {object} OwnState
 * @property {number} symbol  the code of the tile to paint with
 * @property {number} brush  cells across
 * @property {boolean} hollow  whether rectangles are outlines
 * @property {string} kind  of the next entity
 * @property {{characterId: string | null, size: number, hidden: boolean}} newToken  what the next token is
 * @property {import('./tools/tools.js').ToolName} tool
 * @property {'layer' | 'layers' | 'everything'} reach  what of the selected cells is meant
 * @property {boolean} withEmpty  whether empty cells of the stamp or clip clear the cells below
 * @property {Rectangle | null} selection
 * @property {import('./clip.js').Float | null} float  the clip that floats above the map
 * @property {import('./clip.js').Clip | null} stamp
 * @property {import('./clip.js').Float | null} ghost  where the stamp would be put
 * @property {boolean} isTaking  whether the stamp tool takes another stamp
 * @property {Quad | null} marquee  in the picture of the map
 * @property {Preview | null} preview
 * @property {Pair[] | null} hover  the cells under the brush
 * @property {Pair | null} pointer  the cell under the pointer, whatever the tool
 * @property {Pair | null} cursor  the cell cursor
 * @property {Pair[]} faults  cells that the server refused
 *
 * @typedef {import('../../../web/shared/renderer.js').Shown & OwnState} EditorState
 */

import { EMPTY } from '../../../web/shared/document.js';
import { keptOptions, themeOf } from './look.js';

/**
 * @param {HTMLElement} element  whose style says the colours
 * @param {import('../../../web/shared/pictures.js').Pictures} pictures
 * @returns {EditorState}
 */
export const initialState = (element, pictures) => ({
  layer: null,
  options: keptOptions(),
  theme: themeOf(element),
  objects: [],
  pictures,
  symbol: EMPTY,
  brush: 1,
  hollow: false,
  kind: 'npc',
  newToken: { characterId: null, size: 1, hidden: true },
  tool: 'brush',
  reach: 'layer',
  withEmpty: false,
  selection: null,
  float: null,
  stamp: null,
  ghost: null,
  isTaking: false,
  marquee: null,
  preview: null,
  hover: null,
  pointer: null,
  cursor: null,
  faults: [],
});
