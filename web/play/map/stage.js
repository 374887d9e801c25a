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
import { Tokens } from './tokens.js';

/** The colour around the map, as in the style sheet. */
const DESK = 0x090d0f;

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
    // Without a graphics card, several batches are faster than one whose shader selects a texture for each pixel.
    if (isSlow) renderer.limits.maxBatchableTextures = 1;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', 'Map');
    element.append(canvas);
    document.documentElement.classList.toggle('is-slow', isSlow);
    return new Stage(renderer, element, doc, pictures);
  }

  /**
   * @param {WebGLRenderer} renderer  @param {HTMLElement} element  @param {GridDocument} doc
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  constructor(renderer, element, doc, pictures) {
    this.renderer = renderer;
    this.element = element;
    this.document = doc;
    this.view = new View(doc);
    // A render group: moving the view changes only one transform.
    this.world = new Container({ isRenderGroup: true });
    this.cells = new Cells(this, pictures);
    this.tokens = new Tokens(this, pictures);
    this.fog = new Fog(this);
    this.marks = new Marks(this);
    this.world.addChild(this.cells.container, this.fog.container, this.tokens.container, this.marks.container);
    this.scene = new Container();
    this.scene.addChild(this.world);
    /** @type {number[]} milliseconds between the last frames, for measurements */
    this.frameTimes = [];
    this.requested = 0;
    this.lastFrame = 0;
    this.hasDrawn = false;
    /** @type {Promise<void>} resolves when the first map has been drawn */
    this.firstMap = new Promise((resolve) => (this.firstMapDrawn = resolve));
    /** The width of what covers the map at its edges, in CSS pixels; the map is centred in the rest. */
    this.covered = () => ({ left: 0, right: 0, top: 0, bottom: 0 });
    this.fullResolution = renderer.resolution;
    const setShare = (/** @type {number} */ share) => {
      renderer.resize(renderer.screen.width, renderer.screen.height, this.fullResolution * share);
      this.request();
    };
    this.pace = new Pace(setShare, () => this.requested > 0);
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(element);
    doc.listen(({ opened }) => {
      if (opened) this.fit();
      else this.request();
    });
  }

  get canvas() {
    return this.renderer.canvas;
  }

  #resize() {
    const ratio = this.fullResolution;
    const { clientWidth, clientHeight } = this.element;
    this.renderer.resize(Math.max(clientWidth, 1), Math.max(clientHeight, 1));
    const first = this.view.width <= 1;
    this.view.resize(clientWidth * ratio, clientHeight * ratio, ratio);
    if (first) this.fit();
    this.request();
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

  /** Request a draw in the next animation frame. */
  request() {
    if (this.requested) return;
    this.requested = requestAnimationFrame((now) => {
      this.requested = 0;
      this.#draw(now);
    });
  }

  /** @param {number} now */
  #draw(now) {
    const { view, world, document: doc } = this;
    const ratio = view.ratio;
    this.pace.frame(now, `${view.x} ${view.y} ${view.scale}`);
    // The world is in widths of a cell, the view in device pixels, PixiJS in CSS pixels.
    world.scale.set(view.scale / ratio);
    world.position.set(view.x / ratio, view.y / ratio);
    const range = doc.geometry.visible(...view.pictureRect());
    const whole = this.cells.draw(range);
    const fogged = this.fog.draw(range);
    const moving = this.tokens.draw(now);
    const fading = this.marks.draw(now);
    Ticker.system.update(now);
    this.renderer.render(this.scene);
    if (whole && doc.geometry.width && !this.hasDrawn) {
      this.hasDrawn = true;
      performance.mark('first map');
      this.firstMapDrawn?.();
    }
    if (this.lastFrame && now - this.lastFrame < 1000) this.frameTimes.push(now - this.lastFrame);
    if (this.frameTimes.length > 600) this.frameTimes.shift();
    const isAnimating = !whole || !fogged || moving || fading;
    this.lastFrame = isAnimating ? now : 0;
    if (isAnimating) this.request();
  }

  /**
   * Move the view so that a point is in the middle of the screen.
   * @param {number} px  @param {number} py
   */
  centreOn(px, py) {
    const [sx, sy] = this.view.toScreen(px, py);
    const { left, top, width, height } = this.#free();
    this.view.pan(left + width / 2 - sx, top + height / 2 - sy);
    this.request();
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
    this.request();
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
    this.request();
  }

  /**
   * A point in CSS pixels of the page.
   * @param {number} px  @param {number} py
   * @returns {Pair}
   */
  onPage(px, py) {
    const [sx, sy] = this.view.toScreen(px, py);
    const { left, top } = this.canvas.getBoundingClientRect();
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
