/** Accepting an invitation: with an account, or after creating one. */

import { call, Problem } from './client.js';
import { formOf, onSubmit, say, show } from './form.js';

/** What each role may do, for the invited person. */
const ABOUT = {
  player: 'Players see what their game master shows them, move their own characters, roll dice and talk.',
  spectator: 'Spectators see what their game master shows them.',
  game_master: 'Game masters see and edit everything in this universe, secrets included.',
};
const LABELS = { player: 'player', spectator: 'spectator', game_master: 'game master' };

/** @typedef {keyof typeof LABELS} Role */

/** @param {string} selector */
const all = (selector) => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector));
const content = /** @type {HTMLElement} */ (document.querySelector('main'));
const card = /** @type {HTMLElement} */ (document.querySelector('[data-invitation]'));
const code = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const invitation = `/invitations/${encodeURIComponent(code)}`;

/** @param {string} selector  @param {string} text */
function write(selector, text) {
  for (const element of all(selector)) element.textContent = text;
}

/** The logged-in user, or null. */
async function whoAmI() {
  if (!document.querySelector('[data-signed-in=yes]')) return null;
  try {
    return await call('GET', '/users/me');
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    throw error;
  }
}

/** @param {{universe_name: string, invited_by: string, role: Role}} found */
async function display(found) {
  write('[data-universe]', found.universe_name);
  write('[data-invited-by]', found.invited_by);
  write('[data-role]', LABELS[found.role]);
  write('[data-about]', ABOUT[found.role]);
  for (const link of all('a[data-continues]')) {
    link.setAttribute('href', `${link.getAttribute('href')}?next=${encodeURIComponent(location.pathname)}`);
  }
  const me = await whoAmI();
  if (me) write('[data-name]', me.display_name);
  for (const element of all(me ? '[data-member]' : '[data-visitor]')) element.hidden = false;
  card.hidden = false;
}

/** @param {unknown} error */
function refuse(error) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 404) show('[data-invalid]', card);
  else say(content, 'danger', error.message);
}

onSubmit(formOf(), async () => {
  try {
    const { universe_id: id, role } = await call('POST', `${invitation}/accept`);
    location.assign(role === 'owner' || role === 'game_master' ? `/admin/universe/details/${id}` : `/play/${id}`);
  } catch (error) {
    refuse(error);
  }
});

try {
  await display(await call('GET', invitation));
} catch (error) {
  refuse(error);
}
