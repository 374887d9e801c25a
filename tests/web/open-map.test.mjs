/** The open map. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenMap } from '../../web/play/open-map.js';
import { Store } from '../../web/play/store.js';

test('a map that was closed since a read was asked for is not read', async (t) => {
  const fetched = t.mock.method(globalThis, 'fetch', async () => new Response('{}'));
  await new OpenMap(new Store()).read();
  assert.equal(fetched.mock.callCount(), 0);
});
