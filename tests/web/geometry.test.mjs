/** Steps by keys, on every grid. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Geometry } from '../../web/shared/geometry.js';

const STEPS = [-1, 0, 1].flatMap((dx) => [-1, 0, 1].map((dy) => [dx, dy])).filter(([dx, dy]) => dx || dy);

test('a step on squares goes to the cell beside, also diagonally', () => {
  const geometry = new Geometry('square', 9, 9);
  for (const [dx, dy] of STEPS) assert.deepEqual(geometry.beside([4, 4], [dx, dy]), [4 + dx, 4 + dy]);
});

test('steps up, right, down and left on diamonds cross their sides, turned by an eighth', () => {
  const geometry = new Geometry('isometric', 9, 9);
  const [X, Y] = geometry.project(...geometry.centre(4, 4));
  for (const [step, turned] of [
    [
      [0, -1],
      [1, -1],
    ],
    [
      [1, 0],
      [1, 1],
    ],
    [
      [0, 1],
      [-1, 1],
    ],
    [
      [-1, 0],
      [-1, -1],
    ],
  ]) {
    const to = geometry.beside([4, 4], step);
    assert.equal(Math.abs(to[0] - 4) + Math.abs(to[1] - 4), 1);
    const [toX, toY] = geometry.project(...geometry.centre(...to));
    assert.deepEqual([Math.sign(toX - X), Math.sign(toY - Y)], turned);
  }
});

for (const type of ['hex_row', 'hex_column']) {
  test(`a step on ${type} goes to a neighbour in that direction`, () => {
    const geometry = new Geometry(type, 9, 9);
    for (const cell of [
      [4, 4],
      [5, 5],
      [4, 5],
      [5, 4],
    ]) {
      const [px, py] = geometry.centre(...cell);
      const beside = geometry.neighbours(...cell).map(String);
      for (const [dx, dy] of STEPS) {
        const to = geometry.beside(cell, [dx, dy]);
        assert.ok(beside.includes(String(to)), `${cell} by ${dx}, ${dy} is ${to}`);
        const [nx, ny] = geometry.centre(...to);
        assert.ok((nx - px) * dx + (ny - py) * dy > 0);
      }
    }
  });
}

test('steps up and down again on hexes end where they began', () => {
  const geometry = new Geometry('hex_row', 9, 9);
  const up = geometry.beside([4, 4], [0, -1]);
  assert.deepEqual(up, [4, 3]);
  assert.deepEqual(geometry.beside(up, [0, -1]), [4, 2]);
  assert.deepEqual(geometry.beside(up, [0, 1]), [4, 4]);
});
