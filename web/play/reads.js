/** Reads of the same thing: one runs at a time, and one more begins after it for all that changed meanwhile. */
export class Reads {
  /** @type {Map<string, Promise<void>>} */
  running = new Map();
  /** @type {Map<string, Promise<void>>} */
  waiting = new Map();

  /**
   * Read something from now on; resolves when that is done.
   * @param {string} name  what is read: a name always comes with the same `read`
   * @param {() => Promise<void>} read
   * @returns {Promise<void>}
   */
  once(name, read) {
    let next = this.waiting.get(name);
    if (!next) {
      next = this.#after(this.running.get(name), name, read);
      this.waiting.set(name, next);
    }
    return next;
  }

  /** @param {Promise<void> | undefined} before  @param {string} name  @param {() => Promise<void>} read */
  async #after(before, name, read) {
    await before?.catch(() => {});
    const reading = read();
    this.running.set(name, reading);
    this.waiting.delete(name);
    try {
      await reading;
    } finally {
      if (this.running.get(name) === reading) this.running.delete(name);
    }
  }
}
