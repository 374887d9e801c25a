/**
 * Draws the map with PixiJS: textures of chunks of cells, and fog, tokens and marks above them.
 *
 * The stage has no state of the game: it draws the document, the tokens and the fog of the store, and redraws what
 * changes. Coordinates are those of `shared/geometry.js`; world coordinates are in widths of a cell.
 */

import { Container, Ticker, WebGLRenderer } from '../../vendor/pixi.js';
import { View } from '../../shared/view.js';
import { Cells } from './cells.js';
import { Fog } from './fog.js';
import { Marks } from './marks.js';
import { Pace } from './pace.js';
import { MARGIN, Picture } from './picture.js';
import { Pins } from './pins.js';
import { Tokens } from './tokens.js';

/** The colour around the map, as in the style sheet. */
const DESK = 0x090d0f;
/** The share of the pixels' width and height that is drawn while the view moves, if drawing is slow. */
const REDUCED_SHARE = 1 / 2;
const SOFTWARE_SHARE = 0.4; // without a graphics card
const SOFTWARE_FRAME_MS = 40; // that a frame takes without a graphics card, until it is measured
const REDRAW_MS = 300; // between two pictures of which a part is missing

/**
 * @typedef {import('../../shared/document.js').GridDocument} GridDocument
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {import('../store.js').Token} Token
 */

export class Stage {
  /**
   * Throws if the browser does not support WebGL.
   * @param {HTMLElement} element  the container that the map fills
   * @param {GridDocument} doc
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  static async create(element, doc, pictures) {
    const { canvas, context, isSlow } = drawable();
    // Otherwise PixiJS would request a frame after each frame, even while nothing changes.
    Ticker.system.autoStart = false;
    const renderer = new WebGLRenderer();
    await renderer.init({
      canvas,
      context,
      background: DESK,
      resolution: Math.min(devicePixelRatio || 1, isSlow ? 1 : 2),
      autoDensity: true,
      skipExtensionImports: true,
    });
    // Without a graphics card, several batches are faster than one whose shader selects a texture for each pixel. With
    // a limit of 1, however, PixiJS begins a batch for each sprite, even if its texture is the same.
    if (isSlow) renderer.limits.maxBatchableTextures = 2;
    // The element has the input, because the canvas moves in it.
    element.tabIndex = 0;
    element.setAttribute('role', 'application');
    element.setAttribute('aria-label', 'Map');
    element.append(canvas);
    document.documentElement.classList.toggle('is-slow', isSlow);
    return new Stage(renderer, element, doc, pictures, isSlow);
  }

  /**
   * @param {WebGLRenderer} renderer  @param {HTMLElement} element  @param {GridDocument} doc
   * @param {import('../../shared/pictures.js').Pictures} pictures
   * @param {boolean} isSlow  whether there is no graphics card
   */
  constructor(renderer, element, doc, pictures, isSlow) {
    this.renderer = renderer;
    this.element = element;
    this.document = doc;
    this.isSlow = isSlow;
    this.view = new View(doc);
    // A render group: moving the view changes only one transform.
    this.world = new Container({ isRenderGroup: true });
    this.cells = new Cells(this, pictures);
    this.tokens = new Tokens(this, pictures);
    this.fog = new Fog(this);
    this.pins = new Pins(this);
    this.marks = new Marks(this);
    const layers = [this.cells, this.fog, this.tokens, this.pins, this.marks];
    this.world.addChild(...layers.map(({ container }) => container));
    this.scene = new Container();
    this.scene.addChild(this.world);
    /** @type {number[]} milliseconds between the last frames, for measurements */
    this.frameTimes = [];
    this.requested = 0;
    /** Whether anything but the view has changed since the last drawing. */
    this.isChanged = true;
    /** Whether the map is drawn with fewer pixels, because the view moves and drawing is slow. */
    this.isReduced = false;
    /** @type {Picture | null} what the canvas shows, if it is larger than the window */
    this.picture = null;
    /** Whether no chunk was missing in the last drawing, and whether something in it moves by itself. */
    this.isWhole = false;
    this.isAnimating = false;
    this.drawnAt = 0;
    this.lastScale = 0;
    this.lastFrame = 0;
    this.hasDrawn = false;
    /** @type {Promise<void>} resolves when the first map has been drawn */
    this.firstMap = new Promise((resolve) => (this.firstMapDrawn = resolve));
    /** The width of what covers the map at its edges, in CSS pixels; the map is centred in the rest. */
    this.covered = () => ({ left: 0, right: 0, top: 0, bottom: 0 });
    this.fullResolution = renderer.resolution;
    this.pace = new Pace(
      () => this.viewChanged(),
      () => this.requested > 0,
    );
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(element);
    doc.listen(({ opened }) => {
      if (opened) this.fit();
      this.request();
    });
  }

  #resize() {
    const ratio = this.fullResolution;
    const { clientWidth, clientHeight } = this.element;
    const first = this.view.width <= 1;
    this.view.resize(clientWidth * ratio, clientHeight * ratio, ratio);
    if (first) this.fit();
    this.#sizeCanvas();
    this.request();
  }

  #sizeCanvas() {
    const { clientWidth, clientHeight } = this.element;
    const size = 1 + 2 * this.#margin;
    const [width, height] = [clientWidth, clientHeight].map((side) => Math.max(side * size, 1));
    this.renderer.resize(width, height, this.fullResolution * this.share);
  }

  /** The share of the pixels' width and height that is drawn. */
  get share() {
    return !this.isReduced ? 1 : this.isSlow ? SOFTWARE_SHARE : REDUCED_SHARE;
  }

  /** The share of the window's width and height that is drawn beyond each of its sides. */
  get #margin() {
    return this.isSlow && this.isReduced ? MARGIN : 0;
  }

  /** The rectangle of device pixels that nothing covers. */
  #free() {
    const { ratio, width, height } = this.view;
    const { left, right, top, bottom } = this.covered();
    return {
      left: left * ratio,
      top: top * ratio,
      width: Math.max(width - (left + right) * ratio, width / 4),
      height: Math.max(height - (top + bottom) * ratio, height / 4),
    };
  }

  /** Request a draw in the next animation frame: something has changed. */
  request() {
    this.isChanged = true;
    this.viewChanged();
  }

  /** Request a frame, in which nothing but the view has changed. */
  viewChanged() {
    this.requested ||= requestAnimationFrame((now) => {
      this.requested = 0;
      this.#frame(now);
    });
  }

  /** @param {number} now */
  #frame(now) {
    const { view } = this;
    this.pace.frame(now, `${view.x} ${view.y} ${view.scale}`);
    if (this.isReduced !== this.pace.isReduced) this.#setReduced(this.pace.isReduced);
    let place = this.isChanged ? null : this.picture?.place(view);
    if (place && this.#isNextReady(now)) place = null;
    if (!place) {
      this.#draw(now);
      place = this.picture?.place(view);
    }
    this.lastScale = view.scale;
    this.#moveCanvas(place ?? null);
    if (this.lastFrame && now - this.lastFrame < 1000) this.frameTimes.push(now - this.lastFrame);
    if (this.frameTimes.length > 600) this.frameTimes.shift();
    this.lastFrame = this.isAnimating || !this.isWhole ? now : 0;
    if (this.isAnimating || (!this.isWhole && !this.picture)) this.request();
    else if (!this.isWhole || this.isReduced !== this.pace.isReduced) this.viewChanged();
  }

  /** @param {boolean} isReduced */
  #setReduced(isReduced) {
    this.isReduced = isReduced;
    // The picture remains until the chunks for the full resolution are made, so that none flickers.
    if (this.picture && !isReduced && !this.#makeChunks()) this.isReduced = true;
    else {
      this.#sizeCanvas();
      this.isChanged = true;
    }
  }

  /**
   * Whether a picture with more of its chunks can be drawn. While the view is zoomed, none are made, because others will
   * be needed.
   * @param {number} now
   */
  #isNextReady(now) {
    if (this.isWhole || this.view.scale !== this.lastScale) return false;
    return this.#makeChunks() || now - this.drawnAt > REDRAW_MS;
  }

  /** @param {number} now */
  #draw(now) {
    const { view, world } = this;
    const { ratio } = view;
    const [across, down] = [view.width * this.#margin, view.height * this.#margin];
    // If only the view has changed, the frame has no time for more than drawing.
    this.isWhole = this.#makeChunks(this.isChanged || !this.picture);
    this.isChanged = false;
    this.drawnAt = now;
    this.picture = this.#margin ? new Picture(view) : null;
    // The world is in widths of a cell, the view in device pixels, PixiJS in CSS pixels.
    world.scale.set(view.scale / ratio);
    world.position.set((view.x + across) / ratio, (view.y + down) / ratio);
    const moving = this.tokens.draw(now, this.#drawnRect);
    this.pins.draw();
    const fading = this.marks.draw(now);
    this.isAnimating = moving || fading;
    Ticker.system.update(now);
    this.renderer.render(this.scene);
    if (this.isWhole && this.document.geometry.width && !this.hasDrawn) {
      this.hasDrawn = true;
      if (this.isSlow) this.pace.average = SOFTWARE_FRAME_MS;
      performance.mark('first map');
      this.firstMapDrawn?.();
    }
  }

  /** The part of the world that is drawn. @returns {import('../../shared/geometry.js').Quad} */
  get #drawnRect() {
    const [left, top, right, bottom] = this.view.pictureRect();
    const [across, down] = [(right - left) * this.#margin, (bottom - top) * this.#margin];
    return [left - across, top - down, right + across, bottom + down];
  }

  /** Make chunks that are missing, as time permits; returns whether all are made. */
  #makeChunks(isMaking = true) {
    const range = this.document.geometry.visible(...this.#drawnRect);
    return [this.cells.draw(range, isMaking), this.fog.draw(range)].every(Boolean);
  }

  /** Move the picture to its place on screen. @param {ReturnType<Picture['place']>} place */
  #moveCanvas(place) {
    const { ratio } = this.view;
    this.renderer.canvas.style.transform = place
      ? `translate(${place.left / ratio}px, ${place.top / ratio}px) scale(${place.by})`
      : '';
  }

  /**
   * Move the view so that a point is in the middle of the screen.
   * @param {number} px  @param {number} py
   */
  centreOn(px, py) {
    const [sx, sy] = this.view.toScreen(px, py);
    const { left, top, width, height } = this.#free();
    this.view.pan(left + width / 2 - sx, top + height / 2 - sy);
    this.viewChanged();
  }

  /**
   * Move the view just far enough that nothing covers a point.
   * @param {number} px  @param {number} py
   */
  reveal(px, py) {
    const [sx, sy] = this.view.toScreen(px, py);
    const { left, top, width, height } = this.#free();
    const room = Math.min(this.view.scale, width / 3, height / 3);
    const over = (/** @type {number} */ at, /** @type {number} */ size) =>
      Math.min(0, at - room) + Math.max(0, at - (size - room));
    this.view.pan(-over(sx - left, width), -over(sy - top, height));
    this.viewChanged();
  }

  /**
   * Centre the view on a point, zoomed in enough to play there.
   * @param {number} px  @param {number} py
   */
  approach(px, py) {
    const wanted = 48 * this.view.ratio;
    if (this.view.scale < wanted) this.view.zoom(wanted / this.view.exact);
    this.centreOn(px, py);
  }

  /** @param {number} factor */
  zoom(factor) {
    this.view.zoom(factor);
    this.viewChanged();
  }

  /** Show the whole map. */
  fit() {
    const { view } = this;
    const { width, height } = view;
    const free = this.#free();
    view.resize(free.width, free.height, view.ratio);
    view.fit();
    view.resize(width, height, view.ratio);
    view.left += free.left;
    view.top += free.top;
    this.viewChanged();
  }

  /**
   * A point in CSS pixels of the page.
   * @param {number} px  @param {number} py
   * @returns {Pair}
   */
  onPage(px, py) {
    const [sx, sy] = this.view.toScreen(px, py);
    const { left, top } = this.element.getBoundingClientRect();
    return [left + sx / this.view.ratio, top + sy / this.view.ratio];
  }

  /**
   * The world coordinates of a point, in widths of a cell.
   * @param {number} px  @param {number} py
   * @returns {Pair}
   */
  place(px, py) {
    return this.document.geometry.project(px, py);
  }
}

/**
 * A canvas with a WebGL context. `isSlow`: it is rendered in software, where each pixel costs processor time, so that it
 * is not smoothed.
 */
function drawable() {
  const plain = withContext(false);
  const names = plain.context.getExtension('WEBGL_debug_renderer_info');
  const name = names ? `${plain.context.getParameter(names.UNMASKED_RENDERER_WEBGL)}` : '';
  if (/swiftshader|llvmpipe|software|basic render/i.test(name)) return { ...plain, isSlow: true };
  plain.context.getExtension('WEBGL_lose_context')?.loseContext();
  return { ...withContext(true), isSlow: false };
}

/** @param {boolean} antialias */
function withContext(antialias) {
  const canvas = document.createElement('canvas');
  const options = { alpha: false, antialias, stencil: true, powerPreference: 'high-performance' };
  const context = /** @type {WebGL2RenderingContext | null} */ (
    canvas.getContext('webgl2', options) ?? canvas.getContext('webgl', options)
  );
  if (!context) throw new Error('This browser has no WebGL.');
  return { canvas, context };
}
