/** Icons for buttons and tokens on a 24 x 24 grid: strokes for actions, filled shapes for kinds of entities. */

import { kindShape } from './kinds.js';

const SVG = 'http://www.w3.org/2000/svg';

/** @satisfies {Record<string, string>} */
const STROKES = {
  brush:
    'M20.2 3.8a1.6 1.6 0 0 0-2.3 0L9.6 12l2.4 2.4 8.2-8.3a1.6 1.6 0 0 0 0-2.3zM8.7 13.2c-2 0-3.3 1.3-3.5 3.1-.2 1.5-.8 2.6-2 3.2 3.6 1.3 7.8.3 8-3.5',
  line: 'M6.6 17.4 17.4 6.6M3.5 19a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0M16.9 5a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0',
  rectangle: 'M4 6h16v12H4z',
  fill: 'M9 3.5 19 13.5l-6.3 5.4a1.8 1.8 0 0 1-2.4-.1L5 13.5a1.7 1.7 0 0 1 0-2.4L11 5.5M4.8 12.7h13.4M20.6 16.2c.9 1.3 1.4 2.2 1.4 2.9a1.4 1.4 0 0 1-2.8 0c0-.7.5-1.6 1.4-2.9z',
  eraser:
    'M7.5 19.5 3.9 16a1.5 1.5 0 0 1 0-2.1L13.6 4.3a1.5 1.5 0 0 1 2.1 0l4.5 4.5a1.5 1.5 0 0 1 0 2.1l-8.6 8.6zM8.8 9l6.5 6.5M11.6 19.5H20',
  picker: 'M13.5 6.5l4 4M11.8 8.2 5 15v4h4l6.8-6.8M12.8 5.8l5.4 5.4 2-2a3.8 3.8 0 0 0-5.4-5.4z',
  select: 'M4 7V4h3M10.5 4h3M17 4h3v3M20 10.5v3M20 17v3h-3M13.5 20h-3M7 20H4v-3M4 13.5v-3',
  object: 'M5.5 3.8 19 10.6l-5.7 1.9-2.2 5.8z',
  entity: 'M12 11.2a3.6 3.6 0 1 0 0-7.2 3.6 3.6 0 0 0 0 7.2zM5 20c.5-3.9 3.3-6 7-6s6.5 2.1 7 6',
  door: 'M6.5 20V4.5h11V20M3.5 20h17M14.3 12v1.2',
  wall: 'M3.5 6h17v12h-17zM3.5 12h17M9.5 6v6M15 12v6',
  light:
    'M9.5 18.3h5M10.5 21h3M12 3a6.2 6.2 0 0 0-3.7 11.2c.8.6 1.2 1.2 1.2 2.1h5c0-.9.4-1.5 1.2-2.1A6.2 6.2 0 0 0 12 3z',
  token:
    'M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 12a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM7 17.6c.6-2.3 2.6-3.6 5-3.6s4.4 1.3 5 3.6',
  stamp:
    'M12 3.2a3.3 3.3 0 0 1 2.9 4.9c-.9 1.7-1 3-.4 4.4H19a1 1 0 0 1 1 1v3.2H4v-3.2a1 1 0 0 1 1-1h4.5c.6-1.4.5-2.7-.4-4.4A3.3 3.3 0 0 1 12 3.2zM5 20h14',
  left: 'm14.5 6-6 6 6 6',
  right: 'm9.5 6 6 6-6 6',
  mask: 'M4 6c5 1.6 11 1.6 16 0 .8 7-2 12.5-8 13.5C6 18.5 3.2 13 4 6zM8 11.5h2.5M13.5 11.5H16',
  tiles: 'M4 4h6.5v6.5H4zM13.5 4H20v6.5h-6.5zM4 13.5h6.5V20H4zM13.5 13.5H20V20h-6.5z',
  list: 'M4 6h16M4 12h16M4 18h16',
  hand: 'M8 12.5V6.8a1.5 1.5 0 0 1 3 0V11M11 10.5V5a1.5 1.5 0 0 1 3 0v5.5M14 11V6.5a1.5 1.5 0 0 1 3 0V14c0 4-2.2 6.5-5.6 6.5-2.8 0-4.4-1.4-5.9-4.2L4 13.5a1.45 1.45 0 0 1 2.4-1.6L8 14',
  undo: 'M8 5 4 9l4 4M4 9h10.5a5.5 5.5 0 0 1 0 11H11',
  redo: 'm16 5 4 4-4 4M20 9H9.5a5.5 5.5 0 0 0 0 11H13',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z',
  hidden:
    'M4 4l16 16M9.8 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a16 16 0 0 1-3 3.7M6.3 7.4A15.5 15.5 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 4-1M9.9 10a3 3 0 0 0 4.1 4.2',
  locked: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  unlocked: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 6.7-1.4',
  plus: 'M12 5v14M5 12h14',
  remove: 'M4.5 6.5h15M9.5 6.5V4h5v2.5M6.5 6.5 7.3 20h9.4l.8-13.5M10.3 10.5v5.5M13.7 10.5v5.5',
  up: 'm6 14.5 6-6 6 6',
  down: 'm6 9.5 6 6 6-6',
  copy: 'M8.5 8.5h11v11h-11zM5 15.5H4.5v-11h11V5',
  cut: 'M7 20a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM17 20a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8.5 15.5 16.5 4M15.5 15.5 7.5 4',
  paste: 'M9 5H5.5v15h13V5H15M9 3.5h6V7H9z',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  minus: 'M5 12h14',
  grid: 'M4 4h16v16H4zM4 9.3h16M4 14.7h16M9.3 4v16M14.7 4v16',
  symbols: 'M5.5 19 11 5h2l5.5 14M7.8 14h8.4',
  rulers: 'M4 8.5h16v7H4zM8 8.5v3M12 8.5v4M16 8.5v3',
  labels: 'M4 7.5h10l5.5 4.5-5.5 4.5H4z',
  help: 'M9.3 9.2a2.8 2.8 0 1 1 4 2.9c-.9.5-1.3 1-1.3 2M12 17.5v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  close: 'M6 6l12 12M18 6 6 18',
  layers: 'M12 4 3 8.8l9 4.8 9-4.8zM3.5 13l8.5 4.5 8.5-4.5M3.5 16.8 12 21.3l8.5-4.5',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM20 20l-4.7-4.7',
  panel: 'M4 5h16v14H4zM14.5 5v14',
  walk: 'M5 5l14 14M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  rename: 'M4 20l1-4.2L15.8 5a1.7 1.7 0 0 1 2.4 0l.8.8a1.7 1.7 0 0 1 0 2.4L8.2 19zM13.8 7l3.2 3.2',
  replace: 'M4 8.5h13M13.5 5 17 8.5 13.5 12M20 15.5H7M10.5 12 7 15.5l3.5 3.5',
  duplicate: 'M8.5 8.5h11v11h-11zM15.5 8.5v-4h-11v11h4M14 11.5v5M11.5 14h5',
  warning: 'M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.1',
};

/** @param {string} d  @param {boolean} filled */
function svg(d, filled) {
  const element = document.createElementNS(SVG, 'svg');
  element.setAttribute('viewBox', '0 0 24 24');
  element.setAttribute('aria-hidden', 'true');
  element.classList.add('wk-icon');
  if (filled) element.classList.add('wk-icon-filled');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', d);
  element.append(path);
  return element;
}

/** @typedef {keyof typeof STROKES} IconName */

export const icon = (/** @type {IconName} */ name) => svg(STROKES[name], false);
export const kindIcon = (/** @type {unknown} */ kind) => svg(kindShape(kind), true);
