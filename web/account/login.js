/** The login form. */

import { keepNext, nextPath } from './address.js';
import { logIn } from './client.js';
import { formOf, onSubmit } from './form.js';

keepNext();
onSubmit(formOf(), async ({ email, password }) => {
  await logIn(email, password);
  location.assign(nextPath());
});
