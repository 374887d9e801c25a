/**
 * The log of messages and rolls. The API has a list of each, which is read page by page from its newest entry. The log
 * shows both, back to where both are known, so that nothing is missing between two entries.
 *
 * @typedef {'message' | 'roll'} Kind
 * @typedef {{id: string, kind: Kind, created_at: string, actor_id: string, [key: string]: any}} LogEntry
 * @typedef {{items: any[], next_cursor: string | null}} Page  newest first
 * @typedef {{entries: LogEntry[], next: string | null, isExtended: boolean}} List  `entries`: oldest first; `next`: the
 *   cursor of the page before them, if there is one; `isExtended`: whether earlier pages were added
 */

import { computed, signal } from '../vendor/preact.js';

/** @type {Kind[]} */
export const KINDS = ['message', 'roll'];
const MAX_ENTRIES = 300; // of a list whose earlier pages nobody has asked for

export class Log {
  lists = {
    message: signal(/** @type {List} */ ({ entries: [], next: null, isExtended: false })),
    roll: signal(/** @type {List} */ ({ entries: [], next: null, isExtended: false })),
  };

  /** What is shown, oldest first. */
  entries = computed(() => {
    const lists = KINDS.map((kind) => this.lists[kind].value);
    const unread = lists.filter(({ next }) => next);
    const from = Math.max(...unread.map(({ entries }) => timeOf(entries[0])));
    return lists.flatMap(({ entries }) => entries.filter((entry) => timeOf(entry) >= from)).sort(byTime);
  });

  hasEarlier = computed(() => KINDS.some((kind) => this.lists[kind].value.next));

  /**
   * Add the newest page of a list.
   * @param {Kind} kind  @param {Page} page
   */
  addNewest(kind, page) {
    const list = this.lists[kind];
    const { entries, isExtended } = list.value;
    const known = new Set(entries.map(({ id }) => id));
    const merged = merge(entries, page.items, kind);
    const isTooLong = !isExtended && merged.length > MAX_ENTRIES;
    // If more entries than a page were missed, there is a gap before it: those before the gap are read again on demand.
    const isJoined = page.items.some(({ id }) => known.has(id));
    list.value =
      isJoined && !isTooLong
        ? { ...list.value, entries: merged }
        : { entries: merge([], page.items, kind), next: page.next_cursor, isExtended: false };
  }

  /**
   * Add the page before the known entries, unless these have changed since it was requested.
   * @param {Kind} kind  @param {string} cursor  of this page  @param {Page} page
   */
  addEarlier(kind, cursor, page) {
    const list = this.lists[kind];
    const { entries, next } = list.value;
    if (next === cursor)
      list.value = { entries: merge(entries, page.items, kind), next: page.next_cursor, isExtended: true };
  }

  /** Change an entry, if it is known. @param {Kind} kind  @param {string} id  @param {Partial<LogEntry>} fields */
  change(kind, id, fields) {
    const list = this.lists[kind];
    const entries = list.value.entries.map((entry) => (entry.id === id ? { ...entry, ...fields, id, kind } : entry));
    list.value = { ...list.value, entries };
  }
}

/** @param {LogEntry} entry */
const timeOf = ({ created_at: time }) => Date.parse(time);

/** @param {LogEntry} a  @param {LogEntry} b */
const byTime = (a, b) => timeOf(a) - timeOf(b) || (a.id < b.id ? -1 : 1);

/** @param {LogEntry[]} entries  @param {any[]} items  @param {Kind} kind */
function merge(entries, items, kind) {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  for (const one of items) byId.set(one.id, { ...one, kind, actor_id: one.actor_id ?? one.sender_id });
  return [...byId.values()].sort(byTime);
}
