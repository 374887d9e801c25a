/** Where notes are pinned to maps. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Geometry } from '../../web/shared/geometry.js';
import { pinAt, pinCell, pinCentre } from '../../web/shared/pin.js';

const size = { width: 6, height: 5 };
const isNear = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) < 1e-9;

for (const type of ['square', 'hex_row', 'hex_column', 'isometric'])
  test(`a pin that is set in a cell is drawn in its middle: ${type}`, () => {
    const geometry = new Geometry(type, size.width, size.height);
    for (const cell of [
      [0, 0],
      [3, 1],
      [2, 4],
    ]) {
      const centre = geometry.centre(...cell);
      const pin = pinAt(geometry, [centre[0] + 0.2, centre[1] - 0.1]);
      assert.deepEqual(pinCell(geometry, pin), cell);
      assert.ok(isNear(pinCentre(geometry, pin), centre));
    }
  });

test('without a grid it is exactly where it is set', () => {
  const geometry = new Geometry('none', size.width, size.height);
  const pin = pinAt(geometry, [3.217, 1.5]);
  assert.deepEqual(pin, { x: 3.22, y: 1.5 });
  assert.ok(isNear(pinCentre(geometry, pin), [3.22, 1.5]));
});

test('one on the far edge is in the last cell', () => {
  assert.deepEqual(pinCell(size, { x: 6, y: 5 }), [5, 4]);
  const geometry = new Geometry('square', size.width, size.height);
  assert.deepEqual(pinCentre(geometry, { x: 6, y: 5 }), [6, 5]);
});
