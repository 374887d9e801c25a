/** What changed, as edits: applied, they give the changed map. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ANCHORS, GridDocument, anchorShift, readFrame, resized, writeFrame } from '../../../web/shared/document.js';
import { advanced, applied, difference, requestsOf, same } from '../../../admin/static/editor/edits.js';
import { History } from '../../../admin/static/editor/history.js';
import { random, randomMap } from './maps.mjs';

function mangle(document, history, next) {
  const { frame } = document;
  const size = frame.width * frame.height;
  const roll = Math.floor(next() * 12);
  history.run('step', (step) => {
    const layer = frame.layers[Math.floor(next() * frame.layers.length)];
    if (roll < 3 && layer && size) {
      const indexes = Array.from({ length: 1 + Math.floor(next() * 300) }, () => Math.floor(next() * size));
      const symbols = [' ', ...frame.legend.map(({ symbol }) => symbol)];
      step.paint(layer.key, [...new Set(indexes)], symbols[Math.floor(next() * symbols.length)].charCodeAt(0));
    } else if (roll === 3) {
      const [w, h] = [Math.floor(next() * 100), Math.floor(next() * 100)];
      const anchor = Object.keys(ANCHORS)[Math.floor(next() * 9)];
      step.change(resized(frame, w, h, ...anchorShift(frame, w, h, anchor)));
    } else if (roll === 4) {
      const layers = frame.layers.toSorted(() => next() - 0.5);
      step.change({
        layers: layers.map((one, i) => ({ ...one, meta: { ...one.meta, name: frame.layers[i].meta.name } })),
      });
    } else if (roll === 5 && layer) step.change({ layers: frame.layers.filter((other) => other !== layer) });
    else if (roll === 6) {
      const name = `new ${Math.floor(next() * 1e6)}`;
      step.change({
        layers: frame.layers.toSpliced(1, 0, {
          key: Math.random(),
          meta: { name, opacity: 0.5 },
          cells: new Uint16Array(size).fill((frame.legend[0]?.symbol ?? ' ').charCodeAt(0)),
        }),
      });
    } else if (roll === 7)
      step.change({ entities: [...frame.entities.slice(1), { id: String(next()), x: 0, y: 0 }].filter(() => size) });
    else if (roll === 8) {
      const other = { ...frame.other };
      delete other.weather;
      const wind = next() < 0.5 ? { from: 'east', force: next() } : {};
      const type = next() < 0.3 ? { grid_type: next() < 0.5 ? 'hex_row' : 'none' } : {};
      step.change({ other: { ...other, ...type, ...(next() < 0.8 && { weather: { sky: [null, next()], wind } }) } });
    } else if (roll < 11 && frame.legend.length) {
      const [index, symbol] = [Math.floor(next() * frame.legend.length), 'abcdefgh'[Math.floor(next() * 8)]];
      const from = frame.legend[index].symbol.charCodeAt(0);
      if (frame.legend.some((entry) => entry.symbol === symbol)) return;
      const to = roll === 9 ? 32 : symbol.charCodeAt(0);
      step.change({
        legend: roll === 9 ? frame.legend.toSpliced(index, 1) : frame.legend.with(index, { symbol, name: 'other' }),
      });
      for (const { key, cells } of frame.layers)
        step.paint(
          key,
          [...cells.keys()].filter((i) => cells[i] === from),
          to,
        );
    } else if (frame.legend[0])
      step.change({ legend: frame.legend.with(0, { symbol: frame.legend[0].symbol, name: String(next()) }) });
  });
}

test('what comes in goes out, with its order of keys', () => {
  const map = randomMap(random(1));
  assert.equal(JSON.stringify(writeFrame(readFrame(map))), JSON.stringify(map));
  assert.deepEqual(writeFrame(readFrame({})), {});
});

for (const type of ['square', 'hex_row', 'hex_column', 'isometric', 'none']) {
  test(`the difference, applied, gives the changed map: ${type}`, () => {
    for (let seed = 1; seed < 60; seed++) {
      const next = random(seed);
      const document = new GridDocument(readFrame(randomMap(next, type)));
      const history = new History(document);
      const base = document.snapshot();
      for (let i = 0; i < 1 + (seed % 9); i++) mangle(document, history, next);
      const { edits, complete } = difference(base, document.frame);
      const result = applied(base, edits);
      assert.equal(
        same(writeFrame(result), writeFrame(document.frame)),
        complete,
        `seed ${seed}: ${JSON.stringify(edits).slice(0, 400)}`,
      );
      assert.ok(complete || !same(result.walls, document.frame.walls), 'only walls without an id cannot be said');
      const final = JSON.stringify(writeFrame(document.frame));
      const steps = history.done.length;
      while (history.undo());
      assert.equal(JSON.stringify(writeFrame(document.frame)), JSON.stringify(writeFrame(base)));
      assert.deepEqual(difference(base, document.frame), { edits: [], complete: true });
      for (let i = 0; i < steps; i++) assert.ok(history.redo());
      assert.equal(JSON.stringify(writeFrame(document.frame)), final);
    }
  });
}

test('edits are few and in the format of the server', () => {
  const rows = Array.from({ length: 20 }, () => '.'.repeat(80));
  const document = new GridDocument(
    readFrame({ width: 80, height: 20, legend: [{ symbol: '#' }, { symbol: '.' }], layers: [{ name: 'g', rows }] }),
  );
  const base = document.snapshot();
  const history = new History(document);
  const { key } = document.frame.layers[0];
  const painted = (x, y, width, height) => {
    const index = (i) => (y + Math.floor(i / width)) * 80 + x + (i % width);
    history.run('box', (step) =>
      step.paint(
        key,
        Array.from({ length: width * height }, (_, i) => index(i)),
        35,
      ),
    );
    const { edits } = difference(base, document.frame);
    history.undo();
    return edits;
  };
  assert.deepEqual(painted(2, 1, 1, 1), [{ op: 'set', layer: 'g', cells: [{ x: 2, y: 1, symbol: '#' }] }]);
  // Few cells of one chunk go in one list, which the server has a fast path for.
  const [few, ...none] = painted(0, 0, 16, 16);
  assert.deepEqual([few.op, few.cells.length, none], ['set', 256, []]);
  const box = { op: 'fill_rectangle', layer: 'g', symbol: '#' };
  assert.deepEqual(painted(0, 0, 16, 17), [{ ...box, x: 0, y: 0, width: 16, height: 17 }]);
  assert.deepEqual(painted(60, 0, 8, 2), [{ ...box, x: 60, y: 0, width: 8, height: 2 }]);
});

test('tiles that go, come, change their symbol, and keys of the map', () => {
  const map = {
    width: 3,
    height: 1,
    grid_type: 'square',
    mood: { now: 'dark', since: null, list: [null] },
    legend: [{ symbol: '#', name: 'wall' }, { symbol: '.' }, { symbol: '~', name: 'water' }],
    layers: [{ name: 'g', rows: ['#.~'] }],
  };
  const editsTo = (changes) => {
    const base = readFrame(map);
    const frame = readFrame({ ...map, ...changes });
    frame.layers = frame.layers.map((layer, i) => ({ ...layer, key: base.layers[i].key }));
    const { edits, complete } = difference(base, frame);
    assert.equal(same(writeFrame(applied(base, edits)), writeFrame(frame)), complete);
    return complete ? edits : null;
  };
  const set = (...cells) => ({ op: 'set', layer: 'g', cells: cells.map(([x, symbol]) => ({ x, y: 0, symbol })) });
  const remove = (symbol) => ({ op: 'remove_legend_entry', symbol });
  const [wall, floor, water] = map.legend;

  assert.deepEqual(editsTo({ legend: [wall, floor], layers: [{ name: 'g', rows: ['#. '] }] }), [
    set([2, ' ']),
    remove('~'),
  ]);
  const stone = { symbol: 'o', name: 'stone' };
  const moss = { symbol: ',', name: 'moss' };
  assert.deepEqual(editsTo({ legend: [stone, moss, floor, water], layers: [{ name: 'g', rows: ['o.~'] }] }), [
    { op: 'update_legend', legend: [stone, moss], index: 0 },
    set([0, 'o']),
    remove('#'),
  ]);
  assert.deepEqual(editsTo({ legend: [wall, stone, { symbol: '.', name: 'floor' }, water, moss] }), [
    { op: 'update_legend', legend: [{ symbol: '.', name: 'floor' }] },
    { op: 'update_legend', legend: [stone], index: 1 },
    { op: 'update_legend', legend: [moss] },
  ]);
  assert.equal(editsTo({ legend: [floor, wall, water] }), null);
  assert.equal(editsTo({ legend: [wall, floor, water, water] }), null);
  assert.equal(editsTo({ legend: [wall, floor, { ...water, depth: null }] }), null);

  assert.deepEqual(editsTo({ grid_type: 'hex_row', mood: { now: 'light', since: null }, weather: [null] }), [
    { op: 'update_map', changes: { grid_type: 'hex_row', mood: { now: 'light', list: null }, weather: [null] } },
  ]);
  assert.deepEqual(editsTo({ mood: 1 }), [{ op: 'update_map', changes: { mood: 1 } }]);
  assert.equal(editsTo({ weather: null }), null);
  assert.equal(editsTo({ mood: { ...map.mood, then: { what: null } } }), null);
});

test('new tiles need room before the old ones go', () => {
  const tiles = (from, to) =>
    readFrame({ legend: Array.from({ length: to - from }, (_, i) => ({ symbol: String.fromCharCode(from + i) })) });
  const before = tiles(0xe000, 0xe000 + 4095);
  assert.equal(difference(before, tiles(0xe001, 0xe001 + 4095)).complete, true);
  assert.equal(difference(before, tiles(0xe002, 0xe002 + 4095)).complete, false);
});

test('a tile that somebody else has painted with meanwhile stays', () => {
  const map = (rows, ...symbols) =>
    readFrame({ width: 2, height: 1, legend: symbols.map((symbol) => ({ symbol })), layers: [{ name: 'g', rows }] });
  const theirs = map(['~.'], '.', '~', '#');
  const edits = ['~', '#'].map((symbol) => ({ op: 'remove_legend_entry', symbol }));
  assert.deepEqual(applied(theirs, edits).legend, [{ symbol: '.' }, { symbol: '~' }]);
});

test('a request has at most 1000 edits and a megabyte', () => {
  const edit = (length) => ({ op: 'remove_entity', id: 'x'.repeat(length) });
  assert.deepEqual(requestsOf([]), []);
  assert.deepEqual(
    requestsOf(Array.from({ length: 2500 }, () => edit(3))).map(({ length }) => length),
    [1000, 1000, 500],
  );
  const large = [edit(600_000), edit(600_000), edit(2_000_000), edit(3), edit(3)];
  assert.deepEqual(
    requestsOf(large).map(({ length }) => length),
    [1, 1, 1, 2],
  );
  assert.deepEqual(requestsOf(large).flat(), large);
});

test('after each of several requests, only the rest is left to be sent', () => {
  for (let seed = 1; seed < 40; seed++) {
    const next = random(seed);
    const document = new GridDocument(readFrame(randomMap(next)));
    const history = new History(document);
    const base = document.snapshot();
    for (let i = 0; i < 1 + (seed % 9); i++) mangle(document, history, next);
    let { edits } = difference(base, document.frame);
    let reached = base;
    while (edits.length) {
      const [first] = edits;
      reached = advanced(reached, [first], document.frame);
      const rest = difference(reached, document.frame).edits;
      assert.ok(rest.length < edits.length, `seed ${seed}: ${JSON.stringify(first).slice(0, 200)}`);
      edits = rest;
    }
  }
});
