/** The log of messages and rolls, two lists that are read by pages of their own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Log } from '../../web/play/log.js';

const at = (kind, second) => ({
  id: `${kind}${String(second).padStart(4, '0')}`,
  actor_id: 'mira',
  created_at: new Date(second * 1000).toISOString(),
});

/** A page of entries at these seconds, newest first. */
const page = (kind, seconds, next_cursor = null) => ({ items: seconds.map((one) => at(kind, one)), next_cursor });
const shown = (log) => log.entries.value.map(({ id }) => id.replace(/^(.).*?0*(\d+)$/, '$1$2')).join(' ');
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => to - i);

test('messages and rolls are in order, without doubles', () => {
  const log = new Log();
  log.addNewest('message', page('message', [3, 1]));
  log.addNewest('roll', page('roll', [2]));
  log.addNewest('message', page('message', [4, 3, 1]));
  assert.equal(shown(log), 'm1 r2 m3 m4');
  assert.equal(log.hasEarlier.value, false);
});

test('it reaches back to where both lists are known', () => {
  const log = new Log();
  log.addNewest('message', page('message', [9, 7, 5], 'm5'));
  log.addNewest('roll', page('roll', [8, 6, 4, 2], 'r2'));
  assert.equal(shown(log), 'm5 r6 m7 r8 m9');
  assert.ok(log.hasEarlier.value);
  // Of the rolls before, those are shown that no unknown message can lie between.
  log.addEarlier('message', 'm5', page('message', [3, 1], null));
  assert.equal(shown(log), 'r2 m3 r4 m5 r6 m7 r8 m9');
  log.addEarlier('roll', 'r2', page('roll', [0], null));
  assert.equal(shown(log), 'r0 m1 r2 m3 r4 m5 r6 m7 r8 m9');
  assert.equal(log.hasEarlier.value, false);
});

test('new entries do not change where it begins', () => {
  const log = new Log();
  log.addNewest('message', page('message', [5, 4], 'm4'));
  log.addEarlier('message', 'm4', page('message', [3, 2], 'm2'));
  log.addNewest('message', page('message', [6, 5], 'm5'));
  assert.equal(shown(log), 'm2 m3 m4 m5 m6');
  log.addEarlier('message', 'm2', page('message', [1], null));
  assert.equal(shown(log), 'm1 m2 m3 m4 m5 m6');
});

test('after more missed entries than a page has, it begins anew', () => {
  const log = new Log();
  log.addNewest('message', page('message', [3, 2], 'm2'));
  log.addNewest('message', page('message', [9, 8], 'm8'));
  assert.equal(shown(log), 'm8 m9');
  // What was requested before does not belong to it.
  log.addEarlier('message', 'm2', page('message', [1], null));
  assert.equal(shown(log), 'm8 m9');
  log.addEarlier('message', 'm8', page('message', [7, 6], 'm6'));
  assert.equal(shown(log), 'm6 m7 m8 m9');
});

test('it is not kept for ever, unless somebody reads on', () => {
  const log = new Log();
  const receive = (from, to) => {
    for (let i = from; i <= to; i++) log.addNewest('roll', page('roll', range(i - 49, i), `r${i - 49}`));
  };
  receive(50, 400);
  assert.ok(log.entries.value.length <= 300);
  assert.equal(log.entries.value.at(-1)?.id, 'roll0400');
  const first = log.entries.value[0];
  log.addEarlier('roll', log.lists.roll.value.next, page('roll', range(1, Number(first.id.slice(4)) - 1), null));
  assert.equal(log.entries.value.length, 400);
  receive(401, 450);
  assert.equal(log.entries.value.length, 450);
});

test('a roll is shown later', () => {
  const log = new Log();
  log.addNewest('roll', page('roll', [2, 1]));
  log.change('roll', 'roll0001', { visibility: 'everyone', total: 7 });
  log.change('roll', 'unknown', { total: 8 });
  assert.deepEqual(
    log.entries.value.map(({ id, total }) => [id, total]),
    [
      ['roll0001', 7],
      ['roll0002', undefined],
    ],
  );
});
