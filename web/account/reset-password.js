/** Sets a new password, with the token of an email. */

import { takeToken } from './address.js';
import { call, Problem } from './client.js';
import { formOf, onSubmit, show } from './form.js';

const form = formOf();
const token = takeToken();

if (token) form.hidden = false;
else show('[data-invalid]');

onSubmit(form, async ({ password }) => {
  try {
    await call('POST', '/auth/reset-password', { token, password });
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'RESET_PASSWORD_BAD_TOKEN') throw error;
    show('[data-invalid]', form);
    return;
  }
  show('[data-done]', form);
});
