/** Areas of effect that others show. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { outlineOf } from '../../web/play/map/signals.js';

const rounded = (outline) => outline.map((corner) => corner.map(Math.round));

test('a cone is at its end as wide as it is long', () => {
  const down = outlineOf([2, 2], { shape: 'cone', length: 4, direction: 90 });
  assert.deepEqual(rounded(down), [
    [2, 2],
    [4, 6],
    [0, 6],
  ]);
});

test('a cube leaves from the middle of its side', () => {
  const right = outlineOf([1, 5], { shape: 'cube', length: 4, direction: 0 });
  assert.deepEqual(rounded(right), [
    [1, 3],
    [5, 3],
    [5, 7],
    [1, 7],
  ]);
});

test('a sphere lies around its origin', () => {
  const around = outlineOf([3, 3], { shape: 'sphere', length: 2, direction: 0 });
  assert.ok(around.every(([x, y]) => Math.abs(Math.hypot(x - 3, y - 3) - 2) < 1e-9));
});

test('others may send anything', () => {
  for (const area of [
    undefined,
    null,
    {},
    { shape: { toString: 1 }, length: 2, direction: 0 },
    { shape: 'constructor', length: 2, direction: 0 },
    { shape: 'cone', length: 1e9, direction: 0 },
    { shape: 'cone', length: -1, direction: 0 },
    { shape: 'cone', length: 2, direction: 'up' },
  ])
    assert.deepEqual(outlineOf([0, 0], area), []);
});
