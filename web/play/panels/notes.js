/** Notes and handouts: displayed as HTML, edited as Markdown. */

import { read } from '../../shared/api.js';
import { html, useEffect, useRef, useSignal } from '../../vendor/preact.js';
import { NotePin } from './note-pin.js';
import { Empty, Icon } from './parts.js';

/** @param {import('./shell.js').Props & {isShown: boolean}} props */
export function Notes(props) {
  const { store } = props;
  const isNew = useSignal(false);
  const edited = useSignal(/** @type {string | null} */ (null));
  const find = (/** @type {string | undefined | null} */ wanted) => store.notes.value.find(({ id }) => id === wanted);
  // What is typed is kept when another note is opened on the map.
  const note = find(edited.value) ?? find(store.openNote.value?.id);
  if (isNew.value) return html`<${Editor} ...${props} note=${null} close=${() => (isNew.value = false)} />`;
  if (note)
    return html`<${Reader}
      key=${note.id}
      ...${props}
      note=${note}
      edited=${edited}
      close=${() => (store.openNote.value = null)}
    />`;
  return html`
    <section aria-labelledby="pl-notes">
      <h2 id="pl-notes">Notes and handouts</h2>
      ${!store.notes.value.length && html`<${Empty} text="No notes yet." />`}
      <ul class="pl-list is-compact">
        ${store.notes.value.map(
          ({ id, title, grants }) =>
            html`<li>
              <button onClick=${() => (store.openNote.value = { id })}>
                <${Icon} name="scroll" />
                <span
                  >${title}<small
                    >${grants?.members?.length ? 'For everyone' : store.isGameMaster.value ? 'Not shown to everyone' : 'For you and the game masters'}</small
                  ></span
                >
              </button>
            </li>`,
        )}
      </ul>
      ${!store.isSpectator.value && html`<button class="pl-button" onClick=${() => (isNew.value = true)}>New note</button>`}
    </section>
  `;
}

/** @typedef {import('./shell.js').Props & {note: import('../store.js').Note, close: () => void}} NoteProps */

/** @param {NoteProps & {isShown: boolean, edited: import('../../vendor/preact.js').Signal<string | null>}} props */
function Reader(props) {
  const { store, table, stage, note, edited, close, isShown } = props;
  const isEditing = edited.value === note.id;
  const full = useSignal(note);
  const body = useRef(/** @type {HTMLElement | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    let isCurrent = true;
    read(`/notes/${note.id}`)
      .then((found) => {
        if (!isCurrent) return;
        full.value = found;
        body.current?.replaceChildren(fragmentOf(found.html));
      })
      // Somebody may have deleted it, or taken it back, meanwhile: an event says so.
      .catch((error) => error.status === 404 || store.fail(error));
    return () => {
      isCurrent = false;
    };
  }, [note, isEditing]);
  const { value: opened } = store.openNote;
  const focused = useRef(/** @type {unknown} */ (null));
  useEffect(() => {
    if (!isShown || focused.current === opened) return;
    focused.current = opened;
    // The button that opened it is gone, unless it was opened on the map.
    if (document.activeElement !== stage?.element) heading.current?.focus();
  }, [isShown, opened]);
  if (isEditing) return html`<${Editor} ...${props} note=${full.value} close=${() => (edited.value = null)} />`;
  const isShared = note.grants?.members?.includes('see') ?? false;
  const show = () =>
    table.send('PATCH', `/notes/${note.id}`, { grants: { ...note.grants, members: isShared ? [] : ['see'] } });
  return html`
    <article class="pl-note" aria-labelledby="pl-note-title">
      <button class="pl-back" onClick=${close}><${Icon} name="left" /> All notes</button>
      <h2 id="pl-note-title" tabindex="-1" ref=${heading}>${note.title}</h2>
      <div class="pl-prose" ref=${body}></div>
      <div class="pl-buttons">
        ${store.isGameMaster.value && html`<button class="pl-button is-primary" onClick=${show}>${isShared ? 'Stop showing to everyone' : 'Show to everyone'}</button>`}
        ${store.may(note, 'act') && html`<button class="pl-button" onClick=${() => (edited.value = note.id)}>Edit</button>`}
        <${NotePin} ...${props} />
      </div>
    </article>
  `;
}

/** A fragment of HTML that the server has sanitized; scripts in it would not run anyway. @param {string} text */
function fragmentOf(text) {
  const parsed = new DOMParser().parseFromString(text, 'text/html');
  const fragment = document.createDocumentFragment();
  fragment.append(...parsed.body.childNodes);
  return fragment;
}

/** @param {import('./shell.js').Props & {note: import('../store.js').Note | null, close: () => void}} props */
function Editor({ table, note, close }) {
  const title = useSignal(note?.title ?? '');
  const body = useSignal(note?.body ?? '');
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const fields = { title: title.value, body: body.value };
    const saved = note
      ? await table.send('PATCH', `/notes/${note.id}`, fields, note.version)
      : await table.send('POST', `${table.url}/notes`, fields);
    if (saved) close();
  };
  return html`
    <form class="pl-form" onSubmit=${save}>
      <h2>${note ? 'Edit note' : 'New note'}</h2>
      <label
        >Title
        <input
          required
          maxlength="200"
          value=${title.value}
          onInput=${(/** @type {any} */ event) => (title.value = event.target.value)}
      /></label>
      <label>
        Text (Markdown)
        <textarea
          rows="12"
          value=${body.value}
          onInput=${(/** @type {any} */ event) => (body.value = event.target.value)}
        ></textarea>
      </label>
      <div class="pl-buttons">
        <button class="pl-button is-primary">Save</button>
        <button type="button" class="pl-button" onClick=${close}>Cancel</button>
      </div>
    </form>
  `;
}
