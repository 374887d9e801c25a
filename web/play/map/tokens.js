/** Tokens on the map: a disc with a picture or initials, a ring by disposition, bars, conditions, a name. */

import { Container, Graphics, Sprite, Texture } from '../../vendor/pixi.js';
import { contextOf, inkOn, parseColor } from '../../shared/tiles.js';
import { EntityNames } from './entity-names.js';
import { NAME_SIZE, PIXELS_PER_CELL, boxAround, label, nameLabel, overlap } from './labels.js';
import { RINGS, initials, tokenAt, tokenCentre } from '../../shared/token.js';

const STEP_MS = 90; // milliseconds per cell of a move
const MAX_MOVE_MS = 900;
const MIN_DETAILED_SCALE = 14; // CSS pixels per cell, below which a token is only a disc
const MAX_BADGES = 6; // bars or conditions; the others are shown as a number
const NAME_DISTANCE = 0.2; // between a token's edge and the middle of its name, in widths of a cell
const OUTLINE = 4; // pixels around texts
const MAX_PORTRAIT_SIDE = 512; // pixels; graphics cards do not take pictures of any size

const HIGHLIGHT_COLOR = 0xffe2a0;
const BAR_COLORS = [0x67b26f, 0x5b8fd1, 0xc79a45, 0xd1574c];

/**
 * @typedef {import('../store.js').Token} Token
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 * @typedef {{token: Token, container: Container, near: Container, far: Container, from: Pair, path: Pair[],
 *   begin: number, drawnToken: Token | null, appearance: string, state: string, name: import('../../vendor/pixi.js').Text | null,
 *   nameHalf: number}} Piece  `name`: the name that is shown; `nameHalf`: half of its width, in widths of a cell
 */

export class Tokens {
  /**
   * @param {import('./stage.js').Stage} stage
   * @param {import('../../shared/pictures.js').Pictures} pictures
   */
  constructor(stage, pictures) {
    this.stage = stage;
    this.pictures = pictures;
    this.container = new Container({ sortableChildren: true });
    this.entityNames = new EntityNames(stage);
    this.container.addChild(this.entityNames.container);
    /** @type {Map<string, Piece>} */
    this.pieces = new Map();
    /** @type {string | null} */
    this.selected = null;
    /** @type {string | null} whose turn it is */
    this.turn = null;
    /** @type {{id: string, at: Pair} | null} the token that is being dragged, and where it is held */
    this.dragged = null;
    /** @type {Set<string>} those that are defeated */
    this.defeated = new Set();
    this.disc = whiteDisc();
    /** @type {WeakMap<HTMLImageElement, Texture>} */
    this.portraits = new WeakMap();
    this.reduced = matchMedia('(prefers-reduced-motion: reduce)');
  }

  /**
   * Show these tokens; one whose position has changed moves there, along the cells of `lastPath` if there are any.
   * @param {Iterable<Token>} tokens
   */
  show(tokens) {
    const gone = new Set(this.pieces.keys());
    for (const token of tokens) {
      gone.delete(token.id);
      const piece = this.pieces.get(token.id);
      if (!piece) this.#add(token);
      else {
        const [before, after] = [piece.token, token];
        piece.token = token;
        if (before.x !== after.x || before.y !== after.y) this.#animate(piece, before, after);
      }
    }
    for (const id of gone) this.#remove(id);
    this.stage.request();
  }

  clear() {
    for (const id of [...this.pieces.keys()]) this.#remove(id);
  }

  /** @param {Token} token */
  #add(token) {
    const [container, near, far] = [new Container(), new Container(), new Container()];
    container.addChild(near, far);
    this.container.addChild(container);
    const motion = { from: this.centre(token), path: [], begin: 0 };
    const drawn = { drawnToken: null, appearance: '', state: '', name: null, nameHalf: 0 };
    this.pieces.set(token.id, { token, container, near, far, ...motion, ...drawn });
  }

  /** @param {string} id */
  #remove(id) {
    this.pieces.get(id)?.container.destroy({ children: true });
    this.pieces.delete(id);
  }

  /** @param {Piece} piece  @param {Token} before  @param {Token} after */
  #animate(piece, before, after) {
    const cells = after.lastPath?.length ? after.lastPath : [after];
    piece.from = this.dragged?.id === after.id ? this.dragged.at : this.centre(before);
    piece.path = cells.map((cell) => this.centre({ ...after, ...cell }));
    piece.begin = this.reduced.matches ? 0 : performance.now();
  }

  /**
   * The centre of a token.
   * @param {{x: number, y: number, size: number}} token
   * @returns {Pair}
   */
  centre(token) {
    return tokenCentre(this.stage.document.geometry, token);
  }

  /**
   * Draw all tokens; returns true while any of them is moving.
   * @param {number} now
   * @param {import('../../shared/geometry.js').Quad} rect  the part of the world that is shown
   */
  draw(now, [left, top, right, bottom]) {
    let moving = false;
    const { view } = this.stage;
    const pixels = view.scale / view.ratio;
    const detail = pixels < MIN_DETAILED_SCALE ? 'far' : pixels < 30 ? 'near' : 'labelled';
    const reach = 5;
    /** @type {import('./labels.js').Box[]} */
    const boxes = [];
    /** @type {import('./labels.js').Box[]} */
    const names = [];
    for (const piece of this.pieces.values()) {
      const { container, token } = piece;
      const at = this.#position(piece, now);
      moving ||= piece.path.length > 0;
      const [X, Y] = this.stage.place(...at);
      container.position.set(X, Y);
      // Setting these makes PixiJS sort and lay out all tokens, even if the value is the same.
      const order = Y + (token.id === this.selected ? 1e4 : 0) - token.size;
      if (container.zIndex !== order) container.zIndex = order;
      // Tokens off the screen are not drawn, so that the cost does not depend on the size of the map.
      const visible = X > left - reach && X < right + reach && Y > top - reach && Y < bottom + reach;
      if (container.visible !== visible) container.visible = visible;
      if (!visible) continue;
      this.#drawIfChanged(piece, detail);
      const radius = this.#radius(token) / PIXELS_PER_CELL;
      boxes.push(boxAround(X, Y, radius, radius));
      if (piece.name) names.push(placeName(piece.name, X, Y, radius + NAME_DISTANCE, piece.nameHalf, names));
    }
    this.entityNames.draw(detail === 'labelled' ? [...boxes, ...names] : null, [left, top, right, bottom]);
    return moving;
  }

  /**
   * Redraw a token if its appearance has changed.
   * @param {Piece} piece  @param {'far' | 'near' | 'labelled'} detail
   */
  #drawIfChanged(piece, detail) {
    const { token } = piece;
    const image = this.pictures.get(token.asset_id);
    const isNew = piece.drawnToken !== token;
    const { id } = token;
    const state = `${id === this.selected} ${id === this.turn} ${this.defeated.has(id)} ${detail} ${!!image}`;
    if (!isNew && state === piece.state) return;
    const appearance = isNew ? JSON.stringify(APPEARANCE_FIELDS.map((name) => token[name])) : piece.appearance;
    const isSame = appearance === piece.appearance && state === piece.state;
    Object.assign(piece, { drawnToken: token, state, appearance });
    if (isSame) return;
    piece.near.visible = detail !== 'far';
    piece.far.visible = detail === 'far';
    piece.name = null;
    if (detail === 'far') this.#drawFar(piece);
    else this.#drawNear(piece, image, detail === 'labelled');
  }

  /** Zoomed out, a token consists of discs with one texture, so that all tokens are one batch. @param {Piece} piece */
  #drawFar({ token, far }) {
    for (const child of far.removeChildren()) child.destroy();
    far.alpha = this.#alpha(token);
    const side = (2 * this.#radius(token)) / PIXELS_PER_CELL;
    const add = (/** @type {Texture} */ texture, /** @type {number} */ size, /** @type {string | number} */ tint) => {
      const sprite = new Sprite({ texture, anchor: 0.5, tint });
      sprite.setSize(size * side);
      far.addChild(sprite);
    };
    if (token.id === this.turn || token.id === this.selected) add(this.disc, 1.8, HIGHLIGHT_COLOR);
    add(this.disc, 1.15, RINGS[token.disposition] ?? '#9aa5a8');
    add(this.disc, 0.85, colorOf(token));
  }

  /** @param {Piece} piece  @param {number} now  @returns {Pair} */
  #position(piece, now) {
    if (this.dragged?.id === piece.token.id) return this.dragged.at;
    if (!piece.path.length) return this.centre(piece.token);
    const duration = Math.min(piece.path.length * STEP_MS, MAX_MOVE_MS) / piece.path.length;
    const t = (now - piece.begin) / duration;
    const step = Math.floor(t);
    if (step >= piece.path.length || !piece.begin) {
      piece.path = [];
      return this.centre(piece.token);
    }
    const [from, to] = [step > 0 ? piece.path[step - 1] : piece.from, piece.path[Math.max(step, 0)]];
    const by = Math.max(t - step, 0);
    return [from[0] + (to[0] - from[0]) * by, from[1] + (to[1] - from[1]) * by];
  }

  /** @param {Piece} piece  @param {HTMLImageElement | null} image  @param {boolean} labels */
  #drawNear(piece, image, labels) {
    const { token, near: container } = piece;
    container.scale.set(1 / PIXELS_PER_CELL);
    for (const child of container.removeChildren()) child.destroy({ children: true });
    const radius = this.#radius(token);
    const fill = colorOf(token);
    container.alpha = this.#alpha(token);
    const disc = new Graphics();
    if (token.id === this.turn) disc.circle(0, 0, radius * 1.28).fill({ color: HIGHLIGHT_COLOR, alpha: 0.28 });
    if (token.id === this.selected)
      disc.circle(0, 0, radius * 1.16).stroke({ color: HIGHLIGHT_COLOR, width: 0.06 * PIXELS_PER_CELL });
    disc.circle(0, 0.03 * PIXELS_PER_CELL, radius * 1.04).fill({ color: 0x000000, alpha: 0.35 });
    disc.circle(0, 0, radius).fill(fill);
    container.addChild(disc);
    if (image) container.addChild(this.#portrait(image, radius, token.rotation ?? 0));
    else {
      const text = label(initials(token.name), radius * 0.95, inkOn([fill >> 16, (fill >> 8) & 255, fill & 255, 255]));
      container.addChild(text);
    }
    const ring = new Graphics();
    ring.circle(0, 0, radius).stroke({ color: 0xfffdf6, width: radius * 0.07 });
    ring.circle(0, 0, radius * 0.95).stroke({ color: RINGS[token.disposition] ?? '#9aa5a8', width: radius * 0.1 });
    if (token.rotation && !image) {
      const angle = ((token.rotation - 90) * Math.PI) / 180;
      ring.circle(Math.cos(angle) * radius, Math.sin(angle) * radius, radius * 0.12).fill(0xfffdf6);
    }
    if (token.hidden)
      ring.circle(0, 0, radius * 1.1).stroke({ color: 0xb9a4e0, width: 0.04 * PIXELS_PER_CELL, alpha: 0.9 });
    if (this.defeated.has(token.id)) {
      const reach = radius * 0.62;
      ring.moveTo(-reach, -reach).lineTo(reach, reach).moveTo(reach, -reach).lineTo(-reach, reach);
      ring.stroke({ color: 0xfffdf6, width: 0.08 * PIXELS_PER_CELL, cap: 'round' });
    }
    container.addChild(ring);
    this.#bars(container, token, radius);
    this.#conditions(container, token, radius);
    if (token.elevation) {
      const up = label(
        `${token.elevation > 0 ? '↑' : '↓'}${Math.abs(token.elevation)}`,
        0.22 * PIXELS_PER_CELL,
        '#fffdf6',
        OUTLINE,
      );
      up.position.set(radius * 0.8, -radius * 0.85);
      container.addChild(up);
    }
    if (!labels || !token.name) return;
    const name = nameLabel(token.name, '#fffdf6');
    name.position.set(0, radius + NAME_DISTANCE * PIXELS_PER_CELL);
    piece.name = name;
    piece.nameHalf = name.width / 2 / PIXELS_PER_CELL;
    container.addChild(name);
  }

  /** @param {Token} token */
  #alpha({ id, hidden }) {
    return hidden || this.defeated.has(id) ? 0.55 : 1;
  }

  /** In the token's own pixels. @param {Token} token */
  #radius(token) {
    return Math.max(token.size, 0.5) * (this.stage.document.geometry.isIsometric ? 0.3 : 0.44) * PIXELS_PER_CELL;
  }

  /** @param {HTMLImageElement} image  @param {number} radius  @param {number} rotation */
  #portrait(image, radius, rotation) {
    const container = new Container();
    const texture = this.portraits.get(image) ?? middleOf(image);
    this.portraits.set(image, texture);
    const sprite = new Sprite({ texture, anchor: 0.5, angle: rotation });
    sprite.setSize(2 * radius);
    const mask = new Graphics().circle(0, 0, radius).fill(0xffffff);
    container.addChild(sprite, mask);
    sprite.mask = mask;
    return container;
  }

  /** @param {Container} container  @param {Token} token  @param {number} radius */
  #bars(container, token, radius) {
    const bars = (token.bars ?? []).filter(({ max }) => max > 0);
    const graphics = new Graphics();
    const rest = bars.length - MAX_BADGES;
    if (rest > 0)
      container.addChild(overflowLabel(rest, radius, -radius - (0.13 + MAX_BADGES * 0.13) * PIXELS_PER_CELL));
    bars.slice(0, MAX_BADGES).forEach(({ value, max }, i) => {
      const [width, height] = [radius * 1.6, 0.09 * PIXELS_PER_CELL];
      const y = -radius - (0.13 + i * 0.13) * PIXELS_PER_CELL;
      graphics.roundRect(-width / 2, y, width, height, 0.04 * PIXELS_PER_CELL).fill({ color: 0x0d1214, alpha: 0.8 });
      const part = Math.min(Math.max(value / max, 0), 1);
      if (part > 0)
        graphics
          .roundRect(-width / 2, y, width * part, height, 0.04 * PIXELS_PER_CELL)
          .fill(BAR_COLORS[i % BAR_COLORS.length]);
    });
    container.addChild(graphics);
  }

  /** @param {Container} container  @param {Token} token  @param {number} radius */
  #conditions(container, token, radius) {
    const conditions = token.conditions ?? [];
    const rest = conditions.length - MAX_BADGES;
    if (rest > 0) container.addChild(overflowLabel(rest, radius * 0.9, radius * 0.2));
    conditions.slice(0, MAX_BADGES).forEach((condition, i) => {
      const angle = Math.PI * (0.75 - i * 0.22);
      const badge = new Container();
      badge.addChild(
        new Graphics()
          .circle(0, 0, 0.12 * PIXELS_PER_CELL)
          .fill(0x3a2b52)
          .stroke({ color: 0xd8c6f5, width: 0.02 * PIXELS_PER_CELL }),
      );
      badge.addChild(label(condition.slice(0, 1).toUpperCase(), 0.15 * PIXELS_PER_CELL, '#f3ebff'));
      badge.position.set(Math.cos(angle) * radius, Math.sin(angle) * radius);
      container.addChild(badge);
    });
  }

  /**
   * The topmost token at a point, or null.
   * @param {number} px  @param {number} py
   * @returns {Token | null}
   */
  at(px, py) {
    const tokens = [...this.pieces.values()].map(({ token }) => token);
    return tokenAt(this.stage.document.geometry, tokens, px, py);
  }
}

/**
 * Place the name of a token `below` its centre, or a line or two further below, where it overlaps no other name.
 * @param {import('../../vendor/pixi.js').Text} name  @param {number} X  @param {number} Y  @param {number} below
 * @param {number} half  @param {import('./labels.js').Box[]} others
 */
function placeName(name, X, Y, below, half, others) {
  const boxes = [0, 1, 2].map((line) => boxAround(X, Y + below + line * NAME_SIZE, half));
  const line = boxes.findIndex((box) => !others.some((other) => overlap(other, box)));
  const y = (below + Math.max(line, 0) * NAME_SIZE) * PIXELS_PER_CELL;
  if (name.y !== y) name.y = y;
  return boxes[Math.max(line, 0)];
}

/** A label with the number of further items. @param {number} count  @param {number} x  @param {number} y */
function overflowLabel(count, x, y) {
  const text = label(`+${count}`, 0.22 * PIXELS_PER_CELL, '#fffdf6', OUTLINE);
  text.position.set(x, y);
  return text;
}

/** @type {(keyof Token)[]} */
const APPEARANCE_FIELDS = [
  'name',
  'size',
  'color',
  'asset_id',
  'disposition',
  'hidden',
  'rotation',
  'elevation',
  'bars',
  'conditions',
];

/** @param {Token} token  @returns {number} */
function colorOf({ color }) {
  const [red, green, blue] = parseColor(color) ?? [96, 112, 122];
  return (red << 16) | (green << 8) | blue;
}

/** The square in the middle of a picture. @param {HTMLImageElement} image */
function middleOf(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const side = Math.min(width, height);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = Math.min(side, MAX_PORTRAIT_SIDE);
  const [left, top] = [(width - side) / 2, (height - side) / 2];
  contextOf(canvas).drawImage(image, left, top, side, side, 0, 0, canvas.width, canvas.width);
  return Texture.from({ resource: canvas, autoGenerateMipmaps: true }, true);
}

/** A white disc, to be tinted. */
function whiteDisc() {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const context = contextOf(canvas);
  context.fillStyle = '#fff';
  context.arc(32, 32, 31, 0, 2 * Math.PI);
  context.fill();
  return Texture.from({ resource: canvas, autoGenerateMipmaps: true }, true);
}
