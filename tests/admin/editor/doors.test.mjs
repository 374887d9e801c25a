/** Doors that let nobody through. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { doorProblem, withoutDoor } from '../../../admin/static/editor/doors.js';
import { GridDocument, readFrame } from '../../../web/shared/document.js';

const legend = [{ symbol: '#', name: 'rock', blocks_movement: true }, { symbol: '.' }];

/** Whether a door of a map lets somebody through, once it is open. */
function lets(rows, [x1, y1, x2, y2], more = {}) {
  const grid = { width: rows[0].length, height: rows.length, legend, layers: [{ name: 'g', rows }], ...more };
  return doorProblem(new GridDocument(readFrame(grid)), { x1, y1, x2, y2, state: 'closed' }) === null;
}

test('a door on a wall of one cell opens a way', () => {
  const room = ['.....', '.###.', '.#.#.', '.###.', '.....'];
  assert.ok(lets(room, [2, 2, 3, 2]), 'inside');
  assert.ok(lets(room, [2, 1, 3, 1]), 'outside');
  assert.ok(lets(room, [2, 1.5, 3, 1.5]), 'across the middle of the cell');
  assert.ok(lets(room, [2, 2, 2, 3]), 'upright');
});

test('a door in thick rock, or at the edge of the map, leads nowhere', () => {
  const thick = ['.....', '.....', '#####', '#####', '#####', '.....'];
  assert.ok(!lets(thick, [2, 2, 3, 2]));
  assert.ok(!lets(thick, [2, 3, 3, 3]));
  assert.ok(lets(thick.toSpliced(3, 1), [2, 3, 3, 3]), 'between two cells of rock, it opens both');
  assert.ok(!lets(['...'], [1, 0, 2, 0]));
  assert.ok(!lets(['...'], [1, 0, 1, 0]), 'without a width');
});

test('between free cells it stands free', () => {
  assert.ok(lets(['..', '..'], [0, 1, 1, 1]));
  assert.ok(lets(['  ', '  '], [0, 1, 1, 1]), 'empty cells');
});

test('a hidden layer blocks nothing', () => {
  const rows = ['###', '###', '###'];
  assert.ok(lets(rows, [1, 1, 2, 1], { layers: [{ name: 'g', rows, visible: false }] }));
});

test('a wall on the door blocks, one that crosses it does not', () => {
  const rows = ['...', '...'];
  assert.ok(!lets(rows, [1, 1, 2, 1], { walls: [{ x1: 0, y1: 1, x2: 3, y2: 1 }] }));
  assert.ok(lets(rows, [1, 1, 2, 1], { walls: [{ x1: 0, y1: 1, x2: 3, y2: 1, blocks_movement: false }] }));
  assert.ok(lets(rows, [1, 1, 2, 1], { walls: [{ x1: 0, y1: 1, x2: 1, y2: 1 }] }), 'beside it');
  assert.ok(lets(rows, [1, 1, 2, 1], { walls: [{ x1: 1.5, y1: 0, x2: 1.5, y2: 2 }] }), 'across it');
});

test('hexes', () => {
  for (const grid_type of ['hex_row', 'hex_column']) {
    const rows = ['.....', '.....', '..#..', '.....', '.....'];
    const grid = { width: 5, height: 5, grid_type, legend, layers: [{ name: 'g', rows }] };
    const doc = new GridDocument(readFrame(grid));
    const corners = doc.geometry.corners(2, 2);
    const [[x1, y1], [x2, y2]] = corners;
    assert.equal(doorProblem(doc, { x1, y1, x2, y2 }), null);
    const filled = new GridDocument(readFrame({ ...grid, layers: [{ name: 'g', rows: Array(5).fill('#####') }] }));
    assert.notEqual(doorProblem(filled, { x1, y1, x2, y2 }), null);
  }
});

test('a wall is cut where a door is', () => {
  const wall = { id: 'w', x1: 0, y1: 1, x2: 4, y2: 1, blocks_sight: false };
  const pieces = withoutDoor(wall, { x1: 2, y1: 1, x2: 1, y2: 1 });
  assert.deepEqual(
    pieces.map(({ x1, y1, x2, y2, id, blocks_sight }) => [x1, y1, x2, y2, id, blocks_sight]),
    [
      [0, 1, 1, 1, undefined, false],
      [2, 1, 4, 1, undefined, false],
    ],
  );
  assert.equal(withoutDoor(wall, { x1: 0, y1: 1, x2: 1, y2: 1 }).length, 1);
  assert.equal(withoutDoor(wall, { x1: 0, y1: 1, x2: 4, y2: 1 }).length, 0);
});
