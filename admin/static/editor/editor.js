/** The map editor: assembles its parts, has one open map, and what all parts share. */

import { EMPTY, GridDocument, codeOf, readFrame } from '../../../web/shared/document.js';
import { h } from '../../../web/shared/dom.js';
import { Pictures } from '../../../web/shared/pictures.js';
import { Renderer } from '../../../web/shared/renderer.js';
import { View } from '../../../web/shared/view.js';
import { CanvasInput } from './canvas-input.js';
import { SelectedObjects } from './selected-objects.js';
import { Clipboard } from './clipboard.js';
import { CellCursor } from './cursor.js';
import { Floating } from './floating.js';
import { History } from './history.js';
import { KeyInput } from './keys.js';
import { LayersPanel } from './layers-panel.js';
import { Layout } from './layout.js';
import { LegendPanel } from './legend-panel.js';
import { keepOptions, themeOf } from './look.js';
import { MapPanel } from './map-panel.js';
import { MapTokens } from './map-tokens.js';
import { drawMarks } from './marks.js';
import { Notices } from './notices.js';
import { OptionBar } from './option-bar.js';
import { Palette } from './palette.js';
import { RawTab } from './raw.js';
import { SeeAs } from './see-as.js';
import { StartCard } from './start-card.js';
import { initialState } from './state.js';
import { ObjectsPanel } from './objects-panel.js';
import { drawTokens } from './token-drawing.js';
import { TokensPanel } from './tokens-panel.js';
import { TOOLS, paints, toolEntry } from './tools/tools.js';

/**
 * @typedef {import('../../../web/shared/document.js').Frame} Frame
 * @typedef {import('../../../web/shared/geometry.js').Pair} Pair
 * @typedef {import('./tools/tools.js').ToolName} ToolName
 * @typedef {'tiles' | 'objects' | 'tokens' | 'map'} PanelName
 * @typedef {Record<ToolName, import('./tools/tool.js').Tool> & {select: import('./tools/select.js').Select}} Tools
 */

export class Editor {
  /**
   * @param {HTMLElement} element  to be filled
   * @param {string} assetsUrl  where pictures are
   */
  constructor(element, assetsUrl) {
    this.element = element;
    element.classList.add('wk-editor');
    this.document = new GridDocument(readFrame({}));
    this.history = new History(this.document);
    this.view = new View(this.document);
    this.state = initialState(element, new Pictures(assetsUrl, () => this.#pictureCame()));
    this.isFitted = true;
    this.isUpdating = false;
    /** Saves the map; set once it is known where to. @type {import('./saving.js').Saving | null} */
    this.saving = null;

    this.notices = new Notices(this);
    this.palette = new Palette(this);
    this.objects = new SelectedObjects(this);
    this.tokens = new MapTokens(this);
    this.clipboard = new Clipboard(this);
    this.floating = new Floating(this);
    this.cursor = new CellCursor(this);
    this.tools = /** @type {Tools} */ (Object.fromEntries(TOOLS.map(({ name, type }) => [name, new type(this)])));
    this.canvas = h('canvas', {
      class: 'wk-canvas',
      tabIndex: 0,
      role: 'application',
      'aria-label': 'Map. Arrow keys move the cell cursor, Space uses the tool, question mark shows all keys.',
    });
    this.renderer = new Renderer(this.canvas, this.document, this.view, this.state, (drawing, range) => {
      drawTokens(drawing, this.tokens.shown, this.tokens.selected);
      drawMarks(drawing, range);
    });
    this.optionBar = new OptionBar(this);
    this.startCard = new StartCard(this);
    this.seeAs = new SeeAs(this);
    this.raw = new RawTab(this);
    this.panels = {
      layers: new LayersPanel(this),
      tiles: new LegendPanel(this),
      objects: new ObjectsPanel(this),
      tokens: new TokensPanel(this),
      map: new MapPanel(this),
    };
    /** @type {PanelName} */
    this.panel = 'tiles';
    this.layout = new Layout(this);
    this.layout.showPanel(this.panel);
    this.keys = new KeyInput(this);
    this.input = new CanvasInput(this);

    this.history.listen((event) => this.#stepped(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#readTheme());
    new ResizeObserver(() => this.#resized()).observe(this.layout.stage);
    this.#resized();
  }

  #pictureCame() {
    this.renderer.invalidate();
    this.panels.tiles.last = this.panels.tokens.last = this.optionBar.last = null;
    this.seeAs.renderer.invalidate();
    this.refresh();
  }

  #readTheme() {
    this.state.theme = themeOf(this.element);
    this.renderer.invalidate();
    this.seeAs.renderer.invalidate();
    this.refresh();
  }

  #resized() {
    const { clientWidth, clientHeight } = this.layout.stage;
    if (!clientWidth || !clientHeight) return;
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width === width && this.canvas.height === height) return;
    const [dx, dy] = [(width - this.view.width) / 2, (height - this.view.height) / 2];
    this.canvas.width = width;
    this.canvas.height = height;
    this.view.resize(width, height, ratio);
    this.seeAs.resize(width, height, ratio);
    if (this.isFitted) this.fit();
    else this.view.pan(dx, dy);
    // A canvas is cleared by its new size: drawn at once, it does not flicker.
    this.renderer.draw();
  }

  // Opening and saving

  /**
   * Show another state of the map, without any steps to undo.
   * @param {Frame} frame  @param {string} [name]
   */
  open(frame, name) {
    this.tool.cancel();
    this.floating.cancel();
    Object.assign(this.state, { selection: null, ghost: null, preview: null, objects: [], faults: [], cursor: null });
    this.document.open(frame);
    this.history.clear();
    this.layout.title.textContent = name || 'New map';
    this.#keepChoices();
    if (!this.document.legend.has(this.state.symbol))
      this.state.symbol = frame.legend.length ? codeOf(frame.legend[0].symbol) : EMPTY;
    this.notices.clear();
    if (!this.raw.element.hidden) this.raw.fill();
    this.fit();
    this.refresh();
  }

  /**
   * A frame of a document, whose layers count as those of the same name that are open.
   * @param {unknown} grid
   */
  frameOf(grid) {
    const frame = readFrame(grid);
    frame.shift = this.document.frame.shift;
    const known = new Map(this.document.frame.layers.map(({ key, meta }) => [meta.name, key]));
    frame.layers = frame.layers.map((layer) => ({ ...layer, key: known.get(layer.meta.name) ?? layer.key }));
    return frame;
  }

  /** Finish pending input, so that the document contains it. Returns false if a text is invalid. */
  settle() {
    this.floating.settle();
    this.tool.settle();
    const { activeElement } = document;
    if (activeElement instanceof HTMLElement && this.layout.side.contains(activeElement)) activeElement.blur();
    return this.raw.element.hidden || this.raw.commit();
  }

  save() {
    return this.saving?.save();
  }

  saved() {
    this.notices.clearErrors();
    // A map that became smaller moved tokens that would be outside.
    this.tokens.read();
    this.refresh();
  }

  // Changing the map

  /**
   * A step to be committed or cancelled later.
   * @param {string} label
   */
  begin(label) {
    this.floating.settle();
    return this.history.begin(label);
  }

  /**
   * One step that can be undone.
   * @param {string} label  @param {(step: import('./history.js').Step) => void} make
   */
  run(label, make) {
    this.floating.settle();
    return this.history.run(label, make);
  }

  undo() {
    if (this.state.float) this.floating.cancel();
    else if (this.tool.isBusy) this.tool.stepBack();
    else if (!this.history.undo()) this.announce('There is nothing to undo.');
    this.refresh();
  }

  redo() {
    if (!this.history.redo()) this.announce('There is nothing to redo.');
    this.refresh();
  }

  /** @param {import('./history.js').HistoryEvent | null} event */
  #stepped(event) {
    this.#keepChoices();
    if (event) {
      const prefix = { did: '', undid: 'Undid: ', redid: 'Redid: ' }[event.kind];
      this.announce(prefix + event.label);
      this.state.faults = [];
      if (!this.raw.element.hidden && this.raw.frame !== this.document.frame && !this.raw.isDirty) this.raw.fill();
    }
    this.refresh();
  }

  /** The selected objects may be gone after a step. */
  #keepChoices() {
    const { state } = this;
    const { frame, geometry } = this.document;
    if (!this.document.layer(state.layer))
      state.layer = (frame.layers.find(({ cells }) => cells) ?? frame.layers[0])?.key ?? null;
    this.objects.keep();
    const { selection } = state;
    if (selection && (selection.x + selection.width > frame.width || selection.y + selection.height > frame.height))
      state.selection = null;
    if (state.cursor && !geometry.holds(...state.cursor)) state.cursor = null;
  }

  // Tools

  get tool() {
    return this.tools[this.state.tool];
  }

  /** @param {ToolName} name */
  setTool(name) {
    if (name !== this.state.tool) {
      this.floating.settle();
      this.tool.settle();
      Object.assign(this.state, { preview: null, hover: null, ghost: null, tool: name });
      if (paints(name)) this.palette.lastPaintTool = name;
      if (toolEntry(name).subject !== 'objects') {
        this.state.objects = [];
        this.tokens.selected = null;
      }
      this.announce(toolEntry(name).label);
      const button = this.layout.toolButtons.get(name);
      if (button) this.layout.tools.reveal(button);
    }
    this.tool.activate();
    this.describe('');
    this.refresh();
  }

  /** Escape: one object after another. */
  escape() {
    const { state, tool } = this;
    if (state.float) this.floating.cancel();
    else if (tool.begunByKey || tool.isBusy || state.selection) {
      tool.begunByKey = false;
      tool.cancel();
      state.selection = null;
    } else if (state.objects.length) this.objects.select([]);
    else if (this.tokens.selected) this.tokens.select(null);
    else state.cursor = null;
    this.refresh();
  }

  // The view

  fit() {
    if (this.seeAs.isOn) return this.seeAs.fit();
    this.view.fit();
    this.isFitted = true;
    this.layout.showZoom();
    this.renderer.request();
  }

  /** @param {number} factor */
  zoom(factor) {
    if (this.seeAs.isOn) return this.seeAs.zoom(factor);
    const { cursor } = this.state;
    if (cursor) this.view.zoom(factor, ...this.view.toScreen(...this.document.geometry.centre(...cursor)));
    else this.view.zoom(factor);
    this.viewChanged();
  }

  /** Move the view just as far as needed to show a cell. @param {Pair} cell */
  reveal(cell) {
    this.view.reveal(...cell);
    this.viewChanged();
  }

  viewChanged() {
    this.isFitted = false;
    this.layout.showZoom();
    this.renderer.request();
  }

  /** @param {keyof import('./state.js').Options} name */
  toggleOption(name) {
    const { options } = this.state;
    options[name] = !options[name];
    keepOptions(options);
    this.renderer.invalidate();
    this.seeAs.renderer.invalidate();
    this.refresh();
  }

  /** @param {'map' | 'json'} name */
  showTab(name) {
    const isMap = name === 'map';
    if (isMap && !this.raw.element.hidden && !this.raw.commit()) return;
    this.floating.settle();
    if (!isMap && this.raw.element.hidden) this.raw.fill();
    this.raw.element.hidden = isMap;
    this.layout.showTab(name);
    this.refresh();
  }

  /** @param {PanelName} name */
  showPanel(name) {
    this.panel = name;
    this.layout.showPanel(name);
    this.refresh();
  }

  // Telling

  /** Say something to screen readers. @param {string} text */
  announce(text) {
    if (text) this.layout.live.textContent = text;
  }

  /** Say something below the map, for as long as it holds. @param {string} text */
  describe(text) {
    this.layout.described.textContent = text;
  }

  /** Say why something is not done. @param {string} text */
  warn(text) {
    const { described } = this.layout;
    this.describe(text);
    this.announce(text);
    described.classList.add('wk-alarm');
    setTimeout(() => described.classList.remove('wk-alarm'), 1500);
  }

  /** Show all that changed, once, before the next frame. */
  refresh() {
    this.renderer.request();
    if (this.isUpdating) return;
    this.isUpdating = true;
    queueMicrotask(() => {
      if (this.isUpdating) this.update();
    });
  }

  update() {
    this.isUpdating = false;
    if (!this.saving) return;
    this.layout.update();
    this.panels.layers.update();
    this.panels[this.panel].update();
    this.optionBar.update();
    this.startCard.update();
  }
}
