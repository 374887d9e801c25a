/** API calls from pages of this site: with the session's cookie, and with error messages to show. */

/** @typedef {{field: string, code: string, message: string}} FieldError */

/** An error response: its status, code, message, and the errors of fields. */
export class Problem extends Error {
  /**
   * @param {number} status the status of the response; 0 if there was none
   * @param {{detail?: string, code?: string, errors?: FieldError[]}} body the problem document
   */
  constructor(status, body) {
    super(body.detail || `The server answered ${status}. Try again in a moment.`);
    this.status = status;
    this.code = body.code ?? '';
    this.errors = body.errors ?? [];
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body] sent as JSON; a URLSearchParams as a form
 * @returns {Promise<any>} the JSON of the response; null if it has none
 * @throws {Problem} the response is an error, or there is none
 */
export async function call(method, path, body) {
  const isForm = body instanceof URLSearchParams;
  /** @type {RequestInit} */
  const options = { method, credentials: 'same-origin', cache: 'no-store' };
  if (isForm) options.body = body;
  else if (body !== undefined) {
    options.headers = { 'Content-Type': 'application/json' };
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem(0, { detail: 'The server cannot be reached. Check your connection, then try again.' });
  }
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw new Problem(answer.status, { ...parsed(text), ...tooMany(answer) });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** @param {Response} answer */
function tooMany(answer) {
  const seconds = Number(answer.headers.get('Retry-After'));
  if (answer.status !== 429 || !seconds) return {};
  const wait = seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`;
  return { detail: `Too many attempts. Try again in ${wait}.` };
}

/** Log in with the session's cookie. @param {string} email @param {string} password */
export const logIn = (email, password) =>
  call('POST', '/auth/cookie/login', new URLSearchParams({ username: email, password }));
