/** Parts of a page's URL: the page to open next, and the token of an email. */

/**
 * The path to open after login: that of `?next=`, if it is a path of this site.
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

/** Add `?next=` to links to other account pages. */
export function keepNext() {
  if (!location.search) return;
  for (const link of document.querySelectorAll('a[data-keeps-next]')) {
    link.setAttribute('href', link.getAttribute('href') + location.search);
  }
}

/** The token after the #. It is removed from the URL, so that it does not remain in the history. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  return token;
}
