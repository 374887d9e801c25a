/** The editor's dialogs: a question with answers, the conflict of two savers, and the overlay of keys. */

import { h, newId } from '../../../web/shared/dom.js';
import { icon } from '../../../web/shared/icons.js';
import { TOOLS } from './tools/tools.js';

/**
 * @typedef {{value: string | null, label: string, hint?: string, primary?: boolean, danger?: boolean}} Answer
 */

/**
 * Ask; resolves to the value of the answer taken, or null.
 * @param {HTMLElement} root  @param {string} title  @param {string | string[]} text  @param {Answer[]} answers
 * @returns {Promise<string | null>}
 */
export function ask(root, title, text, answers) {
  return new Promise((resolve) => {
    const heading = h('h2', { id: newId('title') }, title);
    const dialog = h(
      'dialog',
      { class: 'wk-dialog', 'aria-labelledby': heading.id },
      heading,
      [text].flat().map((line) => h('p', {}, line)),
    );
    /** @type {string | null} */
    let answer = null;
    const take = (/** @type {string | null} */ value) => {
      answer = value;
      dialog.close();
    };
    dialog.append(
      h(
        'div',
        { class: answers.some(({ hint }) => hint) ? 'wk-choices' : 'wk-answers' },
        answers.map(({ value, label, hint, primary, danger }) =>
          h(
            'button',
            {
              type: 'button',
              class: `wk-button ${primary ? 'wk-primary' : ''} ${danger ? 'wk-danger' : ''}`,
              'data-answer': value,
              onclick: () => take(value),
            },
            h('span', { class: 'wk-choice-label' }, label),
            hint && h('span', { class: 'wk-choice-hint' }, hint),
          ),
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    root.append(dialog);
    dialog.showModal();
  });
}

/**
 * Somebody else saved the map in the meantime: 'reload', 'overwrite', 'copy' or null (decide later).
 * @param {HTMLElement} root  @param {number} mine  the version it was made from  @param {number} theirs
 * @param {{canCopy: boolean, isWhole: boolean}} how  `isWhole`: it can only be saved as the whole document
 */
export function askConflict(root, mine, theirs, { canCopy, isWhole }) {
  /** @type {Answer[]} */
  const answers = [
    {
      value: 'overwrite',
      label: 'Overwrite: save mine over theirs',
      hint: isWhole
        ? 'Your whole map replaces theirs, which remains in the history of the map.'
        : 'Where both of you changed the same, your changes replace theirs. Their other changes are kept.',
      primary: true,
    },
    {
      value: 'reload',
      label: 'Reload: show theirs',
      hint: 'Your changes are set aside. You can apply them again at any time.',
    },
    {
      value: 'copy',
      label: 'Keep mine as a copy',
      hint: 'Your version becomes a new map. This map keeps their changes.',
    },
    { value: null, label: 'Decide later', hint: 'Continue editing. Nothing is saved yet.' },
  ];
  return ask(
    root,
    'This map was changed by somebody else',
    [
      `You opened version ${mine}; the map is at version ${theirs} now. None of your work is lost, whatever you choose.`,
    ],
    answers.filter(({ value }) => canCopy || value !== 'copy'),
  );
}

/**
 * By subject: what each key or pair of keys does. The last of a row says it, the ones before are keys.
 * @type {[string, (string | string[])[][]][]}
 */
const KEYS = [
  ['Tools', TOOLS.map(({ key, label }) => [[key.toUpperCase()], label])],
  [
    'Painting',
    [
      [['['], [']'], 'Smaller or larger brush'],
      [['Shift', 'click'], 'Line from the last cell'],
      [['Right click'], 'Pick the tile under the pointer'],
      [['Right drag'], 'With the stamp: copy another one'],
      [['Esc'], 'Cancel, or clear the selection'],
    ],
  ],
  [
    'Cell cursor',
    [
      [['←↑↓→'], 'Move the cursor; with Shift, five cells'],
      [['Space'], ['Enter'], 'Use the tool there'],
      [['Esc'], 'Hide the cursor'],
    ],
  ],
  [
    'Selection',
    [
      [['Ctrl', 'A'], 'Select all'],
      [['Ctrl', 'C'], ['Ctrl', 'X'], 'Copy, cut'],
      [['Ctrl', 'V'], 'Paste under the pointer; a click or Enter puts it down'],
      [['Del'], 'Clear the cells, or delete the objects'],
    ],
  ],
  [
    'Objects',
    [
      [['Drag'], 'Select all objects in a rectangle'],
      [['Shift', 'click'], 'Select one more, or one less'],
      [['←↑↓→'], 'Move the selected ones; with Shift, five cells'],
      [['Ctrl', 'D'], 'Duplicate them'],
      [['Click, click, …'], 'Walls from corner to corner; Enter or Esc ends'],
    ],
  ],
  [
    'View',
    [
      [['Space', 'drag'], 'Move the view'],
      [['Wheel'], 'Zoom'],
      [['+'], ['−'], 'Zoom in, out'],
      [['0'], 'Fit the map'],
      [['G'], 'Gridlines'],
    ],
  ],
  [
    'Touch',
    [
      [['One finger'], 'Uses the tool'],
      [['Two fingers'], 'Move the view and zoom'],
    ],
  ],
  [
    'Work',
    [
      [['Ctrl', 'S'], 'Save'],
      [['Ctrl', 'Z'], 'Undo'],
      [['Ctrl', 'Y'], 'Redo'],
      [['?'], 'This page'],
    ],
  ],
];

/** @param {HTMLElement} root */
export function showHelp(root) {
  const heading = h('h2', { id: newId('title') }, 'Keys');
  const close = h(
    'button',
    { type: 'button', class: 'wk-tool', 'aria-label': 'Close', onclick: () => dialog.close() },
    icon('close'),
  );
  const dialog = h(
    'dialog',
    { class: 'wk-dialog wk-help', 'aria-labelledby': heading.id },
    h('div', { class: 'wk-help-head' }, heading, close),
    h(
      'div',
      { class: 'wk-help-body' },
      KEYS.map(([title, rows]) =>
        h(
          'section',
          {},
          h('h3', {}, title),
          h(
            'dl',
            {},
            rows.map((row) => [
              h(
                'dt',
                {},
                row
                  .slice(0, -1)
                  .map((keys, i) => [i ? ' ' : '', [keys].flat().map((key, j) => [j ? '+' : '', h('kbd', {}, key)])]),
              ),
              h('dd', {}, row.at(-1)),
            ]),
          ),
        ),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  root.append(dialog);
  dialog.showModal();
}
