/** The tools in their order, with the key that takes each: Tiled's where it has one. */

import { ObjectTool } from './object.js';
import { Brush, Eraser, Fill, Hand, Line, Picker, Rectangle } from './painting.js';
import { DoorTool, EntityTool, LightTool, WallTool } from './placing.js';
import { Select } from './select.js';
import { Stamp } from './stamp.js';
import { TokenTool } from './token.js';

/**
 * @typedef {'brush' | 'stamp' | 'line' | 'rectangle' | 'fill' | 'eraser' | 'picker' | 'select' | 'object' | 'entity'
 *   | 'door' | 'wall' | 'light' | 'token' | 'hand'} ToolName
 * @typedef {object} ToolEntry
 * @property {ToolName} name
 * @property {string} label
 * @property {string} key
 * @property {typeof import('./tool.js').Tool} type
 * @property {'painting' | 'cells' | 'objects' | 'view'} subject  the toolbar has dividers between these
 */

/** @type {ToolEntry[]} */
export const TOOLS = [
  { name: 'brush', label: 'Brush', key: 'b', type: Brush, subject: 'painting' },
  { name: 'line', label: 'Line', key: 'l', type: Line, subject: 'painting' },
  { name: 'rectangle', label: 'Rectangle', key: 'r', type: Rectangle, subject: 'painting' },
  { name: 'fill', label: 'Fill', key: 'f', type: Fill, subject: 'painting' },
  { name: 'eraser', label: 'Eraser', key: 'e', type: Eraser, subject: 'painting' },
  { name: 'picker', label: 'Picker', key: 'p', type: Picker, subject: 'cells' },
  { name: 'stamp', label: 'Stamp', key: 't', type: Stamp, subject: 'cells' },
  { name: 'select', label: 'Select cells', key: 's', type: Select, subject: 'cells' },
  { name: 'object', label: 'Select and move objects', key: 'o', type: ObjectTool, subject: 'objects' },
  { name: 'entity', label: 'Place an entity', key: 'n', type: EntityTool, subject: 'objects' },
  { name: 'door', label: 'Place a door', key: 'd', type: DoorTool, subject: 'objects' },
  { name: 'wall', label: 'Draw walls', key: 'w', type: WallTool, subject: 'objects' },
  { name: 'light', label: 'Place a light', key: 'i', type: LightTool, subject: 'objects' },
  { name: 'token', label: 'Place a token', key: 'k', type: TokenTool, subject: 'objects' },
  { name: 'hand', label: 'Move the view', key: 'h', type: Hand, subject: 'view' },
];

/** @param {ToolName} name */
export function toolEntry(name) {
  const entry = TOOLS.find((one) => one.name === name);
  if (!entry) throw new Error(`There is no tool ${name}.`);
  return entry;
}

/** Whether a tool paints with the selected tile, or erases. @param {ToolName} name */
export const paints = (name) => toolEntry(name).subject === 'painting';
