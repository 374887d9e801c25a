/** The page of a table: the map fills the window, with panels beside it. */

import { Pictures } from '../shared/pictures.js';
import { effect, html, render } from '../vendor/preact.js';
import { Store } from './store.js';
import { Table } from './table.js';

async function open() {
  const root = /** @type {HTMLElement} */ (document.querySelector('[data-play]'));
  const universeId = location.pathname.split('/').filter(Boolean)[1];
  const store = new Store();
  const table = new Table(store, universeId);
  // Data is loaded in parallel with the modules that draw it.
  const reading = table.open().catch((error) => {
    store.fail(error);
    store.closed.value ||= /** @type {any} */ (error).status ?? 0;
  });
  const element = /** @type {HTMLElement} */ (root.querySelector('[data-map]'));
  const stage = await openStage(element, store);
  if (stage) {
    follow(stage, store, table);
    await Promise.race([stage.firstMap, reading]);
  }
  // The map is drawn first: a slow device needs some time for the panels.
  const [{ MapInput }, { Shell }] = await Promise.all([import('./map/input.js'), import('./panels/shell.js')]);
  const input = stage && new MapInput(stage, store, table);
  const place = /** @type {HTMLElement} */ (root.querySelector('[data-panels]'));
  place.replaceChildren();
  render(html`<${Shell} store=${store} table=${table} stage=${stage} input=${input} />`, place);
  await reading;
  root.dataset.ready = 'true';
}

/** The stage; null if the browser cannot draw it. @param {HTMLElement} element  @param {Store} store */
async function openStage(element, store) {
  /** @type {import('./map/stage.js').Stage | null} */
  let stage = null;
  const pictures = new Pictures('/assets', () => {
    stage?.cells.invalidate();
    stage?.request();
  });
  const { Stage } = await import('./map/stage.js');
  // Responses that arrived meanwhile are handled first, so that the first frame shows the map.
  await new Promise((resolve) => setTimeout(resolve));
  try {
    stage = await Stage.create(element, store.document, pictures);
  } catch {
    store.notify('This browser cannot draw the map, because it has no WebGL.', 'error');
  }
  return stage;
}

/** Draw the state of the store. @param {import('./map/stage.js').Stage} stage  @param {Store} store  @param {Table} table */
function follow(stage, store, table) {
  stage.covered = () => {
    const box = document.querySelector('.pl-side')?.getBoundingClientRect();
    const isBelow = box && box.width > window.innerWidth * 0.9;
    const { right } = stage.element.getBoundingClientRect();
    return {
      left: isBelow ? 56 : 72,
      right: box && !isBelow ? Math.max(right - box.left, 0) : 0,
      top: 64,
      bottom: box && isBelow ? window.innerHeight - box.top : 0,
    };
  };
  // While another map is being opened, the document is still that of the map before.
  let shownMap = store.mapId.value;
  store.document.listen(({ opened }) => {
    if (opened) shownMap = store.mapId.value;
  });
  stage.cells.seenBackground.url = () =>
    `/maps/${shownMap}/background?${store.seeAs.value ? `as=${store.seeAs.value}&` : ''}`;
  stage.fit();
  let openedMap = '';
  let isApproached = false;
  effect(() => {
    stage.tokens.show(store.tokens.value.values());
    // For players, a map opens at their own token, or else at one of the party's.
    const tokens = [...store.tokens.value.values()];
    const first = store.mine[0] ?? tokens.find(({ disposition }) => disposition === 'friendly');
    const mapId = store.mapId.value ?? '';
    if (mapId !== openedMap) isApproached = false;
    openedMap = mapId;
    if (isApproached || first?.map_id !== mapId) return;
    isApproached = true;
    if (!store.isGameMaster.value) stage.approach(...stage.tokens.centre(first));
  });
  effect(() => stage.pins.show(store.pins.value));
  effect(() => {
    const { value: own } = store.fog;
    if (own) stage.fog.show(own);
    else stage.fog.show(store.playersFog.value, true);
  });
  effect(() => {
    stage.tokens.selected = store.selected.value;
    stage.tokens.turn = store.turnToken.value;
    stage.tokens.defeated = store.defeatedTokens.value;
    stage.request();
  });
  // For measurements and tests, which cannot inspect a canvas otherwise.
  Object.assign(window, { worldkeepTable: { store, stage, table } });
}

open();

if ('serviceWorker' in navigator) navigator.serviceWorker.register('/play/service-worker.js').catch(() => {});
