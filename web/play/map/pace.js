/**
 * Adapts the resolution while the view moves: if drawing is too slow, as without a graphics card, the map is drawn with
 * fewer pixels until the view stands still.
 */

const SLOW_FRAME_MS = 26; // per frame on average, above which the resolution is reduced
const STILL_MS = 180; // without movement
const REDUCED_SHARE = 0.5; // the reduced share of the pixels' width and height

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
    if (this.share === 1 && taken < STILL_MS) this.average += (Math.min(taken, 100) - this.average) * 0.3;
    if (this.share === 1 && this.average > SLOW_FRAME_MS) this.#set(REDUCED_SHARE);
    this.#wait();
  }

  #wait() {
    clearTimeout(this.timer);
    if (this.share < 1) this.timer = window.setTimeout(() => this.#rest(), STILL_MS);
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
