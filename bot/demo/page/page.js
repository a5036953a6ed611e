/** The page of the demo: who is looking, at what, and what is done with it. */

import { Attention } from "./attention.js";
import { examples, suggest } from "./commands.js";
import { Composer } from "./composer.js";
import { ViewDialog } from "./dialog.js";
import { draw } from "./draw.js";
import { recall, remember } from "./memory.js";
import { Feed } from "./messages.js";
import { warn } from "./notes.js";
import { Outside } from "./outside.js";
import { post, Store } from "./store.js";

const $ = (id) => document.getElementById(id);
const DARK = matchMedia("(prefers-color-scheme: dark)");

class Page {
  constructor() {
    this.store = new Store((event) => this.changed(event));
    this.me = "";
    this.place = { channel: "" }; // {channel} or {app: "home" | "messages"}
    this.thread = null; // ts of the open thread's first message
    this.history = [];
    this.attention = new Attention(this, $("live"));
    this.feed = new Feed($("feed"));
    this.threadFeed = new Feed($("thread-feed"));
    this.composer = this.makeComposer("Message", false);
    this.threadComposer = this.makeComposer("Reply in the thread", true);
    this.dialog = new ViewDialog($("view"), this.dialogHooks());
    this.outside = new Outside($("world"), (body) => this.tell("/ui/outside", body));
  }

  start() {
    $("compose").append(this.composer.node);
    $("thread-compose").append(this.threadComposer.node);
    this.threadComposer.field.placeholder = "Reply …";
    $("newer").addEventListener("click", () => this.feed.toEnd(true));
    $("feed").addEventListener("scroll", () => this.seen(), { passive: true });
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.follow());
    DARK.addEventListener("change", () => this.render());
    this.setTheme(recall("theme"));
    this.store.follow();
  }

  /** The id of the channel that is open; the app's messages are a channel too. */
  get channel() {
    if (this.place.channel) return this.place.channel;
    const direct = this.store.channels.find((c) => c.im === this.me);
    return direct?.id ?? this.store.bot.user_id;
  }

  // --- what happens -----------------------------------------------------------------

  changed(event) {
    if (event) this.attention.note(event);
    else if (this.store.loaded && !this.me) this.begin();
    else if (this.store.loaded) this.settle();
    this.render();
  }

  /** The first time: who was it last, and a command that can be sent at once. */
  begin() {
    this.readHash();
    this.settle();
    this.composer.fill(this.examples()[0]?.text ?? "");
    if (matchMedia("(pointer: fine)").matches) this.composer.field.focus();
  }

  /** Make sure that the person and the place exist. */
  settle() {
    const { people } = this.store;
    if (!people.some((p) => p.id === this.me)) this.me = people[0].id;
    const open = this.store.channelsOf(this.me).filter((c) => !c.im);
    const known = this.place.app || open.some((c) => c.id === this.place.channel);
    if (!known) this.place = { channel: open[0]?.id ?? "" };
    this.writeHash();
  }

  /** The address names person and channel: two windows can be two people. */
  readHash() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    this.me = wanted.get("user") ?? recall("person") ?? "";
    if (wanted.has("channel")) this.place = { channel: wanted.get("channel") };
  }

  writeHash() {
    const { channel } = this.place;
    const hash = `#user=${this.me}${channel ? `&channel=${channel}` : ""}`;
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }

  /** Go where the address says. */
  follow() {
    if (!this.store.loaded) return;
    this.readHash();
    this.become(this.me);
  }

  become(id) {
    this.me = id;
    this.thread = null;
    remember("person", id);
    this.attention.seenBy(id);
    this.settle();
    if (this.place.app === "home") this.askHome();
    this.panel("chat");
  }

  open(place) {
    this.place = place;
    this.thread = null;
    this.attention.opened(place.channel ?? "app");
    this.writeHash();
    if (place.app === "home") this.askHome();
    this.panel("chat");
  }

  openThread(ts) {
    this.thread = ts;
    this.panel("thread");
    this.afterDraw = () => this.threadComposer.field.focus();
  }

  closeThread() {
    this.thread = null;
    this.panel("chat");
    this.afterDraw = () => this.composer.field.focus();
  }

  /** Show the panel *name* where the window has room for only one. */
  panel(name) {
    $("app").dataset.panel = name;
    this.render();
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (document.querySelector(":popover-open, dialog[open]")) return;
    if (this.thread) this.closeThread();
    else this.panel("chat");
  }

  /** There is something new; say so to whom reads further up. */
  newer() {
    $("newer").hidden = this.feed.pinned;
  }

  seen() {
    if (this.feed.pinned) $("newer").hidden = true;
  }

  isDark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : DARK.matches;
  }

  setTheme(name) {
    if (!name) return;
    document.documentElement.dataset.theme = name;
    remember("theme", name);
    this.render();
  }

  /** Draw once for all changes of this turn. */
  render() {
    if (this.waiting) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      draw(this);
      this.afterDraw?.();
      this.afterDraw = null;
    });
  }

  // --- what is sent -----------------------------------------------------------------

  /** POST; what goes wrong is shown, and the answer is null then. */
  async tell(path, body) {
    try {
      return await post(path, body);
    } catch (error) {
      warn(error.message);
      return null;
    }
  }

  /** Send what was typed; resolves to whether it went. */
  async say(text, inThread) {
    const command = text.startsWith("/");
    if (command && inThread) {
      const name = text.split(" ")[0];
      warn(`Slack takes no commands in threads: type ${name} in the channel.`);
      return false;
    }
    (inThread ? this.threadFeed : this.feed).pinned = true; // one sees what one says
    const thread = inThread ? { thread_ts: this.thread } : {};
    const body = { user: this.me, channel: this.channel, text, ...thread };
    return Boolean(await this.tell(command ? "/ui/command" : "/ui/say", body));
  }

  shortcut(name, message_ts) {
    const about = message_ts ? { message_ts } : {};
    const body = { user: this.me, callback_id: name, channel: this.channel, ...about };
    this.tell("/ui/shortcut", body);
  }

  askHome() {
    this.tell("/ui/home", { user: this.me });
  }

  /** What blocks need on a *surface*; *where* names it in the calls to the server. */
  context(surface, where, errors = {}) {
    const user = this.me;
    const form = this.store.form(`${user}/${surface}`);
    const act = (action) =>
      this.tell("/ui/action", { user, ...where, action, values: form.values() });
    const options = ({ action_id }, { block_id }, value) =>
      this.options({ user, ...where, action_id, block_id, value });
    return { me: user, names: this.store.names, form, errors, act, options };
  }

  async options(body) {
    const { options, option_groups: groups } = await post("/ui/options", body);
    return groups ?? [{ options: options ?? [] }];
  }

  dialogHooks() {
    const surface = (view) => `view/${view.id}`;
    return {
      context: (view, errors) =>
        this.context(surface(view), { view_id: view.id }, errors),
      submit: (view, values) =>
        post("/ui/view_submit", { user: this.me, view_id: view.id, values }),
      dismissed: (view) => {
        this.store.views.delete(this.me);
        this.tell("/ui/view_close", { user: this.me, view_id: view.id });
      },
    };
  }

  makeComposer(label, inThread) {
    const none = { usage: "", items: [] };
    return new Composer({
      label,
      send: (text) => this.say(text, inThread),
      suggest: (text) => (inThread ? none : suggest(text, this.vocabulary())),
      history: this.history,
    });
  }

  vocabulary() {
    const { outside, people } = this.store;
    return { instances: outside?.instances ?? [], people };
  }

  /** What to try first; chosen once, so that it stays while the world changes. */
  examples() {
    this.tries ??= this.store.examples ?? examples(this.vocabulary().instances);
    return this.tries;
  }
}

new Page().start();
