/** JSON for people: written with one row, legend entry or object a line, and with every place in it to be found. */

const MAX_LINE_LENGTH = 140; // characters a line

/**
 * JSON text: short values are on one line; rows of cells are below each other.
 * @param {unknown} value  @param {string} [indent]
 * @returns {string}
 */
export function formatJson(value, indent = '') {
  const flat = inline(value);
  const isRows = Array.isArray(value) && value.length > 1 && value.every((item) => typeof item === 'string');
  if (flat.length + indent.length <= MAX_LINE_LENGTH && !isRows && indent) return flat;
  if (value === null || typeof value !== 'object') return flat;
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((item) => inner + formatJson(item, inner))
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${formatJson(item, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return lines.length ? `${open}\n${lines.join(',\n')}\n${indent}${close}` : open + close;
}

/** @param {unknown} value @returns {string} */
function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${inline(item)}`);
  return `{${members.join(', ')}}`;
}

/**
 * The range [from, to] of a place such as `layers[0].rows[2]` in JSON text. A place that is not there (a key that
 * is missing) gives the nearest one around it.
 * @param {string} text  @param {string} place
 * @returns {[number, number]}
 */
export function locate(text, place) {
  const steps = [...place.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? key : Number(index),
  );
  let at = 0;
  const space = () => {
    while (at < text.length && ' \t\r\n'.includes(text[at])) at++;
  };
  const skipString = () => {
    for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === '\\') at++;
    at++;
  };
  /**
   * Goes over one value; with steps left, gives the range of what they lead to, or of this value.
   * @param {(string | number)[] | null} left
   * @returns {[number, number]}
   */
  const value = (left) => {
    space();
    const from = at;
    /** @type {[number, number] | null} */
    let inside = null;
    if (text[at] === '"') skipString();
    else if (text[at] === '{' || text[at] === '[') {
      const isList = text[at] === '[';
      const close = isList ? ']' : '}';
      at++;
      space();
      for (let index = 0; at < text.length && text[at] !== close; index++) {
        /** @type {string | number} */
        let key = index;
        if (!isList) {
          const start = at;
          skipString();
          try {
            key = JSON.parse(text.slice(start, at));
          } catch {
            return [start, at];
          }
          space();
          at++;
        }
        const found = value(left && key === left[0] ? left.slice(1) : null);
        if (left?.length && key === left[0]) inside = found;
        space();
        if (text[at] !== ',') break;
        at++;
        space();
      }
      at++;
    } else while (at < text.length && !',]} \t\r\n'.includes(text[at])) at++;
    return inside ?? [from, Math.min(at, text.length)];
  };
  return value(steps);
}

/**
 * The line of an offset in a text, from 1, and the column, from 1.
 * @param {string} text  @param {number} offset
 */
export function lineOf(text, offset) {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}

/** JSON that cannot be read, and where. */
export class JsonError extends Error {
  /** @param {number} offset */
  constructor(offset) {
    super('JSON ends or breaks here: look for a missing or surplus comma, quote or bracket.');
    this.offset = offset;
  }
}

/**
 * Parse JSON.
 * @param {string} text
 * @throws {JsonError} the same in every browser
 */
export function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    throw new JsonError(Number(/position (\d+)/.exec(message)?.[1] ?? firstFault(text)));
  }
}

/**
 * The offset of the first fault of JSON text: the longest beginning that could still go on.
 * @param {string} text
 */
function firstFault(text) {
  // eslint-disable-next-line no-control-regex -- JSON's strings may not hold control characters
  const token = /\s*(?:[{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  /** @type {string[]} */
  const stack = [];
  let wants = 'value';
  let at = 0;
  while (at < text.length) {
    token.lastIndex = at;
    const match = token.exec(text);
    const begin = at + (/\s*/y.exec(text.slice(at))?.[0].length ?? 0);
    if (!match) return begin;
    const word = match[0].trim();
    const top = stack.at(-1);
    if (wants === 'value' || (wants === 'first' && word !== ']')) {
      if (word === '{' || word === '[') {
        stack.push(word);
        wants = word === '{' ? 'firstKey' : 'first';
      } else if (',:]}'.includes(word)) return begin;
      else wants = 'next';
    } else if (wants === 'key' || (wants === 'firstKey' && word !== '}')) {
      if (!word.startsWith('"')) return begin;
      wants = ':';
    } else if (wants === ':') {
      if (word !== ':') return begin;
      wants = 'value';
    } else if (word === (top === '{' ? '}' : ']')) {
      stack.pop();
      wants = 'next';
    } else if (word === ',' && top && wants === 'next') wants = top === '{' ? 'key' : 'value';
    else return begin;
    at = token.lastIndex;
  }
  return text.length;
}
