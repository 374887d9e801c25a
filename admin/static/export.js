/** Downloads that say what the format cannot express, or why there is no file. Without this script they are links. */

const result = document.querySelector('[data-export-result]');

/** @param {string[]} lines */
function say(...lines) {
  if (!(result instanceof HTMLElement)) return;
  result.hidden = false;
  result.replaceChildren(
    ...lines.map((line) => {
      const paragraph = document.createElement('p');
      paragraph.className = 'm-0';
      paragraph.textContent = line;
      return paragraph;
    }),
  );
}

/**
 * Gives the browser a file to keep.
 *
 * @param {Blob} file
 * @param {string} name
 */
function keep(file, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {HTMLAnchorElement} link */
async function download(link) {
  say('Preparing the file…');
  let response;
  try {
    response = await fetch(link.href);
  } catch {
    say('The server cannot be reached.');
    return;
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    const errors = (problem.errors ?? []).map((/** @type {{ message: string }} */ error) => error.message);
    say(...(errors.length ? errors : [problem.detail ?? `The server answered ${response.status}.`]));
    return;
  }
  const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? 'map';
  keep(await response.blob(), name);
  const header = response.headers.get('x-warnings');
  let warnings = [];
  try {
    warnings = header ? JSON.parse(header) : [];
  } catch {
    // A very long list is cut off.
    warnings = [{ message: 'Many parts of the map cannot be expressed in this format.' }];
  }
  const lost = warnings.map((/** @type {{ message: string }} */ warning) => warning.message);
  say(
    lost.length ? `${name} was downloaded. The format cannot express everything:` : `${name} was downloaded.`,
    ...lost,
  );
}

/**
 * Has the links download by this script.
 *
 * @param {HTMLAnchorElement[]} links
 */
export function enhanceExports(links) {
  for (const link of links) {
    link.dataset.export = 'enhanced';
    link.addEventListener('click', (event) => {
      event.preventDefault();
      download(link);
    });
  }
}
