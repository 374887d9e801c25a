/** The user's account: name, email address, password, sessions. */

import { call, Problem } from './client.js';
import { formOf, onSubmit, say } from './form.js';
import { showSessions } from './sessions.js';

/** @typedef {{email: string, display_name: string, is_verified: boolean, pending_email: string | null}} Me */

/** @param {string} selector */
const all = (selector) => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector));
const content = /** @type {HTMLElement} */ (document.querySelector('#content'));

/** @param {Me} me */
function display(me) {
  const { display_name: name } = formOf('name');
  name.value = me.display_name;
  for (const element of all('[data-email]')) element.textContent = me.email;
  for (const element of all('[data-verified]')) element.hidden = !me.is_verified;
  for (const element of all('[data-unverified]')) element.hidden = me.is_verified;
  for (const element of all('[data-asks]')) element.hidden = me.is_verified || me.pending_email !== null;
  for (const element of all('[data-pending]')) element.hidden = me.pending_email === null;
  for (const element of all('[data-pending-email]')) element.textContent = me.pending_email;
  for (const input of all('[data-username]')) /** @type {HTMLInputElement} */ (input).value = me.email;
}

/** @param {object} fields */
async function change(fields) {
  const me = await call('PATCH', '/users/me', fields);
  display(me);
  return me;
}

/**
 * Close the section of a form, clear the form, and show a message at the top of the page.
 *
 * @param {HTMLFormElement} form
 * @param {string} text
 */
function finish(form, text) {
  form.reset();
  form.closest('details')?.removeAttribute('open');
  say(content, 'success', text);
  content.scrollIntoView();
}

onSubmit(formOf('name'), async ({ display_name: name }) => {
  await change({ display_name: name });
  say(formOf('name'), 'success', 'Saved.');
});

onSubmit(formOf('verify'), async () => {
  const { email } = await call('GET', '/users/me');
  await call('POST', '/auth/request-verify-token', { email });
  say(formOf('verify'), 'success', 'A mail is on its way.');
});

onSubmit(formOf('email'), async ({ new_email: email, email_password: password }) => {
  const me = await change({ email, current_password: password });
  const text = me.pending_email
    ? `We sent a mail to ${me.pending_email}. Open the link in it to confirm the change.`
    : `Your address is ${me.email}.`;
  finish(formOf('email'), text);
});

onSubmit(formOf('cancel'), async () => {
  const { email } = await call('GET', '/users/me');
  await change({ email });
  say(content, 'success', 'Your address was not changed.');
});

onSubmit(formOf('password'), async ({ current_password: current, new_password: password }) => {
  await change({ password, current_password: current });
  finish(formOf('password'), 'Your new password is set, and all other devices are logged out.');
  await showSessions();
});

document.querySelector('[data-log-out]')?.addEventListener('click', async () => {
  try {
    await call('POST', '/auth/cookie/logout');
  } catch (error) {
    // To be logged out already is no error.
    if (!(error instanceof Problem) || error.status !== 401) throw error;
  }
  location.assign('/login');
});

try {
  display(await call('GET', '/users/me'));
  await showSessions();
  for (const element of all('[data-loaded]')) element.hidden = false;
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  if (error.status === 401) location.replace('/login?next=/account');
  else say(content, 'danger', error.message);
}
