/**
 * Caches the shell of the page: scripts and styles, whose URLs contain a hash of the content. Never caches responses of
 * the API, because the server decides on each request what a user may see.
 */

const CACHE = 'worldkeep-shell-2';
const MOST = 120;

self.addEventListener('install', () => /** @type {any} */ (self).skipWaiting());

self.addEventListener('activate', (event) => /** @type {any} */ (event).waitUntil(forgetOthers()));

async function forgetOthers() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

self.addEventListener('fetch', (event) => {
  const { request } = /** @type {any} */ (event);
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith('/static/')) return;
  /** @type {any} */ (event).respondWith(kept(request));
});

/** @param {Request} request */
async function kept(request) {
  const cache = await caches.open(CACHE);
  const found = await cache.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
    const keys = await cache.keys();
    for (const old of keys.slice(0, Math.max(keys.length - MOST, 0))) await cache.delete(old);
  }
  return answer;
}
