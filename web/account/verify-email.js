/** Confirms an email address, with the token of an email. */

import { takeToken } from './address.js';
import { call, Problem } from './client.js';
import { formOf, onSubmit, show } from './form.js';

const form = formOf();
const token = takeToken();

if (token) form.hidden = false;
else show('[data-invalid]');

onSubmit(form, async () => {
  try {
    const { email } = await call('POST', '/auth/verify', { token });
    /** @type {HTMLElement} */ (document.querySelector('[data-address]')).textContent = email;
    show('[data-done]', form);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 400) throw error;
    const reason = /** @type {HTMLElement} */ (document.querySelector('[data-reason]'));
    if (error.code !== 'VERIFY_USER_BAD_TOKEN') reason.textContent = error.message;
    show('[data-invalid]', form);
  }
});
