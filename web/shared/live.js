/**
 * The client of the live feed: one socket that reconnects, resumes from the last cursor, and resolves each command
 * once. docs/live.md describes the messages.
 *
 * @typedef {{type: string, [key: string]: any}} Message
 * @typedef {'connecting' | 'open' | 'waiting' | 'closed'} State
 * @typedef {{resolve: (ack: Message) => void, reject: (error: Error) => void, message: Message}} Waiting
 */

import { ApiError } from './api.js';

const PROTOCOL = 'worldkeep.v1';
const FIRST_RETRY_MS = 400;
const MAX_RETRY_MS = 15_000;
const PING_AFTER_MS = 25_000; // without a message
const PONG_TIMEOUT_MS = 10_000; // then the connection is considered dead

/** Close codes after which it does not reconnect. */
const FINAL_CODES = new Set([4401, 4403, 4404]);

export class LiveClient {
  /**
   * @param {string} url  of the feed of a universe, such as `/universes/{id}/live`
   * @param {{message: (message: Message) => void, state: (state: State, code: number) => void}} listener
   */
  constructor(url, listener) {
    this.url = new URL(url, location.href);
    this.url.protocol = this.url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.listener = listener;
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {string | undefined} behind the last message that was handled */
    this.cursor = undefined;
    /** @type {Map<string, Waiting>} commands without an answer, by `ref`; sent again after a reconnect */
    this.waiting = new Map();
    /** @type {Set<string>} */
    this.watched = new Set();
    this.failures = 0;
    this.isOpen = false;
    this.timer = 0;
    this.lastMessageAt = 0;
    this.online = () => this.#connectNow();
    window.addEventListener('online', this.online);
    setInterval(() => this.#checkPulse(), 5000);
  }

  connect() {
    this.listener.state('connecting', 0);
    const socket = new WebSocket(this.url, PROTOCOL);
    this.socket = socket;
    socket.onopen = () => {
      this.lastMessageAt = performance.now();
      this.#send({ type: 'hello', ...(this.cursor ? { after: this.cursor } : {}) });
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.#lost(code);
    };
  }

  close() {
    window.removeEventListener('online', this.online);
    const { socket } = this;
    this.socket = null;
    socket?.close();
  }

  /** @param {string} mapId */
  watch(mapId) {
    this.watched.add(mapId);
    if (this.isOpen) this.#send({ type: 'watch', map_id: mapId });
  }

  /** @param {string} mapId */
  unwatch(mapId) {
    this.watched.delete(mapId);
    if (this.isOpen) this.#send({ type: 'unwatch', map_id: mapId });
  }

  /**
   * Send a command; resolves with its acknowledgement. If the connection is lost, it is sent again with the same `ref`,
   * so it is executed once.
   * @param {string} what  `move`, `edit`, `door`, `roll` or `say`
   * @param {{[key: string]: any}} fields
   * @returns {Promise<Message>}
   * @throws {ApiError}
   */
  command(what, fields) {
    const message = { ...fields, type: 'command', ref: newRef(), do: what };
    return new Promise((resolve, reject) => {
      this.waiting.set(message.ref, { resolve, reject, message });
      if (this.isOpen) this.#send(message);
    });
  }

  /** @param {{name: string, map_id?: string, x?: number, y?: number, data?: unknown}} signal */
  signal(signal) {
    if (this.isOpen) this.#send({ type: 'signal', data: {}, ...signal });
  }

  /** @param {Message} message */
  #send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** @param {Message} message */
  #receive(message) {
    this.lastMessageAt = performance.now();
    if (message.type === 'welcome') {
      this.isOpen = true;
      this.failures = 0;
      this.listener.state('open', 0);
    }
    if (message.type === 'ack') this.#answer(message.ref)?.resolve(message);
    else if (message.type === 'error' && message.ref) {
      this.#answer(message.ref)?.reject(new ApiError(message.problem.status, message.problem));
    } else this.listener.message(message);
    if (message.cursor && message.type !== 'welcome') this.cursor = message.cursor;
    if (message.type !== 'welcome') return;
    // Resumed events follow the old cursor; otherwise, everything is read again from here.
    if (!message.resumed) this.cursor = message.cursor;
    for (const mapId of this.watched) this.#send({ type: 'watch', map_id: mapId });
    for (const { message: command } of this.waiting.values()) this.#send(command);
  }

  /** @param {string} ref */
  #answer(ref) {
    const found = this.waiting.get(ref);
    this.waiting.delete(ref);
    return found;
  }

  /** @param {number} code */
  #lost(code) {
    this.isOpen = false;
    this.socket = null;
    if (FINAL_CODES.has(code)) {
      this.listener.state('closed', code);
      for (const { reject } of this.waiting.values())
        reject(new ApiError(code, { detail: 'The connection was closed.' }));
      this.waiting.clear();
      return;
    }
    this.listener.state('waiting', code);
    const wait = Math.min(FIRST_RETRY_MS * 2 ** this.failures++, MAX_RETRY_MS);
    // Jitter, so that not all clients of a restarted server reconnect at once.
    this.timer = window.setTimeout(() => this.#connectNow(), wait * (0.5 + Math.random()));
  }

  #connectNow() {
    clearTimeout(this.timer);
    if (!this.socket) this.connect();
  }

  #checkPulse() {
    if (!this.isOpen) return;
    const silent = performance.now() - this.lastMessageAt;
    if (silent > PING_AFTER_MS + PONG_TIMEOUT_MS) {
      // A dead connection does not answer a close either, so it is not waited for.
      const { socket } = this;
      this.#lost(0);
      socket?.close();
    } else if (silent > PING_AFTER_MS) this.#send({ type: 'ping' });
  }
}

const newRef = () =>
  crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
