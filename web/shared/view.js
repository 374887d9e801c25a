/** The part of the map on screen and its scale: pan, zoom, fit, and conversion of coordinates. */

const MAX_SCALE = 128; // CSS pixels per cell

export class View {
  /** @param {import('./document.js').GridDocument} doc */
  constructor(doc) {
    this.document = doc;
    // The map's picture begins at this device pixel of the canvas.
    this.left = 0;
    this.top = 0;
    // Device pixels per width of a cell: as drawn, and before rounding.
    this.scale = 32;
    this.exact = 32;
    // The size of the canvas in device pixels, and device pixels per CSS pixel.
    this.width = 1;
    this.height = 1;
    this.ratio = 1;
  }

  /** Whole pixels, so that there are no seams between cached chunks. */
  get x() {
    return Math.round(this.left);
  }

  get y() {
    return Math.round(this.top);
  }

  get geometry() {
    return this.document.geometry;
  }

  /** @param {number} width  @param {number} height  @param {number} ratio */
  resize(width, height, ratio) {
    this.width = width;
    this.height = height;
    this.ratio = ratio;
  }

  /**
   * Round to whole pixels where cells are drawn one by one, for sharp edges without seams.
   * @param {number} exact
   */
  #settle(exact) {
    this.exact = exact;
    const step = this.geometry.isIsometric ? 2 : 1;
    this.scale = exact >= 6 ? Math.max(6, Math.round(exact / step) * step) : exact;
  }

  /** Show the whole map, with space for the rulers. */
  fit() {
    const [width, height] = this.geometry.pictureSize;
    const room = 26 * this.ratio;
    const side = Math.min((this.width - 2 * room) / (width || 1), (this.height - 2 * room) / (height || 1));
    const exact = Math.max(Math.min(side, 56 * this.ratio), 0.05);
    this.#settle(exact >= 6 ? Math.floor(exact) : exact);
    this.left = (this.width - width * this.scale) / 2;
    this.top = (this.height - height * this.scale) / 2;
  }

  /** @param {number} dx  @param {number} dy */
  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#keepInSight();
  }

  /**
   * Zoom by a factor around the device pixel (cx, cy).
   * @param {number} factor  @param {number} [cx]  @param {number} [cy]
   */
  zoom(factor, cx = this.width / 2, cy = this.height / 2) {
    const [width, height] = this.geometry.pictureSize;
    const smallest = Math.min(4, (Math.min(this.width, this.height) / Math.max(width, height, 1)) * 0.5);
    const before = this.scale;
    let exact = Math.min(Math.max(this.exact * factor, smallest), MAX_SCALE * this.ratio);
    this.#settle(exact);
    // If a step is too small to change whole pixels, zoom by one pixel.
    if (this.scale === before && exact >= 6 && Math.abs(factor - 1) > 0.05) {
      exact = before + (factor > 1 ? 2 : -2) * 0.5 * (this.geometry.isIsometric ? 2 : 1);
      this.#settle(Math.min(Math.max(exact, smallest), MAX_SCALE * this.ratio));
    }
    const by = this.scale / before;
    this.left = cx - (cx - this.left) * by;
    this.top = cy - (cy - this.top) * by;
    this.#keepInSight();
  }

  /** Keep a corner of the map on screen. */
  #keepInSight() {
    const [width, height] = this.geometry.pictureSize.map((side) => side * this.scale);
    const room = 48 * this.ratio;
    this.left = Math.min(Math.max(this.left, room - width), this.width - room);
    this.top = Math.min(Math.max(this.top, room - height), this.height - room);
  }

  /**
   * Move just far enough to show a cell.
   * @param {number} x  @param {number} y
   */
  reveal(x, y) {
    const [cx, cy] = this.toScreen(...this.geometry.centre(x, y));
    const room = Math.min(1.5 * this.scale + 24 * this.ratio, this.width / 3, this.height / 3);
    const over = (/** @type {number} */ at, /** @type {number} */ size) =>
      Math.min(0, at - room) + Math.max(0, at - (size - room));
    this.pan(-over(cx, this.width), -over(cy, this.height));
  }

  /**
   * The rectangle of the picture that is on screen: left, top, right, bottom.
   * @returns {import('./geometry.js').Quad}
   */
  pictureRect() {
    const { x, y, width, height, scale } = this;
    return [-x / scale, -y / scale, (width - x) / scale, (height - y) / scale];
  }

  /**
   * A point in device pixels.
   * @param {number} px  @param {number} py
   * @returns {import('./geometry.js').Pair}
   */
  toScreen(px, py) {
    const [X, Y] = this.geometry.project(px, py);
    return [X * this.scale + this.x, Y * this.scale + this.y];
  }

  /**
   * The point at a device pixel.
   * @param {number} sx  @param {number} sy
   */
  toPoint(sx, sy) {
    return this.geometry.unproject((sx - this.x) / this.scale, (sy - this.y) / this.scale);
  }
}
