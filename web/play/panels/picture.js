/** Choosing a picture of the universe, or uploading one from the device. */

import { read, upload } from '../../shared/api.js';
import { html, useEffect, useRef, useSignal } from '../../vendor/preact.js';
import { messageOf } from '../store.js';
import { Icon } from './parts.js';

/**
 * @typedef {{id: string, name: string, state: 'processing' | 'ready' | 'failed', url: string}} Asset
 * @typedef {{assets: Asset[], next: string | null, q: string}} Found
 */

const PAGE_SIZE = 60;
const TYPES = 'image/png,image/jpeg,image/webp';

/**
 * @typedef {{table: import('../table.js').Table, value: string | null | undefined, fallback?: string | null,
 *   change: (assetId: string | null) => void}} FieldProps  `fallback`: the picture of the character, which is shown
 *   without one of its own
 */

/** @param {FieldProps} props */
export function PictureField(props) {
  const { value } = props;
  const isOpen = useSignal(false);
  return html`
    <div class="pl-picture-field">
      Picture
      <button
        type="button"
        class="pl-button"
        aria-haspopup="dialog"
        aria-label="Choose a picture"
        onClick=${() => (isOpen.value = true)}
      >
        ${value && html`<img class="pl-face" src=${`/assets/${value}`} alt="The picture now" />`} Choose…
      </button>
      ${isOpen.value && html`<${Pictures} ...${props} close=${() => (isOpen.value = false)} />`}
    </div>
  `;
}

/** @param {FieldProps & {close: () => void}} props */
function Pictures({ table, value, fallback, change, close }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const found = useSignal(/** @type {Found | null} */ (null));
  const query = useSignal('');
  const failure = useSignal('');
  const isUploading = useSignal(false);
  useEffect(() => dialog.current?.showModal(), []);
  const attempt = async (/** @type {() => Promise<void>} */ work) => {
    failure.value = '';
    try {
      await work();
    } catch (error) {
      failure.value = messageOf(error);
    }
  };
  /** Read the first pictures that a text finds, or those after the ones that are shown. */
  const find = (/** @type {string} */ q, /** @type {Found | null} */ before = null) =>
    attempt(async () => {
      const parameters = new URLSearchParams({ limit: `${PAGE_SIZE}`, sort: '-created_at' });
      if (q) parameters.set('q', q);
      if (before?.next) parameters.set('cursor', before.next);
      const page = await read(`${table.url}/assets?${parameters}`);
      // Another text may have been typed meanwhile.
      if (q === query.value.trim())
        found.value = { assets: [...(before?.assets ?? []), ...page.items], next: page.next_cursor, q };
    });
  const wanted = query.value.trim();
  useEffect(() => void find(wanted), [wanted]);
  const choose = (/** @type {string | null} */ id) => {
    if (id !== (value ?? null)) change(id);
    dialog.current?.close();
  };
  const send = async (/** @type {HTMLInputElement} */ input) => {
    const [file] = input.files ?? [];
    if (!file) return;
    isUploading.value = true;
    await attempt(async () => {
      const { id } = await upload(`${table.url}/assets`, file);
      // Closing the dialog was a refusal.
      if (dialog.current) choose(id);
    });
    isUploading.value = false;
    // Otherwise the same file could not be chosen again.
    input.value = '';
  };
  const { assets, next } = found.value ?? { assets: [], next: null };
  return html`
    <dialog
      ref=${dialog}
      class="pl-pictures"
      aria-labelledby="pl-pictures"
      onClose=${close}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.stopPropagation()}
    >
      <header>
        <h2 id="pl-pictures">Pictures</h2>
        <button type="button" class="pl-close" aria-label="Close" onClick=${() => dialog.current?.close()}>
          <${Icon} name="close" />
        </button>
      </header>
      <div class="pl-line">
        <input
          type="search"
          form=""
          maxlength="100"
          aria-label="Find a picture"
          placeholder="Find by name"
          value=${query.value}
          onInput=${(/** @type {any} */ event) => (query.value = event.target.value)}
        />
        <label class=${`pl-button is-primary pl-upload ${isUploading.value ? 'is-busy' : ''}`}>
          ${isUploading.value ? 'Uploading…' : 'Upload…'}
          <input
            type="file"
            form=""
            aria-label="Upload a picture"
            accept=${TYPES}
            disabled=${isUploading.value}
            onChange=${(/** @type {any} */ event) => send(event.target)}
          />
        </label>
      </div>
      ${failure.value && html`<p class="pl-notice is-error" role="alert">${failure.value}</p>`}
      ${
        found.value &&
        !assets.length &&
        html`<p class="pl-muted">
          ${found.value.q ? 'No picture has this name.' : 'There are no pictures yet. Upload a PNG, JPEG or WebP.'}
        </p>`
      }
      <ul>
        ${assets.map(
          ({ id, name, url, state }) =>
            html`<li key=${id}>
              <button type="button" aria-pressed=${id === value} title=${name} onClick=${() => choose(id)}>
                <img class="pl-face" src=${state === 'ready' ? `${url}?size=thumbnail` : url} alt="" loading="lazy" />
                <span>${name}</span>
              </button>
            </li>`,
        )}
      </ul>
      <div class="pl-buttons">
        ${value && value !== fallback && html`<button type="button" class="pl-button" onClick=${() => choose(null)}>${fallback ? 'Picture of the character' : 'No picture'}</button>`}
        ${
          next &&
          html`<button type="button" class="pl-button" onClick=${() => find(wanted, found.value)}>Show more</button>`
        }
      </div>
    </dialog>
  `;
}
