/** What the address of a page says: where to go on to, and the token of a mail. */

/**
 * Where to go on to after a log-in: a path of this site that `?next=` names.
 *
 * @param {string} [otherwise]
 */
export function nextPath(otherwise = '/account') {
  const next = new URLSearchParams(location.search).get('next');
  if (!next?.startsWith('/')) return otherwise;
  // `//evil.example` and `/\evil.example` are other sites.
  const url = new URL(next, location.origin);
  return url.origin === location.origin ? url.pathname + url.search + url.hash : otherwise;
}

/** Keep `?next=` on the way to another page of accounts. */
export function keepNext() {
  if (!location.search) return;
  for (const link of document.querySelectorAll('a[data-keeps-next]')) {
    link.setAttribute('href', link.getAttribute('href') + location.search);
  }
}

/** The token behind the #. It is taken out of the address, so that it stays in no history. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return token;
}
