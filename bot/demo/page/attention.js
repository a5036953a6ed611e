/** Who has something new to see, and what a screen reader is told about it. */

import { mrkdwn } from "./mrkdwn.js";

const USER = /<@([UW][A-Z0-9]+)|"user_id":"([UW][A-Z0-9]+)"/g;
const GROUP = /<!subteam\^(S[A-Z0-9]+)|"usergroup_id":"(S[A-Z0-9]+)"/g;

/** Counts for the people who are not looking, marks for channels, words for ears. */
export class Attention {
  constructor(page, live) {
    this.page = page;
    this.live = live;
    this.mentions = new Map(); // user -> how many new things
    this.unread = new Set(); // channels, and "app" for the direct messages
    this.known = new Set(); // what has been counted or read out
  }

  /** Forget what was waiting for *user*. */
  seenBy(user) {
    this.mentions.delete(user);
    this.unread.clear();
  }

  opened(channel) {
    this.unread.delete(channel);
  }

  /** Take notice of an *event* of the server. */
  note(event) {
    if (event.type === "message") this.message(event.message);
    if (event.type === "ephemeral" && event.message) this.whisper(event);
    if (event.type === "view" && event.view)
      this.count(event.user, `view/${event.view.id}`);
  }

  message(message) {
    const { store, me, channel } = this.page;
    if (message.deleted) return;
    for (const user of mentioned(message, store)) {
      if (user !== message.user) this.count(user, `${message.ts}/${user}`);
    }
    if (!this.first(message.ts) || message.user === me) return;
    if (message.channel === channel) this.speak(message);
    else if (store.channelsOf(me).some((c) => c.id === message.channel)) {
      const direct = store.channels.find((c) => c.id === message.channel).im;
      this.unread.add(direct ? "app" : message.channel);
    }
  }

  whisper({ user, id, channel, message }) {
    this.count(user, id);
    const here = user === this.page.me && channel === this.page.channel;
    if (here && this.first(id)) this.speak(message, "Only visible to you. ");
  }

  count(user, what) {
    if (!this.first(what) || user === this.page.me) return;
    this.mentions.set(user, (this.mentions.get(user) ?? 0) + 1);
  }

  first(what) {
    const fresh = !this.known.has(what);
    this.known.add(what);
    return fresh;
  }

  speak(message, before = "") {
    const { store } = this.page;
    const name = store.names.user(message.user || store.bot.user_id) ?? "Somebody";
    const words = document.createElement("p");
    words.append(
      `${before}${name}: `,
      mrkdwn(message.text ?? "", { names: store.names, me: "" }),
    );
    this.live.replaceChildren(words);
    this.page.newer();
  }
}

/** Return the ids of all whom *message* mentions, members of groups included. */
function mentioned(message, store) {
  const source = JSON.stringify([message.text ?? "", message.blocks ?? []]);
  const ids = (pattern) => [...source.matchAll(pattern)].map(([, a, b]) => a ?? b);
  const groups = ids(GROUP).flatMap((id) => store.names.group(id)?.users ?? []);
  return new Set([...ids(USER), ...groups]);
}
