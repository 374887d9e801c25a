/** What a map without cells offers: a size to begin with. */

import { codeOf } from '../../../web/shared/document.js';
import { h } from '../../../web/shared/dom.js';

export class StartCard {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.element = h('div', { class: 'wk-empty', hidden: true });
    /** @type {boolean | undefined} */
    this.shown = undefined;
  }

  update() {
    const { width, height, layers } = this.editor.document.frame;
    const isEmpty = !width || !height;
    this.element.hidden = !isEmpty && layers.length > 0;
    if (this.element.hidden || this.shown === isEmpty) return;
    this.shown = isEmpty;
    const [across, down] = [40, 30].map((value) =>
      h('input', { type: 'number', min: 1, max: 4096, value, class: 'wk-short' }),
    );
    const begin = () => {
      const [w, hh] = [Number(across.value), Number(down.value)];
      if (!across.validity.valid || !down.validity.valid) return;
      const legend = this.editor.document.frame.legend.length
        ? this.editor.document.frame.legend
        : [
            { symbol: '#', name: 'wall', color: '#5b5348', blocks_movement: true, blocks_sight: true },
            { symbol: '.', name: 'floor', color: '#cfc6b0' },
            { symbol: '~', name: 'water', color: '#6a929c', movement_cost: 2 },
          ];
      this.editor.run('Started the map', (step) =>
        step.change({ width: isEmpty ? w : width, height: isEmpty ? hh : height, legend }),
      );
      const layer = this.editor.palette.newLayer('ground');
      if (!this.editor.document.frame.layers.length)
        this.editor.run('Added the layer ground', (step) => step.change({ layers: [layer] }));
      this.editor.palette.setSymbol(codeOf(this.editor.document.frame.legend[0].symbol));
      this.shown = undefined;
      this.editor.fit();
    };
    this.element.replaceChildren(
      h(
        'div',
        { class: 'wk-empty-card' },
        h('h2', {}, isEmpty ? 'An empty map' : 'No layers yet'),
        isEmpty ? h('p', {}, h('label', {}, 'Width ', across), ' ', h('label', {}, 'Height ', down)) : null,
        h(
          'button',
          { type: 'button', class: 'wk-button wk-primary', onclick: begin },
          isEmpty ? 'Start drawing' : 'Add a layer',
        ),
      ),
    );
  }
}
