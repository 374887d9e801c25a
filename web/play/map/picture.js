/**
 * Where a picture of the map is on screen that was drawn larger than the window. While the view moves, the picture is
 * moved and scaled instead of drawing the map in each frame, which takes too long without a graphics card.
 */

export const MARGIN = 1 / 4; // of the window's width and height, beyond each of its sides
const MAX_ENLARGED = 2; // beyond which the map is drawn anew: it would be too blurred

export class Picture {
  /** @param {import('../../shared/view.js').View} view  that is drawn in the middle of the picture */
  constructor({ x, y, scale, width, height }) {
    const [across, down] = [width * MARGIN, height * MARGIN];
    // The map's begin in the picture, its scale, and the picture's size, in device pixels.
    this.x = x + across;
    this.y = y + down;
    this.scale = scale;
    this.width = width + 2 * across;
    this.height = height + 2 * down;
  }

  /**
   * The position in the window and the factor by which the picture shows this view; null if it does not.
   * @param {import('../../shared/view.js').View} view
   */
  place({ x, y, scale, width, height }) {
    const by = scale / this.scale;
    const [left, top] = [x - this.x * by, y - this.y * by];
    const covers = left <= 0 && top <= 0 && left + this.width * by >= width && top + this.height * by >= height;
    return covers && by <= MAX_ENLARGED ? { left, top, by } : null;
  }
}
