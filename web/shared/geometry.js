/**
 * The geometry of each type of grid, with the same three kinds of coordinates as on the server.
 *
 * - cell (x, y): whole numbers. Hexes are staggered as Tiled does with stagger index "odd": odd rows lie half a
 *   cell further right (hex_row), odd columns half a cell further down (hex_column).
 * - point (px, py): fractions, as for walls, doors and lights; a cell is 1 wide.
 * - picture (X, Y): where a point is drawn, in widths of a cell. It equals the point, except on isometric maps: they
 *   are drawn as diamonds twice as wide as high, with the cell (0, 0) at the top.
 *
 * Source of the hexes: Red Blob Games, "Hexagonal Grids" (odd-r, odd-q, axial, rounding, line drawing).
 *
 * @typedef {[number, number]} Pair  a cell, a point, or a position in the picture
 * @typedef {[number, number, number, number]} Quad  two pairs: a segment [x1, y1, x2, y2], a range [x0, y0, x1, y1)
 * @typedef {{x: number, y: number, width: number, height: number}} Rectangle
 * @typedef {'square' | 'hex_row' | 'hex_column' | 'isometric' | 'none'} GridType
 */

const LINE = Math.sqrt(3) / 2; // from one staggered line of centres to the next
const RADIUS = 1 / Math.sqrt(3); // from the centre of a hexagon to a corner

/** @type {Record<string, Pair[]>} */
const CORNERS = {
  square: [
    [-0.5, -0.5],
    [0.5, -0.5],
    [0.5, 0.5],
    [-0.5, 0.5],
  ],
  hex_row: [
    [0, -RADIUS],
    [0.5, -RADIUS / 2],
    [0.5, RADIUS / 2],
    [0, RADIUS],
    [-0.5, RADIUS / 2],
    [-0.5, -RADIUS / 2],
  ],
  hex_column: [
    [-RADIUS / 2, -0.5],
    [RADIUS / 2, -0.5],
    [RADIUS, 0],
    [RADIUS / 2, 0.5],
    [-RADIUS / 2, 0.5],
    [-RADIUS, 0],
  ],
};

/** @type {Pair[]} */
const STRAIGHT = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];
/** @type {Pair[]} */
const AXIAL = [
  [1, 0],
  [0, 1],
  [-1, 1],
  [-1, 0],
  [0, -1],
  [1, -1],
];

/** @type {(value: number, low: number, high: number) => number} */
const between = (value, low, high) => Math.min(Math.max(value, low), high);

export class Geometry {
  /**
   * @param {GridType} type
   * @param {number} width  cells
   * @param {number} height  cells
   */
  constructor(type, width, height) {
    this.type = type;
    this.width = width;
    this.height = height;
    this.isHex = type === 'hex_row' || type === 'hex_column';
    this.isIsometric = type === 'isometric';
    /** Whether cells are drawn as squares. */
    this.isSquare = !this.isHex && !this.isIsometric;
    this.steps = this.isHex ? AXIAL : STRAIGHT;
    this.outline = CORNERS[type] ?? CORNERS.square;
  }

  /**
   * Whether a cell is on the map.
   * @param {number} x
   * @param {number} y
   */
  holds(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /**
   * Coordinates in which the steps to the neighbours are the same for all cells: axial ones for hexes.
   * @param {number} x
   * @param {number} y
   * @returns {Pair}
   */
  toLattice(x, y) {
    if (this.type === 'hex_row') return [x - (y >> 1), y];
    if (this.type === 'hex_column') return [y - (x >> 1), x];
    return [x, y];
  }

  /**
   * @param {number} u
   * @param {number} v
   * @returns {Pair} the cell
   */
  fromLattice(u, v) {
    if (this.type === 'hex_row') return [u + (v >> 1), v];
    if (this.type === 'hex_column') return [v, u + (v >> 1)];
    return [u, v];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Pair} the centre of a cell, as a point
   */
  centre(x, y) {
    if (!this.isHex) return [x + 0.5, y + 0.5];
    const [u, v] = this.toLattice(x, y);
    const along = u + v / 2 + 0.5;
    const across = v * LINE + RADIUS;
    return this.type === 'hex_row' ? [along, across] : [across, along];
  }

  /**
   * @param {number} px
   * @param {number} py
   * @returns {Pair} the cell that contains a point, also outside the map
   */
  cellAt(px, py) {
    if (!this.isHex) return [Math.floor(px), Math.floor(py)];
    const [along, across] = this.type === 'hex_row' ? [px, py] : [py, px];
    const v = (across - RADIUS) / LINE;
    return this.fromLattice(...roundHex(along - 0.5 - v / 2, v));
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Pair[]} the corners of a cell, as points
   */
  corners(x, y) {
    const [px, py] = this.centre(x, y);
    return this.outline.map(([dx, dy]) => [px + dx, py + dy]);
  }

  /**
   * Width and height of the map in points.
   * @returns {Pair}
   */
  get extent() {
    const { width, height } = this;
    if (!width || !height) return [0, 0];
    if (this.type === 'hex_row') return [width + (height > 1 ? 0.5 : 0), (height - 1) * LINE + 2 * RADIUS];
    if (this.type === 'hex_column') return [(width - 1) * LINE + 2 * RADIUS, height + (width > 1 ? 0.5 : 0)];
    return [width, height];
  }

  /**
   * @param {number} px
   * @param {number} py
   * @returns {Pair} where a point is drawn
   */
  project(px, py) {
    return this.isIsometric ? [(px - py + this.height) / 2, (px + py) / 4] : [px, py];
  }

  /**
   * @param {number} X
   * @param {number} Y
   * @returns {Pair} the point that is drawn there
   */
  unproject(X, Y) {
    if (!this.isIsometric) return [X, Y];
    const difference = 2 * X - this.height;
    return [(4 * Y + difference) / 2, (4 * Y - difference) / 2];
  }

  /**
   * Width and height of the picture of the whole map.
   * @returns {Pair}
   */
  get pictureSize() {
    return this.isIsometric ? [(this.width + this.height) / 2, (this.width + this.height) / 4] : this.extent;
  }

  /**
   * Width and height of one drawn cell.
   * @returns {Pair}
   */
  get cellBox() {
    if (this.isIsometric) return [1, 0.5];
    if (this.type === 'hex_row') return [1, 2 * RADIUS];
    if (this.type === 'hex_column') return [2 * RADIUS, 1];
    return [1, 1];
  }

  /**
   * The corners of a drawn cell relative to its drawn centre.
   * @returns {Pair[]}
   */
  get drawnOutline() {
    return this.isIsometric
      ? [
          [0, -0.25],
          [0.5, 0],
          [0, 0.25],
          [-0.5, 0],
        ]
      : this.outline;
  }

  /**
   * A range of cells [x0, y0, x1, y1) that contains all cells in a rectangle of the picture.
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @returns {Quad}
   */
  visible(left, top, right, bottom) {
    const corners = [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
    ];
    const points = corners.map(([X, Y]) => this.unproject(X, Y));
    let [x0, y0] = [Math.min(...points.map((p) => p[0])), Math.min(...points.map((p) => p[1]))];
    let [x1, y1] = [Math.max(...points.map((p) => p[0])), Math.max(...points.map((p) => p[1]))];
    if (this.type === 'hex_row') [y0, y1, x0] = [y0 / LINE, y1 / LINE, x0 - 0.5];
    if (this.type === 'hex_column') [x0, x1, y0] = [x0 / LINE, x1 / LINE, y0 - 0.5];
    const around = this.isHex ? 1 : 0;
    return [
      between(Math.floor(x0) - around, 0, this.width),
      between(Math.floor(y0) - around, 0, this.height),
      between(Math.ceil(x1) + around, 0, this.width),
      between(Math.ceil(y1) + around, 0, this.height),
    ];
  }

  /**
   * The cells that share a side with a cell, also those outside the map.
   * @param {number} x
   * @param {number} y
   */
  neighbours(x, y) {
    const [u, v] = this.toLattice(x, y);
    return this.steps.map(([du, dv]) => this.fromLattice(u + du, v + dv));
  }

  /**
   * The neighbour of a cell in a direction on the screen. Of two possible hexes, it is the one in the same column or
   * row, so that steps back and forth stay on a straight line. Diamonds are turned: up leads to the upper right, so that
   * four directions lead along their sides and reach every cell.
   * @param {Pair} cell
   * @param {Pair} direction  steps of -1, 0 or 1 across and down on the screen
   * @returns {Pair}
   */
  beside([x, y], [dx, dy]) {
    if (!this.isHex) return [x + dx, y + dy];
    const [px, py] = this.centre(x, y);
    const length = Math.hypot(dx, dy);
    const ranked = this.neighbours(x, y).map((cell) => {
      const [nx, ny] = this.centre(...cell);
      const ahead = tidy(((nx - px) * dx + (ny - py) * dy) / length);
      return { cell, ahead, aside: Math.abs(cell[0] - x) + Math.abs(cell[1] - y) };
    });
    ranked.sort((a, b) => b.ahead - a.ahead || a.aside - b.aside);
    return ranked[0].cell;
  }

  /**
   * The cells on the straight line between two cells, ends included, without gaps.
   * @param {Pair} from
   * @param {Pair} to
   */
  line([x0, y0], [x1, y1]) {
    const [u0, v0] = this.toLattice(x0, y0);
    const [u1, v1] = this.toLattice(x1, y1);
    const [du, dv] = [u1 - u0, v1 - v0];
    const count = this.isHex
      ? Math.max(Math.abs(du), Math.abs(dv), Math.abs(du + dv))
      : Math.max(Math.abs(du), Math.abs(dv));
    const cells = [];
    for (let i = 0; i <= count; i++) {
      const t = count ? i / count : 0;
      // A small offset from the borders between cells, so that the line back has the same cells.
      const [u, v] = [u0 + du * t + 1e-6, v0 + dv * t + 2e-6];
      const [ru, rv] = this.isHex ? roundHex(u, v) : [Math.round(u), Math.round(v)];
      cells.push(this.fromLattice(ru, rv));
    }
    return cells;
  }

  /**
   * The rectangle between two corner cells, in rows and columns of the document, clipped to the map.
   * @param {Pair} one
   * @param {Pair} other
   * @returns {Rectangle}
   */
  rectangle([xa, ya], [xb, yb]) {
    const [x0, y0] = [Math.max(Math.min(xa, xb), 0), Math.max(Math.min(ya, yb), 0)];
    const [x1, y1] = [Math.min(Math.max(xa, xb), this.width - 1), Math.min(Math.max(ya, yb), this.height - 1)];
    return { x: x0, y: y0, width: Math.max(x1 - x0 + 1, 0), height: Math.max(y1 - y0 + 1, 0) };
  }

  /**
   * The cells of a brush 1, 3 or 5 cells wide: a square, or on hexes all cells within 0, 1 or 2 steps.
   * @param {number} x
   * @param {number} y
   * @param {number} size
   */
  brush(x, y, size) {
    const reach = (size - 1) / 2;
    const [u, v] = this.toLattice(x, y);
    const cells = [];
    for (let dv = -reach; dv <= reach; dv++) {
      for (let du = -reach; du <= reach; du++) {
        if (this.isHex && Math.abs(du + dv) > reach) continue;
        const cell = this.fromLattice(u + du, v + dv);
        if (this.holds(...cell)) cells.push(cell);
      }
    }
    return cells;
  }

  /**
   * The side of a cell that is nearest to a point; null outside the map.
   * @param {number} px
   * @param {number} py
   * @returns {Quad | null}
   */
  nearestSide(px, py) {
    const [x, y] = this.cellAt(px, py);
    if (!this.holds(x, y)) return null;
    const corners = this.corners(x, y);
    const sides = corners.map((a, i) => [a, corners[(i + 1) % corners.length]]);
    const away = sides.map(([[ax, ay], [bx, by]]) => distanceToSegment(px, py, ax, ay, bx, by));
    // Always in the same direction, for both cells that share the side.
    const [[x1, y1], [x2, y2]] = sides[away.indexOf(Math.min(...away))].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return [tidy(x1), tidy(y1), tidy(x2), tidy(y2)];
  }

  /**
   * The corner of a cell that is nearest to a point, within the map.
   * @param {number} px
   * @param {number} py
   * @returns {Pair}
   */
  nearestCorner(px, py) {
    const [x, y] = this.cellAt(px, py);
    const corners = this.corners(between(x, 0, this.width - 1), between(y, 0, this.height - 1));
    const [[nx, ny]] = corners.sort((a, b) => Math.hypot(a[0] - px, a[1] - py) - Math.hypot(b[0] - px, b[1] - py));
    return [tidy(nx), tidy(ny)];
  }

  /**
   * The indexes of the cells that are connected to (x, y) through their sides.
   * @param {number} x
   * @param {number} y
   * @param {(index: number) => boolean} same  whether a cell belongs
   */
  flood(x, y, same) {
    const { width, height } = this;
    if (!this.holds(x, y)) return [];
    const seen = new Uint8Array(width * height);
    /** @type {number[]} */
    const found = [];
    const waiting = [y * width + x];
    const steps = BESIDE[this.type] ?? [STRAIGHT, STRAIGHT];
    seen[waiting[0]] = 1;
    for (let index; (index = waiting.pop()) !== undefined;) {
      if (!same(index)) continue;
      found.push(index);
      const cx = index % width;
      const cy = (index - cx) / width;
      const beside = steps[this.type === 'hex_row' ? cy & 1 : cx & 1];
      // A hot loop: it must not allocate.
      for (let i = 0; i < beside.length; i++) {
        const nx = cx + beside[i][0];
        const ny = cy + beside[i][1];
        if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
        const next = ny * width + nx;
        if (seen[next]) continue;
        seen[next] = 1;
        waiting.push(next);
      }
    }
    return found;
  }
}

// Steps in cells to the neighbours of hexes in even and odd lines, for the hot loop of the flood.
/** @type {Record<string, Pair[][]>} */
const BESIDE = {
  hex_row: [
    [
      [1, 0],
      [-1, 0],
      [-1, -1],
      [0, -1],
      [-1, 1],
      [0, 1],
    ],
    [
      [1, 0],
      [-1, 0],
      [0, -1],
      [1, -1],
      [0, 1],
      [1, 1],
    ],
  ],
  hex_column: [
    [
      [0, 1],
      [0, -1],
      [-1, -1],
      [-1, 0],
      [1, -1],
      [1, 0],
    ],
    [
      [0, 1],
      [0, -1],
      [-1, 0],
      [-1, 1],
      [1, 0],
      [1, 1],
    ],
  ],
};

/**
 * Cube rounding: the coordinate that was rounded the most is set from the two others.
 * @param {number} u
 * @param {number} v
 * @returns {Pair}
 */
function roundHex(u, v) {
  let [ru, rv] = [Math.round(u), Math.round(v)];
  const rw = Math.round(-u - v);
  const [du, dv, dw] = [Math.abs(ru - u), Math.abs(rv - v), Math.abs(rw + u + v)];
  if (du > dv && du > dw) ru = -rv - rw;
  else if (dv > dw) rv = -ru - rw;
  return [ru, rv];
}

/**
 * @param {number} px
 * @param {number} py
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 */
export function distanceToSegment(px, py, x1, y1, x2, y2) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const long = dx * dx + dy * dy;
  const t = long ? between(((px - x1) * dx + (py - y1) * dy) / long, 0, 1) : 0;
  return Math.hypot(px - x1 - t * dx, py - y1 - t * dy);
}

/** A coordinate without floating-point noise. */
export const tidy = (/** @type {number} */ value) => Math.round(value * 1e4) / 1e4;
