/** Fewer pixels while the view moves slowly. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { Pace } from '../../web/play/map/pace.js';

mock.timers.enable({ apis: ['setTimeout'] });
globalThis.window ??= globalThis;

/** A pace with frames of some milliseconds, and whether it asked for fewer pixels, at each change. */
function pace() {
  const changes = [];
  let awaited = false;
  const one = new Pace(
    () => changes.push(one.isReduced),
    () => awaited,
  );
  let now = 1000;
  let view = 0;
  return {
    changes,
    await: (is) => (awaited = is),
    moves(frames, taken) {
      for (let i = 0; i < frames; i++) one.frame((now += taken), `${view++}`);
    },
    stands(frames, taken) {
      for (let i = 0; i < frames; i++) one.frame((now += taken), `${view}`);
    },
  };
}

test('quick frames keep all pixels', () => {
  const { changes, moves } = pace();
  moves(100, 16);
  assert.deepEqual(changes, []);
});

test('slow frames save pixels until the view stands still', () => {
  const one = pace();
  one.moves(20, 60);
  assert.deepEqual(one.changes, [true]);
  // A frame is still to come: the view moves on.
  one.await(true);
  mock.timers.tick(1000);
  assert.deepEqual(one.changes, [true]);
  one.await(false);
  mock.timers.tick(1000);
  assert.deepEqual(one.changes, [true, false]);
});

test('what moves while the view stands still is always sharp', () => {
  const { changes, stands } = pace();
  stands(50, 100);
  assert.deepEqual(changes, []);
});
