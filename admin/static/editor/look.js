/** How the map looks: the colours of the theme, and what the person chose to be shown, kept in the browser. */

import { parseColor } from '../../../web/shared/tiles.js';

/**
 * @typedef {import('../../../web/shared/renderer.js').Options} Options
 * @typedef {import('../../../web/shared/renderer.js').Theme} Theme
 */

const STORAGE_KEY = 'worldkeep:view';

/**
 * What can be shown or not: name, label and icon.
 * @type {[keyof Options, string, import('../../../web/shared/icons.js').IconName][]}
 */
export const OPTIONS = [
  ['focus', 'Dim the other layers', 'layers'],
  ['grid', 'Gridlines (G)', 'grid'],
  ['symbols', 'Symbols', 'symbols'],
  ['lights', 'Light', 'light'],
  ['labels', 'Names', 'labels'],
  ['rulers', 'Coordinates', 'rulers'],
];

/** @returns {Options} */
export function keptOptions() {
  const options = { focus: false, grid: true, symbols: true, lights: true, labels: true, rulers: true };
  try {
    return { ...options, ...JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}') };
  } catch {
    return options;
  }
}

/** @param {Options} options */
export function keepOptions(options) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(options));
  } catch {
    // Without storage the choice holds for this page only.
  }
}

/**
 * The colours of the style sheet, for the canvas.
 * @param {HTMLElement} element
 * @returns {Theme}
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const value = (/** @type {string} */ name) => style.getPropertyValue(`--wk-${name}`).trim();
  return {
    desk: value('desk'),
    paper: value('paper'),
    line: value('line'),
    accent: value('accent'),
    casing: value('casing'),
    ink: value('ink'),
    halo: value('halo'),
    label: value('label'),
    ruler: value('ruler'),
    rulerText: value('ruler-text'),
    wash: value('wash'),
    paperRgb: parseColor(value('paper')) ?? [244, 240, 230, 255],
  };
}
