/** JSON for people. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatJson, lineOf, locate, parseJson } from '../../../admin/static/editor/json-text.js';
import { random, randomMap } from './maps.mjs';

test('JSON text: round trip, places, faults', () => {
  const map = randomMap(random(3));
  const text = formatJson(map);
  assert.deepEqual(JSON.parse(text), map);
  const [from, to] = locate(text, 'layers[1].rows[0]');
  assert.equal(JSON.parse(text.slice(from, to)), map.layers[1].rows[0]);
  assert.equal(text.slice(...locate(text, 'doors[0].state')), '"closed"');
  assert.deepEqual(JSON.parse(text.slice(...locate(text, 'doors[0].missing'))), map.doors[0]);
  assert.deepEqual(lineOf('ab\ncd', 4), { line: 2, column: 2 });
  for (const [bad, offset] of [
    ['{"a": }', 6],
    ['{"a": 1,}', 8],
    ['[1 2]', 3],
    ['', 0],
    ['{"a"', 4],
    ['[1, tru]', 4],
  ]) {
    assert.throws(
      () => parseJson(bad),
      (error) => Math.abs(error.offset - offset) <= 4,
      bad,
    );
  }
});
