/** The client of the API: problem documents become errors whose message can be shown. */

/** An error response: `status`, `code`, a message, `errors` [{field, code, message}], and the whole `problem`. */
export class ApiError extends Error {
  /** @param {number} status  @param {{[key: string]: any}} problem */
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
    /** @type {string} */
    this.code = problem.code ?? '';
    /** @type {{field: string, code: string, message: string}[]} */
    this.errors = problem.errors ?? [];
  }
}

/**
 * @typedef {{id: string, universe_id: string, name: string, description: string, version: number,
 *   grid_data?: {[key: string]: any}}} MapRead
 * @typedef {{op: string, [key: string]: any}} Edit
 */

/**
 * @param {string} url  @param {RequestInit} [options]
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: 'same-origin', ...options });
  } catch {
    throw new ApiError(0, { detail: 'The server cannot be reached.' });
  }
  const text = await response.text();
  if (response.status === 204) return null;
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    if (response.ok)
      throw new ApiError(response.status, {
        detail: 'The answer of the server is not JSON. You may have been logged out.',
      });
  }
  if (!response.ok) throw new ApiError(response.status, body ?? {});
  return body;
}

/** GET a URL. @type {(url: string, options?: RequestInit) => Promise<any>} */
export const read = (url, options) => request(url, { headers: { Accept: 'application/json' }, ...options });

/** All items of a list, page by page. @param {string} url  with a `limit` @returns {Promise<any[]>} */
export async function readAll(url) {
  const items = [];
  for (let cursor = ''; ;) {
    const page = await read(cursor ? `${url}&cursor=${encodeURIComponent(cursor)}` : url);
    items.push(...page.items);
    if (!page.next_cursor) return items;
    cursor = page.next_cursor;
  }
}

/**
 * Send a change; with `version`, only if that is still the current one.
 * @type {(method: string, url: string, body: unknown, version?: number) => Promise<any>}
 */
export const send = (method, url, body, version) =>
  request(url, {
    method,
    headers: { 'Content-Type': 'application/json', ...(version === undefined ? {} : { 'If-Match': `"${version}"` }) },
    body: JSON.stringify(body),
  });

/** Upload a file. @type {(url: string, file: File) => Promise<any>} */
export const upload = (url, file) => {
  const body = new FormData();
  body.append('file', file);
  return request(url, { method: 'POST', body });
};

/** The map with its grid data and version. @type {(url: string) => Promise<MapRead>} */
export const readMap = (url) => request(url, { headers: { Accept: 'application/json' }, cache: 'no-store' });

/** Apply edits to a version of a map. @type {(url: string, edits: Edit[], version: number) => Promise<{version: number}>} */
export const saveEdits = (url, edits, version) => send('POST', `${url}/edits`, { edits }, version);

/** PATCH a map. @type {(url: string, changes: {[key: string]: any}, version: number) => Promise<MapRead>} */
export const changeMap = (url, changes, version) => send('PATCH', url, changes, version);

/** Create a map. @type {(url: string, map: {[key: string]: any}) => Promise<MapRead>} */
export const createMap = (url, map) => send('POST', url, map);
