/** Requests an email with a link to set a new password. */

import { call } from './client.js';
import { formOf, onSubmit, show } from './form.js';

const form = formOf();
const address = /** @type {HTMLElement} */ (document.querySelector('[data-address]'));
const done = /** @type {HTMLElement} */ (document.querySelector('[data-done]'));

onSubmit(form, async ({ email }) => {
  await call('POST', '/auth/forgot-password', { email });
  address.textContent = email;
  show('[data-done]', form);
});

document.querySelector('[data-again]')?.addEventListener('click', () => {
  done.hidden = true;
  form.hidden = false;
  form.querySelector('input')?.focus();
});
