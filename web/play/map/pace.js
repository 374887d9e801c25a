/**
 * How sharply the map is drawn while the view moves: where drawing takes too long, as on machines without a graphics
 * card, with fewer pixels, and with all of them as soon as it stands still.
 */

const SLOW = 26; // milliseconds a frame on average, above which pixels are saved
const STILL = 180; // milliseconds without a movement
const SAVED = 0.5; // of the pixels' width and height remain

export class Pace {
  /**
   * @param {(share: number) => void} setShare  draw with this share of the pixels' width and height from now on
   * @param {() => boolean} isAwaited  whether a frame is about to be drawn
   */
  constructor(setShare, isAwaited) {
    this.setShare = setShare;
    this.isAwaited = isAwaited;
    this.share = 1;
    /** Milliseconds a frame takes with all pixels, on average. */
    this.average = 0;
    this.last = 0;
    this.timer = 0;
    this.seen = '';
  }

  /**
   * To be called at the begin of each frame.
   * @param {number} now  @param {string} view  what the view shows; another one than before is a movement
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
    // A machine that was busy for a while gets another chance now and then.
    this.average *= 0.9;
    this.#set(1);
  }

  /** @param {number} share */
  #set(share) {
    this.share = share;
    this.setShare(share);
  }
}
