/** What stands in the feed and in the thread: messages, days, private answers. */

import { row, divider, paced } from "./messages.js";

/** Return the rows of the open channel. */
export function feedItems(page) {
  const all = page.store.of(page.channel);
  const replies = byThread(all);
  const top = all.filter((m) => !isReply(m) || m.reply_broadcast);
  const whispers = page.store
    .whispersTo(page.me, page.channel)
    .filter((w) => !w.thread_ts);
  return rows(page, [...top, ...whispers.map(asMessage)], { replies });
}

/** Return the rows of the open thread. */
export function threadItems(page) {
  const all = page.store.of(page.channel);
  const mine = all.filter((m) => m.ts === page.thread || m.thread_ts === page.thread);
  const whispers = page.store
    .whispersTo(page.me, page.channel)
    .filter((w) => w.thread_ts === page.thread);
  return rows(page, [...mine, ...whispers.map(asMessage)], { inThread: true });
}

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

function byThread(messages) {
  const out = new Map();
  for (const message of messages.filter(isReply)) {
    out.set(message.thread_ts, [...(out.get(message.thread_ts) ?? []), message]);
  }
  return out;
}

function asMessage(whisper) {
  return {
    user: "",
    bot: true,
    ...whisper.message,
    ts: whisper.ts,
    whisper: whisper.id,
  };
}

function rows(page, messages, options) {
  const sorted = messages.sort((a, b) => a.ts - b.ts);
  return paced(sorted).flatMap(({ message, newDay, compact }) => {
    const item = message.whisper
      ? whisperItem(page, message)
      : messageItem(page, message, compact, options);
    if (!newDay || options.inThread) return [item];
    return [
      { key: `day/${message.ts}`, mark: message.ts, build: () => divider(message.ts) },
      item,
    ];
  });
}

/** Return who wrote *message*, as the row shows it. */
function author(page, message) {
  const { bot } = page.store;
  const known = page.store.names.person(message.user || bot.user_id);
  const shown = known?.real_name || known?.name || message.user;
  return { ...known, bot: Boolean(message.bot || known?.bot), shown };
}

function messageItem(page, message, compact, { replies, inThread }) {
  const answers = replies?.get(message.ts) ?? [];
  const people = page.store.people;
  const thread = message.thread_ts ?? message.ts;
  const build = () =>
    row({
      message,
      compact,
      author: author(page, message),
      place: people.findIndex((p) => p.id === message.user),
      replies: answers,
      broadcast: Boolean(message.reply_broadcast) && !inThread,
      lit: !inThread && page.thread === message.ts,
      ctx: page.context(`${message.channel}/${message.ts}`, {
        channel: message.channel,
        message_ts: message.ts,
      }),
      openThread: inThread ? null : () => page.openThread(thread),
      shortcuts: [
        {
          label: "Restart an instance …",
          hint: `${page.store.bot.name}: speaks in this thread`,
          run: () => page.shortcut("restart_from_message", message.ts),
        },
      ],
    });
  const mark = [
    message,
    compact,
    answers.length,
    answers.at(-1)?.ts,
    page.thread === message.ts,
  ];
  return { key: message.ts, mark, build };
}

function whisperItem(page, message) {
  const build = () =>
    row({
      message,
      whisper: true,
      author: author(page, message),
      place: -1,
      ctx: page.context(`whisper/${message.whisper}`, {
        channel: page.channel,
        ephemeral_id: message.whisper,
      }),
      dismiss: () => {
        page.store.dismiss(message.whisper);
        page.render();
      },
    });
  return { key: `whisper/${message.whisper}`, mark: message, build };
}
