/** What the live feed sends of a map, put into what is shown. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readFrame } from '../../web/shared/document.js';
import { applyEffect, applyFrame, applyRegion } from '../../web/play/changes.js';
import { Store } from '../../web/play/store.js';

const grid = (rows, more = {}) => ({
  width: rows[0].length,
  height: rows.length,
  legend: [{ symbol: '.' }, { symbol: '#' }],
  layers: [{ name: 'ground', rows }],
  ...more,
});

/** A store with a map in it, and what changes of it from then on. */
function shown(rows, more) {
  const store = new Store();
  store.document.open(readFrame(grid(rows, more)));
  const changes = [];
  store.document.listen((change) => changes.push(change));
  const text = () => {
    const { cells } = store.document.frame.layers[0];
    return rows.map((row, y) => String.fromCharCode(...cells.subarray(y * row.length, (y + 1) * row.length)));
  };
  return { store, changes, text };
}

test('a region changes its cells, its fog and nothing else', () => {
  const { store, changes, text } = shown(['....', '....', '....']);
  store.fog.value = ['0000', '0000', '0000'];
  const region = {
    x: 1,
    y: 1,
    width: 2,
    height: 2,
    layers: [{ name: 'ground', rows: ['.#', '##'] }],
    fog: ['12', '22'],
  };
  assert.ok(applyRegion(store, region));
  assert.deepEqual(text(), ['....', '..#.', '.##.']);
  assert.deepEqual(store.fog.value, ['0000', '0120', '0220']);
  assert.deepEqual(
    changes.map(({ indexes }) => [...indexes]),
    [[6, 9, 10]],
  );
});

test('a region of a layer that is not there asks for the whole map', () => {
  const { store } = shown(['..']);
  assert.ok(!applyRegion(store, { x: 0, y: 0, width: 1, height: 1, layers: [{ name: 'roof', rows: ['#'] }] }));
});

test('a symbol that the legend does not have asks for the whole map', () => {
  const { store, text } = shown(['..']);
  assert.ok(!applyRegion(store, { x: 0, y: 0, width: 1, height: 1, layers: [{ name: 'ground', rows: ['X'] }] }));
  assert.deepEqual(text(), ['X.']);
});

test('where there are things the map is read anew, and none beyond the region is lost', () => {
  const chest = { id: 'chest', kind: 'container', x: 3, y: 0 };
  const { store } = shown(['....', '....'], { entities: [chest] });
  const region = { x: 0, y: 0, width: 2, height: 2, layers: [{ name: 'ground', rows: ['#.', '..'] }], entities: [] };
  assert.ok(!applyRegion(store, region));
  assert.deepEqual(store.document.frame.entities, [chest]);
  assert.equal(store.document.frame.layers[0].cells[0], '#'.charCodeAt(0));
});

test('a map that was read anew is drawn anew only where it differs', () => {
  const { store, changes, text } = shown(['....', '....']);
  applyFrame(store.document, readFrame(grid(['....', '...#'])));
  assert.deepEqual(text(), ['....', '...#']);
  assert.deepEqual(
    changes.map(({ frame, indexes }) => [!!frame, [...indexes]]),
    [[false, [7]]],
  );
  changes.length = 0;
  applyFrame(store.document, readFrame(grid(['....', '...#'])));
  assert.deepEqual(changes, []);
  applyFrame(store.document, readFrame(grid(['....', '...#'], { doors: [{ id: 'd', x1: 0, y1: 0, x2: 1, y2: 0 }] })));
  assert.deepEqual(changes, [{ frame: true }]);
  applyFrame(store.document, readFrame(grid(['...', '...'])));
  assert.equal(store.document.frame.width, 3);
});

test('a region brings the legend entries of its cells', () => {
  const { store, changes } = shown(['..']);
  const region = { x: 0, y: 0, width: 1, height: 1, layers: [{ name: 'ground', rows: ['~'] }] };
  assert.ok(applyRegion(store, { ...region, legend: [{ symbol: '~', name: 'water' }] }));
  const named = () => store.document.legend.get('~'.charCodeAt(0)).name;
  assert.equal(named(), 'water');
  // It has changed while no such cell was in sight.
  assert.ok(applyRegion(store, { ...region, legend: [{ symbol: '~', name: 'lava' }] }));
  assert.equal(named(), 'lava');
  changes.length = 0;
  assert.ok(applyRegion(store, { ...region, legend: [{ symbol: '~', name: 'lava' }] }));
  assert.deepEqual(changes, []);
});

test('the effect of an edit is applied without reading the map', () => {
  const entities = [
    { id: 'rat', x: 0, y: 0 },
    { id: 'chest', x: 1, y: 0 },
  ];
  const { store, text } = shown(['....', '....'], { entities, walls: [{ x1: 0, y1: 0, x2: 1, y2: 0 }] });
  const effect = {
    version: 7,
    cells: [
      {
        layer: 'ground',
        runs: [
          [1, 0, 2, '#'],
          [0, 1, 3, '#~#'],
        ],
      },
    ],
    legend: [
      { symbol: '~', name: 'water' },
      { symbol: '.', name: 'floor' },
    ],
    entities: {
      put: [
        { id: 'owl', x: 3, y: 1 },
        { id: 'chest', x: 2, y: 1 },
      ],
      removed: ['rat'],
    },
    walls: [{ x1: 2, y1: 0, x2: 2, y2: 1 }],
  };
  assert.ok(applyEffect(store.document, effect));
  assert.deepEqual(text(), ['.##.', '#~#.']);
  const { frame, legend } = store.document;
  assert.deepEqual(
    frame.entities.map(({ id, x }) => [id, x]),
    [
      ['chest', 2],
      ['owl', 3],
    ],
  );
  assert.deepEqual(frame.walls, effect.walls);
  assert.deepEqual([legend.get('~'.charCodeAt(0)).name, legend.get('.'.charCodeAt(0)).name], ['water', 'floor']);
});

test('an effect that is more than a list of changes asks for the whole map', () => {
  for (const effect of [
    { reload: true, region: { x: 0, y: 0, width: 2, height: 1 } },
    { layers: [{ name: 'ground' }, { name: 'roof' }] },
    { map: { put: { grid_type: 'hex_row' }, removed: [] } },
    { cells: [{ layer: 'roof', runs: [[0, 0, 1, '#']] }] },
    { cells: [{ layer: 'ground', runs: [[0, 0, 1, 'X']] }] },
  ]) {
    const { store } = shown(['..']);
    assert.ok(!applyEffect(store.document, effect), JSON.stringify(effect));
  }
});

test('cells outside of the document are left out: its new size may be known before its event', () => {
  const { store, changes, text } = shown(['..']);
  const runs = [
    [1, 0, 4, '#'],
    [0, 3, 1, '#'],
  ];
  assert.ok(applyEffect(store.document, { cells: [{ layer: 'ground', runs }] }));
  assert.deepEqual(text(), ['.#']);
  assert.deepEqual(changes[0].indexes, [1]);
});
