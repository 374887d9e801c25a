/** Selects a rectangle of cells, on the active layer or on all, with or without the objects there; moves it. */

import { EMPTY, textOf } from '../../../../web/shared/document.js';
import { objectOf, objectsWithin } from '../../../../web/shared/objects.js';
import { Tool } from './tool.js';

/**
 * @typedef {import('./tool.js').Pair} Pair
 * @typedef {import('./tool.js').Place} Place
 * @typedef {import('../../../../web/shared/document.js').Layer} Layer
 */

const MAX_CELLS = 1_000_000; // of all layers together

export class Select extends Tool {
  /** @type {Pair | null} */
  start = null;
  /** Where a drag of the selection began. @type {Pair | null} */
  dragged = null;

  get isBusy() {
    return this.start !== null;
  }

  get endsByKey() {
    return true;
  }

  /** @param {Place} place */
  down(place) {
    const { selection } = this.state;
    if (selection && holds(selection, place.cell) && !place.shift && !place.key && this.layers().length) {
      this.dragged = place.cell;
      return;
    }
    this.start = place.shift && selection ? [selection.x, selection.y] : place.cell;
    this.state.selection = null;
  }

  /** @param {Place} place */
  move(place) {
    if (this.dragged) {
      if (place.cell[0] === this.dragged[0] && place.cell[1] === this.dragged[1]) return;
      const from = this.dragged;
      this.dragged = null;
      if (!this.lift()) return;
      // From here on the float is dragged.
      this.editor.floating.dragged = from;
      this.editor.floating.move(place);
    } else if (this.start) {
      const rectangle = this.geometry.rectangle(this.start, place.cell);
      this.state.selection = rectangle.width && rectangle.height ? rectangle : null;
      this.editor.describe(`${rectangle.width} × ${rectangle.height}`);
    }
  }

  /** @param {Place} place */
  up(place) {
    if (this.start && !this.state.selection && place.key) this.move(place);
    if (this.start && this.state.selection) {
      const { width, height } = this.state.selection;
      this.editor.announce(`Selected ${width} by ${height} cells.`);
    }
    this.start = this.dragged = null;
    this.editor.describe('');
    this.editor.refresh();
  }

  settle() {
    this.start = this.dragged = null;
  }

  cancel() {
    this.start = this.dragged = null;
    this.state.selection = null;
    this.editor.refresh();
  }

  /** The layers that a selection is about. */
  layers() {
    const { layer, reach } = this.state;
    return this.document.frame.layers.filter(({ key, cells }) => cells && (reach !== 'layer' || key === layer));
  }

  /**
   * The selection as a clip; null without a selection, or if it is too large.
   * @returns {import('../clip.js').Clip | null}
   */
  clip() {
    const { selection, reach, layer: active } = this.state;
    const layers = this.layers();
    if (!selection || !layers.length) return null;
    const { x, y, width, height } = selection;
    if (width * height * layers.length > MAX_CELLS) {
      this.editor.notices.show(
        `The selection is too large: at most ${MAX_CELLS.toLocaleString('en')} cells can be selected at once. ` +
          'Fill or resize the map instead.',
        { kind: 'warning' },
      );
      return null;
    }
    const parts = layers.map(({ key, cells }) => ({
      layer: reach === 'layer' ? null : key,
      codes: this.#codes(/** @type {Uint16Array} */ (cells), selection),
    }));
    const shown = parts[Math.max(0, reach === 'layer' ? 0 : layers.findIndex(({ key }) => key === active))];
    const rows = Array.from({ length: height }, (_, row) => textOf(shown.codes, row * width, (row + 1) * width));
    return { parts, objects: this.#objects(), origin: [x, y], width, height, text: rows.join('\n') };
  }

  /** @param {Uint16Array} cells  @param {import('../../../../web/shared/geometry.js').Rectangle} rectangle */
  #codes(cells, { x, y, width, height }) {
    const codes = new Uint16Array(width * height);
    for (let row = 0; row < height; row++) {
      const from = this.index([x, y + row]);
      codes.set(cells.subarray(from, from + width), row * width);
    }
    return codes;
  }

  /** The objects in the selection, walls on its border among them; none unless they are meant. */
  #objects() {
    const { selection, reach } = this.state;
    if (!selection || reach !== 'everything') return [];
    const { x, y, width, height } = selection;
    const corners = [
      ...this.geometry.corners(x, y),
      ...this.geometry.corners(x + width - 1, y + height - 1),
      // On hexes, the staggered line reaches further.
      ...this.geometry.corners(Math.min(x + 1, x + width - 1), Math.min(y + 1, y + height - 1)),
    ];
    const [xs, ys] = [corners.map(([px]) => px), corners.map(([, py]) => py)];
    const [left, right] = [Math.min(...xs) - 1e-6, Math.max(...xs) + 1e-6];
    const [top, bottom] = [Math.min(...ys) - 1e-6, Math.max(...ys) + 1e-6];
    const { frame } = this.document;
    return objectsWithin(this.document, (px, py) => px >= left && px <= right && py >= top && py <= bottom).flatMap(
      (ref) => {
        const item = objectOf(frame, ref);
        const isEntity = ref.list === 'entities';
        if (!item || (isEntity && !holds(selection, [item.x, item.y]))) return [];
        return [{ list: ref.list, item }];
      },
    );
  }

  /**
   * Take a clip off the map: its cells are empty then, but those of locked layers, and its objects gone.
   * @param {import('../history.js').Step} step  @param {import('../clip.js').Clip} clip
   */
  takeOff(step, clip) {
    const { origin, width, height } = clip;
    const [x, y] = origin;
    const indexes = Uint32Array.from({ length: width * height }, (_, i) =>
      this.index([x + (i % width), y + Math.floor(i / width)]),
    );
    for (const { layer } of clip.parts) {
      const key = layer ?? this.state.layer;
      if (!this.document.layer(key)?.meta.locked) step.paint(key, indexes, EMPTY);
    }
    this.editor.objects.takeOff(step, clip.objects);
  }

  /** Lift the selection above the map, to move it. */
  lift() {
    if (this.state.reach === 'layer' && !this.editor.palette.canPaint()) return false;
    const whole = this.clip();
    if (!whole) return false;
    const isLocked = (/** @type {number | null} */ key) =>
      Boolean(this.document.layer(key ?? this.state.layer)?.meta.locked);
    const clip = { ...whole, parts: whole.parts.filter(({ layer }) => !isLocked(layer)) };
    const step = this.editor.begin('');
    this.takeOff(step, clip);
    this.editor.floating.hold(clip, clip.origin, step);
    return true;
  }
}

/** @param {import('../../../../web/shared/geometry.js').Rectangle} rectangle  @param {Pair} cell */
export const holds = ({ x, y, width, height }, [cx, cy]) => cx >= x && cy >= y && cx < x + width && cy < y + height;
