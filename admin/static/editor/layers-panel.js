/** The list of layers: show, lock, opacity, add, rename, reorder, delete. */

import { EMPTY } from '../../../web/shared/document.js';
import { ask } from './dialogs.js';
import { h, newId } from '../../../web/shared/dom.js';
import { freeName } from './edits.js';
import { Panel, small } from './panel.js';

/**
 * @typedef {import('../../../web/shared/document.js').Layer} Layer
 * @typedef {import('../../../web/shared/document.js').LayerMeta} LayerMeta
 */

export class LayersPanel extends Panel {
  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    super(editor, 'wk-layers');
    /** The key of the layer whose name is being typed. @type {number | null} */
    this.renaming = null;
    /** The active layer that was scrolled to. @type {number | null} */
    this.shown = null;
  }

  update() {
    super.update();
    const active = this.element.querySelector('.wk-on');
    if (!(active instanceof HTMLElement) || this.shown === this.state.layer) return;
    this.shown = this.state.layer;
    active.scrollIntoView({ block: 'nearest' });
  }

  inputs() {
    return [this.frame.layers.map(({ meta }) => identity(meta)).join(), this.state.layer, this.renaming];
  }

  draw() {
    const { layers } = this.frame;
    return [
      h(
        'div',
        { class: 'wk-panel-head' },
        h('h2', {}, 'Layers'),
        small('plus', 'Add a layer', () => this.#add(), { focus: 'add-layer' }),
      ),
      layers.length
        ? h(
            'ul',
            { class: 'wk-list', 'data-scroll': 'layers' },
            layers.map((layer, index) => this.#row(layer, index)).reverse(),
          )
        : h('p', { class: 'wk-quiet wk-pad' }, 'No layers yet.'),
    ];
  }

  /** @param {Layer} layer  @param {number} index */
  #row(layer, index) {
    const { key, meta } = layer;
    const isActive = key === this.state.layer;
    const isVisible = meta.visible !== false;
    return h(
      'li',
      { class: `wk-layer ${isActive ? 'wk-on' : ''} ${isVisible ? '' : 'wk-off'}` },
      h(
        'div',
        { class: 'wk-layer-row' },
        small(
          isVisible ? 'eye' : 'hidden',
          `${isVisible ? 'Hide' : 'Show'} ${meta.name}`,
          () =>
            this.#set(
              layer,
              { visible: isVisible ? false : undefined },
              `${isVisible ? 'Hid' : 'Showed'} the layer ${meta.name}`,
            ),
          { focus: `eye-${key}` },
        ),
        this.renaming === key ? this.#nameField(layer) : this.#nameButton(layer, isActive),
        this.#forWhom(layer),
        small(
          meta.locked ? 'locked' : 'unlocked',
          `${meta.locked ? 'Unlock' : 'Lock'} ${meta.name}`,
          () =>
            this.#set(
              layer,
              { locked: meta.locked ? undefined : true },
              `${meta.locked ? 'Unlocked' : 'Locked'} the layer ${meta.name}`,
            ),
          { focus: `lock-${key}`, attributes: { 'aria-pressed': String(Boolean(meta.locked)) } },
        ),
      ),
      isActive && this.#details(layer, index),
    );
  }

  /** @param {Layer} layer  @param {boolean} isActive */
  #nameButton({ key, meta }, isActive) {
    const props = {
      type: 'button',
      class: 'wk-layer-name',
      'aria-pressed': String(isActive),
      'data-focus': `layer-${key}`,
      title: 'Double-click to rename',
      onclick: () => this.editor.palette.setLayer(key),
      ondblclick: () => this.#startRename(key),
    };
    return h('button', props, meta.name);
  }

  /** @param {Layer} layer */
  #nameField(layer) {
    const name = h('input', {
      class: 'wk-rename',
      value: layer.meta.name,
      maxLength: 128,
      'aria-label': 'Name of the layer',
      'data-focus': `rename-${layer.key}`,
      onchange: () => this.#rename(layer, name.value),
      onblur: () => this.#endRename(),
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'Escape') name.value = layer.meta.name;
        if (event.key === 'Enter' || event.key === 'Escape') name.blur();
      },
    });
    return name;
  }

  /** Whether players see it. The eye only hides a layer in the editor. @param {Layer} layer */
  #forWhom(layer) {
    const { key, meta } = layer;
    const isSecret = meta.visible_to === 'game_masters';
    const set = () => {
      const label = isSecret ? `Players see the layer ${meta.name}` : `Only game masters see the layer ${meta.name}`;
      this.#set(layer, { visible_to: isSecret ? undefined : 'game_masters' }, label);
    };
    return small('mask', `Only game masters see ${meta.name}`, set, {
      focus: `mask-${key}`,
      attributes: { 'aria-pressed': String(isSecret) },
    });
  }

  /** @param {Layer} layer  @param {number} index */
  #details(layer, index) {
    const { meta, key } = layer;
    const id = newId('opacity');
    const percent = Math.round((meta.opacity ?? 1) * 100);
    const slider = h('input', {
      id,
      type: 'range',
      min: 0,
      max: 100,
      step: 5,
      value: percent,
      'data-focus': `opacity-${key}`,
      oninput: () => {
        output.textContent = `${slider.value}%`;
      },
      onchange: () =>
        this.#set(
          layer,
          { opacity: slider.value === '100' ? undefined : Number(slider.value) / 100 },
          `Set the opacity of ${meta.name} to ${slider.value}%`,
        ),
    });
    const output = h('output', { for: id }, `${percent}%`);
    return h(
      'div',
      { class: 'wk-layer-details' },
      h('label', { for: id }, 'Opacity'),
      slider,
      output,
      small('up', 'Move up', () => this.#move(index, index + 1), {
        disabled: index === this.frame.layers.length - 1,
        focus: 'layer-up',
      }),
      small('down', 'Move down', () => this.#move(index, index - 1), { disabled: index === 0, focus: 'layer-down' }),
      small('rename', 'Rename', () => this.#startRename(key), { focus: 'layer-rename' }),
      small('remove', 'Delete the layer', () => this.#remove(layer), { focus: 'layer-remove' }),
    );
  }

  /**
   * Change keys of a layer; undefined removes one.
   * @param {Layer} layer  @param {Partial<LayerMeta>} changes  @param {string} label
   */
  #set(layer, changes, label) {
    const fields = Object.entries({ ...layer.meta, ...changes }).filter(([, value]) => value !== undefined);
    const meta = /** @type {LayerMeta} */ (Object.fromEntries(fields));
    this.editor.run(label, (step) =>
      step.change({ layers: this.frame.layers.map((one) => (one.key === layer.key ? { ...one, meta } : one)) }),
    );
  }

  /** @param {number} key */
  #startRename(key) {
    this.renaming = key;
    this.update();
    const input = this.element.querySelector('.wk-rename');
    if (input instanceof HTMLInputElement) input.select();
  }

  #endRename() {
    this.renaming = null;
    this.editor.refresh();
  }

  /** @param {Layer} layer  @param {string} name */
  #rename(layer, name) {
    const wanted = name.trim();
    if (!wanted || wanted === layer.meta.name) return;
    if (this.frame.layers.some(({ key, meta }) => key !== layer.key && meta.name === wanted)) {
      this.editor.notices.show(`A layer “${wanted}” already exists.`, { kind: 'warning' });
      return;
    }
    this.#set(layer, { name: wanted }, `Renamed the layer to ${wanted}`);
  }

  #add() {
    const names = this.frame.layers.map(({ meta }) => meta.name);
    const name = names.includes('layer') ? freeName('layer', names) : names.length ? 'layer' : 'ground';
    const at = this.frame.layers.findIndex(({ key }) => key === this.state.layer) + 1;
    const layer = this.editor.palette.newLayer(name);
    this.editor.run(`Added the layer ${name}`, (step) =>
      step.change({ layers: this.frame.layers.toSpliced(at || this.frame.layers.length, 0, layer) }),
    );
    this.editor.palette.setLayer(layer.key);
    this.#startRename(layer.key);
  }

  /** @param {number} from  @param {number} to */
  #move(from, to) {
    const layer = this.frame.layers[from];
    this.editor.run(`Moved the layer ${layer.meta.name} ${to > from ? 'up' : 'down'}`, (step) =>
      step.change({ layers: this.frame.layers.toSpliced(from, 1).toSpliced(to, 0, layer) }),
    );
  }

  /** @param {Layer} layer */
  async #remove(layer) {
    const used = layer.cells?.some((code) => code !== EMPTY);
    const sure =
      !used ||
      (await ask(
        this.editor.element,
        `Delete the layer “${layer.meta.name}”?`,
        'Its cells are deleted, too. You can undo this.',
        [
          { value: 'delete', label: 'Delete', danger: true },
          { value: null, label: 'Cancel' },
        ],
      ));
    if (sure)
      this.editor.run(`Deleted the layer ${layer.meta.name}`, (step) =>
        step.change({ layers: this.frame.layers.filter(({ key }) => key !== layer.key) }),
      );
  }
}

/** @type {WeakMap<object, number>} */
const identities = new WeakMap();
let lastIdentity = 0;

/** A number for an object: the same object has the same. @param {object} object */
function identity(object) {
  const known = identities.get(object) ?? ++lastIdentity;
  identities.set(object, known);
  return known;
}
