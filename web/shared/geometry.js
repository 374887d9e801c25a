/**
 * Where cells lie, for each type of grid: the same three kinds of coordinates as the server's geometry.
 *
 * - cell (x, y): whole numbers. Hexes are staggered as Tiled does with stagger index "odd": odd rows lie half a
 *   cell further right (hex_row), odd columns half a cell further down (hex_column).
 * - point (px, py): fractions, as walls, doors and lights have them; a cell is 1 wide.
 * - picture (X, Y): where a point is drawn, in widths of a cell. Only isometric maps differ from points: they are
 *   drawn as diamonds twice as wide as high, with the cell (0, 0) at the top.
 *
 * Source of the hexes: Red Blob Games, "Hexagonal Grids" (odd-r, odd-q, axial, rounding, line drawing).
 */

const LINE = Math.sqrt(3) / 2; // from one staggered line of centres to the next
const RADIUS = 1 / Math.sqrt(3); // from the centre of a hexagon to a corner

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

const STRAIGHT = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
];
const AXIAL = [
  [1, 0],
  [0, 1],
  [-1, 1],
  [-1, 0],
  [0, -1],
  [1, -1],
];

const between = (value, low, high) => Math.min(Math.max(value, low), high);

export class Geometry {
  /** @param {string} type square, hex_row, hex_column, isometric or none  @param {number} width and height in cells */
  constructor(type, width, height) {
    Object.assign(this, { type, width, height });
    this.isHex = type === 'hex_row' || type === 'hex_column';
    this.isIsometric = type === 'isometric';
    this.steps = this.isHex ? AXIAL : STRAIGHT;
    this.outline = CORNERS[type] ?? CORNERS.square;
  }

  holds(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /** Coordinates in which the steps to the neighbours are the same everywhere: axial ones for hexes. */
  toLattice(x, y) {
    if (this.type === 'hex_row') return [x - (y >> 1), y];
    if (this.type === 'hex_column') return [y - (x >> 1), x];
    return [x, y];
  }

  fromLattice(u, v) {
    if (this.type === 'hex_row') return [u + (v >> 1), v];
    if (this.type === 'hex_column') return [v, u + (v >> 1)];
    return [u, v];
  }

  centre(x, y) {
    if (!this.isHex) return [x + 0.5, y + 0.5];
    const [u, v] = this.toLattice(x, y);
    const along = u + v / 2 + 0.5;
    const across = v * LINE + RADIUS;
    return this.type === 'hex_row' ? [along, across] : [across, along];
  }

  cellAt(px, py) {
    if (!this.isHex) return [Math.floor(px), Math.floor(py)];
    const [along, across] = this.type === 'hex_row' ? [px, py] : [py, px];
    const v = (across - RADIUS) / LINE;
    return this.fromLattice(...roundHex(along - 0.5 - v / 2, v));
  }

  corners(x, y) {
    const [px, py] = this.centre(x, y);
    return this.outline.map(([dx, dy]) => [px + dx, py + dy]);
  }

  /** Width and height of the map as a plane figure of points. */
  get extent() {
    const { width, height } = this;
    if (!width || !height) return [0, 0];
    if (this.type === 'hex_row') return [width + (height > 1 ? 0.5 : 0), (height - 1) * LINE + 2 * RADIUS];
    if (this.type === 'hex_column') return [(width - 1) * LINE + 2 * RADIUS, height + (width > 1 ? 0.5 : 0)];
    return [width, height];
  }

  project(px, py) {
    return this.isIsometric ? [(px - py + this.height) / 2, (px + py) / 4] : [px, py];
  }

  unproject(X, Y) {
    if (!this.isIsometric) return [X, Y];
    const difference = 2 * X - this.height;
    return [(4 * Y + difference) / 2, (4 * Y - difference) / 2];
  }

  /** Width and height of the picture of the whole map. */
  get pictureSize() {
    return this.isIsometric ? [(this.width + this.height) / 2, (this.width + this.height) / 4] : this.extent;
  }

  /** The bounding box of one drawn cell about its drawn centre. */
  get cellBox() {
    if (this.isIsometric) return [1, 0.5];
    if (this.type === 'hex_row') return [1, 2 * RADIUS];
    if (this.type === 'hex_column') return [2 * RADIUS, 1];
    return [1, 1];
  }

  /** The corners of a drawn cell relative to its drawn centre. */
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

  /** The cells [x0, y0, x1, y1) that a rectangle of the picture may show. */
  visible(left, top, right, bottom) {
    const points = [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
    ].map(([X, Y]) => this.unproject(X, Y));
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

  /** The cells that share a side with a cell, also those off the map. */
  neighbours(x, y) {
    const [u, v] = this.toLattice(x, y);
    return this.steps.map(([du, dv]) => this.fromLattice(u + du, v + dv));
  }

  /** The cells on the straight line between two cells, ends included, without gaps. */
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
      // A nudge off the borders between cells, so that a line back takes the same cells.
      const [u, v] = [u0 + du * t + 1e-6, v0 + dv * t + 2e-6];
      cells.push(this.fromLattice(...(this.isHex ? roundHex(u, v) : [Math.round(u), Math.round(v)])));
    }
    return cells;
  }

  /** The cells of a rectangle between two corner cells, in rows and columns of the document. */
  rectangle([xa, ya], [xb, yb]) {
    const [x0, y0] = [Math.max(Math.min(xa, xb), 0), Math.max(Math.min(ya, yb), 0)];
    const [x1, y1] = [Math.min(Math.max(xa, xb), this.width - 1), Math.min(Math.max(ya, yb), this.height - 1)];
    return { x: x0, y: y0, width: Math.max(x1 - x0 + 1, 0), height: Math.max(y1 - y0 + 1, 0) };
  }

  /** The cells of a brush 1, 3 or 5 across: a square, or on hexes all within 0, 1 or 2 steps. */
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

  /** The side of a cell of the map that is nearest to a point, as [x1, y1, x2, y2] in points; null off the map. */
  nearestSide(px, py) {
    const [x, y] = this.cellAt(px, py);
    if (!this.holds(x, y)) return null;
    const corners = this.corners(x, y);
    let best = null;
    let least = Infinity;
    corners.forEach((a, i) => {
      const b = corners[(i + 1) % corners.length];
      const away = distanceToSegment(px, py, ...a, ...b);
      if (away < least) [least, best] = [away, [a, b]];
    });
    // Always in the same direction, whichever cell the side was reached from.
    const [[x1, y1], [x2, y2]] = best.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return [x1, y1, x2, y2].map(tidy);
  }

  /** The corner of a cell that is nearest to a point, within the map. */
  nearestCorner(px, py) {
    const [x, y] = this.cellAt(px, py);
    const inside = [between(x, 0, this.width - 1), between(y, 0, this.height - 1)];
    const [nearest] = this.corners(...inside).sort(
      (a, b) => Math.hypot(a[0] - px, a[1] - py) - Math.hypot(b[0] - px, b[1] - py),
    );
    return nearest.map(tidy);
  }

  /** The indexes of the cells that hang together with (x, y) by their sides; `same(index)` says which belong. */
  flood(x, y, same) {
    const { width, height } = this;
    if (!this.holds(x, y)) return [];
    const seen = new Uint8Array(width * height);
    const found = [];
    const waiting = [y * width + x];
    const steps = BESIDE[this.type] ?? [STRAIGHT, STRAIGHT];
    seen[waiting[0]] = 1;
    while (waiting.length) {
      const index = waiting.pop();
      if (!same(index)) continue;
      found.push(index);
      const cx = index % width;
      const cy = (index - cx) / width;
      const beside = steps[this.type === 'hex_row' ? cy & 1 : cx & 1];
      // The hot loop: nothing is allocated in it.
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

/** Cube rounding: the coordinate that was rounded the most is set from the two others. */
function roundHex(u, v) {
  let [ru, rv] = [Math.round(u), Math.round(v)];
  const rw = Math.round(-u - v);
  const [du, dv, dw] = [Math.abs(ru - u), Math.abs(rv - v), Math.abs(rw + u + v)];
  if (du > dv && du > dw) ru = -rv - rw;
  else if (dv > dw) rv = -ru - rw;
  return [ru, rv];
}

export function distanceToSegment(px, py, x1, y1, x2, y2) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const long = dx * dx + dy * dy;
  const t = long ? between(((px - x1) * dx + (py - y1) * dy) / long, 0, 1) : 0;
  return Math.hypot(px - x1 - t * dx, py - y1 - t * dy);
}

/** A coordinate without the noise of floating point. */
export const tidy = (value) => Math.round(value * 1e4) / 1e4;
