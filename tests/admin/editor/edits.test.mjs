/** What changed, as edits: applied, they give the changed map. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  ANCHORS,
  GridDocument,
  anchorShift,
  readFrame,
  resized,
  writeFrame,
} from '../../../admin/static/editor/document.js';
import { advanced, applied, difference, requestsOf, same } from '../../../admin/static/editor/edits.js';
import { History } from '../../../admin/static/editor/history.js';
import { SYMBOLS, random, randomMap } from './maps.mjs';

function mangle(document, history, next) {
  const { frame } = document;
  const size = frame.width * frame.height;
  const roll = Math.floor(next() * 9);
  history.run('step', (step) => {
    const layer = frame.layers[Math.floor(next() * frame.layers.length)];
    if (roll < 3 && layer && size) {
      const indexes = Array.from({ length: 1 + Math.floor(next() * 300) }, () => Math.floor(next() * size));
      step.paint(layer.key, [...new Set(indexes)], SYMBOLS.charCodeAt(Math.floor(next() * 5)));
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
          cells: new Uint16Array(size).fill(35),
        }),
      });
    } else if (roll === 7)
      step.change({ entities: [...frame.entities.slice(1), { id: String(next()), x: 0, y: 0 }].filter(() => size) });
    else if (frame.legend[0])
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
      if (complete)
        assert.ok(
          same(writeFrame(result), writeFrame(document.frame)),
          `seed ${seed}: ${JSON.stringify(edits).slice(0, 400)}`,
        );
      else
        assert.ok(
          !same(result.other, document.frame.other) ||
            result.legend.length !== document.frame.legend.length ||
            !same(result.walls, document.frame.walls),
        );
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
  const rows = Array.from({ length: 9 }, () => '.'.repeat(9));
  const document = new GridDocument(
    readFrame({ width: 9, height: 9, legend: [{ symbol: '#' }, { symbol: '.' }], layers: [{ name: 'g', rows }] }),
  );
  const base = document.snapshot();
  const history = new History(document);
  const { key } = document.frame.layers[0];
  history.run('one', (step) => step.paint(key, [11], 35));
  assert.deepEqual(difference(base, document.frame).edits, [
    { op: 'set', layer: 'g', cells: [{ x: 2, y: 1, symbol: '#' }] },
  ]);
  history.undo();
  history.run('all', (step) =>
    step.paint(
      key,
      Array.from({ length: 81 }, (_, i) => i),
      35,
    ),
  );
  assert.deepEqual(difference(base, document.frame).edits, [
    { op: 'fill_rectangle', layer: 'g', x: 0, y: 0, width: 9, height: 9, symbol: '#' },
  ]);
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
