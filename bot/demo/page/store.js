/** What the page knows: the server's state, kept true by its events. */

import { Form } from "./form.js";

const RETRY = { first: 300, most: 4000 }; // ms

// Slack's words for what can go wrong here, in sentences.
const REFUSALS = {
  operation_timeout: "The bot did not answer within 3 seconds.",
  dispatch_failed: "The bot could not be reached; is its process running?",
  not_in_channel: "You are not in this channel.",
  channel_not_found: "There is no such channel for you.",
  message_not_found: "This message is gone.",
  not_found: "This dialog is gone; open it again.",
};

/** POST *body* to *path*; returns the answer, throws an Error with a sentence. */
export async function post(path, body) {
  const request = { method: "POST", headers: { "Content-Type": "application/json" } };
  const answer = await fetch(path, { ...request, body: JSON.stringify(body) }).catch(
    () => {
      throw new Error("The demo does not answer; is it still running in the terminal?");
    },
  );
  const data = await answer.json().catch(() => ({}));
  if (!answer.ok || data.ok === false) {
    if (Object.keys(data.errors ?? {}).length) return data; // for the fields
    const { error = `the demo answered with HTTP ${answer.status}` } = data;
    throw new Error(REFUSALS[error] ?? `That did not work: ${error}.`);
  }
  return data;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} answered with HTTP ${answer.status}`);
  return answer.json();
}

/** The state; calls `changed(event)` after each event, and null after a reload. */
export class Store {
  constructor(changed) {
    this.changed = changed;
    this.linked = false;
    this.loaded = false;
    this.people = [];
    this.groups = [];
    this.channels = [];
    this.messages = new Map(); // channel -> Map(ts -> message)
    this.whispers = new Map(); // id -> {id, user, channel, thread_ts, message, ts}
    this.dismissed = new Set(); // ids of private messages
    this.views = new Map(); // user -> the open dialog
    this.homes = new Map(); // user -> the app's home
    this.forms = new Map(); // surface -> Form
    this.outside = null;
    this.names = new Names(this);
  }

  /** Follow the server for ever; the socket comes first so that nothing is missed. */
  follow(wait = RETRY.first) {
    const early = [];
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ui/events`);
    let ready = false;
    socket.onopen = async () => {
      wait = RETRY.first;
      try {
        await this.reload();
      } catch {
        socket.close(); // the next turn tries again
        return;
      }
      ready = true;
      early.forEach((event) => this.apply(event));
    };
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (ready) this.apply(event);
      else early.push(event);
    };
    socket.onclose = () => {
      this.linked = false;
      this.changed(null);
      setTimeout(() => this.follow(Math.min(wait * 2, RETRY.most)), wait);
    };
  }

  async reload() {
    const [state, outside] = await Promise.all([get("/ui/state"), get("/ui/outside")]);
    const { team, bot, people, groups, channels, messages } = state;
    Object.assign(this, { team, bot, people, groups, channels, outside });
    this.examples = state.examples ?? null;
    for (const [user, list] of Object.entries(state.ephemerals ?? {})) {
      list.forEach((message) => this.hear({ ...message, user, message }));
    }
    this.views = new Map(Object.entries(state.views ?? {}));
    this.homes = new Map(Object.entries(state.homes ?? {}));
    this.messages = new Map(
      Object.entries(messages).map(([id, list]) => [
        id,
        new Map(list.map((m) => [m.ts, m])),
      ]),
    );
    this.linked = true;
    this.loaded = true;
    this.changed(null);
  }

  apply(event) {
    APPLY[event.type]?.(this, event);
    this.changed(event);
  }

  /** Return the channel's messages that are not deleted, oldest first. */
  of(channel) {
    const all = [...(this.messages.get(channel)?.values() ?? [])];
    return all.filter((m) => !m.deleted).sort((a, b) => a.ts - b.ts);
  }

  /** Keep a private message; one that is changed keeps its place. */
  hear({ id, user, channel, thread_ts, message }) {
    if (this.dismissed.has(id)) return;
    const ts = this.whispers.get(id)?.ts ?? message.ts ?? Date.now() / 1000;
    this.whispers.set(id, { id, user, channel, thread_ts, message, ts: String(ts) });
  }

  /** Forget a private message that its reader does not want to see any more. */
  dismiss(id) {
    this.dismissed.add(id);
    this.whispers.delete(id);
  }

  /** Return what only *user* sees in *channel*. */
  whispersTo(user, channel) {
    const mine = (w) => w.user === user && w.channel === channel;
    return [...this.whispers.values()].filter(mine);
  }

  /** Return the channels that *user* can open. */
  channelsOf(user) {
    return this.channels.filter((c) =>
      c.im ? c.im === user : c.members.includes(user),
    );
  }

  /** Return the Form that keeps what was put into *surface*. */
  form(surface) {
    if (!this.forms.has(surface)) this.forms.set(surface, new Form());
    return this.forms.get(surface);
  }
}

const APPLY = {
  message(store, { message }) {
    if (!store.channels.some((c) => c.id === message.channel)) {
      store.reload().catch(() => {}); // a new channel; the next reload brings it
    }
    const list = store.messages.get(message.channel) ?? new Map();
    store.messages.set(message.channel, list.set(message.ts, message));
  },
  ephemeral(store, event) {
    if (event.message) store.hear(event);
    else store.whispers.delete(event.id);
  },
  view(store, { user, view }) {
    if (view) store.views.set(user, view);
    else store.views.delete(user);
  },
  channel(store, { channel }) {
    const others = store.channels.filter((c) => c.id !== channel.id);
    const at = store.channels.findIndex((c) => c.id === channel.id);
    store.channels = others.toSpliced(at < 0 ? others.length : at, 0, channel);
  },
  home(store, { user, view }) {
    store.homes.set(user, view);
  },
  outside(store, event) {
    store.outside = event;
  },
};

/** Names of people, groups and channels by id. */
class Names {
  constructor(store) {
    this.store = store;
  }

  person(id) {
    const { bot, people } = this.store;
    if (bot?.user_id === id)
      return { id, name: bot.name, real_name: bot.name, bot: true };
    const slackbot = id === "USLACKBOT" && { id, name: "Slackbot", bot: true };
    return people.find((p) => p.id === id) ?? (slackbot || undefined);
  }

  user(id) {
    return this.person(id)?.name;
  }

  group(id) {
    return this.store.groups.find((g) => g.id === id);
  }

  channel(id) {
    return this.store.channels.find((c) => c.id === id)?.name;
  }

  users() {
    return this.store.people.map((p) => [p.id, p.real_name || p.name]);
  }

  channels() {
    return this.store.channels.filter((c) => !c.im).map((c) => [c.id, `#${c.name}`]);
  }
}
