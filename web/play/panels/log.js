/** The log of messages and rolls, and an input for both. */

import { html, useLayoutEffect, useRef, useSignal } from '../../vendor/preact.js';
import { Avatar, Empty, Icon, clock } from './parts.js';

/** @type {Record<string, string>} */
const SEEN_BY = { game_masters: 'Game masters', blind: 'Blind', me: 'Only you' };
const NEAR_END = 40; // CSS pixels between the end of the log and what is shown
const DICE = ['d20', 'd12', 'd10', 'd8', 'd6', 'd4', 'd%'];

/** @param {import('./shell.js').Props & {isShown: boolean}} props */
export function Log(props) {
  const { store, table, isShown } = props;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const isAtEnd = useRef(true);
  /** The first entry before somebody read on; those before it are not announced. */
  const begin = useRef(/** @type {string | null} */ (null));
  const isReading = useSignal(false);
  const { value: entries } = store.log.entries;
  const { value: hasEarlier } = store.log.hasEarlier;
  const [first, newest] = [entries[0], entries.at(-1)];
  // Before the entries change: what is shown stays at the same distance from the end.
  const fromEnd = list.current ? list.current.scrollHeight - list.current.scrollTop : 0;
  useLayoutEffect(() => {
    if (list.current && !isAtEnd.current) list.current.scrollTop = list.current.scrollHeight - fromEnd;
  }, [first?.id, hasEarlier]);
  useLayoutEffect(() => {
    const element = list.current;
    // Who reads older entries stays there, until they write themselves.
    if (element && isShown && (isAtEnd.current || newest?.actor_id === store.me.value?.id))
      element.scrollTop = element.scrollHeight;
  }, [newest?.id, isShown]);
  const readOn = async () => {
    if (isReading.value) return;
    isReading.value = true;
    begin.current ??= first?.id ?? null;
    isAtEnd.current = false;
    await table.readEarlierLog();
    isReading.value = false;
    // The focus would be lost with the button.
    if (!store.log.hasEarlier.value) list.current?.focus({ preventScroll: true });
  };
  const show = (/** @type {import('../log.js').LogEntry[]} */ some) =>
    some.map((entry) => html`<${Entry} key=${entry.id} ...${props} entry=${entry} />`);
  const split = Math.max(
    entries.findIndex(({ id }) => id === begin.current),
    0,
  );
  return html`
    <div
      class="pl-log"
      role="group"
      aria-label="Messages and rolls"
      tabindex="0"
      ref=${list}
      onScroll=${(/** @type {any} */ { target }) =>
        (isAtEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_END)}
    >
      ${
        hasEarlier &&
        html`<button class="pl-button pl-earlier" aria-disabled=${isReading.value} onClick=${readOn}>
          ${isReading.value ? 'Reading…' : 'Show earlier'}
        </button>`
      }
      ${split > 0 && html`<div role="group" aria-label="Earlier">${show(entries.slice(0, split))}</div>`}
      <div role="log" aria-live="polite" aria-label="Log">
        ${
          entries.length
            ? show(entries.slice(split))
            : html`<${Empty} icon="chat" text="No messages yet. Write one below, or roll: /roll 2d6+3" />`
        }
      </div>
    </div>
    <${Composer} ...${props} />
  `;
}

/** @param {import('./shell.js').Props & {entry: import('../log.js').LogEntry}} props */
function Entry({ entry, store, table }) {
  const mayReveal =
    entry.kind === 'roll' &&
    entry.visibility !== 'everyone' &&
    (store.isGameMaster.value || (entry.visibility !== 'blind' && entry.actor_id === store.me.value?.id));
  const reveal = mayReveal ? () => table.send('POST', `/rolls/${entry.id}/reveal`) : null;
  const character = entry.character_id ? store.characters.value.get(entry.character_id) : null;
  const name = character?.name ?? store.nameOf(entry.actor_id);
  const seen = entry.kind === 'message' ? whisperedTo(entry, store) : SEEN_BY[entry.visibility];
  return html`
    <article class=${`pl-entry is-${entry.kind} ${seen ? 'is-private' : ''}`}>
      <${Avatar} name=${name} id=${entry.actor_id ?? ''} />
      <div>
        <header>
          <strong>${name}</strong>
          ${seen && html`<em>${seen}</em>`}
          <time datetime=${entry.created_at}>${clock(entry.created_at)}</time>
        </header>
        ${entry.kind === 'roll' ? html`<${Roll} roll=${entry} reveal=${reveal} />` : html`<p>${entry.text}</p>`}
      </div>
    </article>
  `;
}

/** @param {import('../log.js').LogEntry} entry  @param {import('../store.js').Store} store */
function whisperedTo({ to }, store) {
  return to?.length ? `Whisper to ${to.map((/** @type {string} */ id) => store.nameOf(id)).join(', ')}` : '';
}

/** @param {{roll: import('../log.js').LogEntry, reveal: (() => void) | null}} props */
function Roll({ roll, reveal }) {
  if (roll.total === null || roll.total === undefined)
    return html`<p class="pl-roll">
      <span class="pl-total">?</span><span>${roll.expression}<small>The game master sees the result.</small></span>
    </p>`;
  return html`
    <p class="pl-roll">
      <span class="pl-total">${roll.total}</span>
      <span>${roll.reason || roll.expression}<small>${withoutDropped(roll.text ?? roll.expression)}</small></span>
      ${
        reveal &&
        html`<button
          class="pl-reveal"
          aria-label="Show this roll to everyone"
          title="Show to everyone"
          onClick=${reveal}
        >
          <${Icon} name="reveal" />
        </button>`
      }
    </p>
  `;
}

/** The text of a roll, with dropped dice struck through, which are ~in tildes~. @param {string} text */
const withoutDropped = (text) => text.split('~').map((part, i) => (i % 2 ? html`<s>${part}</s>` : part));

/** @param {import('./shell.js').Props} props */
function Composer({ store, table }) {
  const text = useSignal('');
  const to = useSignal('');
  const visibility = useSignal('everyone');
  const speaker = useSignal('');
  const speakers = [...store.characters.value.values()].filter((one) => store.may(one, 'act'));
  const others = [...store.members.value.values()].filter(({ user_id: id }) => id !== store.me.value?.id);
  const rollDice = (/** @type {string} */ expression, reason = '') =>
    table.roll({
      expression,
      visibility: visibility.value,
      ...(reason ? { reason } : {}),
      ...(speaker.value ? { character_id: speaker.value } : {}),
    });
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const line = text.value.trim();
    if (!line) return;
    const [, expression, reason] = line.match(/^\/r(?:oll)?\s+([^#]+)(?:#\s*(.*))?$/i) ?? [];
    // What was meant for few must not be read by all.
    if (!expression && /^\/\w/.test(line))
      return store.notify(
        'The only command is /roll, as in /roll 1d20+5. Choose below “To” who reads a message.',
        'error',
      );
    text.value = '';
    const done = expression
      ? await rollDice(expression.trim(), reason?.trim())
      : await table.say(line, to.value ? [to.value] : [], speaker.value || null);
    // Refused input is restored, so that it can be corrected.
    if (!done && !text.value) text.value = line;
  };
  if (store.isSpectator.value) return null;
  return html`
    <form class="pl-composer" onSubmit=${submit}>
      <div class="pl-dice" role="group" aria-label="Roll">
        ${DICE.map((die) => html`<button type="button" onClick=${() => rollDice(die === 'd%' ? 'd%' : `1${die}`)}>${die}</button>`)}
      </div>
      <div class="pl-line">
        <textarea
          rows="1"
          maxlength="4000"
          aria-label="Message, or /roll and dice"
          placeholder=${to.value ? `Whisper to ${store.nameOf(to.value)}` : 'Message, or /roll 1d20+5'}
          value=${text.value}
          onInput=${(/** @type {any} */ event) => (text.value = event.target.value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && !event.shiftKey && submit(event)}
        ></textarea>
        <button class="pl-button is-primary" aria-label="Send"><${Icon} name="right" /></button>
      </div>
      <div class="pl-how">
        <${Choice}
          label="To"
          value=${to}
          options=${[['', 'everyone'], ...others.map((one) => [one.user_id, one.display_name])]}
        />
        <${Choice}
          label="Rolls"
          value=${visibility}
          options=${[
            ['everyone', 'everyone'],
            ['game_masters', 'game masters'],
            ['blind', 'blind'],
            ['me', 'only me'],
          ]}
        />
        ${
          speakers.length > 0 &&
          html`<${Choice}
            label="As"
            value=${speaker}
            options=${[['', 'myself'], ...speakers.map(({ id, name }) => [id, name])]}
          />`
        }
      </div>
    </form>
  `;
}

/** @param {{label: string, value: import('../../vendor/preact.js').Signal<string>, options: [string, string][]}} props */
const Choice = ({ label, value, options }) => html`
  <label>
    ${label}
    <select
      aria-label=${label}
      value=${value.value}
      onChange=${(/** @type {any} */ event) => (value.value = event.target.value)}
    >
      ${options.map(([id, name]) => html`<option value=${id}>${name}</option>`)}
    </select>
  </label>
`;
