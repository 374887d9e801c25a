/**
 * Forms for files: dropping, progress, and sending as soon as files are chosen. Without this script the same forms
 * send by their button.
 *
 * A form sends all of its files in one request; with `data-upload="each"`, every file in a request of its own, and
 * `data-then` is the page to go to after several.
 */

/** What a page says when a request ends without an answer. */
const CUT_OFF = 'The upload was interrupted. The server may be down, or the files may be too large.';

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/**
 * The answer to a form: the page that it led to, and that page's address.
 *
 * @typedef {{ page: Document | null, url: string, error: string }} Answer
 */

/**
 * Sends files as the form would.
 *
 * @param {HTMLFormElement} form
 * @param {File[]} files
 * @param {(sent: number, total: number) => void} onProgress
 * @returns {Promise<Answer>}
 */
function send(form, files, onProgress) {
  const input = inputOf(form);
  const data = new FormData();
  for (const file of files) data.append(input.name, file);
  const url = new URL(form.action);
  // Not the key of the form: these may be other files than those that it sent before.
  url.searchParams.set('key', `${Date.now()}-${Math.random().toString(36).slice(2)}`);
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open('POST', url);
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded, event.total));
    request.addEventListener('load', () => resolve(read(request)));
    request.addEventListener('error', () => resolve({ page: null, url: '', error: CUT_OFF }));
    request.send(data);
  });
}

/**
 * @param {HTMLFormElement} form
 * @returns {HTMLInputElement}
 */
function inputOf(form) {
  const input = form.querySelector('input[type=file]');
  if (!(input instanceof HTMLInputElement)) throw new Error('a form for files has an input for them');
  return input;
}

/**
 * Reads an answer: a page, or a problem as the API gives it. `error` is empty for a success.
 *
 * @param {XMLHttpRequest} request
 * @returns {Answer}
 */
function read(request) {
  const url = request.responseURL;
  if (request.getResponseHeader('content-type')?.includes('json')) {
    return { page: null, url, error: JSON.parse(request.responseText).detail ?? CUT_OFF };
  }
  const page = new DOMParser().parseFromString(request.responseText, 'text/html');
  if (request.status < 400) return { page, url, error: '' };
  const alerts = [...page.querySelectorAll('.alert-danger')].map((alert) => alert.textContent?.trim());
  return { page, url, error: alerts.join(' ') || page.querySelector('main p')?.textContent || CUT_OFF };
}

/**
 * Shows another page in place of this one, as if the form had led there.
 *
 * @param {Document} page
 */
function show(page) {
  const [old, content] = [document.querySelector('main'), page.querySelector('main')];
  if (!old || !content) return;
  old.replaceWith(content);
  document.title = page.title;
  content.tabIndex = -1;
  content.focus();
  enhanceUploads(content);
}

/** @param {HTMLFormElement} form */
function enhance(form) {
  const input = inputOf(form);
  const body = form.querySelector('.wa-drop-body');
  const progress = form.querySelector('.wa-progress');
  const bar = form.querySelector('progress');
  const status = progress?.querySelector('p');
  if (!(body instanceof HTMLElement) || !(progress instanceof HTMLElement) || !bar || !status) return;
  const sendsEach = form.dataset.upload === 'each';
  if (sendsEach) input.multiple = true;

  /** @param {boolean} isBusy */
  const setBusy = (isBusy) => {
    body.hidden = isBusy;
    progress.hidden = !isBusy;
  };

  /** @param {string} text */
  const say = (text) => {
    status.textContent = text;
  };

  /**
   * @param {File[]} files
   * @param {string} label
   */
  const sendWithProgress = (files, label) =>
    send(form, files, (sent, total) => {
      bar.value = total ? sent / total : 0;
      if (sent < total) say(`${label}: ${megabytes(sent)} of ${megabytes(total)}`);
      else {
        bar.removeAttribute('value');
        say(`${label}: processing…`);
      }
    });

  /** @param {string} message */
  const fail = (message) => {
    setBusy(false);
    let alert = form.querySelector('.alert');
    if (!alert) {
      alert = document.createElement('div');
      alert.className = 'alert alert-danger';
      alert.setAttribute('role', 'alert');
      form.prepend(alert);
    }
    alert.textContent = message;
    input.value = '';
  };

  /** @param {File[]} files */
  const sendTogether = async (files) => {
    const answer = await sendWithProgress(files, files.length === 1 ? files[0].name : `${files.length} files`);
    if (answer.error || !answer.page) fail(answer.error);
    else if (new URL(answer.url).pathname === new URL(form.action).pathname) show(answer.page);
    else location.assign(answer.url);
  };

  /** @param {File[]} files */
  const sendOneByOne = async (files) => {
    const failures = [];
    let last = '';
    for (const [index, file] of files.entries()) {
      const number = files.length > 1 ? `${index + 1} of ${files.length}, ` : '';
      const answer = await sendWithProgress([file], number + file.name);
      if (answer.error) failures.push(`${file.name}: ${answer.error}`);
      else last = answer.url;
    }
    if (failures.length) {
      const rest = files.length - failures.length;
      fail(`${failures.join(' ')}${rest ? ` ${rest} of ${files.length} were uploaded.` : ''}`);
    } else if (files.length === 1) location.assign(last);
    else if (form.dataset.then) location.assign(form.dataset.then);
    else location.reload();
  };

  /** @param {File[]} files */
  const start = async (files) => {
    const accepted = input.multiple ? files : files.slice(0, 1);
    if (!accepted.length) return;
    form.querySelector('.alert')?.remove();
    setBusy(true);
    bar.value = 0;
    await (sendsEach ? sendOneByOne(accepted) : sendTogether(accepted));
  };

  form.classList.add('wa-enhanced');
  input.addEventListener('change', () => start([...(input.files ?? [])]));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    start([...(input.files ?? [])]);
  });
  for (const kind of ['dragenter', 'dragover']) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add('wa-over');
    });
  }
  form.addEventListener('dragleave', (event) => {
    if (!(event.relatedTarget instanceof Node && form.contains(event.relatedTarget))) form.classList.remove('wa-over');
  });
  form.addEventListener('drop', (event) => {
    event.preventDefault();
    form.classList.remove('wa-over');
    start([...(event.dataTransfer?.files ?? [])]);
  });
}

/**
 * Adds dropping and progress to all forms for files in a part of the page.
 *
 * @param {HTMLElement} root
 */
export function enhanceUploads(root) {
  for (const form of root.querySelectorAll('form[data-upload]')) if (form instanceof HTMLFormElement) enhance(form);
}

// A file that misses the form would take the place of the page.
for (const kind of ['dragover', 'drop']) document.addEventListener(kind, (event) => event.preventDefault());
