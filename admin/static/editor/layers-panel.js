/** The list of layers: show, lock, opacity, add, rename, reorder, delete. */

import { EMPTY } from '../../../web/shared/document.js';
import { ask } from './dialogs.js';
import { h, newId } from '../../../web/shared/dom.js';
import { freeName } from './edits.js';
import { Panel, small } from './panel.js';

export class LayersPanel extends Panel {
  constructor(editor) {
    super(editor, 'wk-layers');
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

  #row(layer, index) {
    const { key, meta } = layer;
    const active = key === this.state.layer;
    const visible = meta.visible !== false;
    const name =
      this.renaming === key
        ? h('input', {
            class: 'wk-rename',
            value: meta.name,
            maxLength: 128,
            'aria-label': 'Name of the layer',
            'data-focus': `rename-${key}`,
            onchange: (event) => this.#rename(layer, event.target.value),
            onblur: () => this.#endRename(),
            onkeydown: (event) => {
              if (event.key === 'Enter') event.target.blur();
              if (event.key === 'Escape') {
                event.target.value = meta.name;
                event.target.blur();
              }
            },
          })
        : h(
            'button',
            {
              type: 'button',
              class: 'wk-layer-name',
              'aria-pressed': String(active),
              'data-focus': `layer-${key}`,
              title: 'Double-click to rename',
              onclick: () => this.editor.setLayer(key),
              ondblclick: () => this.#startRename(key),
            },
            meta.name,
          );
    return h(
      'li',
      { class: `wk-layer ${active ? 'wk-on' : ''} ${visible ? '' : 'wk-off'}` },
      h(
        'div',
        { class: 'wk-layer-row' },
        small(
          visible ? 'eye' : 'hidden',
          `${visible ? 'Hide' : 'Show'} ${meta.name}`,
          () =>
            this.#set(
              layer,
              { visible: visible ? false : undefined },
              `${visible ? 'Hid' : 'Showed'} the layer ${meta.name}`,
            ),
          { focus: `eye-${key}` },
        ),
        name,
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
      active && this.#details(layer, index),
    );
  }

  #details(layer, index) {
    const { meta, key } = layer;
    const id = newId('opacity');
    const percent = Math.round((meta.opacity ?? 1) * 100);
    const output = h('output', { for: id }, `${percent}%`);
    return h(
      'div',
      { class: 'wk-layer-details' },
      h('label', { for: id }, 'Opacity'),
      h('input', {
        id,
        type: 'range',
        min: 0,
        max: 100,
        step: 5,
        value: percent,
        'data-focus': `opacity-${key}`,
        oninput: (event) => {
          output.textContent = `${event.target.value}%`;
        },
        onchange: (event) =>
          this.#set(
            layer,
            { opacity: event.target.value === '100' ? undefined : event.target.value / 100 },
            `Set the opacity of ${meta.name} to ${event.target.value}%`,
          ),
      }),
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

  #set(layer, changes, label) {
    const meta = Object.fromEntries(
      Object.entries({ ...layer.meta, ...changes }).filter(([, value]) => value !== undefined),
    );
    this.editor.run(label, (step) =>
      step.change({ layers: this.frame.layers.map((one) => (one.key === layer.key ? { ...one, meta } : one)) }),
    );
  }

  #startRename(key) {
    this.renaming = key;
    this.update();
    const input = this.element.querySelector('.wk-rename');
    input?.focus();
    input?.select();
  }

  #endRename() {
    this.renaming = null;
    this.editor.refresh();
  }

  #rename(layer, name) {
    const wanted = name.trim();
    if (!wanted || wanted === layer.meta.name) return;
    if (this.frame.layers.some(({ key, meta }) => key !== layer.key && meta.name === wanted)) {
      this.editor.notify(`There is a layer “${wanted}” already.`, { kind: 'warning' });
      return;
    }
    this.#set(layer, { name: wanted }, `Renamed the layer to ${wanted}`);
  }

  #add() {
    const names = this.frame.layers.map(({ meta }) => meta.name);
    const name = names.includes('layer') ? freeName('layer', names) : names.length ? 'layer' : 'ground';
    const at = this.frame.layers.findIndex(({ key }) => key === this.state.layer) + 1;
    const layer = this.editor.newLayer(name);
    this.editor.run(`Added the layer ${name}`, (step) =>
      step.change({ layers: this.frame.layers.toSpliced(at || this.frame.layers.length, 0, layer) }),
    );
    this.editor.setLayer(layer.key);
    this.#startRename(layer.key);
  }

  #move(from, to) {
    const layer = this.frame.layers[from];
    this.editor.run(`Moved the layer ${layer.meta.name} ${to > from ? 'up' : 'down'}`, (step) =>
      step.change({ layers: this.frame.layers.toSpliced(from, 1).toSpliced(to, 0, layer) }),
    );
  }

  async #remove(layer) {
    const used = layer.cells?.some((code) => code !== EMPTY);
    const sure =
      !used ||
      (await ask(
        this.editor.element,
        `Delete the layer “${layer.meta.name}”?`,
        'Its cells go with it. Undo brings them back.',
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

const identities = new WeakMap();
let lastIdentity = 0;

/** A number for an object: the same object has the same. */
function identity(object) {
  if (!identities.has(object)) identities.set(object, ++lastIdentity);
  return identities.get(object);
}
