/**
 * Draws the map with PixiJS: textures of chunks of cells, and fog, tokens and marks above them.
 *
 * The stage has no state of the game: it draws the document, the tokens and the fog of the store, and redraws what
 * changes. Coordinates are those of `shared/geometry.js`; world coordinates are in widths of a cell.
 */

import { Application, Container } from '../../vendor/pixi.js';
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
   * Throws if the browser supports neither WebGL nor WebGPU.
   * @param {HTMLElement} element  the container that the map fills
   * @param {GridDocument} doc
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  static async create(element, doc, pictures) {
    const app = new Application();
    const isSlow = drawsByProcessor();
    await app.init({
      background: DESK,
      resolution: Math.min(devicePixelRatio || 1, isSlow ? 1 : 2),
      autoDensity: true,
      autoStart: false,
      antialias: !isSlow,
      preference: 'webgl',
      powerPreference: 'high-performance',
    });
    // Without a graphics card, several batches are faster than one whose shader selects a texture for each pixel.
    const { limits } = /** @type {import('../../vendor/pixi.js').WebGLRenderer} */ (app.renderer);
    if (isSlow) limits.maxBatchableTextures = 1;
    app.canvas.tabIndex = 0;
    app.canvas.setAttribute('role', 'application');
    app.canvas.setAttribute('aria-label', 'Map');
    element.append(app.canvas);
    return new Stage(app, element, doc, pictures);
  }

  /**
   * @param {Application} app  @param {HTMLElement} element  @param {GridDocument} doc
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  constructor(app, element, doc, pictures) {
    this.app = app;
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
    app.stage.addChild(this.world);
    /** @type {number[]} milliseconds between the last frames, for measurements */
    this.frameTimes = [];
    this.requested = 0;
    this.lastFrame = 0;
    this.hasDrawn = false;
    /** The width of what covers the map at its edges, in CSS pixels; the map is centred in the rest. */
    this.covered = () => ({ left: 0, right: 0, top: 0, bottom: 0 });
    this.sharp = app.renderer.resolution;
    const setShare = (/** @type {number} */ share) => {
      app.renderer.resize(app.screen.width, app.screen.height, this.sharp * share);
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
    return this.app.canvas;
  }

  #resize() {
    const ratio = this.sharp;
    const { clientWidth, clientHeight } = this.element;
    this.app.renderer.resize(Math.max(clientWidth, 1), Math.max(clientHeight, 1));
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
    this.app.render();
    if (whole && doc.geometry.width && !this.hasDrawn) {
      this.hasDrawn = true;
      performance.mark('first map');
    }
    if (this.lastFrame && now - this.lastFrame < 1000) this.frameTimes.push(now - this.lastFrame);
    if (this.frameTimes.length > 600) this.frameTimes.shift();
    const goesOn = !whole || !fogged || moving || fading;
    this.lastFrame = goesOn ? now : 0;
    if (goesOn) this.request();
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
   * The world coordinates of a point, in widths of a cell.
   * @param {number} px  @param {number} py
   * @returns {Pair}
   */
  place(px, py) {
    return this.document.geometry.project(px, py);
  }
}

/** Whether WebGL is rendered in software, where each pixel costs processor time. */
function drawsByProcessor() {
  const context = document.createElement('canvas').getContext('webgl');
  const names = context?.getExtension('WEBGL_debug_renderer_info');
  const name = names && context ? `${context.getParameter(names.UNMASKED_RENDERER_WEBGL)}` : '';
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}
