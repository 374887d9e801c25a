/**
 * Mouse, touch, pen and wheel on the map: one finger or the left button uses the tool, the rest moves the view.
 *
 * @typedef {import('./geometry.js').Pair} Pair
 * @typedef {{point: Pair, cell: Pair, inside: boolean, shift: boolean}} Place  the position of the pointer on the map
 *
 * @typedef {object} PointerActions  callbacks for the pointer
 * @property {(place: Place) => void} down  the tool begins; `move` and then `up` or `cancel` follow
 * @property {(place: Place) => void} move
 * @property {(place: Place) => void} up
 * @property {() => void} cancel
 * @property {(place: Place) => void} hover  no button is down
 * @property {() => void} leave
 * @property {(place: Place, phase: 'down' | 'move' | 'up') => void} pick  the right button
 * @property {() => boolean} isPanning  whether the left button moves the view now
 * @property {() => void} viewChanged
 */

export class PointerInput {
  /**
   * @param {HTMLElement} element  that shows the map
   * @param {import('./view.js').View} view
   * @param {PointerActions} act
   */
  constructor(element, view, act) {
    this.element = element;
    this.view = view;
    this.act = act;
    /** @type {Map<number, Pair>} */
    this.pointers = new Map();
    /** @type {'tool' | 'pan' | 'pinch' | 'pick' | null} */
    this.mode = null;
    element.addEventListener('pointerdown', (event) => this.#down(event));
    element.addEventListener('pointermove', (event) => this.#move(event));
    element.addEventListener('pointerup', (event) => this.#up(event));
    element.addEventListener('pointercancel', (event) => this.#up(event, true));
    element.addEventListener('pointerleave', () => this.mode || act.leave());
    element.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    element.addEventListener('contextmenu', (event) => event.preventDefault());
    // The middle button would scroll the page.
    element.addEventListener('mousedown', (event) => event.button === 1 && event.preventDefault());
  }

  /**
   * @param {MouseEvent} event
   * @returns {Pair}
   */
  #at({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    return [(clientX - box.left) * this.view.ratio, (clientY - box.top) * this.view.ratio];
  }

  /**
   * @param {MouseEvent} event
   * @returns {Place}
   */
  #place(event) {
    const point = this.view.toPoint(...this.#at(event));
    const cell = this.view.geometry.cellAt(...point);
    return { point, cell, inside: this.view.geometry.holds(...cell), shift: event.shiftKey };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    if (event.pointerType === 'touch' && this.pointers.size > 1) {
      // A second finger: cancel what the first one began.
      if (this.mode === 'tool') this.act.cancel();
      this.mode = 'pinch';
      return;
    }
    if (event.button === 2) {
      this.mode = 'pick';
      this.act.pick(this.#place(event), 'down');
    } else if (event.button === 1 || this.act.isPanning()) this.#setPanning();
    else if (event.button === 0) {
      this.mode = 'tool';
      this.act.down(this.#place(event));
    }
  }

  #setPanning() {
    this.mode = 'pan';
    this.element.classList.add('wk-panning');
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== 'touch') this.act.hover(this.#place(event));
      return;
    }
    const now = this.#at(event);
    if (this.mode === 'tool') {
      // All positions since the last frame, so that quick strokes have no gaps and no cut corners.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.act.move(this.#place(one));
    } else if (this.mode === 'pick') this.act.pick(this.#place(event), 'move');
    else if (this.mode === 'pan') this.view.pan(now[0] - before[0], now[1] - before[1]);
    else if (this.mode === 'pinch' && this.pointers.size === 2) this.#pinch(event.pointerId, before, now);
    this.pointers.set(event.pointerId, now);
    if (this.mode !== 'tool') this.act.viewChanged();
  }

  /** @param {number} id  @param {Pair} before  @param {Pair} now */
  #pinch(id, before, now) {
    const other = [...this.pointers].find(([key]) => key !== id)?.[1] ?? now;
    const distance = (/** @type {Pair} */ a, /** @type {Pair} */ b) =>
      Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 20);
    this.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.view.zoom(distance(now, other) / distance(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  /** @param {PointerEvent} event */
  #up(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.mode === 'tool') {
      if (cancelled) this.act.cancel();
      else this.act.up(this.#place(event));
    }
    if (this.mode === 'pick') this.act.pick(this.#place(event), 'up');
    if (!this.pointers.size) {
      this.mode = null;
      this.element.classList.remove('wk-panning');
    }
    this.act.viewChanged();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey) this.view.pan(-event.deltaY * unit * this.view.ratio, -event.deltaX * unit * this.view.ratio);
    else {
      const steps = Math.min(Math.max(event.deltaY * unit, -240), 240);
      this.view.zoom(Math.exp(-steps * (event.ctrlKey ? 0.01 : 0.0018)), ...this.#at(event));
    }
    this.act.viewChanged();
  }
}
