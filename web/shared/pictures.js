/** Pictures of assets: each is loaded once, and available when it is loaded. */

export class Pictures {
  /**
   * @param {string} assetsUrl  the URL of assets, such as `/assets`
   * @param {() => void} changed  called when a picture was loaded, or failed to
   */
  constructor(assetsUrl, changed) {
    this.assetsUrl = assetsUrl;
    this.changed = changed;
    /** @type {Map<string, HTMLImageElement>} */
    this.images = new Map();
  }

  /**
   * The picture of an asset; null until it is loaded, and if there is none.
   * @param {unknown} id
   */
  get(id) {
    if (typeof id !== 'string' || !id) return null;
    let image = this.images.get(id);
    if (!image) {
      image = new Image();
      image.onload = image.onerror = () => this.changed();
      image.src = `${this.assetsUrl}/${encodeURIComponent(id)}`;
      this.images.set(id, image);
    }
    return image.complete && image.naturalWidth ? image : null;
  }
  /** Whether the user may not see the picture of an asset. @param {unknown} id */
  isRefused(id) {
    const image = typeof id === 'string' ? this.images.get(id) : null;
    return !!image?.complete && !image.naturalWidth;
  }
}
