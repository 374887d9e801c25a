/** Forms that call the API: one call at a time, errors next to their fields, success messages above the fields. */

import { Problem } from './client.js';

/** Names of API fields that differ from those of the page, by the form's data-form. */
const NAMES = {
  email: { email: 'new_email', current_password: 'email_password' },
  password: { password: 'new_password' },
};

/**
 * @param {string} [name] its data-form, if the page has several forms
 * @returns {HTMLFormElement}
 */
export function formOf(name = '') {
  const form = document.querySelector(`form[data-form="${name}"]`);
  if (!(form instanceof HTMLFormElement)) throw new Error(`This page has no form ${name}.`);
  return form;
}

/**
 * Call `submit` with the values of a form when it is submitted, and show the errors that it throws.
 *
 * The form's button is disabled in HTML and enabled here: without this script, the browser would put a password into
 * the URL.
 *
 * @param {HTMLFormElement} form
 * @param {(values: Record<string, string>) => Promise<void>} submit
 */
export function onSubmit(form, submit) {
  for (const button of form.querySelectorAll('[data-shows]')) showPassword(/** @type {HTMLElement} */ (button));
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button:not([type=button])'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    clear(form);
    button.disabled = true;
    try {
      await submit(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)])));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      showProblem(form, error);
    } finally {
      button.disabled = false;
    }
  });
  button.disabled = false;
}

/**
 * Show a message above the fields of a form, or in another place.
 *
 * @param {ParentNode} place a form, or an element with a data-notice
 * @param {'success' | 'danger'} kind
 * @param {string} text
 */
export function say(place, kind, text) {
  const notice = place.querySelector('[data-notice]');
  if (!notice) return;
  const alert = document.createElement('div');
  alert.className = `alert alert-${kind}`;
  alert.textContent = text;
  notice.replaceChildren(alert);
}

/**
 * Replace one part of a page by another, and have screen readers read it.
 *
 * @param {string} selector
 * @param {HTMLElement} [instead]
 */
export function show(selector, instead) {
  const part = /** @type {HTMLElement} */ (document.querySelector(selector));
  if (instead) instead.hidden = true;
  part.hidden = false;
  part.focus();
}

/** @param {HTMLFormElement} form */
function clear(form) {
  form.querySelector('[data-notice]')?.replaceChildren();
  for (const input of form.querySelectorAll('.is-invalid')) {
    input.classList.remove('is-invalid');
    input.removeAttribute('aria-invalid');
  }
}

/** @param {HTMLFormElement} form @param {Problem} problem */
function showProblem(form, problem) {
  /** @type {Record<string, string>} */
  const names = NAMES[/** @type {keyof typeof NAMES} */ (form.dataset.form ?? '')] ?? {};
  /** @type {HTMLInputElement[]} */
  const wrong = [];
  const rest = [];
  for (const error of problem.errors) {
    const input = form.elements.namedItem(names[error.field] ?? error.field);
    const place = input instanceof HTMLInputElement && document.getElementById(`${input.id}-error`);
    if (!place) {
      rest.push(sentence(error.message));
      continue;
    }
    place.textContent = sentence(error.message);
    input.classList.add('is-invalid');
    input.setAttribute('aria-invalid', 'true');
    wrong.push(input);
  }
  if (wrong.length) wrong[0].focus();
  if (!wrong.length || rest.length) say(form, 'danger', rest.join(' ') || problem.message);
}

/** @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.?$/, '.');

/** @param {HTMLElement} button */
function showPassword(button) {
  const input = /** @type {HTMLInputElement} */ (document.getElementById(button.dataset.shows ?? ''));
  button.addEventListener('click', () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    button.textContent = shown ? 'Hide' : 'Show';
    button.setAttribute('aria-pressed', String(shown));
  });
}
