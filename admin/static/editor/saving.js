/** From the editor to where maps are kept: loading, saving what changed, conflicts, drafts, or a form's textarea. */

import { askConflict } from './dialogs.js';
import { readFrame, writeFrame } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { Drafts } from './drafts.js';
import { advanced, applied, difference, requestsOf } from './edits.js';
import { faultOf } from './faults.js';
import { formatJson, parseJson } from './json-text.js';
import { ApiError, createMap, readMap, saveDocument, saveEdits } from '../../../web/shared/api.js';

const DRAFT_AFTER = 700; // milliseconds without a change

/** Saves to the API. `status` is saved, unsaved, saving or failed; `editor.showStatus` shows it. */
export class MapSaving {
  /** @param options {mapUrl, mapsUrl, pageUrl, onSaved}: addresses of the API, and of a map's page in the admin */
  constructor(editor, options) {
    Object.assign(this, { editor, options });
    this.drafts = new Drafts(options.mapUrl);
    editor.history.listen(() => this.#changed());
    addEventListener('beforeunload', (event) => {
      if (!this.isDirty) return;
      this.keepDraft();
      event.preventDefault();
    });
    const form = editor.element.closest('form');
    form?.addEventListener('submit', async (event) => {
      // The form's own button saves its other fields and leaves the page: the map goes first.
      if (event.target !== form || !this.isDirty) return;
      event.preventDefault();
      if (await this.save()) form.requestSubmit(event.submitter);
    });
    document.addEventListener('visibilitychange', () => document.hidden && this.isDirty && this.keepDraft());
  }

  get isDirty() {
    return this.editor.history.isDirty || this.editor.raw.isDirty;
  }

  async load() {
    this.#open(await readMap(this.options.mapUrl));
    this.#offerDrafts();
  }

  #open(map) {
    this.map = map;
    this.version = map.version;
    this.editor.open(readFrame(map.grid_data ?? {}), map.name);
    this.base = this.editor.document.snapshot();
  }

  #changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keepDraft(), DRAFT_AFTER);
    if (!this.busy) this.editor.showStatus(this.isDirty ? 'unsaved' : 'saved');
  }

  keepDraft() {
    if (!this.base) return;
    if (!this.editor.history.isDirty) {
      this.drafts.forget();
      return;
    }
    const { edits, complete } = difference(this.base, this.editor.document.frame);
    const draft = complete ? { edits } : { document: writeFrame(this.editor.document.frame) };
    const kept = this.drafts.keep({ version: this.version, ...draft });
    if (!kept && !this.warned)
      this.editor.notify('This browser has no room for a draft of your changes: save soon.', { kind: 'warning' });
    this.warned ||= !kept;
  }

  #offerDrafts() {
    for (const draft of this.drafts.all()) {
      const fits = draft.own && draft.version === this.version;
      if (fits && this.#putBack(draft)) {
        this.editor.notify(`Your unsaved changes from ${ago(draft.at)} are back.`, {
          actions: [
            ['Discard them', () => this.#discardDraft(draft)],
            ['Keep them', () => {}],
          ],
        });
        return;
      }
      const whose = draft.own
        ? 'You have unsaved changes'
        : 'There are unsaved changes from another tab or an earlier visit';
      const version =
        draft.version === this.version ? '' : `, made on version ${draft.version} (the map is at ${this.version} now)`;
      this.editor.notify(`${whose}, from ${ago(draft.at)}${version}.`, {
        actions: [
          ['Put them on top', () => this.#putBack(draft) && draft.own === false && this.drafts.forget(draft.tab)],
          ['Discard', () => this.drafts.forget(draft.tab)],
        ],
      });
      return;
    }
  }

  /** Put a draft on the map as it is now, as one step that can be undone. */
  #putBack(draft) {
    const { editor } = this;
    try {
      const { frame } = editor.document;
      const next = draft.edits ? applied(frame, draft.edits) : editor.frameOf(draft.document);
      this.restored = editor.run('Put unsaved changes back', (step) => step.change(next));
      return true;
    } catch (error) {
      editor.notify(`Your unsaved changes do not fit the map any more: ${error.message}`, {
        kind: 'warning',
        actions: [
          ['Download them', () => download(`changes-${this.map.id}.json`, draft.edits ?? draft.document)],
          ['Discard', () => this.drafts.forget(draft.tab)],
        ],
      });
      return false;
    }
  }

  #discardDraft(draft) {
    const { history } = this.editor;
    while (history.done.includes(this.restored)) history.undo();
    this.drafts.forget(draft.tab);
  }

  /** Save what changed since the map was opened or saved last. True when all is saved. */
  async save() {
    const { editor } = this;
    if (this.busy) return false;
    if (!editor.settle()) return false;
    const position = editor.history.position;
    const now = editor.document.snapshot();
    const { edits, complete } = difference(this.base, now);
    if (complete && !edits.length) {
      editor.history.markSaved(position);
      editor.announce('There is nothing to save.');
      return true;
    }
    return this.#send(now, position, edits, complete);
  }

  /** The version that a request made is the map's now. */
  async #sent(request) {
    const { version } = await request;
    this.version = version;
    this.options.onSaved?.({ version, map: this.map });
  }

  async #send(now, position, edits, complete) {
    const { editor, options } = this;
    const requests = complete ? requestsOf(edits) : [];
    let sent = null;
    this.busy = true;
    editor.showStatus('saving');
    editor.showFaults([]);
    try {
      for (sent of requests.slice(0, -1)) {
        await this.#sent(saveEdits(options.mapUrl, sent, this.version));
        this.base = advanced(this.base, sent, now);
        // No step of the history stands for what the server has now.
        editor.history.markSaved(null);
      }
      sent = requests.at(-1) ?? null;
      await this.#sent(
        sent
          ? saveEdits(options.mapUrl, sent, this.version)
          : saveDocument(options.mapUrl, writeFrame(now), this.version),
      );
      this.base = now;
      this.busy = false;
      editor.history.markSaved(position);
      this.keepDraft();
      editor.announce(`Saved ${complete ? plural(edits.length, 'edit') : 'the whole map'} as version ${this.version}.`);
      editor.saved();
      return true;
    } catch (error) {
      this.busy = false;
      this.keepDraft();
      if (!(error instanceof ApiError)) throw error;
      editor.showStatus('failed');
      if (error.status === 412 || error.status === 409) return await this.#conflict();
      if (error.status === 422)
        editor.showFaults(
          error.errors.map((one) => faultOf(one, sent, now)),
          error.message,
        );
      else editor.notify(`Not saved: ${error.message}`, { kind: 'error', actions: [['Try again', () => this.save()]] });
      return false;
    }
  }

  async #conflict() {
    const { editor, options } = this;
    let theirs;
    try {
      theirs = await readMap(options.mapUrl);
    } catch (error) {
      editor.notify(`Not saved: somebody else changed the map, and it cannot be read now. ${error.message}`, {
        kind: 'error',
        actions: [['Try again', () => this.save()]],
      });
      return false;
    }
    const choice = await askConflict(editor.element, this.version, theirs.version, {
      canCopy: Boolean(options.mapsUrl),
      isWhole: Boolean(this.#mine().document),
    });
    if (choice === 'overwrite') return this.#overwrite(theirs);
    if (choice === 'reload') this.#setAside(theirs);
    if (choice === 'copy') await this.#keepCopy(theirs);
    return false;
  }

  #mine() {
    const { edits, complete } = difference(this.base, this.editor.document.frame);
    return complete ? { edits } : { document: writeFrame(this.editor.document.frame) };
  }

  /** My changes on top of the map as it is now. */
  async #overwrite(theirs) {
    const mine = this.#mine();
    const before = { version: this.version, ...mine };
    this.drafts.keep(before);
    this.#open(theirs);
    if (!this.#putBack({ ...before, tab: this.drafts.tab })) {
      this.drafts.keep(before);
      return false;
    }
    return this.save();
  }

  #setAside(theirs) {
    const draft = {
      version: this.version,
      ...this.#mine(),
      tab: `aside-${Date.now().toString(36)}`,
      at: Date.now(),
      own: false,
    };
    this.drafts.keep(draft, draft.tab);
    this.drafts.forget();
    this.#open(theirs);
    this.editor.notify(`This is version ${theirs.version}. Your own changes are set aside.`, {
      actions: [
        ['Put them on top', () => this.#putBack(draft) && this.drafts.forget(draft.tab)],
        ['Discard', () => this.drafts.forget(draft.tab)],
      ],
    });
  }

  async #keepCopy(theirs) {
    const { editor, options, map } = this;
    const copy = {
      universe_id: map.universe_id,
      name: `${map.name} (copy)`,
      description: map.description ?? '',
      grid_data: writeFrame(editor.document.frame),
    };
    try {
      const made = await createMap(options.mapsUrl, copy);
      this.drafts.forget();
      this.#open(theirs);
      editor.notify(`Yours is kept as “${made.name}”. This is the map as the others made it.`, {
        link: options.pageUrl && ['Open the copy', options.pageUrl(made)],
      });
    } catch (error) {
      editor.notify(`The copy was not made: ${error.message}`, {
        kind: 'error',
        actions: [['Try again', () => this.#keepCopy(theirs)]],
      });
    }
  }
}

/** Saves into a form's textarea: for a map that does not exist yet, the form's own button does the rest. */
export class FormSaving {
  constructor(editor, { textarea, title }) {
    Object.assign(this, { editor, textarea, title });
    editor.history.listen((event) => event && this.#later());
    textarea.form?.addEventListener('submit', (event) => {
      if (!editor.settle()) event.preventDefault();
      this.write();
      this.submitted = !event.defaultPrevented;
    });
    addEventListener('beforeunload', (event) => {
      if (!this.submitted && editor.history.isDirty) event.preventDefault();
    });
  }

  async load() {
    const { textarea, editor, title } = this;
    try {
      editor.open(readFrame(parseJson(textarea.value.trim() || '{}')), title);
    } catch (error) {
      editor.open(readFrame({}), title);
      editor.raw.show(textarea.value, error);
    }
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), 400);
    this.editor.showStatus(this.editor.history.isDirty ? 'unsaved' : 'saved');
  }

  write() {
    clearTimeout(this.timer);
    this.textarea.value = formatJson(writeFrame(this.editor.document.frame));
  }

  async save() {
    if (!this.editor.settle()) return false;
    this.write();
    this.textarea.form?.requestSubmit();
    return true;
  }
}

function ago(at) {
  const minutes = Math.round((Date.now() - at) / 60_000);
  if (minutes < 1) return 'a moment ago';
  if (minutes < 60) return `${plural(minutes, 'minute')} ago`;
  return minutes < 1440
    ? `${plural(Math.round(minutes / 60), 'hour')} ago`
    : `${plural(Math.round(minutes / 1440), 'day')} ago`;
}

function download(name, value) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([formatJson(value)], { type: 'application/json' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
