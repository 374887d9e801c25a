/**
 * What the pointer and the cell cursor do to the map. Each tool gets places: {cell, point, shift, inside}, in the
 * order down, move…, up; `cancel` takes back what was begun. Tools change the map through steps of the history.
 */

import { EMPTY, moved } from '../../../web/shared/document.js';
import { tidy } from '../../../web/shared/geometry.js';
import { plural } from '../../../web/shared/dom.js';
import { indexOfThing, refOf, thingAt } from '../../../web/shared/things.js';

const MOST_SELECTED = 500_000; // cells that can be held in the air

class Tool {
  constructor(editor) {
    this.editor = editor;
  }

  get document() {
    return this.editor.document;
  }

  get state() {
    return this.editor.state;
  }

  get geometry() {
    return this.document.geometry;
  }

  index([x, y]) {
    return y * this.geometry.width + x;
  }

  down() {}
  move() {}
  up() {}
  cancel() {}
  /** Put down what is in the air, before something else is done. */
  settle() {}
  hover(place) {
    this.state.hover = place.inside ? [place.cell] : null;
  }
}

/** Brush and eraser: paint along the way of the pointer. */
class Brush extends Tool {
  code() {
    return this.state.symbol;
  }

  down(place) {
    if (!this.editor.paintable()) return;
    this.step = this.editor.begin('');
    this.painted = 0;
    this.#along(place.shift && this.last ? this.last : place.cell, place.cell);
  }

  move(place) {
    if (this.step) this.#along(this.last, place.cell);
  }

  #along(from, to) {
    const { layer, brush } = this.state;
    const cells = this.geometry.line(from, to).flatMap(([x, y]) => this.geometry.brush(x, y, brush));
    const before = this.step.count;
    this.step.paint(layer, [...new Set(cells.map((cell) => this.index(cell)))], this.code());
    this.painted += this.step.count - before;
    this.last = to;
  }

  up() {
    if (!this.step) return;
    this.step.label = this.editor.paintedLabel(this.painted, this.code());
    this.step.commit();
    this.step = null;
  }

  cancel() {
    this.step?.cancel();
    this.step = null;
  }

  hover({ cell, inside }) {
    this.state.hover = inside ? this.geometry.brush(...cell, this.state.brush) : null;
  }
}

class Eraser extends Brush {
  code() {
    return EMPTY;
  }
}

/** Line and rectangle: shown while the pointer is down, painted when it is up. */
class Shape extends Tool {
  down(place) {
    if (!this.editor.paintable()) return;
    this.start = place.cell;
    this.move(place);
  }

  move({ cell }) {
    if (!this.start) return;
    this.end = cell;
    this.state.preview = this.shape();
    this.editor.describe(this.size());
  }

  up() {
    if (!this.start) return;
    const { layer, symbol } = this.state;
    const indexes = this.indexes();
    this.editor.run(this.editor.paintedLabel(indexes.length, symbol), (step) => step.paint(layer, indexes, symbol));
    this.cancel();
  }

  cancel() {
    this.start = this.state.preview = null;
    this.editor.describe('');
  }
}

class Line extends Shape {
  cells() {
    const cells = this.geometry
      .line(this.start, this.end)
      .flatMap(([x, y]) => this.geometry.brush(x, y, this.state.brush));
    return [...new Map(cells.map((cell) => [this.index(cell), cell])).values()];
  }

  shape() {
    return { cells: this.cells(), code: this.state.symbol };
  }

  indexes() {
    return this.cells().map((cell) => this.index(cell));
  }

  size() {
    return `${plural(this.geometry.line(this.start, this.end).length, 'cell')} long`;
  }
}

class Rectangle extends Shape {
  #border() {
    const { x, y, width, height } = this.geometry.rectangle(this.start, this.end);
    const cells = [];
    for (let cx = x; cx < x + width; cx++) cells.push([cx, y], ...(height > 1 ? [[cx, y + height - 1]] : []));
    for (let cy = y + 1; cy < y + height - 1; cy++) cells.push([x, cy], ...(width > 1 ? [[x + width - 1, cy]] : []));
    return cells;
  }

  shape() {
    const code = this.state.symbol;
    return this.state.hollow
      ? { cells: this.#border(), code }
      : { rectangle: this.geometry.rectangle(this.start, this.end), code };
  }

  indexes() {
    if (this.state.hollow) return this.#border().map((cell) => this.index(cell));
    const { x, y, width, height } = this.geometry.rectangle(this.start, this.end);
    return Uint32Array.from({ length: width * height }, (_, i) =>
      this.index([x + (i % width), y + Math.floor(i / width)]),
    );
  }

  size() {
    const { width, height } = this.geometry.rectangle(this.start, this.end);
    return `${width} × ${height}`;
  }
}

class Fill extends Tool {
  down({ cell, inside }) {
    if (!inside || !this.editor.paintable()) return;
    const { layer, symbol } = this.state;
    const { cells } = this.document.layer(layer);
    const old = cells[this.index(cell)];
    if (old === symbol) {
      this.editor.announce(`It is ${this.editor.symbolName(symbol)} already.`);
      return;
    }
    const indexes = this.geometry.flood(...cell, (index) => cells[index] === old);
    this.editor.run(this.editor.paintedLabel(indexes.length, symbol), (step) => step.paint(layer, indexes, symbol));
  }
}

class Picker extends Tool {
  down({ cell, inside }) {
    if (inside) this.editor.pick(cell);
  }

  up(place) {
    if (place) this.editor.setTool(this.editor.lastPaintTool);
  }
}

/** Cells in the air: they keep their figure wherever they are put, on hexes too. */
class Float {
  constructor(geometry, cells, anchor) {
    this.geometry = geometry;
    const [au, av] = geometry.toLattice(...anchor);
    this.anchor = [au, av];
    this.parts = cells.map(([x, y, code]) => {
      const [u, v] = geometry.toLattice(x, y);
      return [u - au, v - av, code];
    });
  }

  moveBy([fromX, fromY], [toX, toY]) {
    const [[fu, fv], [tu, tv]] = [this.geometry.toLattice(fromX, fromY), this.geometry.toLattice(toX, toY)];
    this.anchor = [this.anchor[0] + tu - fu, this.anchor[1] + tv - fv];
  }

  *cells() {
    const [au, av] = this.anchor;
    for (const [u, v, code] of this.parts) yield [...this.geometry.fromLattice(au + u, av + v), code];
  }

  holds([x, y]) {
    const [u, v] = this.geometry.toLattice(x, y);
    const [du, dv] = [u - this.anchor[0], v - this.anchor[1]];
    return this.parts.some(([pu, pv]) => pu === du && pv === dv);
  }
}

/** Select a rectangle of cells; move, copy, cut and paste them. */
class Select extends Tool {
  down(place) {
    const { selection, float } = this.state;
    if (float) {
      if (float.holds(place.cell)) {
        this.dragged = place.cell;
        return;
      }
      this.settle();
    }
    if (selection && inside(selection, place.cell) && !place.shift && this.document.layer(this.state.layer)?.cells) {
      this.dragged = place.cell;
      return;
    }
    this.start = place.shift && selection ? [selection.x, selection.y] : place.cell;
    this.state.selection = null;
    this.begun = place.inside;
  }

  move({ cell }) {
    if (this.dragged) {
      if (cell[0] === this.dragged[0] && cell[1] === this.dragged[1]) return;
      if (!this.state.float && !this.lift()) {
        this.dragged = null;
        return;
      }
      this.state.float.moveBy(this.dragged, cell);
      this.dragged = cell;
    } else if (this.start) {
      const rectangle = this.geometry.rectangle(this.start, cell);
      this.state.selection = rectangle.width && rectangle.height ? rectangle : null;
      this.editor.describe(`${rectangle.width} × ${rectangle.height}`);
    }
  }

  up(place) {
    if (this.start && !this.state.selection && this.begun && place?.key) this.move(place);
    if (this.start && this.state.selection) {
      const { width, height } = this.state.selection;
      this.editor.announce(`Selected ${width} by ${height} cells.`);
    }
    this.start = this.dragged = null;
    this.editor.describe('');
    this.editor.refresh();
  }

  cancel() {
    this.start = this.dragged = null;
    if (this.lifted) this.lifted.cancel();
    else if (!this.state.float) this.state.selection = null;
    this.lifted = this.state.float = null;
    this.editor.refresh();
  }

  /** The selected cells of the active layer, with their codes. */
  selected() {
    const { selection, layer } = this.state;
    const { cells } = this.document.layer(layer) ?? {};
    if (!selection || !cells) return [];
    if (selection.width * selection.height > MOST_SELECTED) {
      this.editor.notify(
        `These are too many cells at once: ${MOST_SELECTED.toLocaleString('en')} is the most. Fill or resize instead.`,
        { kind: 'warning' },
      );
      return [];
    }
    const found = [];
    for (let y = selection.y; y < selection.y + selection.height; y++) {
      for (let x = selection.x; x < selection.x + selection.width; x++) found.push([x, y, cells[this.index([x, y])]]);
    }
    return found;
  }

  /** Take the selected cells off the map, to be moved. */
  lift() {
    if (!this.editor.paintable()) return false;
    const cells = this.selected();
    if (!cells.length) return false;
    this.lifted = this.editor.begin('');
    this.lifted.paint(
      this.state.layer,
      cells.map((cell) => this.index(cell)),
      EMPTY,
    );
    this.state.float = new Float(this.geometry, cells, cells[0]);
    this.state.float.opaque = this.state.pasteEmpty;
    this.state.selection = null;
    return true;
  }

  /** Hold cells in the air at a place; they are put down by Enter or a click beside them. */
  float(cells, anchor) {
    this.settle();
    this.state.float = new Float(this.geometry, cells, anchor);
    this.state.float.opaque = this.state.pasteEmpty;
    this.state.selection = null;
    this.editor.refresh();
  }

  settle() {
    const { float, layer } = this.state;
    if (!float) return;
    this.state.float = null;
    const kept = [...float.cells()].filter(
      ([x, y, code]) => this.geometry.holds(x, y) && (code !== EMPTY || float.opaque),
    );
    const step = this.lifted ?? this.editor.history.begin('');
    step.label = `${this.lifted ? 'Moved' : 'Pasted'} ${plural(kept.length, 'cell')}`;
    this.lifted = null;
    step.paint(
      layer,
      kept.map((cell) => this.index(cell)),
      kept.map((cell) => cell[2]),
    );
    step.commit();
    this.editor.refresh();
  }
}

const inside = ({ x, y, width, height }, [cx, cy]) => cx >= x && cy >= y && cx < x + width && cy < y + height;

/** Choose things and drag them; the ends of walls and doors too. */
class Pointer extends Tool {
  down(place) {
    const end = this.#endAt(place);
    const thing = end ? this.state.thing : thingAt(this.document, ...place.point, this.lists);
    this.editor.choose(thing);
    if (!thing) return false;
    this.drag = {
      end,
      from: place.cell,
      point: place.point,
      before: this.document.frame[thing.list][indexOfThing(this.document.frame, thing)],
    };
    return true;
  }

  /** Which end of the chosen wall or door is at a place: 1, 2 or null. */
  #endAt({ point: [px, py] }) {
    const { thing } = this.state;
    if (thing?.list !== 'walls' && thing?.list !== 'doors') return null;
    const item = this.editor.chosen();
    if (!item) return null;
    if (Math.hypot(item.x1 - px, item.y1 - py) < 0.22) return 1;
    return Math.hypot(item.x2 - px, item.y2 - py) < 0.22 ? 2 : null;
  }

  move(place) {
    if (!this.drag) return;
    const { end, from, point, before } = this.drag;
    const { list } = this.state.thing;
    let next;
    if (end) {
      const [x, y] = this.geometry.nearestCorner(...place.point);
      next = { ...before, [`x${end}`]: x, [`y${end}`]: y };
    } else if (list === 'entities') {
      const [x, y] = this.#clamped(place.cell);
      next = { ...before, x, y };
    } else if (list === 'lights') {
      next = {
        ...before,
        x: half(before.x + place.point[0] - point[0]),
        y: half(before.y + place.point[1] - point[1]),
      };
    } else {
      const [[ax, ay], [bx, by]] = [this.geometry.centre(...from), this.geometry.centre(...place.cell)];
      next = moved(before, bx - ax, by - ay);
      for (const key of ['x1', 'y1', 'x2', 'y2']) next[key] = tidy(next[key]);
    }
    const at = indexOfThing(this.document.frame, this.state.thing);
    if (at < 0) return;
    const now = this.document.frame[list][at];
    if (['x', 'y', 'x1', 'y1', 'x2', 'y2'].every((key) => now[key] === next[key])) return;
    this.step ??= this.editor.begin('', false);
    this.step.change({ [list]: this.document.frame[list].with(at, next) });
  }

  #clamped([x, y]) {
    return [Math.min(Math.max(x, 0), this.geometry.width - 1), Math.min(Math.max(y, 0), this.geometry.height - 1)];
  }

  up() {
    const { step, drag } = this;
    this.drag = this.step = null;
    if (!step) return;
    step.label = `Moved ${this.editor.thingName(this.state.thing.list, drag.before)}`;
    step.commit();
  }

  cancel() {
    this.step?.cancel();
    this.drag = this.step = null;
  }

  hover(place) {
    this.state.hover = null;
    if (this.lists?.[0] === 'entities' || this.lists?.[0] === 'lights') super.hover(place);
  }
}

const half = (value) => Math.round(value * 2) / 2;

/** Place a kind of thing; one that is there already is chosen and dragged instead. */
class Placing extends Pointer {
  down(place) {
    if (super.down(place) || !place.inside) return true;
    return false;
  }

  add(one, item) {
    const list = this.lists[0];
    const thing = { id: this.editor.newId(one), ...item };
    this.editor.run(`Added ${this.editor.thingName(list, thing)}`, (step) =>
      step.change({ [list]: [...this.document.frame[list], thing] }),
    );
    this.editor.choose(refOf(list, thing), true);
  }
}

class Entity extends Placing {
  lists = ['entities'];

  down(place) {
    if (super.down(place)) return;
    const [x, y] = place.cell;
    const kind = this.state.kind || 'npc';
    this.add(kind, { kind, name: '', x, y, properties: {} });
  }
}

class Light extends Placing {
  lists = ['lights'];

  down(place) {
    if (super.down(place)) return;
    const [x, y] = this.geometry.centre(...place.cell).map(tidy);
    this.add('light', { x, y, range: 4, color: '#ffd28a', intensity: 1 });
  }
}

/** Walls from corner to corner. */
class Wall extends Placing {
  lists = ['walls'];

  down(place) {
    if (super.down(place)) return;
    this.first = this.corner(place);
    this.move(place);
  }

  corner({ point }) {
    return this.geometry.nearestCorner(...point);
  }

  move(place) {
    if (!this.first) {
      super.move(place);
      return;
    }
    this.state.preview = { segment: [...this.first, ...this.corner(place)] };
  }

  up() {
    super.up();
    const { preview } = this.state;
    if (this.first && preview) {
      const [x1, y1, x2, y2] = preview.segment;
      if (x1 !== x2 || y1 !== y2) this.add('wall', { x1, y1, x2, y2, blocks_movement: true, blocks_sight: true });
    }
    this.first = this.state.preview = null;
  }

  cancel() {
    super.cancel();
    this.first = this.state.preview = null;
  }
}

/** Doors on the side of a cell; dragged along, over several. */
class Door extends Placing {
  lists = ['doors'];

  down(place) {
    if (super.down(place)) return;
    this.begun = { point: place.point, side: this.geometry.nearestSide(...place.point) };
    this.move(place);
  }

  move(place) {
    if (!this.begun) {
      super.move(place);
      return;
    }
    const { point, side } = this.begun;
    let segment = side;
    if (Math.hypot(place.point[0] - point[0], place.point[1] - point[1]) > 0.8) {
      const [x, y] = this.geometry.nearestCorner(...place.point);
      const [x1, y1, x2, y2] = side;
      // From the end that lies further away from where the pointer is now.
      const far = Math.hypot(x1 - x, y1 - y) > Math.hypot(x2 - x, y2 - y) ? [x1, y1] : [x2, y2];
      segment = [...far, x, y];
    }
    this.state.preview = { segment };
  }

  up() {
    super.up();
    const { preview } = this.state;
    if (this.begun && preview) {
      const [x1, y1, x2, y2] = preview.segment;
      if (x1 !== x2 || y1 !== y2) this.add('door', { x1, y1, x2, y2, state: 'closed' });
    }
    this.begun = this.state.preview = null;
  }

  cancel() {
    super.cancel();
    this.begun = this.state.preview = null;
  }

  hover(place) {
    this.state.hover = null;
    const side =
      place.inside && !thingAt(this.document, ...place.point, this.lists)
        ? this.geometry.nearestSide(...place.point)
        : null;
    this.state.preview = side ? { segment: side } : null;
  }
}

class Hand extends Tool {
  hover() {
    this.state.hover = null;
  }
}

/** The tools in their order, with the key that takes them (Tiled's letters where it has them). */
export const TOOLS = [
  { name: 'brush', label: 'Brush', key: 'b', type: Brush, paints: true },
  { name: 'line', label: 'Line', key: 'l', type: Line, paints: true },
  { name: 'rectangle', label: 'Rectangle', key: 'r', type: Rectangle, paints: true },
  { name: 'fill', label: 'Fill', key: 'f', type: Fill, paints: true },
  { name: 'eraser', label: 'Eraser', key: 'e', type: Eraser, paints: true },
  { name: 'picker', label: 'Picker', key: 'p', type: Picker },
  { name: 'select', label: 'Select cells', key: 's', type: Select },
  null,
  { name: 'object', label: 'Choose and move things', key: 'o', type: Pointer },
  { name: 'entity', label: 'Place an entity', key: 'n', type: Entity },
  { name: 'door', label: 'Place a door', key: 'd', type: Door },
  { name: 'wall', label: 'Draw a wall', key: 'w', type: Wall },
  { name: 'light', label: 'Place a light', key: 'i', type: Light },
  null,
  { name: 'hand', label: 'Move the view', key: 'h', type: Hand },
];
