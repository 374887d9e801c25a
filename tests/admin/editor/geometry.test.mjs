/** Where cells lie, for each type of grid. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Geometry } from '../../../web/shared/geometry.js';

test('hexes: neighbours are one apart, floods and lines go by them, cellAt finds the centre', () => {
  for (const type of ['hex_row', 'hex_column', 'square', 'isometric']) {
    const geometry = new Geometry(type, 20, 20);
    for (let x = 0; x < 20; x++) {
      for (let y = 0; y < 20; y++) {
        assert.deepEqual(geometry.cellAt(...geometry.centre(x, y)), [x, y]);
        assert.deepEqual(geometry.fromLattice(...geometry.toLattice(x, y)), [x, y]);
        for (const cell of geometry.neighbours(x, y)) {
          const [[ax, ay], [bx, by]] = [geometry.centre(x, y), geometry.centre(...cell)];
          assert.ok(Math.abs(Math.hypot(ax - bx, ay - by) - 1) < 1e-9);
        }
        const [X, Y] = geometry.project(...geometry.centre(x, y));
        const [px, py] = geometry.unproject(X, Y);
        assert.deepEqual(geometry.cellAt(px, py), [x, y]);
        const [x0, y0, x1, y1] = geometry.visible(X - 0.01, Y - 0.01, X + 0.01, Y + 0.01);
        assert.ok(x0 <= x && x < x1 && y0 <= y && y < y1);
      }
    }
    assert.equal(geometry.flood(10, 10, () => true).length, 400);
    // A cross of neighbours only: the flood reaches what `neighbours` says, and no more.
    const around = new Set([[10, 10], ...geometry.neighbours(10, 10)].map(([x, y]) => y * 20 + x));
    assert.deepEqual(new Set(geometry.flood(10, 10, (i) => around.has(i))), around);
    const line = geometry.line([2, 3], [15, 11]);
    for (let i = 1; i < line.length; i++) {
      const [ax, ay] = geometry.centre(...line[i - 1]);
      const [bx, by] = geometry.centre(...line[i]);
      assert.ok(Math.hypot(ax - bx, ay - by) < 1.5);
    }
    assert.deepEqual(
      [line[0], line.at(-1)],
      [
        [2, 3],
        [15, 11],
      ],
    );
    assert.equal(geometry.brush(10, 10, 3).length, geometry.isHex ? 7 : 9);
  }
});
