/**
 * The map editor: `mount(element, options)` puts it into a page.
 *
 * options: {mapUrl, mapsUrl, pageUrl, onSaved} to edit a map of the API (`/maps/{id}`, `/maps`, the page of a map as a
 * function of the map, a callback after each save), or {textarea} to edit the grid data of a form, or both: then the
 * textarea is hidden and disabled, as its content is saved by the editor. `errors`: faults of the server to show;
 * `assetsUrl`: where background pictures are (`/assets`); `title`: the name of a map that comes from a textarea.
 */

import { EMPTY, GridDocument, newLayerKey, readFrame } from '../../../web/shared/document.js';
import { h, plural } from '../../../web/shared/dom.js';
import { showHelp } from './dialogs.js';
import { History } from './history.js';
import { icon } from '../../../web/shared/icons.js';
import { Clipboard } from './clipboard.js';
import { CellCursor } from './cursor.js';
import { KeyInput } from './keys.js';
import { LayersPanel } from './layers-panel.js';
import { LegendPanel } from './legend-panel.js';
import { MapPanel } from './map-panel.js';
import { drawMarks } from './marks.js';
import { OptionBar } from './option-bar.js';
import { PointerInput } from '../../../web/shared/pointer.js';
import { RawTab } from './raw.js';
import { Renderer } from '../../../web/shared/renderer.js';
import { FormSaving, MapSaving } from './saving.js';
import { tidy } from '../../../web/shared/geometry.js';
import { parseColor } from '../../../web/shared/tiles.js';
import { TOOLS } from './tools.js';
import { indexOfThing, refOf, thingAt } from '../../../web/shared/things.js';
import { StartCard } from './start-card.js';
import { ThingsPanel } from './things-panel.js';
import { View } from '../../../web/shared/view.js';

const OPTIONS = [
  ['focus', 'Dim the other layers', 'layers'],
  ['grid', 'Gridlines (G)', 'grid'],
  ['symbols', 'Symbols', 'symbols'],
  ['lights', 'Light', 'light'],
  ['labels', 'Names', 'labels'],
  ['rulers', 'Coordinates', 'rulers'],
];
const KEPT_OPTIONS = 'worldkeep:view';

/** Put the editor into an element; resolves to it when the map is shown. */
export async function mount(element, options = {}) {
  const { textarea } = options;
  const editor = new Editor(element);
  editor.state.assetsUrl = options.assetsUrl ?? '/assets';
  if (textarea) {
    textarea.hidden = true;
    textarea.disabled = Boolean(options.mapUrl);
  }
  editor.saving = options.mapUrl
    ? new MapSaving(editor, { mapsUrl: '/maps', ...options })
    : new FormSaving(editor, options);
  try {
    await editor.saving.load();
  } catch (error) {
    editor.notify(`The map cannot be shown. ${error.message}`, { kind: 'error', stays: true });
  }
  if (options.errors?.length) {
    editor.showFaults(
      options.errors.map(({ field, message }) => ({
        text: `${field}: ${message}`,
        place: field.replace(/^grid_data\.?/, ''),
      })),
    );
  }
  editor.refresh();
  return editor;
}

export class Editor {
  constructor(element) {
    this.element = element;
    element.classList.add('wk-editor');
    this.document = new GridDocument(readFrame({}));
    this.history = new History(this.document);
    this.view = new View(this.document);
    this.state = {
      layer: null,
      symbol: EMPTY,
      brush: 1,
      tool: 'brush',
      options: keptOptions(),
      selection: null,
      float: null,
      preview: null,
      hover: null,
      cursor: null,
      thing: null,
      faults: [],
      kind: 'npc',
      hollow: false,
      pasteEmpty: false,
    };
    this.lastPaintTool = 'brush';
    this.tools = Object.fromEntries(TOOLS.filter(Boolean).map(({ name, type }) => [name, new type(this)]));
    this.clipboard = new Clipboard(this);
    this.cursor = new CellCursor(this);
    this.#build();
    this.#readTheme();
    this.renderer = new Renderer(this.canvas, this.document, this.view, this.state, drawMarks);
    this.history.listen((event) => this.#stepped(event));
    this.pointer = new PointerInput(this.canvas, this.view, this.#pointerActions());
    this.keys = new KeyInput(this);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#readTheme());
    new ResizeObserver(() => this.#resized()).observe(this.stage);
    this.#resized();
  }

  // Building

  #build() {
    this.title = h('strong', { class: 'wk-title' });
    this.status = h('span', { class: 'wk-status', role: 'status' });
    this.tabs = {
      map: this.#tab('map', 'Map'),
      json: this.#tab('json', 'JSON'),
    };
    this.undoButton = this.#button('undo', 'Undo (Ctrl+Z)', () => this.undo());
    this.redoButton = this.#button('redo', 'Redo (Ctrl+Y)', () => this.redo());
    this.panelButton = this.#button('panel', 'Panels', () => this.#togglePanels(), 'wk-only-narrow');
    this.saveButton = h(
      'button',
      { type: 'button', class: 'wk-button wk-primary', title: 'Save (Ctrl+S)', onclick: () => this.save() },
      'Save',
    );
    const bar = h(
      'header',
      { class: 'wk-bar' },
      h('div', { class: 'wk-name' }, this.title, this.status),
      h(
        'div',
        { class: 'wk-segments wk-tabs', role: 'tablist', 'aria-label': 'View of the map' },
        Object.values(this.tabs),
      ),
      h('div', { class: 'wk-actions' }, this.undoButton, this.redoButton, this.panelButton, this.saveButton),
    );

    this.toolButtons = {};
    const toolbar = h(
      'div',
      { class: 'wk-tools', role: 'toolbar', 'aria-label': 'Tools', 'aria-orientation': 'vertical' },
      TOOLS.map((tool) => {
        if (!tool) return h('span', { class: 'wk-divider' });
        const button = this.#button(tool.name, `${tool.label} (${tool.key.toUpperCase()})`, () =>
          this.setTool(tool.name),
        );
        this.toolButtons[tool.name] = button;
        return button;
      }),
    );

    this.canvas = h('canvas', {
      class: 'wk-canvas',
      tabIndex: 0,
      role: 'application',
      'aria-label': 'Map. Arrow keys move the cell cursor, Space uses the tool, question mark shows all keys.',
    });
    this.optionBar = new OptionBar(this);
    this.startCard = new StartCard(this);
    this.notices = h('div', { class: 'wk-notices', role: 'status' });
    this.stage = h('div', { class: 'wk-stage' }, this.canvas, this.startCard.element);
    this.where = h('span', { class: 'wk-where' });
    this.described = h('span', { class: 'wk-described' });
    this.zoomLabel = h('button', {
      type: 'button',
      class: 'wk-zoom',
      title: 'Full size',
      onclick: () => this.zoom((32 * this.view.ratio) / this.view.scale),
    });
    this.optionButtons = OPTIONS.map(([name, label, picture]) => {
      const button = this.#button(picture, label, () => this.toggleOption(name));
      button.dataset.option = name;
      return button;
    });
    const foot = h(
      'footer',
      { class: 'wk-foot' },
      this.where,
      this.described,
      h(
        'div',
        { class: 'wk-view' },
        this.optionButtons,
        h('span', { class: 'wk-divider' }),
        this.#button('minus', 'Zoom out (−)', () => this.zoom(1 / 1.25)),
        this.zoomLabel,
        this.#button('plus', 'Zoom in (+)', () => this.zoom(1.25)),
        this.#button('fit', 'Fit the map (0)', () => this.fit()),
        this.#button('help', 'Keys (?)', () => showHelp(this.element)),
      ),
    );

    this.panels = {
      layers: new LayersPanel(this),
      tiles: new LegendPanel(this),
      things: new ThingsPanel(this),
      map: new MapPanel(this),
    };
    this.sideTabs = Object.fromEntries(
      [
        ['tiles', 'Tiles'],
        ['things', 'Things'],
        ['map', 'Map'],
      ].map(([name, label]) => [
        name,
        h('button', { type: 'button', role: 'tab', onclick: () => this.showPanel(name) }, label),
      ]),
    );
    this.side = h(
      'aside',
      { class: 'wk-side', 'aria-label': 'Panels' },
      this.panels.layers.element,
      h('div', { class: 'wk-segments wk-side-tabs', role: 'tablist' }, Object.values(this.sideTabs)),
      ['tiles', 'things', 'map'].map((name) => this.panels[name].element),
    );

    this.raw = new RawTab(this);
    this.live = h('div', { class: 'wk-unseen', 'aria-live': 'polite', 'aria-atomic': 'true' });
    this.body = h(
      'div',
      { class: 'wk-body' },
      toolbar,
      h('div', { class: 'wk-middle' }, this.optionBar.element, this.stage, foot),
      this.side,
    );
    this.element.replaceChildren(bar, this.notices, this.body, this.raw.element, this.live);
    this.showPanel('tiles');
  }

  #button(picture, label, onclick, className = '') {
    return h(
      'button',
      { type: 'button', class: `wk-tool ${className}`, 'aria-label': label, title: label, onclick },
      icon(picture),
    );
  }

  #tab(name, label) {
    return h(
      'button',
      {
        type: 'button',
        role: 'tab',
        'aria-selected': String(name === 'map'),
        'data-tab': name,
        onclick: () => this.showTab(name),
      },
      label,
    );
  }

  #readTheme() {
    const style = getComputedStyle(this.element);
    const value = (name) => style.getPropertyValue(`--wk-${name}`).trim();
    const names = ['desk', 'paper', 'line', 'accent', 'casing', 'ink', 'halo', 'label', 'ruler', 'wash'];
    this.state.theme = Object.fromEntries(names.map((name) => [name, value(name)]));
    this.state.theme.rulerText = value('ruler-text');
    this.state.theme.paperRgb = parseColor(this.state.theme.paper) ?? [244, 240, 230, 255];
    this.state.ghostTiles = null;
    this.renderer?.invalidate();
    this.refresh();
  }

  #resized() {
    const { clientWidth, clientHeight } = this.stage;
    if (!clientWidth || !clientHeight) return;
    const ratio = Math.min(devicePixelRatio || 1, 3);
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width === width && this.canvas.height === height) return;
    const [dx, dy] = [(width - this.view.width) / 2, (height - this.view.height) / 2];
    this.canvas.width = width;
    this.canvas.height = height;
    this.view.resize(width, height, ratio);
    if (this.fitted === undefined) this.fit();
    else if (this.fitted) this.fit();
    else this.view.pan(dx, dy);
    // A canvas is cleared by its new size: drawn at once, it does not flicker.
    this.renderer.draw();
  }

  // Opening and saving

  /** Show a map anew; nothing of it can be undone yet. */
  open(frame, name) {
    this.activeTool.cancel();
    Object.assign(this.state, { selection: null, float: null, preview: null, thing: null, faults: [], cursor: null });
    this.document.open(frame);
    this.history.clear();
    this.title.textContent = name || 'New map';
    this.#keepChoices();
    const first = frame.legend[0] && String(frame.legend[0].symbol).charCodeAt(0);
    if (!this.document.legend.has(this.state.symbol)) this.state.symbol = first ?? EMPTY;
    this.notices.replaceChildren();
    if (!this.raw.element.hidden) this.raw.fill();
    this.fit();
    this.refresh();
  }

  /** A frame of a document, whose layers count as those of the same name that are open. */
  frameOf(grid) {
    const frame = readFrame(grid);
    frame.shift = this.document.frame.shift;
    const known = new Map(this.document.frame.layers.map(({ key, meta }) => [meta.name, key]));
    frame.layers = frame.layers.map((layer) => ({ ...layer, key: known.get(layer.meta.name) ?? layer.key }));
    return frame;
  }

  /** Finish what is being done, so that the document holds all of it. False when a text cannot be read. */
  settle() {
    this.activeTool.settle();
    this.activeTool.up();
    document.activeElement instanceof HTMLElement &&
      this.side.contains(document.activeElement) &&
      document.activeElement.blur();
    return this.raw.element.hidden || this.raw.commit();
  }

  save() {
    return this.saving.save();
  }

  saved() {
    for (const notice of this.notices.querySelectorAll('.wk-error')) notice.remove();
    this.refresh();
  }

  showStatus(status) {
    const words = { saved: 'All saved', unsaved: 'Unsaved', saving: 'Saving…', failed: 'Not saved' };
    this.status.textContent = words[status];
    this.status.dataset.status = status;
    this.saveButton.disabled = status === 'saving';
  }

  /** Show faults that the server found: marked on the map, listed, and at their lines in the JSON tab. */
  showFaults(faults, message) {
    this.state.faults = faults.map(({ cell }) => cell).filter(Boolean);
    for (const notice of this.notices.querySelectorAll('.wk-error')) notice.remove();
    if (faults.length) {
      const [first] = faults;
      this.notify(
        h(
          'div',
          {},
          h('strong', {}, message || 'The map was not saved.'),
          h(
            'ul',
            {},
            faults.map(({ text }) => h('li', {}, text)),
          ),
        ),
        {
          kind: 'error',
          actions: [
            [
              first.cell || first.thing ? 'Show on the map' : 'Show in JSON',
              () => this.#showFault(first, faults),
              true,
            ],
            first.cell || first.thing
              ? ['Show in JSON', () => this.#showFault({ ...first, cell: null, thing: null }, faults), true]
              : null,
          ].filter(Boolean),
        },
      );
      if (!this.raw.element.hidden) this.raw.showFaults(faults);
    }
    this.renderer?.request();
  }

  #showFault({ cell, thing, layer }, faults) {
    if (!cell && !thing) {
      this.showTab('json');
      this.raw.showFaults(faults);
      this.raw.faults.querySelector('button')?.click();
      return;
    }
    this.showTab('map');
    if (layer !== undefined) this.setLayer(layer);
    if (cell) this.view.reveal(...cell);
    if (thing) this.choose(thing, false, true);
    this.refresh();
  }

  /** A message above the map, with actions [[label, function, keep?]] or a link [label, address]. */
  notify(content, { kind = 'info', actions = [], link, stays = false } = {}) {
    const close = () => notice.remove();
    const notice = h(
      'div',
      { class: `wk-notice wk-${kind}` },
      kind === 'info' ? null : icon('warning'),
      h('div', { class: 'wk-notice-text' }, content),
      h(
        'div',
        { class: 'wk-notice-actions' },
        actions.map(([label, act, keep]) =>
          h(
            'button',
            {
              type: 'button',
              class: 'wk-button wk-slim',
              onclick: () => {
                if (!keep) close();
                act();
              },
            },
            label,
          ),
        ),
        link && h('a', { class: 'wk-button wk-slim', href: link[1] }, link[0]),
      ),
      stays
        ? null
        : h('button', { type: 'button', class: 'wk-mini', 'aria-label': 'Dismiss', onclick: close }, icon('close')),
    );
    this.notices.append(notice);
    if (kind === 'warning' && !actions.length) setTimeout(close, 8000);
  }

  // Changing the map

  begin(label) {
    if (this.state.float) this.tools.select.settle();
    return this.history.begin(label);
  }

  /** One step that can be undone. */
  run(label, make) {
    if (this.state.float) this.tools.select.settle();
    return this.history.run(label, make);
  }

  undo() {
    if (this.activeTool.step || this.state.float) this.activeTool.cancel();
    else if (!this.history.undo()) this.announce('There is nothing to undo.');
    this.refresh();
  }

  redo() {
    if (!this.history.redo()) this.announce('There is nothing to redo.');
    this.refresh();
  }

  #stepped(event) {
    this.#keepChoices();
    if (event) {
      const words = { did: '', undid: 'Undid: ', redid: 'Redid: ' }[event.kind];
      this.announce(words + event.label);
      this.state.faults = [];
      if (!this.raw.element.hidden && this.raw.frame !== this.document.frame && !this.raw.isDirty) this.raw.fill();
    }
    this.refresh();
  }

  /** What is chosen may be gone after a step. */
  #keepChoices() {
    const { frame } = this.document;
    const { state } = this;
    if (!this.document.layer(state.layer))
      state.layer = (frame.layers.find(({ cells }) => cells) ?? frame.layers[0])?.key ?? null;
    if (indexOfThing(frame, state.thing) < 0) state.thing = null;
    const { selection } = state;
    if (selection && (selection.x + selection.width > frame.width || selection.y + selection.height > frame.height))
      state.selection = null;
    if (state.cursor && !this.document.geometry.holds(...state.cursor)) state.cursor = null;
  }

  /** Whether the active layer can be painted on; says why not. */
  paintable() {
    const layer = this.document.layer(this.state.layer);
    const problem = this.#whyNot(layer);
    if (problem) {
      this.describe(problem);
      this.announce(problem);
      this.described.classList.add('wk-alarm');
      setTimeout(() => this.described.classList.remove('wk-alarm'), 1500);
    }
    return !problem;
  }

  #whyNot(layer) {
    if (!layer) return 'There is no layer to paint on: add one first.';
    if (!layer.cells) return `The layer ${layer.meta.name} has no cells.`;
    if (layer.meta.locked) return `The layer ${layer.meta.name} is locked.`;
    if (
      this.state.tool !== 'eraser' &&
      this.state.tool !== 'select' &&
      this.state.symbol !== EMPTY &&
      !this.document.legend.has(this.state.symbol)
    )
      return 'Choose a tile first.';
    return null;
  }

  paintedLabel(count, code) {
    const { name } = this.document.layer(this.state.layer).meta;
    return code === EMPTY
      ? `Emptied ${plural(count, 'cell')} on ${name}`
      : `Painted ${plural(count, 'cell')} of ${this.symbolName(code)} on ${name}`;
  }

  newLayer(name) {
    const { width, height } = this.document.frame;
    return { key: newLayerKey(), meta: { name }, cells: new Uint16Array(width * height).fill(EMPTY) };
  }

  newId(kind) {
    const taken = new Set(
      ['entities', 'walls', 'doors', 'lights'].flatMap((list) => this.document.frame[list].map(({ id }) => id)),
    );
    const base =
      String(kind)
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40) || 'thing';
    for (;;) {
      const [a, b] = crypto.getRandomValues(new Uint32Array(2));
      const id = `${base}-${(a.toString(36) + b.toString(36)).slice(0, 8)}`;
      if (!taken.has(id)) return id;
    }
  }

  // Choosing

  get activeTool() {
    return this.tools[this.state.tool];
  }

  setTool(name) {
    if (name !== this.state.tool) {
      this.activeTool.settle();
      this.activeTool.cancel();
      Object.assign(this.state, { preview: null, hover: null, tool: name });
      if (TOOLS.find((tool) => tool?.name === name).paints) this.lastPaintTool = name;
      if (!['object', 'entity', 'door', 'wall', 'light'].includes(name)) this.state.thing = null;
      const { label } = TOOLS.find((tool) => tool?.name === name);
      this.announce(label);
    }
    this.describe('');
    this.refresh();
  }

  setLayer(key) {
    this.tools.select.settle();
    const { options } = this.state;
    const isHidden = (one) => this.document.layer(one)?.meta.visible === false;
    // A hidden layer shows while it is the active one.
    if (options.focus || isHidden(key) || isHidden(this.state.layer)) this.renderer.invalidate();
    this.state.layer = key;
    this.announce(`Layer ${this.document.layer(key)?.meta.name}`);
    this.refresh();
  }

  setSymbol(code) {
    this.state.symbol = code;
    if (!TOOLS.find((tool) => tool?.name === this.state.tool).paints || this.state.tool === 'eraser')
      this.setTool(this.lastPaintTool === 'eraser' ? 'brush' : this.lastPaintTool);
    this.announce(`Tile ${this.symbolName(code)}`);
    this.refresh();
  }

  setBrush(size) {
    this.state.brush = size;
    this.refresh();
  }

  /** Take the tile of a cell: of the active layer, or else of the topmost layer that has one there. */
  pick([x, y]) {
    const index = y * this.document.geometry.width + x;
    const { layers } = this.document.frame;
    const active = this.document.layer(this.state.layer);
    const seen = [active, ...layers.filter(({ meta }) => meta.visible !== false).toReversed()];
    const code = seen.find((layer) => layer?.cells && layer.cells[index] !== EMPTY)?.cells[index];
    if (code === undefined) {
      this.announce('An empty cell');
      return;
    }
    this.setSymbol(code);
    this.showPanel('tiles');
    this.update();
    this.panels.tiles.element.querySelector('.wk-tile.wk-on')?.scrollIntoView({ block: 'nearest' });
  }

  symbolName(code) {
    return code === EMPTY ? 'empty' : this.document.legend.get(code)?.name || `“${String.fromCharCode(code)}”`;
  }

  thingName(list, item) {
    const kind = { entities: item.kind || 'entity', doors: 'door', walls: 'wall', lights: 'light' }[list];
    return String(item.name || item.properties?.name || kind);
  }

  /** Choose a thing {list, id or index}, or none. */
  choose(thing, isNew = false, reveal = false) {
    this.state.thing = thing;
    const item = this.chosen();
    if (item) {
      this.panels.things.shown = thing.list;
      this.showPanel('things');
      this.announce(`${isNew ? 'Placed' : 'Chose'} ${this.thingName(thing.list, item)}`);
      if (!['object', 'entity', 'door', 'wall', 'light'].includes(this.state.tool)) {
        this.setTool('object');
        this.state.thing = thing;
      }
      if (reveal) {
        const { geometry } = this.document;
        const [px, py] =
          thing.list === 'entities'
            ? [item.x, item.y]
            : geometry.cellAt(item.x ?? (item.x1 + item.x2) / 2, item.y ?? (item.y1 + item.y2) / 2);
        this.view.reveal(px, py);
        this.fitted = false;
      }
    }
    this.refresh();
  }

  chosen() {
    const { thing } = this.state;
    const index = indexOfThing(this.document.frame, thing);
    return index < 0 ? null : this.document.frame[thing.list][index];
  }

  removeThing() {
    const { thing } = this.state;
    const item = this.chosen();
    if (!item) return;
    this.run(`Deleted ${this.thingName(thing.list, item)}`, (step) =>
      step.change({ [thing.list]: this.document.frame[thing.list].filter((other) => other !== item) }),
    );
    this.canvas.focus({ preventScroll: true });
  }

  duplicateThing() {
    const { thing } = this.state;
    const item = this.chosen();
    if (!item) return;
    const { geometry, frame } = this.document;
    const copy = { ...structuredClone(item), id: this.newId(item.kind || thing.list.replace(/s$/, '')) };
    if (thing.list === 'entities') [copy.x] = [Math.min(copy.x + 1, geometry.width - 1)];
    for (const key of ['x', 'x1', 'x2']) if (thing.list !== 'entities' && key in copy) copy[key] = tidy(copy[key] + 1);
    this.run(`Duplicated ${this.thingName(thing.list, item)}`, (step) =>
      step.change({ [thing.list]: [...frame[thing.list], copy] }),
    );
    this.choose(refOf(thing.list, copy));
  }

  // Pointer and keys

  #pointerActions() {
    const tool = () => this.activeTool;
    const then = (act) => (place) => {
      this.state.cursor = null;
      act(place);
      this.showWhere(place);
      this.renderer.request();
    };
    return {
      down: then((place) => tool().down(place)),
      move: then((place) => {
        tool().move(place);
        this.state.hover = null;
      }),
      up: then((place) => {
        tool().up(place);
        this.refresh();
      }),
      cancel: () => {
        tool().cancel();
        this.refresh();
      },
      hover: (place) => {
        tool().hover(place);
        this.showWhere(place);
        this.#showPointer(place);
        this.renderer.request();
      },
      leave: () => {
        Object.assign(this.state, { hover: null, preview: tool().first || tool().begun ? this.state.preview : null });
        this.where.textContent = '';
        this.renderer.request();
      },
      pick: ({ cell, inside }) => inside && this.pick(cell),
      isPanning: () => this.keys.isPanning || this.state.tool === 'hand',
      viewChanged: () => this.viewChanged(),
    };
  }

  viewChanged() {
    this.fitted = false;
    this.#showZoom();
    this.renderer.request();
  }

  #showPointer({ point, cell }) {
    const { tool, selection, float } = this.state;
    let cursor = 'crosshair';
    if (this.keys.isPanning || tool === 'hand') cursor = 'grab';
    else if (
      tool === 'select' &&
      (float?.holds(cell) ||
        (selection &&
          cell[0] >= selection.x &&
          cell[1] >= selection.y &&
          cell[0] < selection.x + selection.width &&
          cell[1] < selection.y + selection.height))
    )
      cursor = 'move';
    else if (tool === 'object') cursor = thingAt(this.document, ...point) ? 'move' : 'default';
    if (this.canvas.style.cursor !== cursor) this.canvas.style.cursor = cursor;
  }

  /** What is in a cell, in words. */
  contentsOf([x, y]) {
    const { frame, geometry } = this.document;
    const index = y * geometry.width + x;
    const layer = this.document.layer(this.state.layer);
    const top = frame.layers.findLast(({ cells, meta }) => cells && meta.visible !== false && cells[index] !== EMPTY);
    const here = layer?.cells && layer.cells[index] !== EMPTY ? layer : top;
    const names = frame.entities
      .filter((entity) => entity.x === x && entity.y === y)
      .map((entity) => this.thingName('entities', entity));
    return [here ? this.symbolName(here.cells[index]) : 'empty', ...names.slice(0, 3)].join(' · ');
  }

  showWhere({ cell, inside }) {
    this.where.textContent = inside ? `${cell[0]}, ${cell[1]}  ${this.contentsOf(cell)}` : '';
  }

  /** Escape: one thing after another. */
  escape() {
    const active = this.activeTool;
    if (
      active.begunByKey ||
      this.state.float ||
      this.state.selection ||
      active.step ||
      active.start ||
      active.first ||
      active.begun
    ) {
      active.begunByKey = false;
      active.cancel();
    } else if (this.state.thing) this.choose(null);
    else this.state.cursor = null;
    this.refresh();
  }

  // Showing

  fit() {
    this.view.fit();
    this.fitted = true;
    this.#showZoom();
    this.renderer?.request();
  }

  zoom(factor) {
    const { cursor } = this.state;
    this.view.zoom(factor, ...(cursor ? this.view.toScreen(...this.document.geometry.centre(...cursor)) : []));
    this.viewChanged();
  }

  #showZoom() {
    this.zoomLabel.textContent = `${Math.round((this.view.scale / this.view.ratio / 32) * 100)}%`;
  }

  toggleOption(name) {
    const { options } = this.state;
    options[name] = !options[name];
    try {
      localStorage.setItem(KEPT_OPTIONS, JSON.stringify(options));
    } catch {
      // Without storage the choice holds for this page only.
    }
    this.state.ghostTiles = null;
    this.renderer.invalidate();
    this.refresh();
  }

  showTab(name) {
    const isMap = name === 'map';
    if (isMap && !this.raw.element.hidden && !this.raw.commit()) return;
    this.tools.select.settle();
    this.body.hidden = !isMap;
    if (!isMap && this.raw.element.hidden) this.raw.fill();
    this.raw.element.hidden = isMap;
    for (const [key, tab] of Object.entries(this.tabs)) tab.setAttribute('aria-selected', String(key === name));
    this.refresh();
  }

  showPanel(name) {
    this.panel = name;
    for (const [key, tab] of Object.entries(this.sideTabs)) {
      tab.setAttribute('aria-selected', String(key === name));
      this.panels[key].element.hidden = key !== name;
    }
    this.refresh();
  }

  #togglePanels() {
    const open = this.element.classList.toggle('wk-panels-open');
    this.panelButton.setAttribute('aria-expanded', String(open));
  }

  /** Say something to screen readers. */
  announce(text) {
    if (text) this.live.textContent = text;
  }

  /** Say something below the map, for as long as it holds. */
  describe(text) {
    this.described.textContent = text;
  }

  /** Show all that changed, once, before the next frame. */
  refresh() {
    this.renderer?.request();
    if (this.updating) return;
    this.updating = true;
    queueMicrotask(() => {
      if (this.updating) this.update();
    });
  }

  update() {
    this.updating = false;
    if (!this.saving) return;
    const { state, history } = this;
    for (const [name, button] of Object.entries(this.toolButtons))
      button.setAttribute('aria-pressed', String(name === state.tool));
    for (const button of this.optionButtons)
      button.setAttribute('aria-pressed', String(Boolean(state.options[button.dataset.option])));
    this.undoButton.disabled = !history.done.length;
    this.redoButton.disabled = !history.undone.length;
    this.panels.layers.update();
    this.panels[this.panel].update();
    this.optionBar.update();
    this.startCard.update();
  }
}

function keptOptions() {
  const options = { focus: false, grid: true, symbols: true, lights: true, labels: true, rulers: true };
  try {
    return { ...options, ...JSON.parse(localStorage.getItem(KEPT_OPTIONS)) };
  } catch {
    return options;
  }
}
