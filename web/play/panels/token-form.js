/** The fields of the selected token that are changed now and then. */

import { html } from '../../vendor/preact.js';
import { hexOf, parseColor } from '../../shared/tiles.js';
import { SIZES } from '../../shared/token.js';
import { NumberField, PlayedBy, Select, useDraft } from './parts.js';
import { PictureField } from './picture.js';

/** @type {[string, string][]} */
const DISPOSITIONS = ['friendly', 'neutral', 'hostile'].map((one) => [one, one]);

/**
 * @typedef {{store: import('../store.js').Store, table: import('../table.js').Table,
 *   token: import('../store.js').Token, change: (fields: any) => void}} FormProps
 */

/** @param {FormProps} props */
export function TokenForm({ store, table, token, change }) {
  const isMaster = store.isGameMaster.value;
  const name = useDraft(token.name, (text) => change({ name: text.trim() }));
  return html`
    <details class="pl-details">
      <summary>More</summary>
      <div class="pl-numbers">
        <label>
          Name
          <input maxlength="200" ...${name} />
        </label>
        <label>
          Colour
          <input
            type="color"
            value=${hexOf(parseColor(token.color) ?? [96, 112, 122, 255])}
            onChange=${(/** @type {any} */ event) => change({ color: event.target.value })}
          />
        </label>
        <${NumberField}
          label="Elevation"
          value=${token.elevation}
          step="any"
          change=${(/** @type {number | null} */ value) => change({ elevation: value ?? 0 })}
        />
        <${NumberField}
          label="Facing, degrees"
          value=${token.rotation}
          least=${0}
          most=${359}
          change=${(/** @type {number | null} */ value) => change({ rotation: value ?? 0 })}
        />
        ${isMaster && html`<${MasterFields} ...${{ store, table, token, change }} />`}
      </div>
    </details>
  `;
}

/** @param {FormProps} props */
function MasterFields({ store, table, token, change }) {
  const [first, ...others] = token.bars ?? [];
  const setMaximum = (/** @type {number | null} */ max) => {
    const bar = first ?? { name: 'hit points', public: false };
    // A new maximum is full.
    const value = first ? Math.min(first.value, max ?? 0) : max;
    change({ bars: max ? [{ ...bar, max, value }, ...others] : others });
  };
  return html`
    <${PictureField}
      table=${table}
      value=${token.asset_id}
      fallback=${store.characters.value.get(token.character_id ?? '')?.asset_id}
      change=${(/** @type {string | null} */ asset_id) => change({ asset_id })}
    />
    <${Select}
      label="Disposition"
      value=${token.disposition}
      options=${DISPOSITIONS}
      change=${(/** @type {string} */ disposition) => change({ disposition })}
    />
    <${Select}
      label="Size"
      value=${`${token.size}`}
      options=${SIZES.map((size) => [`${size}`, `${size}`])}
      change=${(/** @type {string} */ size) => change({ size: Number(size) })}
    />
    <${NumberField}
      label="Sight, in cells"
      value=${token.sight?.range}
      least=${0}
      most=${1000}
      change=${(/** @type {number | null} */ range) => change({ sight: range === null ? null : { darkvision: 0, ...token.sight, range } })}
    />
    ${
      !token.character_id &&
      html`<${NumberField}
          label=${`Maximum ${first?.name ?? 'hit points'}`}
          value=${first?.max}
          least=${1}
          change=${setMaximum}
        />
        ${
          first &&
          html`<${Select}
            label=${`Players see ${first.name}`}
            value=${first.public ? 'yes' : 'no'}
            options=${[
              ['no', 'no'],
              ['yes', 'yes'],
            ]}
            change=${(/** @type {string} */ seen) => change({ bars: [{ ...first, public: seen === 'yes' }, ...others] })}
          />`
        }
        <${PlayedBy}
          store=${store}
          grants=${token.grants}
          change=${(/** @type {import('../store.js').Grants} */ grants) => change({ grants })}
        />`
    }
  `;
}
