/**
 * Unsaved work, kept in the browser until it is saved: it survives a reload, a crash and a closed tab.
 *
 * @typedef {import('../../../web/shared/api.js').Edit} Edit
 * @typedef {{edits: Edit[], document?: undefined} | {document: {[key: string]: any}, edits?: undefined}} Work
 *   what changed as edits; or the whole document, where edits cannot say it
 * @typedef {Work & {version: number}} Draft
 * @typedef {Draft & {tab: string, own: boolean, at: number}} KeptDraft  `own`: of this tab
 */

const PREFIX = 'worldkeep:draft:';

/** The drafts of one map. Each tab keeps its own, so that two tabs do not write over each other. */
export class Drafts {
  /** @param {string} mapUrl */
  constructor(mapUrl) {
    this.base = `${PREFIX}${mapUrl}:`;
    this.tab = tabName();
  }

  /**
   * Keep a draft, under this tab's name or another; false when there is no room.
   * @param {Draft} draft  @param {string} [tab]
   */
  keep(draft, tab = this.tab) {
    try {
      localStorage.setItem(this.base + tab, JSON.stringify({ ...draft, at: Date.now() }));
      return true;
    } catch {
      return false;
    }
  }

  /** Forget a tab's draft; without a name, this tab's. */
  forget(tab = this.tab) {
    try {
      localStorage.removeItem(this.base + tab);
    } catch {
      // A browser without storage has kept none.
    }
  }

  /**
   * All drafts of this map, this tab's first, then the newest.
   * @returns {KeptDraft[]}
   */
  all() {
    /** @type {KeptDraft[]} */
    const found = [];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (!key?.startsWith(this.base)) continue;
        const tab = key.slice(this.base.length);
        const draft = readable(localStorage.getItem(key));
        if (draft) found.push({ ...draft, tab, own: tab === this.tab });
      }
    } catch {
      return [];
    }
    return found.sort((a, b) => Number(b.own) - Number(a.own) || b.at - a.at);
  }
}

/** @param {string | null} text */
function readable(text) {
  try {
    const draft = JSON.parse(text ?? '');
    return Array.isArray(draft?.edits) || draft?.document ? draft : null;
  } catch {
    return null;
  }
}

function tabName() {
  const fresh = Math.random().toString(36).slice(2, 10);
  try {
    const known = sessionStorage.getItem('worldkeep:tab');
    if (!known) sessionStorage.setItem('worldkeep:tab', fresh);
    return known ?? fresh;
  } catch {
    return fresh;
  }
}
