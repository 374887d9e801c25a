/** All talk with the API: reading a map, saving edits or the whole document, keeping a copy. */

/** An answer that is not a success: `status`, `code`, a sentence, and `errors` [{field, code, message}]. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    Object.assign(this, { status, code: problem.code ?? '', errors: problem.errors ?? [] });
  }
}

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...options });
  } catch {
    throw new ApiError(0, { detail: 'The server cannot be reached. Your changes are kept in this browser.' });
  }
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    if (response.ok)
      throw new ApiError(response.status, {
        detail: 'The server answered something that is not JSON. You may have been logged out.',
      });
  }
  if (!response.ok) throw new ApiError(response.status, body ?? {});
  return body;
}

const send = (method, url, body, version) =>
  request(url, {
    method,
    headers: { 'Content-Type': 'application/json', ...(version === undefined ? {} : { 'If-Match': `"${version}"` }) },
    body: JSON.stringify(body),
  });

/** The map with its grid data and version. */
export const readMap = (url) => request(url, { headers: { Accept: 'application/json' }, cache: 'no-store' });

/** Apply edits to a version of a map: {version, seq, changed}. */
export const saveEdits = (url, edits, version) => send('POST', `${url}/edits`, { edits }, version);

/** Replace a map's whole grid data, where edits cannot say what changed: the map. */
export const saveDocument = (url, document, version) => send('PATCH', url, { grid_data: document }, version);

/** Make a map of its own: the map. */
export const createMap = (url, map) => send('POST', url, map);
