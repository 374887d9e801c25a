/**
 * Decides on the resolution while the view moves: if drawing is too slow, as without a graphics card, the map is drawn
 * with fewer pixels until the view stands still.
 */

const SLOW_FRAME_MS = 26; // per frame on average, above which the resolution is reduced
const STILL_MS = 180; // without movement

export class Pace {
  /**
   * @param {() => void} changed  is called when `isReduced` has changed
   * @param {() => boolean} isAwaited  whether a frame was requested
   */
  constructor(changed, isAwaited) {
    this.changed = changed;
    this.isAwaited = isAwaited;
    /** Whether to draw with fewer pixels. */
    this.isReduced = false;
    /** The average milliseconds per frame at full resolution. */
    this.average = 0;
    this.last = 0;
    this.timer = 0;
    this.seen = '';
  }

  /**
   * Must be called at the beginning of each frame.
   * @param {number} now  @param {string} view  identifies the view; a different value is a movement
   */
  frame(now, view) {
    const moved = view !== this.seen;
    this.seen = view;
    if (!moved) return;
    const taken = now - this.last;
    this.last = now;
    if (!this.isReduced && taken < STILL_MS) this.average += (Math.min(taken, 100) - this.average) * 0.3;
    if (!this.isReduced && this.average > SLOW_FRAME_MS) this.#set(true);
    this.#wait();
  }

  #wait() {
    clearTimeout(this.timer);
    if (this.isReduced) this.timer = window.setTimeout(() => this.#rest(), STILL_MS);
  }

  #rest() {
    if (this.isAwaited()) return this.#wait();
    // Lower the average, so that full resolution is tried again: the machine may only have been busy.
    this.average *= 0.9;
    this.#set(false);
  }

  /** @param {boolean} isReduced */
  #set(isReduced) {
    this.isReduced = isReduced;
    this.changed();
  }
}
