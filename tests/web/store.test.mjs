/** What the page knows of the table. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Store } from '../../web/play/store.js';

const token = (id, more = {}) => ({ id, map_id: 'm', name: id, x: 0, y: 0, size: 1, disposition: 'friendly', ...more });

function tableOf(role) {
  const store = new Store();
  store.me.value = { id: 'mira', display_name: 'Mira' };
  store.universe.value = { id: 'u', name: 'U', description: '', role, active_map_id: null };
  return store;
}

test('rights come from grants to oneself, to all members, and by the character; game masters have all', () => {
  const store = tableOf('player');
  store.put(store.characters, { id: 'c', name: 'C', kind: 'player', asset_id: null, grants: { mira: ['act'] } });
  assert.ok(!store.may(token('a'), 'see'));
  assert.ok(store.may(token('a', { grants: { mira: ['sight'] } }), 'sight'));
  assert.ok(!store.may(token('a', { grants: { mira: ['sight'] } }), 'act'));
  assert.ok(store.may(token('a', { grants: { members: ['act'] } }), 'sheet'), 'act includes the others');
  assert.ok(!store.may(token('a', { grants: { bram: ['act'] } }), 'act'));
  assert.ok(store.may(token('a', { character_id: 'c' }), 'act'));
  assert.ok(tableOf('game_master').may(token('a'), 'act'));
});

test('a token that is gone is not selected any more', () => {
  const store = tableOf('player');
  store.setTokens([token('a'), token('b')]);
  store.selected.value = 'a';
  store.dropToken('b');
  assert.equal(store.selectedToken.value?.id, 'a');
  store.dropToken('a');
  assert.equal(store.selected.value, null);
});

test('a change of a token that was never shown is nothing', () => {
  const store = tableOf('player');
  store.patchToken({ id: 'a', x: 4 });
  assert.equal(store.tokens.value.size, 0);
  store.patchToken(token('a'));
  store.patchToken({ id: 'a', x: 4 });
  assert.equal(store.tokens.value.get('a')?.x, 4);
});

test('whose turn it is leads to their token, also by the character', () => {
  const store = tableOf('player');
  store.setTokens([token('a'), token('b', { character_id: 'c' })]);
  const fight = { id: 'e', name: 'Fight', map_id: 'm', state: 'running', round: 1, turn: '2', combatants: [] };
  store.put(store.encounters, {
    ...fight,
    combatants: [
      { id: '1', name: 'A', token_id: 'a' },
      { id: '2', name: 'B', character_id: 'c' },
    ],
  });
  assert.equal(store.turnToken.value, 'b');
});

test('of others, the only token with their name has the turn', () => {
  const store = new Store();
  const combatants = [{ id: '1', name: 'Ashe', character_id: 'c' }];
  store.put(store.encounters, { id: 'e', state: 'running', round: 1, turn: '1', combatants });
  store.setTokens([{ id: 'a', name: 'Ashe' }]);
  assert.equal(store.turnToken.value, 'a');
  store.setTokens([
    { id: 'a', name: 'Ashe' },
    { id: 'b', name: 'Ashe' },
  ]);
  assert.equal(store.turnToken.value, null);
});

test('a read that began before a move does not undo it', () => {
  const store = new Store();
  const before = token('a', { x: 4, y: 3 });
  store.setTokens([before]);
  const readAt = performance.now() - 1;
  store.patchToken({ id: 'a', x: 2, y: 2 });
  store.setTokens([before], readAt);
  assert.deepEqual([store.tokens.value.get('a')?.x, store.tokens.value.get('a')?.y], [2, 2]);
  store.dropToken('a');
  store.setTokens([before], readAt);
  assert.equal(store.tokens.value.size, 0);
  store.setTokens([before], performance.now() + 1);
  assert.equal(store.tokens.value.get('a')?.x, 4);
});
