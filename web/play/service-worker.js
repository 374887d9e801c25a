/**
 * Caches the shell of the page: scripts and styles that the server declares immutable, because their URLs contain a hash
 * of the content. Never caches responses of the API, because the server decides on each request what a user may see.
 */

const CACHE = 'worldkeep-shell-3';
const MAX_FILES = 120;

self.addEventListener('install', () => /** @type {any} */ (self).skipWaiting());

self.addEventListener('activate', (event) => /** @type {any} */ (event).waitUntil(deleteOtherCaches()));

async function deleteOtherCaches() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

self.addEventListener('fetch', (event) => {
  const { request } = /** @type {any} */ (event);
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith('/static/')) return;
  /** @type {any} */ (event).respondWith(respond(request));
});

/** @param {Request} request */
async function respond(request) {
  const cache = await caches.open(CACHE);
  const cached = await cache.match(request);
  if (cached) return cached;
  const response = await fetch(request);
  // In development, files change without a change of their URLs.
  if (response.ok && response.headers.get('Cache-Control')?.includes('immutable')) {
    await cache.put(request, response.clone());
    const keys = await cache.keys();
    for (const old of keys.slice(0, Math.max(keys.length - MAX_FILES, 0))) await cache.delete(old);
  }
  return response;
}
