/** Reads of the same thing follow each other. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Reads } from '../../web/play/reads.js';

/** A read that ends when it is told to, and how often it began. */
function readable() {
  /** @type {{resolve: () => void, reject: (error: Error) => void}[]} */
  const begun = [];
  const read = () => new Promise((resolve, reject) => begun.push({ resolve: () => resolve(undefined), reject }));
  return { begun, read };
}

const settle = () => new Promise((done) => setTimeout(done));

test('all that is asked for during a read is one more read after it', async () => {
  const reads = new Reads();
  const { begun, read } = readable();
  const first = reads.once('notes', read);
  assert.equal(reads.once('notes', read), first);
  await settle();
  const second = reads.once('notes', read);
  assert.equal(reads.once('notes', read), second);
  await settle();
  assert.equal(begun.length, 1);
  begun[0].resolve();
  await first;
  await settle();
  assert.equal(begun.length, 2);
  begun[1].resolve();
  await second;
  assert.deepEqual([reads.running.size, reads.waiting.size], [0, 0]);
});

test('others do not wait for it, and one that fails is followed by the next', async () => {
  const reads = new Reads();
  const { begun, read } = readable();
  const failing = reads.once('notes', read);
  await settle();
  const next = reads.once('notes', read);
  const other = reads.once('maps', async () => {});
  await other;
  begun[0].reject(new Error('away'));
  await assert.rejects(failing, /away/);
  await settle();
  begun[1].resolve();
  await next;
});
