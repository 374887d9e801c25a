/** Mouse, touch, pen and wheel on the canvas: one finger or the left button uses the tool, the rest moves the view. */

export class PointerInput {
  /**
   * @param canvas the canvas element  @param view the View
   * @param act what the pointer asks for: down, move, up, cancel, hover, leave, pick, viewChanged; isPanning()
   */
  constructor(canvas, view, act) {
    Object.assign(this, { canvas, view, act });
    this.pointers = new Map();
    this.mode = null;
    const listen = (name, handler, options) => canvas.addEventListener(name, handler, options);
    listen('pointerdown', (event) => this.#down(event));
    listen('pointermove', (event) => this.#move(event));
    listen('pointerup', (event) => this.#up(event));
    listen('pointercancel', (event) => this.#up(event, true));
    listen('pointerleave', () => this.mode || act.leave());
    listen('wheel', (event) => this.#wheel(event), { passive: false });
    listen('contextmenu', (event) => event.preventDefault());
    // The middle button would scroll the page.
    listen('mousedown', (event) => event.button === 1 && event.preventDefault());
  }

  #at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return [(clientX - box.left) * this.view.ratio, (clientY - box.top) * this.view.ratio];
  }

  #place(event) {
    const point = this.view.toPoint(...this.#at(event));
    const cell = this.view.geometry.cellAt(...point);
    return { point, cell, inside: this.view.geometry.holds(...cell), shift: event.shiftKey };
  }

  #down(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    if (event.pointerType === 'touch' && this.pointers.size > 1) {
      // The second finger: what the first one began was not meant.
      if (this.mode === 'tool') this.act.cancel();
      this.mode = 'pinch';
      return;
    }
    if (event.button === 2) {
      this.mode = 'pick';
      this.act.pick(this.#place(event));
    } else if (event.button === 1 || this.act.isPanning()) this.#setPanning();
    else if (event.button === 0) {
      this.mode = 'tool';
      this.act.down(this.#place(event));
    }
  }

  #setPanning() {
    this.mode = 'pan';
    this.canvas.classList.add('wk-panning');
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== 'touch') this.act.hover(this.#place(event));
      return;
    }
    const now = this.#at(event);
    if (this.mode === 'tool') {
      // All places since the last frame: a quick stroke has no gaps and no corners cut.
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.act.move(this.#place(one));
    } else if (this.mode === 'pan') this.view.pan(now[0] - before[0], now[1] - before[1]);
    else if (this.mode === 'pinch' && this.pointers.size === 2) this.#pinch(event.pointerId, before, now);
    this.pointers.set(event.pointerId, now);
    if (this.mode !== 'tool') this.act.viewChanged();
  }

  #pinch(id, before, now) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const distance = (a, b) => Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 20);
    this.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.view.zoom(distance(now, other) / distance(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  #up(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.mode === 'tool') {
      if (cancelled) this.act.cancel();
      else this.act.up(this.#place(event));
    }
    if (!this.pointers.size) {
      this.mode = null;
      this.canvas.classList.remove('wk-panning');
    }
    this.act.viewChanged();
  }

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
