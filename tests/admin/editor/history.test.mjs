/** Undo and redo. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GridDocument, readFrame } from '../../../web/shared/document.js';
import { History } from '../../../admin/static/editor/history.js';

test('at least 200 steps can be undone; dirty follows the saved step', () => {
  const document = new GridDocument(
    readFrame({ width: 4, height: 4, legend: [], layers: [{ name: 'g', rows: Array(4).fill('    ') }] }),
  );
  const history = new History(document);
  const { key } = document.frame.layers[0];
  for (let i = 0; i < 700; i++) history.run('x', (step) => step.paint(key, [i % 16], 35 + (Math.floor(i / 16) % 2)));
  let undone = 0;
  while (history.undo()) undone++;
  assert.ok(undone >= 200);
  assert.ok(history.isDirty);
  history.markSaved(history.position);
  assert.ok(!history.isDirty);
  history.redo();
  assert.ok(history.isDirty);
});
