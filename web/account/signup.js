/** The sign-up form. */

import { keepNext, nextPath } from './address.js';
import { call, logIn } from './client.js';
import { formOf, onSubmit } from './form.js';

keepNext();
onSubmit(formOf(), async ({ display_name: name, email, password }) => {
  await call('POST', '/auth/register', { email, password, ...(name.trim() ? { display_name: name } : {}) });
  await logIn(email, password);
  location.assign(nextPath());
});
