/** The kinds of entities: the shape of each on a 24 x 24 grid, and its colour. */

/** Shapes of kinds, filled. */
/** @type {Record<string, string>} */
const SHAPES = {
  npc: 'M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 9c.3-5 3.3-7.5 7.5-7.5s7.2 2.5 7.5 7.5z',
  monster:
    'M4.5 3c.3 2.5 1.3 4 2.8 4.8C8.6 7 10.2 6.5 12 6.5s3.4.5 4.7 1.3C18.2 7 19.2 5.5 19.5 3c1.5 3 1.3 5.7-.4 7.6.6 1.1.9 2.3.9 3.6 0 4-3.6 6.8-8 6.8s-8-2.8-8-6.8c0-1.3.3-2.5.9-3.6C3.2 8.7 3 6 4.5 3zM8 12v2.5l3-1zm8 0v2.5l-3-1zM9 17l1.5 1.5L12 17l1.5 1.5L15 17z',
  container: 'M5 6.5C5 5 6 4 7.5 4h9C18 4 19 5 19 6.5V11H5zM4 12.5h6.2v2.5h3.6v-2.5H20V20H4z',
  item: 'M7 4h10l4 5.5L12 21 3 9.5zM8 6l-2.3 3H9zm8 0-1 3h3.3z',
  exit: 'M4 20v-4.5h4.5V11H13V6.5h4.5V3H21v17z',
  trap: 'M3 20h18l-3-9-2 5-4-12-4 12-2-5z',
  hazard: 'M12 3 2 20.5h20zm-1.2 6h2.4l-.4 6h-1.6zm0 7.5h2.4v2h-2.4z',
  sign: 'M11 3h2v2h6l2.5 3L19 11h-6v10h-2V11H4V5h7z',
  animal:
    'M7 10.5a2 2.5 0 1 0 0-5 2 2.5 0 0 0 0 5zm10 0a2 2.5 0 1 0 0-5 2 2.5 0 0 0 0 5zM3.7 15a1.7 2.2 0 1 0 0-4.4 1.7 2.2 0 0 0 0 4.4zm16.6 0a1.7 2.2 0 1 0 0-4.4 1.7 2.2 0 0 0 0 4.4zM12 11c3 0 6 3.5 6 6.5S15.5 21 12 19.5C8.5 21 6 20.5 6 17.5S9 11 12 11z',
  vessel: 'M11 2.5h1.5v2.3L19 12h-6.5v2.5H21L18.5 20c-1 1-2 1.5-3.2 1.5H8.7c-1.2 0-2.2-.5-3.2-1.5L3 14.5h8z',
  settlement: 'M12 3 3 10.5h2V20h5v-5.5h4V20h5v-9.5h2z',
  landmark: 'M6 3h2v1.2c4-1.7 6 1.8 11 0V13c-5 1.8-7-1.7-11 0v8H6z',
  object: 'M12 2.8 20 7v10l-8 4.2L4 17V7zM12 5 7.2 7.5 12 10l4.8-2.5z',
  other: 'M12 4l2.4 5.2 5.6.7-4.2 3.9 1.1 5.6L12 16.6l-4.9 2.8 1.1-5.6L4 9.9l5.6-.7z',
};

/** @type {Record<string, string>} */
const COLORS = {
  npc: '#3f7d78',
  monster: '#a8453c',
  container: '#a87b2e',
  item: '#7f6bb0',
  exit: '#4a6fa5',
  trap: '#b8622f',
  hazard: '#b8622f',
  sign: '#7a6a55',
  animal: '#6f8443',
  vessel: '#4d7f96',
  settlement: '#98432f',
  landmark: '#5d6b7a',
  object: '#6b6f76',
};

/** @type {Record<string, string>} */
const SYNONYMS = {
  chest: 'container',
  goblin: 'monster',
  creature: 'monster',
  enemy: 'monster',
  character: 'npc',
  person: 'npc',
  player: 'npc',
  stairs: 'exit',
  portal: 'exit',
  treasure: 'item',
  town: 'settlement',
  city: 'settlement',
};

/** The shape of a kind as an SVG path. */
export const kindShape = (/** @type {unknown} */ kind) => SHAPES[shapeName(kind)];

/** @param {unknown} kind */
function shapeName(kind) {
  const name = String(kind ?? '');
  return Object.hasOwn(SHAPES, name) ? name : Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : 'other';
}

/** @type {Map<string, Path2D>} */
const paths = new Map();

/**
 * The shape of a kind of entity, to fill on a canvas (24 x 24).
 * @param {unknown} kind
 */
export function kindPath(kind) {
  const name = shapeName(kind);
  let path = paths.get(name);
  if (!path) paths.set(name, (path = new Path2D(SHAPES[name])));
  return path;
}

/** @param {unknown} kind */
export function kindColor(kind) {
  const known = COLORS[shapeName(kind)];
  if (known) return known;
  const text = String(kind ?? '');
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) % 360;
  return `hsl(${hash}, 32%, 44%)`;
}

export const KINDS = Object.keys(SHAPES).filter((name) => name !== 'other');
