/** Draws tokens above the map, and the fog of what a player sees of it. */

import { css, parseColor } from '../../../web/shared/tiles.js';
import { drawNames } from '../../../web/shared/object-drawing.js';
import { RINGS, initials, letteringOn, tokenCentre } from '../../../web/shared/token.js';

/**
 * @typedef {import('../../../web/shared/geometry.js').Quad} Quad
 * @typedef {import('../../../web/shared/renderer.js').Drawing} Drawing
 * @typedef {import('./map-tokens.js').Token} Token
 */

/** The ring of a token that players do not see. */
const HIDDEN = '#7d5aa6';
/** What covers cells that were never seen, and those that are out of sight. */
const FOG = { 0: 'rgb(9, 13, 15)', 1: 'rgba(9, 13, 15, 0.56)' };

/**
 * @param {Drawing} drawing  @param {Token[]} tokens  @param {string | null} selected  the id of one of them
 */
export function drawTokens(drawing, tokens, selected) {
  const { doc, view, state, unit } = drawing;
  const shown = tokens.filter((token) => {
    const [sx, sy] = view.toScreen(...tokenCentre(doc.geometry, token));
    const reach = 2 * unit * Math.max(token.size, 1);
    return sx > -reach && sy > -reach && sx < view.width + reach && sy < view.height + reach;
  });
  // Large ones below, the selected one on top.
  const rank = (/** @type {Token} */ token) => (token.id === selected ? 0 : token.size);
  for (const token of shown.sort((a, b) => rank(b) - rank(a))) drawToken(drawing, token, token.id === selected);
  if (!state.options.labels || view.scale < 30 * view.ratio) return;
  const names = shown.map((token) => ({
    text: token.name,
    point: tokenCentre(doc.geometry, token),
    below: radiusOf(drawing, token) * 1.12,
  }));
  drawNames(drawing, names);
}

/** In device pixels. @param {Drawing} drawing  @param {Token} token */
const radiusOf = ({ doc, unit, pixel }, { size }) =>
  Math.max(2 * pixel, Math.max(size, 0.5) * unit * (doc.geometry.isIsometric ? 0.3 : 0.44));

/** @param {Drawing} drawing  @param {Token} token  @param {boolean} selected */
function drawToken(drawing, token, selected) {
  const { context, doc, view, state, unit, pixel } = drawing;
  const [x, y] = view.toScreen(...tokenCentre(doc.geometry, token));
  const r = radiusOf(drawing, token);
  context.save();
  if (token.hidden) context.globalAlpha = 0.6;
  drawFace(drawing, token, x, y, r);
  const ring = (/** @type {number} */ radius, /** @type {string} */ color, /** @type {number} */ width) => {
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  };
  if (unit >= 9) {
    ring(r, '#fffdf6', Math.max(r * 0.08, pixel));
    ring(r * 0.94, RINGS[token.disposition] ?? '#9aa5a8', r * 0.12);
  }
  context.globalAlpha = 1;
  if (token.hidden && unit >= 9) {
    context.setLineDash([4 * pixel, 3 * pixel]);
    ring(r + 2 * pixel, HIDDEN, 1.5 * pixel);
    context.setLineDash([]);
  }
  if (selected) {
    ring(r + 4 * pixel, '#fff', 4.5 * pixel);
    ring(r + 4 * pixel, state.theme.accent, 2.5 * pixel);
  }
  context.restore();
}

/**
 * The picture of a token, else its colour and initials.
 * @param {Drawing} drawing  @param {Token} token  @param {number} x  @param {number} y  @param {number} r
 */
function drawFace({ context, state }, token, x, y, r) {
  const color = parseColor(token.color) ?? [96, 112, 122, 255];
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fillStyle = css(color);
  context.fill();
  const image = state.pictures.get(token.asset_id);
  if (image) {
    context.save();
    context.clip();
    context.translate(x, y);
    context.rotate(((token.rotation ?? 0) * Math.PI) / 180);
    const by = (2 * r) / Math.min(image.naturalWidth, image.naturalHeight);
    const [width, height] = [image.naturalWidth * by, image.naturalHeight * by];
    context.drawImage(image, -width / 2, -height / 2, width, height);
    context.restore();
  } else if (r >= 6) {
    context.font = `600 ${Math.round(r * 0.9)}px ui-sans-serif, system-ui, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillStyle = letteringOn(color);
    context.fillText(initials(token.name), x, y + r * 0.05);
  }
}

/**
 * Cover cells that are not in sight.
 * @param {Drawing} drawing  @param {Quad} range
 * @param {string[]} rows  a character a cell: 0 never seen, 1 seen before, 2 in sight
 */
export function drawFog(drawing, range, rows) {
  const { context } = drawing;
  for (const [sign, color] of Object.entries(FOG)) {
    context.beginPath();
    traceCells(drawing, range, rows, sign);
    context.fillStyle = color;
    context.fill();
  }
}

/** @param {Drawing} drawing  @param {Quad} range  @param {string[]} rows  @param {string} sign */
function traceCells({ context, doc, view, unit }, [x0, y0, x1, y1], rows, sign) {
  const { geometry } = doc;
  const trace = (/** @type {import('../../../web/shared/geometry.js').Pair[]} */ corners) => {
    corners.forEach((corner, i) => {
      const [sx, sy] = view.toScreen(...corner).map(Math.round);
      if (i) context.lineTo(sx, sy);
      else context.moveTo(sx, sy);
    });
    context.closePath();
  };
  for (let y = Math.max(y0, 0); y < Math.min(y1, rows.length); y++) {
    const row = rows[y];
    for (let x = row.indexOf(sign, Math.max(x0, 0)); x >= 0 && x < x1; x = row.indexOf(sign, x)) {
      let end = x + 1;
      while (end < x1 && row[end] === sign) end++;
      if (!geometry.isHex) {
        trace([
          [x, y],
          [end, y],
          [end, y + 1],
          [x, y + 1],
        ]);
        x = end;
      } else {
        for (; x < end; x++) {
          // Far out a hex is a few pixels.
          if (unit >= 4) trace(geometry.corners(x, y));
          else {
            const [cx, cy] = view.toScreen(...geometry.centre(x, y));
            context.rect(cx - unit / 2, cy - unit / 2, unit, unit);
          }
        }
      }
    }
  }
}
