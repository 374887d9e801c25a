/** The list of sessions of an account. */

import { call, Problem } from './client.js';
import { describeDevice } from './device.js';
import { say } from './form.js';

/** @typedef {{id: string, user_agent: string, ip_address: string, current: boolean, last_used_at: string}} Session */

const list = /** @type {HTMLElement} */ (document.querySelector('[data-sessions]'));
const endOthers = /** @type {HTMLButtonElement} */ (document.querySelector('[data-end-others]'));
const section = /** @type {HTMLElement} */ (list.closest('section'));
const times = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** Load and show the sessions. */
export async function showSessions() {
  /** @type {Session[]} */
  const sessions = (await call('GET', '/auth/sessions')).items;
  // The current one first, then the others by their last use.
  sessions.sort((a, b) => Number(b.current) - Number(a.current) || b.last_used_at.localeCompare(a.last_used_at));
  list.replaceChildren(...sessions.map(row));
  endOthers.hidden = sessions.length < 2;
}

/** @param {Session} session */
function row(session) {
  const device = describeDevice(session.user_agent);
  const item = document.createElement('li');
  item.className = 'list-group-item';
  const name = document.createElement('strong');
  name.textContent = device;
  name.title = session.user_agent;
  const details = document.createElement('small');
  details.textContent = `${session.ip_address || 'unknown address'}, ${times.format(new Date(session.last_used_at))}`;
  item.append(icon(), name, session.current ? badge() : button(session, device), details);
  return item;
}

function icon() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'wa-icon');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', 'M3.5 5.500h17v10.500h-17zM8 20h8M12 16v4');
  svg.append(path);
  return svg;
}

function badge() {
  const element = document.createElement('span');
  element.className = 'ac-badge';
  element.textContent = 'this device';
  return element;
}

/** @param {Session} session @param {string} device */
function button(session, device) {
  const element = document.createElement('button');
  element.className = 'btn btn-sm';
  element.type = 'button';
  element.textContent = 'Log out';
  element.setAttribute('aria-label', `Log out ${device}`);
  element.addEventListener('click', () => end([session.id]));
  return element;
}

endOthers.addEventListener('click', async () => {
  /** @type {Session[]} */
  const sessions = (await call('GET', '/auth/sessions')).items;
  await end(sessions.filter((session) => !session.current).map((session) => session.id));
});

/** @param {string[]} ids */
async function end(ids) {
  try {
    for (const id of ids) await call('DELETE', `/auth/sessions/${id}`).catch(ignoreEnded);
    await showSessions();
    say(section, 'success', ids.length === 1 ? 'That device was logged out.' : 'All other devices were logged out.');
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(section, 'danger', error.message);
  }
}

/** @param {unknown} error */
function ignoreEnded(error) {
  if (!(error instanceof Problem) || error.status !== 404) throw error;
}
