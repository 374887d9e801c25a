/**
 * From the editor to where maps are kept: loading, saving what changed, conflicts, drafts, or a form's textarea.
 *
 * @typedef {import('../../../web/shared/api.js').Edit} Edit
 * @typedef {import('../../../web/shared/api.js').MapRead} MapRead
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('./drafts.js').Work} Work
 * @typedef {import('./drafts.js').KeptDraft} KeptDraft
 * @typedef {import('./editor.js').Editor} Editor
 * @typedef {import('./history.js').Step} Step
 * @typedef {import('./mount.js').MountOptions} MountOptions
 * @typedef {{isDirty: boolean, load(): Promise<void>, save(): Promise<boolean>, changed(): void,
 *   base?: Frame | null, changeGrid?(type: string): Promise<boolean>}} Saving  `save` resolves to whether all is saved;
 *   `changed` is called when something may be unsaved
 */

import { askConflict } from './dialogs.js';
import { readFrame, writeFrame } from '../../../web/shared/document.js';
import { plural } from '../../../web/shared/dom.js';
import { Drafts } from './drafts.js';
import { advanced, applied, difference, requestsOf } from './edits.js';
import { faultOf } from './faults.js';
import { formatJson, parseJson } from './json-text.js';
import { ApiError, changeMap, createMap, readMap, saveEdits } from '../../../web/shared/api.js';

const DRAFT_AFTER_MS = 700; // without a change

/** Saves to the API: the map, and the fields of the form around it. */
export class MapSaving {
  /**
   * @param {Editor} editor
   * @param {string} mapUrl
   * @param {MountOptions} options
   */
  constructor(editor, mapUrl, options) {
    this.editor = editor;
    this.mapUrl = mapUrl;
    this.options = options;
    this.drafts = new Drafts(mapUrl);
    this.version = 0;
    /** The map as it was read. @type {MapRead | null} */
    this.map = null;
    /** What the server has. @type {Frame | null} */
    this.base = null;
    this.isBusy = false;
    this.hasWarned = false;
    /** The step that put a draft back. @type {Step | null} */
    this.restored = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    editor.history.listen(() => this.changed());
    addEventListener('beforeunload', (event) => {
      if (!this.isDirty) return;
      this.keepDraft();
      event.preventDefault();
    });
    document.addEventListener('visibilitychange', () => document.hidden && this.isDirty && this.keepDraft());
  }

  get isDirty() {
    return this.editor.history.isDirty || this.editor.raw.isDirty || Boolean(this.options.fields?.changes());
  }

  async load() {
    const map = await readMap(this.mapUrl);
    this.#open(map);
    this.editor.tokens.open(this.mapUrl, map.universe_id);
    this.#offerDrafts();
  }

  /** @param {MapRead} map */
  #open(map) {
    this.map = map;
    this.version = map.version;
    this.editor.open(readFrame(map.grid_data ?? {}), map.name);
    this.base = this.editor.document.snapshot();
  }

  /** Something may be unsaved now, or no longer. */
  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keepDraft(), DRAFT_AFTER_MS);
    if (!this.isBusy) this.editor.layout.showStatus(this.isDirty ? 'unsaved' : 'saved');
  }

  keepDraft() {
    if (!this.base) return;
    if (!this.editor.history.isDirty) {
      this.drafts.forget();
      return;
    }
    const kept = this.drafts.keep({ version: this.version, ...this.#work(this.base) });
    if (!kept && !this.hasWarned)
      this.editor.notices.show('This browser has no room for a draft of your changes: save soon.', { kind: 'warning' });
    this.hasWarned ||= !kept;
  }

  #offerDrafts() {
    for (const draft of this.drafts.all()) {
      const fits = draft.own && draft.version === this.version;
      if (fits && this.#putBack(draft)) {
        this.editor.notices.show(`Your unsaved changes from ${ago(draft.at)} were restored.`, {
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
      this.editor.notices.show(`${whose}, from ${ago(draft.at)}${version}.`, {
        actions: [
          ['Apply them', () => this.#putBack(draft) && draft.own === false && this.drafts.forget(draft.tab)],
          ['Discard', () => this.drafts.forget(draft.tab)],
        ],
      });
      return;
    }
  }

  /**
   * Put a draft on the map as it is now, as one step that can be undone.
   * @param {Work & {tab: string}} draft
   */
  #putBack(draft) {
    const { editor } = this;
    try {
      const { frame } = editor.document;
      const next = draft.edits ? applied(frame, draft.edits) : editor.frameOf(draft.document);
      this.restored = editor.run('Restored unsaved changes', (step) => step.change(next));
      return true;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      editor.notices.show(`Your unsaved changes no longer fit the map: ${reason}`, {
        kind: 'warning',
        actions: [
          ['Download them', () => download(`changes-${this.map?.id}.json`, draft.edits ?? draft.document)],
          ['Discard', () => this.drafts.forget(draft.tab)],
        ],
      });
      return false;
    }
  }

  /** @param {KeptDraft} draft */
  #discardDraft(draft) {
    const { history } = this.editor;
    while (this.restored && history.done.includes(this.restored)) history.undo();
    this.drafts.forget(draft.tab);
  }

  /**
   * Save what changed since the map was opened or saved last.
   * @returns {Promise<boolean>} whether all is saved
   */
  async save() {
    const { editor } = this;
    if (this.isBusy || !this.base || !editor.settle()) return false;
    const now = editor.document.snapshot();
    const { edits, complete } = difference(this.base, now);
    const fields = this.options.fields?.changes() ?? null;
    if (complete && !edits.length && !fields) {
      editor.history.markSaved(editor.history.position);
      editor.announce('There is nothing to save.');
      return true;
    }
    return this.#send(now, edits, complete, fields);
  }

  /** The version that a request made is the map's now. @param {Promise<{version: number}>} request */
  async #sent(request) {
    const { version } = await request;
    this.version = version;
  }

  /**
   * @param {Frame} now  @param {Edit[]} edits  @param {boolean} complete  whether the edits say all that changed
   * @param {{[key: string]: string} | null} fields  of the form around the map
   * @returns {Promise<boolean>}
   */
  async #send(now, edits, complete, fields) {
    const { editor, mapUrl, options } = this;
    const { position } = editor.history;
    /** The edits that were sent last, which a refusal is about. @type {Edit[] | null} */
    let sent = null;
    this.isBusy = true;
    editor.layout.showStatus('saving');
    editor.notices.showFaults([]);
    try {
      for (sent of complete ? requestsOf(edits) : []) {
        await this.#sent(saveEdits(mapUrl, sent, this.version));
        this.base = advanced(/** @type {Frame} */ (this.base), sent, now);
        // No step of the history corresponds to the server's state now.
        editor.history.markSaved(null);
      }
      sent = null;
      if (!complete) await this.#sent(changeMap(mapUrl, { grid_data: writeFrame(now) }, this.version));
      this.base = now;
      editor.history.markSaved(position);
      if (fields) {
        await this.#sent(changeMap(mapUrl, fields, this.version));
        options.fields?.saved(fields);
        editor.layout.title.textContent = fields.name ?? editor.layout.title.textContent;
      }
      this.isBusy = false;
      this.changed();
      this.keepDraft();
      const what = complete ? plural(edits.length, 'edit') : 'the whole map';
      editor.announce(`Saved ${what} as version ${this.version}.`);
      editor.saved();
      return true;
    } catch (error) {
      this.isBusy = false;
      this.keepDraft();
      if (!(error instanceof ApiError)) throw error;
      editor.layout.showStatus('failed');
      return await this.#refused(error, sent, now);
    }
  }

  /**
   * @param {ApiError} error  @param {Edit[] | null} sent  @param {Frame} now
   * @returns {Promise<boolean>}
   */
  async #refused(error, sent, now) {
    const { notices } = this.editor;
    if (error.status === 412 || error.status === 409) return await this.#conflict();
    if (error.status === 422) {
      const faults = error.errors.map((one) => faultOf(one, sent, now));
      notices.showFaults(faults, error.message);
    } else notices.show(`Not saved: ${error.message}`, { kind: 'error', actions: [['Try again', () => this.save()]] });
    return false;
  }

  /**
   * Change the grid of the map as it is saved, with all that is unsaved: the server moves walls, doors and lights
   * with their cells, or says which does not fit. Then the map is loaded again.
   * @param {string} type
   * @returns {Promise<boolean>} whether it was changed
   */
  async changeGrid(type) {
    if (!(await this.save())) return false;
    const edits = [{ op: 'update_map', changes: { grid_type: type } }];
    const now = this.editor.document.frame;
    try {
      await this.#sent(saveEdits(this.mapUrl, edits, this.version));
      this.#open(await readMap(this.mapUrl));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await this.#refused(error, edits, now);
      return false;
    }
    this.editor.announce('Changed the grid; walls, doors and lights moved with their cells.');
    return true;
  }

  /** @returns {Promise<boolean>} */
  async #conflict() {
    const { editor, options, base } = this;
    if (!base) return false;
    let theirs;
    try {
      theirs = await readMap(this.mapUrl);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      editor.notices.show(`Not saved: somebody else changed the map, and it cannot be read now. ${reason}`, {
        kind: 'error',
        actions: [['Try again', () => this.save()]],
      });
      return false;
    }
    const choice = await askConflict(editor.element, this.version, theirs.version, {
      canCopy: Boolean(options.mapsUrl),
      isWhole: Boolean(this.#work(base).document),
    });
    if (choice === 'overwrite') return this.#overwrite(theirs, base);
    if (choice === 'reload') this.#setAside(theirs, base);
    if (choice === 'copy') await this.#keepCopy(theirs);
    return false;
  }

  /**
   * What changed since a frame.
   * @param {Frame} base
   * @returns {Work}
   */
  #work(base) {
    const { frame } = this.editor.document;
    const { edits, complete } = difference(base, frame);
    return complete ? { edits } : { document: writeFrame(frame) };
  }

  /**
   * My changes on top of the map as it is now.
   * @param {MapRead} theirs  @param {Frame} base
   * @returns {Promise<boolean>}
   */
  async #overwrite(theirs, base) {
    const before = { version: this.version, ...this.#work(base) };
    this.drafts.keep(before);
    this.#open(theirs);
    if (!this.#putBack({ ...before, tab: this.drafts.tab })) {
      this.drafts.keep(before);
      return false;
    }
    return this.save();
  }

  /** @param {MapRead} theirs  @param {Frame} base */
  #setAside(theirs, base) {
    const tab = `aside-${Date.now().toString(36)}`;
    const draft = { version: this.version, ...this.#work(base), tab };
    this.drafts.keep(draft, tab);
    this.drafts.forget();
    this.#open(theirs);
    this.editor.notices.show(`This is version ${theirs.version}. Your changes are set aside.`, {
      actions: [
        ['Apply them', () => this.#putBack(draft) && this.drafts.forget(draft.tab)],
        ['Discard', () => this.drafts.forget(draft.tab)],
      ],
    });
  }

  /** @param {MapRead} theirs */
  async #keepCopy(theirs) {
    const { editor, options } = this;
    const copy = {
      universe_id: theirs.universe_id,
      name: `${theirs.name} (copy)`,
      description: theirs.description,
      grid_data: writeFrame(editor.document.frame),
    };
    try {
      const made = await createMap(options.mapsUrl ?? '/maps', copy);
      this.drafts.forget();
      this.#open(theirs);
      editor.notices.show(`Your version was saved as “${made.name}”. This is their version.`, {
        link: options.pageUrl ? ['Open the copy', options.pageUrl(made)] : null,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      editor.notices.show(`The copy was not created: ${reason}`, {
        kind: 'error',
        actions: [['Try again', () => this.#keepCopy(theirs)]],
      });
    }
  }
}

/** Saves into a form's textarea: for a map that does not exist yet, the form's own button does the rest. */
export class FormSaving {
  /** @param {Editor} editor  @param {HTMLTextAreaElement} textarea  @param {string} [title]  of the map */
  constructor(editor, textarea, title) {
    this.editor = editor;
    this.textarea = textarea;
    this.title = title;
    this.isSubmitted = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    editor.history.listen((event) => event && this.changed());
    textarea.form?.addEventListener('submit', (event) => {
      if (!editor.settle()) event.preventDefault();
      this.write();
      this.isSubmitted = !event.defaultPrevented;
    });
    addEventListener('beforeunload', (event) => {
      if (!this.isSubmitted && editor.history.isDirty) event.preventDefault();
    });
  }

  get isDirty() {
    return this.editor.history.isDirty || this.editor.raw.isDirty;
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

  changed() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(), 400);
    this.editor.layout.showStatus(this.editor.history.isDirty ? 'unsaved' : 'saved');
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

/** @param {number} at  milliseconds since 1970 */
function ago(at) {
  const minutes = Math.round((Date.now() - at) / 60_000);
  if (minutes < 1) return 'a moment ago';
  if (minutes < 60) return `${plural(minutes, 'minute')} ago`;
  return minutes < 1440
    ? `${plural(Math.round(minutes / 60), 'hour')} ago`
    : `${plural(Math.round(minutes / 1440), 'day')} ago`;
}

/** @param {string} name  @param {unknown} value */
function download(name, value) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([formatJson(value)], { type: 'application/json' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
