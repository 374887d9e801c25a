/** Pieces of a map that are held above it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Float } from '../../../admin/static/editor/clip.js';
import { Geometry } from '../../../web/shared/geometry.js';

/** A clip of 3 x 4 cells from (4, 5), with an entity and a wall. */
const clip = {
  parts: [{ layer: null, codes: Uint16Array.from({ length: 12 }, (_, i) => 65 + i) }],
  objects: [{ list: 'entities', item: { id: 'e', x: 5, y: 6 } }],
  origin: [4, 5],
  width: 3,
  height: 4,
  text: '',
};

for (const type of ['square', 'isometric', 'none', 'hex_row', 'hex_column']) {
  test(`keeps its figure wherever it is put: ${type}`, () => {
    const geometry = new Geometry(type, 30, 30);
    const float = new Float(geometry, clip, clip.origin);
    const [ox, oy] = geometry.centre(4, 5);
    for (const at of [
      [4, 5],
      [10, 8],
      [11, 9],
      [3, 12],
    ]) {
      float.moveTo(at);
      const [ax, ay] = geometry.centre(...at);
      let found = 0;
      const { x: bx, y: by, width, height } = float.box;
      for (let y = 0; y < 30; y++) {
        for (let x = 0; x < 30; x++) {
          const index = float.indexAt(x, y);
          if (index < 0) continue;
          found++;
          assert.ok(float.holds([x, y]) && x >= bx && y >= by && x < bx + width && y < by + height);
          // As far from the first cell as where it was taken.
          const [px, py] = geometry.centre(4 + (index % 3), 5 + Math.floor(index / 3));
          const [qx, qy] = geometry.centre(x, y);
          assert.ok(Math.hypot(qx - ax - (px - ox), qy - ay - (py - oy)) < 1e-9);
        }
      }
      assert.equal(found, 12);
      const [{ item }] = float.objects();
      assert.equal(float.indexAt(item.x, item.y), 4);
    }
  });
}
