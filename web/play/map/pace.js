/**
 * Adapts the resolution while the view moves: if drawing is too slow, as without a graphics card, the map is drawn with
 * fewer pixels until the view stands still.
 */

const SLOW = 26; // milliseconds per frame on average, above which the resolution is reduced
const STILL = 180; // milliseconds without movement
const SAVED = 0.5; // the reduced share of the pixels' width and height

export class Pace {
  /**
   * @param {(share: number) => void} setShare  sets the share of the pixels' width and height to draw with
   * @param {() => boolean} isAwaited  whether a frame was requested
   */
  constructor(setShare, isAwaited) {
    this.setShare = setShare;
    this.isAwaited = isAwaited;
    this.share = 1;
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
    if (this.share === 1 && taken < STILL) this.average += (Math.min(taken, 100) - this.average) * 0.3;
    if (this.share === 1 && this.average > SLOW) this.#set(SAVED);
    this.#wait();
  }

  #wait() {
    clearTimeout(this.timer);
    if (this.share < 1) this.timer = window.setTimeout(() => this.#rest(), STILL);
  }

  #rest() {
    if (this.isAwaited()) return this.#wait();
    // Lower the average, so that full resolution is tried again: the machine may only have been busy.
    this.average *= 0.9;
    this.#set(1);
  }

  /** @param {number} share */
  #set(share) {
    this.share = share;
    this.setShare(share);
  }
}
