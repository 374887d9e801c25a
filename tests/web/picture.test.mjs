/** Where a picture of the map is on screen while the view moves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Picture } from '../../web/play/map/picture.js';

const DRAWN = { x: 30, y: -20, scale: 32, width: 800, height: 600 };

/** Where the picture shows a point of the map, on screen. */
function shown(picture, view, [X, Y]) {
  const { left, top, by } = picture.place(view);
  return [left + by * (picture.x + X * picture.scale), top + by * (picture.y + Y * picture.scale)];
}

test('the picture begins beyond the window', () => {
  assert.deepEqual(new Picture(DRAWN).place(DRAWN), { left: -200, top: -150, by: 1 });
});

test('a moved picture shows each point where the view has it', () => {
  const picture = new Picture(DRAWN);
  for (const moved of [{}, { x: 130, y: 80 }, { x: -30, y: -140, scale: 48 }, { x: 60, y: 10, scale: 28 }]) {
    const view = { ...DRAWN, ...moved };
    for (const [X, Y] of [
      [0, 0],
      [7, 11],
    ]) {
      const [x, y] = shown(picture, view, [X, Y]);
      assert.ok(Math.abs(x - (X * view.scale + view.x)) < 1e-9);
      assert.ok(Math.abs(y - (Y * view.scale + view.y)) < 1e-9);
    }
  }
});

test('a picture that does not fill the window is not shown', () => {
  const picture = new Picture(DRAWN);
  for (const moved of [{ x: 231 }, { x: -171 }, { y: 131 }, { y: -171 }, { scale: 20 }])
    assert.equal(picture.place({ ...DRAWN, ...moved }), null);
  for (const moved of [{ x: 230 }, { x: -170 }, { y: 130 }, { y: -170 }])
    assert.ok(picture.place({ ...DRAWN, ...moved }));
});

test('a picture is enlarged no more than twice', () => {
  const picture = new Picture({ ...DRAWN, x: 0, y: 0 });
  assert.ok(picture.place({ ...DRAWN, x: 0, y: 0, scale: 64 }));
  assert.equal(picture.place({ ...DRAWN, x: 0, y: 0, scale: 65 }), null);
});
