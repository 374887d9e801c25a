/** The tools of the map. */

import { html } from '../../vendor/preact.js';
import { Icon } from './parts.js';

/** @type {[import('../map/input.js').ToolName, string, string][]} */
const TOOLS = [
  ['move', 'Move and look', 'move'],
  ['ruler', 'Measure', 'ruler'],
  ['area', 'Area of effect', 'area'],
  ['ping', 'Point and ping', 'ping'],
];
/** @type {[import('../map/input.js').ToolName, string, string][]} */
const FOG_TOOLS = [
  ['reveal', 'Reveal a rectangle', 'reveal'],
  ['polygon', 'Reveal or hide a polygon: click its corners, then press Enter to reveal it', 'polygon'],
  ['hide', 'Hide a rectangle', 'hide'],
];
const SHAPES = ['sphere', 'cone', 'cube', 'cylinder', 'line'];

/** @param {import('./shell.js').Props} props */
export function Toolbar({ store, stage, input }) {
  if (!stage || !input) return null;
  const hasFog = store.isGameMaster.value && (store.map.value?.fog ?? 'off') !== 'off';
  const area = input.area.value;
  void store.revision.value;
  const { distance, unit } = input.scale;
  return html`
    <nav class="pl-tools" aria-label="Tools">
      ${[...TOOLS, ...(hasFog ? FOG_TOOLS : [])].map(
        ([tool, label, icon]) => html`
          <button
            aria-pressed=${input.tool.value === tool}
            aria-label=${label}
            title=${label}
            onClick=${() => {
              input.cancel();
              input.tool.value = tool;
            }}
          >
            <${Icon} name=${icon} />
          </button>
        `,
      )}
      <hr />
      <button aria-label="Zoom in" title="Zoom in" onClick=${() => stage.zoom(1.25)}><${Icon} name="plus" /></button>
      <button aria-label="Zoom out" title="Zoom out" onClick=${() => stage.zoom(0.8)}><${Icon} name="minus" /></button>
      <button aria-label="Show the whole map" title="Show the whole map" onClick=${() => stage.fit()}>
        <${Icon} name="fit" />
      </button>
      ${
        input.tool.value === 'area' &&
        html`<div class="pl-options">
          <label>
            Shape
            <select
              value=${area.shape}
              onChange=${(/** @type {any} */ event) => (input.area.value = { ...area, shape: event.target.value })}
            >
              ${SHAPES.map((shape) => html`<option>${shape}</option>`)}
            </select>
          </label>
          <label>
            Size, ${unit}
            <input
              type="number"
              min=${distance / 2}
              max=${distance * 100}
              step="any"
              value=${area.cells * distance}
              onChange=${(/** @type {any} */ event) => {
                const size = Number(event.target.value);
                if (event.target.reportValidity() && size) input.area.value = { ...area, cells: size / distance };
              }}
            />
          </label>
        </div>`
      }
      ${
        input.tool.value === 'pin' &&
        html`<div class="pl-options is-pinning" role="status">
          <span>Tap the place of “${input.pinning.value?.title}”</span>
          <button
            class="pl-button"
            onClick=${() => {
              input.cancel();
              input.tool.value = 'move';
            }}
          >
            Cancel
          </button>
        </div>`
      }
      ${
        input.tool.value === 'polygon' &&
        html`<div class="pl-options">
          <button class="pl-button" onClick=${() => input.finishPolygon('reveal')}>Reveal</button>
          <button class="pl-button" onClick=${() => input.finishPolygon('hide')}>Hide</button>
        </div>`
      }
    </nav>
  `;
}
