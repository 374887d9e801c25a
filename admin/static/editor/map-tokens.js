/**
 * The tokens on the map. They belong to play, not to the map's document: every change is saved at once, and what
 * others do to them is read at intervals.
 *
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('./tools/tool.js').Place} Place
 *
 * @typedef {object} Token
 * @property {string} id
 * @property {string} name
 * @property {number} x
 * @property {number} y
 * @property {number} size  cells a side
 * @property {string} disposition
 * @property {boolean} hidden
 * @property {number} [rotation]
 * @property {string | null} color
 * @property {string | null} asset_id
 * @property {string | null} [character_id]
 *
 * @typedef {Partial<Omit<Token, 'id'>>} Fields
 * @typedef {{id: string, fields: Fields, isSent: boolean}} Change  on its way to the server
 * @typedef {{id: string, name: string}} Named
 */

import { read, send } from '../../../web/shared/api.js';
import { tokenAt } from '../../../web/shared/token.js';
import { ask } from './dialogs.js';

const READ_INTERVAL_MS = 5000; // while the page is looked at

export class MapTokens {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** The map in the API; null while it is not saved. @type {string | null} */
    this.mapUrl = null;
    this.universeId = '';
    /** As the server has them. @type {Token[]} */
    this.saved = [];
    /** The id of the selected one. @type {string | null} */
    this.selected = null;
    /** The dragged token, its start, and its current cell. @type {{token: Token, from: Place, at: Pair} | null} */
    this.drag = null;
    /** In their order. @type {Change[]} */
    this.changes = [];
    /** Characters and pictures of the universe, to choose from. @type {{characters: Named[], pictures: Named[]}} */
    this.choices = { characters: [], pictures: [] };
    /** The pending writes, one after the other. @type {Promise<unknown>} */
    this.writing = Promise.resolve();
    this.writes = 0;
    this.waiting = 0;
  }

  /**
   * Show the tokens of a map, from now on as others change them.
   * @param {string} mapUrl  @param {string} universeId
   */
  async open(mapUrl, universeId) {
    const isFirst = this.mapUrl === null;
    this.mapUrl = mapUrl;
    this.universeId = universeId;
    await this.read();
    if (!isFirst) return;
    const again = () => document.hidden || this.read();
    setInterval(again, READ_INTERVAL_MS);
    document.addEventListener('visibilitychange', again);
    addEventListener('beforeunload', (event) => this.waiting && event.preventDefault());
    const list = async (/** @type {string} */ name) =>
      (await read(`/universes/${universeId}/${name}?limit=100`).catch(() => ({ items: [] }))).items;
    const [characters, pictures] = await Promise.all([list('characters'), list('assets')]);
    this.choices = { characters, pictures };
    this.editor.refresh();
  }

  /** Read them again; pending writes take precedence over what is read meanwhile. */
  async read() {
    if (!this.mapUrl || this.waiting) return;
    const { writes } = this;
    try {
      const { items } = await read(`${this.mapUrl}/tokens`);
      if (writes !== this.writes || JSON.stringify(items) === JSON.stringify(this.saved)) return;
      this.#keep(items);
    } catch {
      // The next reading may succeed; whatever is written says so when it fails.
    }
  }

  /** @param {Token[]} tokens */
  #keep(tokens) {
    this.saved = tokens;
    if (!this.get(this.selected)) this.selected = null;
    this.editor.refresh();
  }

  /** The offset of cells by unsaved changes, such as a resize that adds columns on the left. @returns {Pair} */
  get #shift() {
    const base = this.editor.saving?.base;
    const { shift } = this.editor.document.frame;
    return base ? [shift[0] - base.shift[0], shift[1] - base.shift[1]] : [0, 0];
  }

  /** The tokens as shown: with unsaved changes, and at the place to which they are dragged. */
  get shown() {
    const [dx, dy] = this.#shift;
    return this.saved.map((token) => {
      const changes = this.changes.filter(({ id }) => id === token.id).map(({ fields }) => fields);
      const now = Object.assign({ ...token }, ...changes);
      const [x, y] = this.drag?.token.id === token.id ? this.drag.at : [now.x + dx, now.y + dy];
      return { ...now, x, y };
    });
  }

  /** @param {string | null} id */
  get(id) {
    return this.shown.find((token) => token.id === id) ?? null;
  }

  /** @param {Place} place */
  at({ point }) {
    return tokenAt(this.editor.document.geometry, this.shown, ...point);
  }

  // Selecting and dragging

  /** @param {string | null} id  @param {{reveal?: boolean}} [how] */
  select(id, { reveal = false } = {}) {
    const { editor } = this;
    if (id) editor.objects.select([]);
    this.selected = id;
    const token = this.get(id);
    if (token) {
      editor.showPanel('tokens');
      editor.announce(`Selected ${token.name}`);
      if (reveal) editor.reveal([Math.floor(token.x), Math.floor(token.y)]);
    }
    editor.refresh();
  }

  /**
   * Take the token at a place, to be dragged.
   * @param {Place} place
   * @returns {boolean} whether there is one
   */
  grab(place) {
    const token = this.at(place);
    if (!token) return false;
    if (token.id !== this.selected) this.select(token.id);
    this.drag = { token, from: place, at: [token.x, token.y] };
    return true;
  }

  /** @param {Place} place @returns {boolean} whether one is dragged */
  dragTo(place) {
    const { drag } = this;
    if (!drag) return false;
    const { geometry } = this.editor.document;
    const { token, from } = drag;
    if (geometry.type === 'none') {
      drag.at = this.within(token, token.x + place.point[0] - from.point[0], token.y + place.point[1] - from.point[1]);
    } else {
      const [[u, v], [fu, fv], [tu, tv]] = [[token.x, token.y], from.cell, place.cell].map(([x, y]) =>
        geometry.toLattice(x, y),
      );
      drag.at = this.within(token, ...geometry.fromLattice(u + tu - fu, v + tv - fv));
    }
    this.editor.describe(`${token.name}: ${drag.at.join(', ')}`);
    return true;
  }

  /** Put the dragged token down. @returns {boolean} whether something was */
  drop() {
    const { drag } = this;
    if (!drag) return false;
    this.drag = null;
    this.editor.describe('');
    this.#place(drag.token, drag.at);
    return true;
  }

  cancelDrag() {
    this.drag = null;
  }

  /** Move the selected one by cells. @param {number} dx  @param {number} dy */
  nudge(dx, dy) {
    const token = this.get(this.selected);
    if (token) this.#place(token, this.within(token, token.x + dx, token.y + dy));
  }

  /** @param {Token} token  @param {Pair} at */
  #place(token, [x, y]) {
    if (x === token.x && y === token.y) return;
    this.editor.announce(`Moved ${token.name} to ${x}, ${y}`);
    const [dx, dy] = this.#shift;
    this.change(token, { x: x - dx, y: y - dy });
  }

  /**
   * The place nearest to (x, y) where all of a token is on the map.
   * @param {{size: number}} token  @param {number} x  @param {number} y
   * @returns {Pair}
   */
  within({ size }, x, y) {
    const { type, width, height } = this.editor.document.geometry;
    const side = type === 'none' ? size : Math.ceil(size);
    const clamp = (/** @type {number} */ at, /** @type {number} */ all) =>
      Math.min(Math.max(at, 0), Math.max(all - side, 0));
    return [round(clamp(x, width)), round(clamp(y, height))];
  }

  // Writing

  /**
   * A new token around a place.
   * @param {Place} place  @param {Fields} fields
   */
  async add({ point, cell }, fields) {
    const size = fields.size ?? 1;
    const isFree = this.editor.document.geometry.type === 'none';
    const [x, y] = isFree
      ? this.within({ size }, point[0] - size / 2, point[1] - size / 2)
      : this.within({ size }, ...cell);
    const [dx, dy] = this.#shift;
    const body = { ...fields, x: x - dx, y: y - dy };
    const created = await this.#write(`${fields.name ?? 'The token'} was not placed`, () =>
      send('POST', `${this.mapUrl}/tokens`, body),
    );
    if (!created) return;
    this.#keep([...this.saved, created]);
    this.select(created.id);
    this.editor.announce(`Placed ${created.name}`);
  }

  /**
   * Change fields of a token. They are shown at once; what waits to be sent is sent together.
   * @param {Token} token  @param {Fields} fields
   */
  async change(token, fields) {
    const { id, name } = token;
    const waiting = this.changes.find((one) => one.id === id && !one.isSent);
    if (waiting) Object.assign(waiting.fields, fields);
    /** @type {Change} */
    const change = { id, fields: { ...fields }, isSent: false };
    if (!waiting) this.changes.push(change);
    this.editor.refresh();
    if (waiting) return;
    const patch = async () => {
      change.isSent = true;
      try {
        const changed = await send('PATCH', `/tokens/${id}`, change.fields);
        this.#keep(this.saved.map((one) => (one.id === id ? changed : one)));
      } finally {
        this.changes = this.changes.filter((one) => one !== change);
      }
    };
    await this.#write(`The change of ${name} was not saved`, patch, () => this.change(token, change.fields));
  }

  /** Delete a token, once it was asked. @param {Token} token */
  async remove(token) {
    const { editor } = this;
    const answer = await ask(editor.element, `Delete ${token.name}?`, 'Its character is not deleted.', [
      { value: null, label: 'Keep it' },
      { value: 'delete', label: 'Delete', danger: true },
    ]);
    if (answer !== 'delete') return;
    const isGone = await this.#write(`${token.name} was not deleted`, async () => {
      await send('DELETE', `/tokens/${token.id}`, undefined);
      return true;
    });
    if (!isGone) return;
    this.#keep(this.saved.filter(({ id }) => id !== token.id));
    editor.announce(`Deleted ${token.name}`);
  }

  /**
   * Do one write after those before it. When it fails it says so.
   * @template T
   * @param {string} failure  @param {() => Promise<T>} write  @param {() => unknown} [again]  tries it again
   * @returns {Promise<T | null>}
   */
  #write(failure, write, again) {
    const { editor } = this;
    this.waiting++;
    const written = this.writing.then(write).catch((error) => {
      const reason = error instanceof Error ? error.message : String(error);
      const actions = again && /** @type {[string, () => unknown][]} */ ([['Try again', again]]);
      editor.notices.show(`${failure}: ${reason}`, { kind: 'error', actions });
      editor.refresh();
      return null;
    });
    this.writing = written.finally(() => {
      this.waiting--;
      this.writes++;
    });
    return written;
  }
}

/** Hundredths of a cell. @param {number} value */
const round = (value) => Math.round(value * 100) / 100;
