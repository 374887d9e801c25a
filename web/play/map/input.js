/**
 * Pointer and keyboard input on the map: moving tokens, opening doors, measuring, showing areas, pings, and for game
 * masters revealing and hiding.
 *
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {import('../../shared/pointer.js').Place} Place
 * @typedef {'move' | 'ruler' | 'area' | 'ping' | 'reveal' | 'hide' | 'polygon' | 'pin'} ToolName
 * @typedef {import('../store.js').Token} Token
 * @typedef {{kind: 'token' | 'shape' | 'click', token?: Token, from: Place, at: Place}} Drag
 */

import { read } from '../../shared/api.js';
import { objectAt } from '../../shared/objects.js';
import { pinAt } from '../../shared/pin.js';
import { PointerInput } from '../../shared/pointer.js';
import { effect, signal } from '../../vendor/preact.js';
import { Signals, outlineOf } from './signals.js';

const FOG_TOOLS = new Set(['reveal', 'hide', 'polygon']);
const LONG_PRESS_MS = 550;
const MAX_CLICK_MOVE = 6; // CSS pixels a click may move
const LONG_STEP = 5; // cells that the cell cursor moves with Shift

/** @type {Record<string, Pair>} */
const STEPS = {
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  Home: [-1, -1],
  PageUp: [1, -1],
  End: [-1, 1],
  PageDown: [1, 1],
};

export class MapInput {
  /** The active tool. */
  tool = signal(/** @type {ToolName} */ ('move'));
  /** Whether a token is being dragged. */
  isDragging = signal(false);
  /** The area of effect that the tool shows; its size in cells. */
  area = signal({ shape: 'sphere', cells: 4 });

  /** The note that the tool "pin" pins to the map. */
  pinning = signal(/** @type {import('../store.js').Note | null} */ (null));

  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('../store.js').Store} store
   * @param {import('../table.js').Table} table
   */
  constructor(stage, store, table) {
    this.stage = stage;
    this.store = store;
    this.table = table;
    this.signals = new Signals(stage, store, table);
    /** @type {Drag | null} */
    this.drag = null;
    /** @type {Pair[]} */
    this.polygon = [];
    this.previews = 0;
    /** @type {Promise<any>} */
    this.pendingPreview = Promise.resolve();
    this.press = 0;
    /** @type {Token | null} */
    this.tokenUnderPointer = null;
    const { element } = stage;
    element.addEventListener('pointerdown', (event) => this.#before(event), { capture: true });
    element.addEventListener('pointermove', (event) => this.#hasMoved(event) && clearTimeout(this.press));
    element.addEventListener('pointerup', () => clearTimeout(this.press));
    element.addEventListener('pointercancel', () => clearTimeout(this.press));
    this.pointer = new PointerInput(element, stage.view, {
      down: (place) => this.#down(place),
      move: (place) => this.#move(place),
      up: (place) => this.#up(place),
      cancel: () => this.cancel(),
      hover: (place) => this.#hover(place),
      leave: () => stage.pins.hover(null),
      pick: (place, phase) => phase === 'down' && this.signals.ping(place.point),
      isPanning: () => {
        const tool = this.tool.value;
        return tool === 'pin' || (tool === 'move' && !this.tokenUnderPointer && !this.#doorAt(this.lastPoint));
      },
      viewChanged: () => stage.viewChanged(),
    });
    element.addEventListener('keydown', (event) => this.#key(event));
    element.addEventListener('blur', () => element.classList.remove('is-pointed'));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.defaultPrevented) this.#escape();
    });
    element.addEventListener('click', (event) => this.#emptyClick(event));
    effect(() => {
      // Read again for another map, or if its settings change.
      void store.map.value;
      void this.tool.value;
      this.showPlayersFog();
    });
    /** @type {Pair} */
    this.lastPoint = [0, 0];
    /** @type {Pair} */
    this.downAt = [0, 0];
  }

  /** How far it is across a cell, and the unit. */
  get scale() {
    const { cell_distance: distance, distance_unit: unit } = this.stage.document.frame.other;
    return { distance: Number(distance ?? 5), unit: `${unit ?? 'ft'}` };
  }

  get mapUrl() {
    return `/maps/${this.store.mapId.value}`;
  }

  /** Finds what is under the pointer, before it is decided whether the map is dragged. @param {PointerEvent} event */
  #before(event) {
    const { view } = this.stage;
    // Chromium shows the ring of the focus that the element gets by a script, also after a click.
    this.stage.element.classList.add('is-pointed');
    const box = this.stage.element.getBoundingClientRect();
    this.downAt = [event.clientX, event.clientY];
    this.lastPoint = view.toPoint((event.clientX - box.left) * view.ratio, (event.clientY - box.top) * view.ratio);
    this.tokenUnderPointer = this.stage.tokens.at(...this.lastPoint);
    clearTimeout(this.press);
    this.isLongPress = false;
    const point = this.lastPoint;
    if (this.tool.value === 'move' && !this.tokenUnderPointer)
      this.press = window.setTimeout(() => this.#longPress(point), LONG_PRESS_MS);
  }
  isLongPress = false;

  /** A press that does not move: a ping, or for game masters a lock. @param {Pair} point */
  #longPress(point) {
    if (this.pointer.pointers.size !== 1) return;
    const door = this.#doorAt(point);
    if (door && !this.store.isGameMaster.value) return;
    this.isLongPress = true;
    this.drag = null;
    if (door?.id) this.#useDoor(door.id, door.state, true);
    else if (!door) this.signals.ping(point);
  }

  /** Whether the pointer has moved since it was pressed. @param {MouseEvent} event */
  #hasMoved({ clientX, clientY }) {
    return Math.hypot(clientX - this.downAt[0], clientY - this.downAt[1]) >= MAX_CLICK_MOVE;
  }

  /** A click that hits neither a token nor a door. @param {MouseEvent} event */
  #emptyClick(event) {
    if (this.isLongPress || this.#hasMoved(event)) return;
    if (this.tool.value === 'pin') return this.#setPin(this.lastPoint);
    if (this.tool.value === 'move' && !this.tokenUnderPointer && !this.#doorAt(this.lastPoint)) this.#tap();
  }

  /** Move the selected token to the tapped cell, or else clear the selection. */
  #tap() {
    const pin = this.stage.pins.at(...this.lastPoint);
    if (pin) return this.#openNote(pin);
    const token = this.store.selectedToken.value;
    const cell = this.stage.document.geometry.cellAt(...this.lastPoint);
    if (token && this.isTapMoving.value && this.store.may(token, 'act') && this.stage.document.geometry.holds(...cell))
      this.#go(token, cell);
    else this.store.selected.value = null;
  }

  /** @param {{id: string}} pin */
  #openNote({ id }) {
    this.store.openNote.value = { id };
  }

  /** Begin to choose the place of a note. @param {import('../store.js').Note} note */
  pin(note) {
    this.cancel();
    this.pinning.value = note;
    this.tool.value = 'pin';
    this.stage.element.focus({ preventScroll: true });
  }

  /** @param {Pair} point */
  #setPin(point) {
    const { geometry } = this.stage.document;
    const { value: note } = this.pinning;
    const { value: mapId } = this.store.mapId;
    if (!note || !mapId || !geometry.holds(...geometry.cellAt(...point))) return;
    this.cancel();
    this.tool.value = 'move';
    this.table.placeNote(note.id, { map_id: mapId, ...pinAt(geometry, point) });
  }

  /** Whether a tap moves the selected token, for users who cannot drag. */
  isTapMoving = signal(matchMedia('(pointer: coarse)').matches);

  /** Whether game masters' moves go through everything, as with Shift, for those without a keyboard. */
  isForcing = signal(false);

  /** @param {Pair} point */
  #doorAt(point) {
    const { document: doc } = this.stage;
    const ref = objectAt(doc, ...point, ['doors']);
    return ref ? doc.frame.doors[ref.index ?? doc.frame.doors.findIndex(({ id }) => id === ref.id)] : null;
  }

  /** @param {Place} place */
  #down(place) {
    const tool = this.tool.value;
    if (tool === 'ping') return this.signals.ping(place.point);
    if (tool === 'polygon') {
      this.polygon.push(place.cell);
      return this.stage.marks.show([this.#polygonMark()]);
    }
    if (tool !== 'move') this.drag = { kind: 'shape', from: place, at: place };
    else if (this.tokenUnderPointer) {
      // A click on a pin opens its note, but a token below it can be dragged.
      if (!this.stage.pins.at(...place.point)) this.store.selected.value = this.tokenUnderPointer.id;
      this.drag = { kind: 'token', token: this.tokenUnderPointer, from: place, at: place };
    } else this.drag = { kind: 'click', from: place, at: place };
  }

  /** @param {Place} place */
  #move(place) {
    const { drag } = this;
    if (this.tool.value === 'ping') this.signals.pointer(place.point);
    if (!drag) return;
    const same = drag.at.cell[0] === place.cell[0] && drag.at.cell[1] === place.cell[1];
    drag.at = place;
    const token = drag.token && this.store.may(drag.token, 'act') ? drag.token : null;
    if (token && (this.isDragging.value || !same)) this.#hold(token, drag.from, place);
    if (same) return;
    if (token) this.#previewMove(token, place);
    else if (drag.kind === 'shape') this.#previewShape(drag.from, place);
  }

  /** @param {Place} place */
  #up(place) {
    if (this.drag) this.#finish(this.drag, place);
    this.#release();
  }

  /** @param {Drag} drag  @param {Place} place  where it ends */
  #finish(drag, place) {
    const same = drag.from.cell[0] === place.cell[0] && drag.from.cell[1] === place.cell[1];
    const pin = same && drag.kind !== 'shape' ? this.stage.pins.at(...place.point) : null;
    if (pin) this.#openNote(pin);
    else if (drag.kind === 'click') {
      const door = this.#doorAt(place.point);
      if (door?.id) this.#useDoor(door.id, door.state, place.shift);
    } else if (drag.kind === 'token' && drag.token && !same) {
      this.#clearMarks();
      if (!this.store.may(drag.token, 'act')) this.store.notify(`You may not move ${drag.token.name}.`);
      else this.#go(drag.token, this.#target(drag.token, drag.from, place), place.shift);
    } else if (drag.kind === 'shape') this.#finishShape(drag.from, place);
  }

  cancel() {
    this.#release();
    this.polygon = [];
    this.#clearMarks();
  }

  /** Show a token where it is held. @param {Token} token  @param {Place} from  @param {Place} to */
  #hold(token, from, to) {
    const { tokens } = this.stage;
    const [x, y] = tokens.centre(token);
    tokens.dragged = { id: token.id, at: [x + to.point[0] - from.point[0], y + to.point[1] - from.point[1]] };
    this.isDragging.value = true;
    this.stage.request();
  }

  #release() {
    this.drag = null;
    this.isDragging.value = false;
    this.stage.tokens.dragged = null;
    this.stage.request();
  }

  #clearMarks() {
    this.previews++;
    this.stage.marks.show([]);
  }

  /** @param {Place} place */
  #hover({ point }) {
    if (this.tool.value === 'ping') this.signals.pointer(point);
    const pin = this.stage.pins.at(...point);
    this.stage.pins.hover(pin);
    const grabs = pin ?? this.stage.tokens.at(...point) ?? this.#doorAt(point);
    this.stage.element.style.cursor = this.tool.value !== 'move' ? 'crosshair' : grabs ? 'pointer' : 'grab';
  }

  /**
   * The position of a token after a drag: its top left cell, or a point on a map without a grid.
   * @param {Token} token  @param {Place} from  @param {Place} place
   * @returns {Pair}
   */
  #target(token, from, place) {
    const { geometry } = this.stage.document;
    if (geometry.type === 'none') {
      const half = token.size / 2;
      return [hundredths(place.point[0] - half), hundredths(place.point[1] - half)];
    }
    // A large token is dragged by the cell where the drag began.
    const side = Math.max(1, Math.round(token.size));
    const within = (/** @type {number} */ at, /** @type {number} */ start) =>
      Math.min(Math.max(at - start, 0), side - 1);
    const held = side > 1 ? [within(from.cell[0], token.x), within(from.cell[1], token.y)] : [0, 0];
    return [place.cell[0] - held[0], place.cell[1] - held[1]];
  }

  /** @param {Token} token  @param {Pair} to  @param {boolean} [force]  @param {boolean} [isStep] */
  #go(token, [x, y], force = false, isStep = false) {
    force = (force || this.isForcing.value) && this.store.isGameMaster.value;
    this.table.move(token, { x, y }, { force, isStep });
  }

  /** Move a token to the next cell. @param {Token} token  @param {Pair} direction  @param {boolean} force */
  #step(token, direction, force) {
    const { geometry } = this.stage.document;
    const to = geometry.beside([token.x, token.y], direction);
    if (!geometry.holds(...to)) return;
    this.#go(token, to, force, true);
    this.stage.reveal(...geometry.centre(...to));
  }

  /** Show the path to a place and its cost, by the server's rules. @param {Token} token  @param {Place} place */
  async #previewMove(token, place) {
    const { geometry } = this.stage.document;
    // Without a grid, paths lead over cells, too.
    const within = geometry.type === 'none' ? token.size / 2 : 0;
    const cell = (/** @type {Pair} */ [x, y]) => /** @type {Pair} */ ([Math.floor(x + within), Math.floor(y + within)]);
    const to = cell(this.#target(token, this.drag?.from ?? place, place));
    if (!geometry.holds(...to)) return this.stage.marks.show([]);
    const from = cell([token.x, token.y]);
    // Shown immediately, until the server answers.
    this.stage.marks.show([{ cells: [to], text: '', kind: 'path' }]);
    const found = await this.#preview(`${this.mapUrl}/path?from=${from}&to=${to}`);
    if (!found) return;
    /** @type {Pair[]} */
    const cells = found.found ? found.cells.map(cellOf) : [from, to];
    const text = found.found ? `${tenths(found.cost)} ${found.unit}` : (found.reason ?? 'No path');
    this.stage.marks.show([{ cells, text, kind: 'path', blocked: found.found ? null : to }]);
  }

  /** @param {Place} from  @param {Place} to */
  async #previewShape(from, to) {
    const tool = this.tool.value;
    if (tool === 'ruler') {
      const found = await this.#preview(`${this.mapUrl}/distance?from=${from.cell}&to=${to.cell}`);
      const cells = this.stage.document.geometry.line(from.cell, to.cell);
      if (!found) return;
      const text = `${tenths(found.distance)} ${found.unit}`;
      this.stage.marks.show([{ cells, text, kind: 'ruler' }]);
      const { geometry } = this.stage.document;
      this.signals.ruler(geometry.centre(...from.cell), geometry.centre(...to.cell), text);
    } else if (tool === 'area') {
      const { shape, cells: length } = this.area.value;
      const { distance, unit } = this.scale;
      const size = hundredths(length * distance);
      const [px, py] = shape === 'sphere' || shape === 'cylinder' ? to.point : from.point;
      const angle = (Math.atan2(to.point[1] - py, to.point[0] - px) * 180) / Math.PI;
      const query = new URLSearchParams({ shape, size: `${size}`, x: `${tenths(px)}`, y: `${tenths(py)}` });
      if (['cone', 'line', 'cube'].includes(shape)) query.set('direction', `${Math.round((angle + 360) % 360)}`);
      const found = await this.#preview(`${this.mapUrl}/area?${query}`);
      if (!found) return;
      const text = `${size} ${unit} ${shape}`;
      const area = { shape, length, direction: angle };
      const outline = outlineOf([px, py], area);
      this.stage.marks.show([{ cells: found.cells.map(cellOf), text, kind: 'area', outline }]);
      this.signals.area([px, py], area, text);
    } else {
      const { x, y, width, height } = this.stage.document.geometry.rectangle(from.cell, to.cell);
      const cells = Array.from({ length: width * height }, (_, i) =>
        cellOf({ x: x + (i % width), y: y + Math.floor(i / width) }),
      );
      this.stage.marks.show([{ cells: cells.slice(0, 4000), text: `${width} × ${height}`, kind: 'fog' }]);
    }
  }

  /**
   * Read a preview from the server; null if another one was requested meanwhile. Only one request runs at a time: of
   * those that arrive meanwhile, only the last is sent.
   * @param {string} url
   */
  async #preview(url) {
    const number = ++this.previews;
    await this.pendingPreview;
    if (number !== this.previews) return null;
    const pendingPreview = read(url).catch(() => null);
    this.pendingPreview = pendingPreview;
    const found = await pendingPreview;
    return number === this.previews ? found : null;
  }

  /** @param {Place} from  @param {Place} to */
  #finishShape(from, to) {
    const tool = this.tool.value;
    if (tool !== 'reveal' && tool !== 'hide') return;
    this.#clearMarks();
    const rectangle = this.stage.document.geometry.rectangle(from.cell, to.cell);
    if (rectangle.width && rectangle.height) this.#fog(tool, rectangle);
  }

  /** With a tool for fog, show the game master what the players have seen. */
  async showPlayersFog() {
    const { store, table, tool } = this;
    const mapId = store.mapId.peek();
    const rows = FOG_TOOLS.has(tool.peek()) ? await table.playersFog().catch((error) => store.fail(error)) : null;
    if (mapId === store.mapId.peek()) store.playersFog.value = FOG_TOOLS.has(tool.peek()) ? (rows ?? null) : null;
  }

  /** Change the fog, and notify the game master. @param {'reveal' | 'hide'} what  @param {object} area */
  async #fog(what, area) {
    if ((await this.table.send('POST', `${this.mapUrl}/fog/${what}`, area)) === null) return;
    await this.showPlayersFog();
    this.store.notify(
      what === 'reveal' ? 'Revealed to the players.' : 'Hidden from the players, except what they can see now.',
    );
  }

  /** @returns {import('./marks.js').Shape} */
  #polygonMark() {
    return { cells: this.polygon, text: `${this.polygon.length} corners`, kind: 'polygon' };
  }

  /** Reveal or hide the polygon that was drawn. @param {'reveal' | 'hide'} [what] */
  finishPolygon(what = 'reveal') {
    const polygon = this.polygon.map(([x, y]) => {
      const [px, py] = this.stage.document.geometry.centre(x, y);
      return { x: px, y: py };
    });
    this.cancel();
    if (polygon.length > 2) this.#fog(what, { polygon });
    else this.store.notify('A polygon has at least three corners: click them on the map.');
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    this.stage.element.classList.remove('is-pointed');
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.tool.value !== 'move' && this.#toolKey(event)) return event.preventDefault();
    const { store, stage } = this;
    const step = STEPS[event.key];
    if (step) {
      const token = store.selectedToken.value;
      if (token && store.may(token, 'act')) this.#step(token, step, event.shiftKey);
      else {
        stage.view.pan(-step[0] * 80 * stage.view.ratio, -step[1] * 80 * stage.view.ratio);
        stage.viewChanged();
      }
    } else if (event.key === '+' || event.key === '=') stage.zoom(1.25);
    else if (event.key === '-') stage.zoom(0.8);
    else if (event.key === '0') stage.fit();
    else if (event.key === 'n') this.#next(1);
    else if (event.key === 'p') this.#next(-1);
    else if (event.key === 'Enter') this.#useNearestDoor(event.shiftKey);
    else if (event.key === 'Escape') this.#escape();
    else return;
    event.preventDefault();
  }

  /**
   * Use the tool without a pointer: keys move a cell cursor; Enter or Space at two cells are a drag between them. Returns
   * whether the key is one of these.
   * @param {KeyboardEvent} event
   */
  #toolKey({ key, shiftKey }) {
    const { stage } = this;
    const { geometry } = stage.document;
    const step = STEPS[key];
    if (!step && key !== ' ' && key !== 'Enter') return false;
    let cell = this.#cursorCell();
    for (let left = step ? (shiftKey ? LONG_STEP : 1) : 0; left; left--) {
      const next = geometry.beside(cell, step);
      if (geometry.holds(...next)) cell = next;
    }
    this.cursor = cell;
    stage.reveal(...geometry.centre(...cell));
    const place = { cell, point: geometry.centre(...cell), inside: true, shift: false };
    if (step) {
      this.#move(place);
      if (!this.drag) this.#showCursor(cell);
    } else if (key === 'Enter' && this.tool.value === 'polygon') this.finishPolygon();
    else if (this.tool.value === 'pin') this.#setPin(place.point);
    else if (this.drag) this.#up(place);
    else {
      this.#down(place);
      if (this.drag) this.#previewShape(place, place);
    }
    return true;
  }

  /** The cell of the cursor: at first that of the selected token, or the middle of the screen. @returns {Pair} */
  #cursorCell() {
    const { view, document: doc } = this.stage;
    const { geometry } = doc;
    if (this.cursor && geometry.holds(...this.cursor)) return this.cursor;
    const token = this.store.selectedToken.value;
    const at = token ? this.stage.tokens.centre(token) : view.toPoint(view.width / 2, view.height / 2);
    const cell = geometry.cellAt(...at);
    return geometry.holds(...cell) ? cell : [0, 0];
  }
  /** @type {Pair | null} */
  cursor = null;

  /** @param {Pair} cell */
  #showCursor(cell) {
    const corners = this.polygon.length ? [this.#polygonMark()] : [];
    this.stage.marks.show([...corners, { cells: [cell], text: '', kind: 'path' }]);
  }

  /** Back to no tool and no selection. */
  #escape() {
    this.cancel();
    this.tool.value = 'move';
    this.store.selected.value = null;
  }

  /**
   * Open or close a door; game masters lock and unlock it with Shift.
   * @param {string} id  @param {unknown} state  @param {boolean} isLocking
   */
  async #useDoor(id, state, isLocking) {
    const { store, table } = this;
    if (isLocking && store.isGameMaster.value) {
      const next = state === 'locked' ? 'closed' : 'locked';
      if (await table.door(id, next)) store.notify(next === 'locked' ? 'The door is locked.' : 'The door is unlocked.');
      return;
    }
    const isOpened = await table.door(id, state === 'open' ? 'closed' : 'open');
    if (isOpened && state === 'locked') store.notify('The door was locked. Shift and a click lock it again.');
  }

  /** Select the next or previous token of this user. @param {1 | -1} by */
  #next(by) {
    const { store, stage } = this;
    const { mine } = store;
    if (!mine.length) return;
    const at = mine.findIndex(({ id }) => id === store.selected.value);
    const token = mine[(at + by + mine.length) % mine.length];
    store.selected.value = token.id;
    stage.centreOn(...stage.tokens.centre(token));
  }

  /** Use the door nearest to the selected token. @param {boolean} isLocking */
  #useNearestDoor(isLocking) {
    const token = this.store.selectedToken.value;
    if (!token) return;
    const [px, py] = this.stage.tokens.centre(token);
    const near = this.stage.document.frame.doors
      .map((door) => ({ door, away: Math.hypot((door.x1 + door.x2) / 2 - px, (door.y1 + door.y2) / 2 - py) }))
      .sort((a, b) => a.away - b.away)[0];
    if (near?.door.id && near.away < token.size / 2 + 1.6) this.#useDoor(near.door.id, near.door.state, isLocking);
    else this.store.notify(`No door is next to ${token.name || 'this token'}.`);
  }
}

/** @param {{x: number, y: number}} cell  @returns {Pair} */
const cellOf = ({ x, y }) => [x, y];
const hundredths = (/** @type {number} */ value) => Math.round(value * 100) / 100;
const tenths = (/** @type {number} */ value) => Math.round(value * 10) / 10;
