/**
 * The panel of game masters: choosing the map, its fog and light, placing tokens, viewing the map as a member.
 *
 * @typedef {import('../../shared/geometry.js').Pair} Pair
 */

import { html, useSignal } from '../../vendor/preact.js';
import { kindColor } from '../../shared/kinds.js';
import { SIZES } from '../../shared/token.js';
import { Confirmed, Select } from './parts.js';
import { PictureField } from './picture.js';

/** @param {import('./shell.js').Props} props */
export function GameMaster(props) {
  return html`
    ${props.store.map.value ? html`<${MapControls} ...${props} />` : html`<p class="pl-muted">There is no map yet.</p>`}
    <div class="pl-buttons">
      <a class="pl-button" href=${`/admin/map/create?universe_id=${props.table.universeId}`}>New map</a>
      <a class="pl-button" href=${`/admin/map/import?universe_id=${props.table.universeId}`}>Import a map</a>
    </div>
    ${props.store.map.value && html`<${Eyes} ...${props} />`}
    ${props.store.map.value && props.stage && !props.store.seeAs.value && html`<${Placing} ...${props} />`}
  `;
}

/** @param {import('./shell.js').Props} props */
function MapControls({ store, table, input }) {
  const map = store.map.value;
  const universe = store.universe.value;
  if (!map || !universe) return null;
  const change = async (/** @type {any} */ fields) => {
    const changed = await table.send('PATCH', `/maps/${map.id}`, fields);
    if (changed) store.maps.value = store.maps.value.map((one) => (one.id === map.id ? { ...one, ...changed } : one));
  };
  const gather = async () => {
    if (map.visibility !== 'members') await change({ visibility: 'members' });
    const changed = await table.send('PATCH', table.url, { active_map_id: map.id });
    if (changed) store.universe.value = { ...universe, ...changed };
  };
  const changeFog = async (/** @type {'reveal' | 'hide'} */ what) => {
    await table.send('POST', `/maps/${map.id}/fog/${what}`, { all: true });
    await input?.showPlayersFog();
  };
  const isHere = universe.active_map_id === map.id;
  return html`
    <section aria-labelledby="pl-map">
      <h2 id="pl-map">This map</h2>
      <div class="pl-buttons">
        <button class="pl-button is-primary" disabled=${isHere} onClick=${gather}>
          ${isHere ? 'The party is here' : 'Bring the party here'}
        </button>
        <a class="pl-button" href=${`/admin/map/edit/${map.id}`}>Edit this map</a>
      </div>
      <${Select}
        label="Players see the map"
        value=${map.visibility}
        options=${[
          ['members', 'yes'],
          ['game_masters', 'no'],
        ]}
        change=${(/** @type {string} */ visibility) => change({ visibility })}
      />
      <${Select}
        label="Fog"
        value=${map.fog ?? 'off'}
        options=${[
          ['off', 'off'],
          ['explored', 'show what was seen before'],
          ['sight', 'only what is in sight'],
        ]}
        change=${(/** @type {string} */ fog) => change({ fog })}
      />
      <${Select}
        label="Players share their sight"
        value=${map.fog_sharing ?? 'party'}
        options=${[
          ['party', 'yes'],
          ['each', 'no'],
        ]}
        change=${(/** @type {string} */ fog_sharing) => change({ fog_sharing })}
      />
      <${Select}
        label="Light"
        value=${map.lighting ?? 'bright'}
        options=${[
          ['bright', 'bright'],
          ['dim', 'dim'],
          ['dark', 'dark'],
        ]}
        change=${(/** @type {string} */ lighting) => change({ lighting })}
      />
      ${
        map.fog &&
        map.fog !== 'off' &&
        html`<div class="pl-buttons">
          <${Confirmed} label="Reveal all" change=${() => changeFog('reveal')} />
          <${Confirmed} label="Hide all" change=${() => changeFog('hide')} />
        </div>`
      }
    </section>
  `;
}

/** @param {import('./shell.js').Props} props */
function Eyes({ store, table, stage }) {
  const players = [...store.members.value.values()].filter(({ role }) => role === 'player' || role === 'spectator');
  const show = async (/** @type {string | null} */ userId) => {
    const own = [...store.tokens.value.values()].find((token) => userId && store.isGranted(token, 'act', userId));
    await table.seeAs(userId);
    if (own && stage) stage.approach(...stage.tokens.centre(own));
  };
  return html`<${Select}
    label="See as"
    value=${store.seeAs.value ?? ''}
    options=${[['', 'myself'], ...players.map((one) => [one.user_id, one.display_name])]}
    change=${(/** @type {string} */ id) => show(id || null).catch((error) => store.fail(error))}
  />`;
}

/** @param {import('./shell.js').Props} props */
function Placing({ store, table, stage }) {
  void store.revision.value;
  const name = useSignal('');
  const size = useSignal(1);
  const hidden = useSignal(true);
  const picture = useSignal(/** @type {string | null} */ (null));
  const placed = new Set([...store.tokens.value.values()].map(({ character_id: id }) => id));
  const place = async (/** @type {any} */ token, /** @type {[number, number]} */ [x, y]) => {
    const fields = { x, y, disposition: 'neutral', ...token };
    const made = await table.send('POST', `/maps/${store.mapId.value}/tokens`, fields);
    if (!made) return false;
    store.patchToken(made);
    store.selected.value = made.id;
    return true;
  };
  /** The free place that is nearest to the middle of the screen. */
  const middle = (side = 1) => {
    const { document: doc, view, covered } = /** @type {import('../map/stage.js').Stage} */ (stage);
    const { left, right, top, bottom } = covered();
    const [across, down] = [
      left * view.ratio + view.width - right * view.ratio,
      top * view.ratio + view.height - bottom * view.ratio,
    ];
    const [x, y] = doc.geometry.cellAt(...view.toPoint(across / 2, down / 2));
    const within = (/** @type {number} */ at, /** @type {number} */ count) => Math.min(Math.max(at, 0), count - 1);
    const cell = /** @type {Pair} */ ([within(x, doc.geometry.width), within(y, doc.geometry.height)]);
    return freePlace(doc, [...store.tokens.value.values()], cell, side);
  };
  const characters = [...store.characters.value.values()].filter(({ id }) => !placed.has(id));
  const entities = store.document.frame.entities.filter(({ kind }) => ['monster', 'npc', 'animal'].includes(`${kind}`));
  return html`
    <section aria-labelledby="pl-place">
      <h2 id="pl-place">Place a token</h2>
      <p class="pl-muted">It appears in the middle of the screen, at the nearest free place.</p>
      <form
        class="pl-form"
        onSubmit=${async (/** @type {Event} */ event) => {
          event.preventDefault();
          const fields = { name: name.value.trim(), size: size.value, hidden: hidden.value, asset_id: picture.value };
          if (await place(fields, middle(size.value))) {
            name.value = '';
            picture.value = null;
          }
        }}
      >
        <label
          >Name
          <input
            required
            maxlength="200"
            value=${name.value}
            onInput=${(/** @type {any} */ event) => (name.value = event.target.value)}
        /></label>
        <label>
          Size
          <select
            value=${size.value}
            onChange=${(/** @type {any} */ event) => (size.value = Number(event.target.value))}
          >
            ${SIZES.map((one) => html`<option value=${one} selected=${one === size.value}>${one}</option>`)}
          </select>
        </label>
        <${PictureField}
          table=${table}
          value=${picture.value}
          change=${(/** @type {string | null} */ id) => (picture.value = id)}
        />
        <label class="pl-check">
          <input
            type="checkbox"
            checked=${hidden.value}
            onChange=${(/** @type {any} */ event) => (hidden.value = event.target.checked)}
          />
          Hidden from players
        </label>
        <button class="pl-button">Place</button>
      </form>
      <ul class="pl-list is-compact">
        ${characters.map(
          ({ id, name: label, kind, sheet }) =>
            html`<li>
              <button
                onClick=${() =>
                  place(
                    {
                      character_id: id,
                      name: label,
                      disposition: kind === 'player' ? 'friendly' : 'neutral',
                      // Otherwise it sees by the senses of its sheet.
                      ...(sheet?.senses ? {} : { sight: { range: 12, darkvision: 0 } }),
                    },
                    middle(),
                  )}
              >
                <i class="pl-dot is-friendly"></i><span>${label}<small>character</small></span>
              </button>
            </li>`,
        )}
        ${entities.slice(0, 40).map(
          ({ name: label, kind, x, y, hidden: isHidden }) =>
            html`<li>
              <button
                onClick=${() =>
                  place(
                    {
                      name: label ?? `${kind}`,
                      disposition: kind === 'monster' ? 'hostile' : 'neutral',
                      hidden: !!isHidden,
                    },
                    [x, y],
                  )}
              >
                <i class="pl-dot" style=${{ background: kindColor(kind) }}></i
                ><span>${label ?? kind}<small>${kind}, at its place on the map</small></span>
              </button>
            </li>`,
        )}
      </ul>
    </section>
  `;
}

const MAX_AWAY = 20; // cells

/**
 * The place nearest to a cell where a token stands neither in a blocked cell nor on another token; the cell itself if there
 * is none.
 * @param {import('../../shared/document.js').GridDocument} doc  @param {import('../store.js').Token[]} tokens
 * @param {Pair} cell  @param {number} size  of the token, in cells per side
 * @returns {Pair}
 */
function freePlace({ frame, geometry }, tokens, [x, y], size) {
  const blocking = new Set(frame.legend.filter((one) => one.blocks_movement).map(({ symbol }) => symbol.charCodeAt(0)));
  const isFree = (/** @type {Pair} */ [cx, cy]) =>
    geometry.holds(cx, cy) &&
    !frame.layers.some(({ cells }) => cells && blocking.has(cells[cy * frame.width + cx])) &&
    !tokens.some((one) => cx > one.x - 1 && cy > one.y - 1 && cx < one.x + one.size && cy < one.y + one.size);
  const side = Math.max(1, Math.round(size));
  const span = (/** @type {number} */ from, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, i) => from + i);
  const fits = (/** @type {Pair} */ [px, py]) =>
    span(py, side).every((cy) => span(px, side).every((cx) => isFree([cx, cy])));
  for (let away = 0; away <= MAX_AWAY; away++) {
    const around = span(-away, 2 * away + 1);
    const found = around
      .flatMap((dy) => around.map((dx) => /** @type {Pair} */ ([dx, dy])))
      .filter(([dx, dy]) => Math.max(Math.abs(dx), Math.abs(dy)) === away)
      .sort((a, b) => Math.hypot(...a) - Math.hypot(...b))
      .find(([dx, dy]) => fits([x + dx, y + dy]));
    if (found) return [x + found[0], y + found[1]];
  }
  return [x, y];
}
