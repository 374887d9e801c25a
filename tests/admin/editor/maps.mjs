/** Maps at random, the same ones each time. */

/** A small random number generator, so that a failure can be run again. */
export const random = (seed) => () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
export const SYMBOLS = ' #.~+';

export function randomMap(next, type = 'square') {
  const [width, height] = [1 + Math.floor(next() * 90), 1 + Math.floor(next() * 90)];
  const row = () => Array.from({ length: width }, () => SYMBOLS[Math.floor(next() * 5)]).join('');
  return {
    width,
    height,
    grid_type: type,
    properties: { deep: [1, { a: null }] },
    legend: [...SYMBOLS.trim()].map((symbol) => ({ symbol, name: symbol + symbol, color: '#aabbcc' })),
    layers: ['ground', 'roof', 'secrets'].map((name) => ({ name, rows: Array.from({ length: height }, row) })),
    entities: [
      { id: 'a', kind: 'npc', x: 0, y: 0 },
      { id: 'b', x: width - 1, y: height - 1, properties: { hp: 3 } },
    ],
    doors: [{ id: 'd', x1: 0, y1: 0, x2: 1, y2: 0, state: 'closed' }],
    walls: [{ x1: 0, y1: 0, x2: width, y2: 0 }],
  };
}
