/** Fewer pixels while the view moves slowly. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { Pace } from '../../web/play/map/pace.js';

mock.timers.enable({ apis: ['setTimeout'] });
globalThis.window ??= globalThis;

/** A pace with frames of some milliseconds, and the shares of pixels that it asked for. */
function pace() {
  const shares = [];
  let awaited = false;
  const one = new Pace(
    (share) => shares.push(share),
    () => awaited,
  );
  let now = 1000;
  let view = 0;
  return {
    shares,
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
  const { shares, moves } = pace();
  moves(100, 16);
  assert.deepEqual(shares, []);
});

test('slow frames save pixels until the view stands still', () => {
  const one = pace();
  one.moves(20, 60);
  assert.equal(one.shares.length, 1);
  assert.ok(one.shares[0] < 1);
  // A frame is still to come: the view moves on.
  one.await(true);
  mock.timers.tick(1000);
  assert.equal(one.shares.length, 1);
  one.await(false);
  mock.timers.tick(1000);
  assert.equal(one.shares.at(-1), 1);
});

test('what moves while the view stands still is always sharp', () => {
  const { shares, stands } = pace();
  stands(50, 100);
  assert.deepEqual(shares, []);
});
