/** Pictures of assets: each is fetched once, and drawn from when it has come. */

export class Pictures {
  /**
   * @param {string} assetsUrl  where assets are, such as `/assets`
   * @param {() => void} changed  called when another picture can be drawn
   */
  constructor(assetsUrl, changed) {
    this.assetsUrl = assetsUrl;
    this.changed = changed;
    /** @type {Map<string, HTMLImageElement>} */
    this.images = new Map();
  }

  /**
   * The picture of an asset; null until it has come, and where there is none.
   * @param {unknown} id
   */
  get(id) {
    if (typeof id !== 'string' || !id) return null;
    let image = this.images.get(id);
    if (!image) {
      image = new Image();
      image.onload = () => this.changed();
      image.src = `${this.assetsUrl}/${encodeURIComponent(id)}`;
      this.images.set(id, image);
    }
    return image.complete && image.naturalWidth ? image : null;
  }
}
