/** Rows of messages, and the feed that keeps them in place while they change. */

import { avatar } from "./avatar.js";
import { blocks } from "./blocks.js";
import { clock, day } from "./dates.js";
import { h, icon, keepFocus } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { openMenu } from "./popover.js";

const CLOSE_BY = 300; // s between two messages of one person shown as one
const NEAR = 80; // px from the end that count as "at the end"

/** Return the body of *message*: its blocks, or its text. */
export function body(message, ctx) {
  const shown = message.blocks?.length
    ? blocks(message.blocks, ctx)
    : h("div", { class: "b-text" }, mrkdwn(message.text ?? "", ctx));
  return h("div", { class: "body" }, shown);
}

function stamp(message) {
  const at = new Date(Number(message.ts) * 1000);
  return h(
    "time",
    { datetime: at.toISOString(), title: at.toLocaleString() },
    clock(message.ts),
  );
}

/** Return a row: *item* is {message, compact, replies?, whisper?, ctx, page hooks}. */
export function row(item) {
  const { message, whisper, compact, author, place } = item;
  const edited = message.edited ? h("div", { class: "edited" }, "(edited)") : null;
  const badge = author.bot ? h("span", { class: "badge" }, "APP") : null;
  const head = h(
    "div",
    { class: "head" },
    h("b", {}, author.shown),
    badge,
    stamp(message),
  );
  const kind = ["row", compact && "compact", whisper && "whisper", item.lit && "lit"];
  return h(
    "article",
    {
      class: kind.filter(Boolean).join(" "),
      "data-ts": message.ts,
      "aria-label": `${author.shown}, ${clock(message.ts)}`,
    },
    h("div", { class: "gutter" }, compact ? stamp(message) : avatar(author, place)),
    h(
      "div",
      { class: "content" },
      whisper && privately(item),
      compact ? null : head,
      item.broadcast && broadcastLine(item),
      body(message, item.ctx),
      edited,
      item.replies?.length ? threadLink(item) : null,
    ),
    whisper ? null : tools(item),
  );
}

function privately(item) {
  const dismiss = { type: "button", class: "plain", onclick: item.dismiss };
  return h(
    "div",
    { class: "only" },
    icon("lock"),
    "Only visible to you",
    h("button", dismiss, "Dismiss"),
  );
}

function broadcastLine(item) {
  const open = { type: "button", class: "plain", onclick: item.openThread };
  return h(
    "div",
    { class: "only" },
    icon("reply"),
    "replied to a thread",
    h("button", open, "Open it"),
  );
}

function threadLink(item) {
  const count = item.replies.length;
  const last = item.replies.at(-1);
  return h(
    "button",
    {
      type: "button",
      class: "replies",
      "data-key": `thread/${item.message.ts}`,
      onclick: item.openThread,
    },
    icon("reply"),
    h("b", {}, `${count} ${count === 1 ? "reply" : "replies"}`),
    h("span", {}, `last at ${clock(last.ts)}`),
  );
}

function tools(item) {
  const menu = (event) =>
    openMenu(event.currentTarget, "Message actions", item.shortcuts);
  const { ts } = item.message;
  const reply = {
    type: "button",
    "aria-label": "Reply in thread",
    title: "Reply in thread",
    "data-key": `reply/${ts}`,
    onclick: item.openThread,
  };
  const more = {
    type: "button",
    "aria-label": "More message actions",
    title: "More actions",
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "data-key": `more/${ts}`,
    onclick: menu,
  };
  return h(
    "div",
    { class: "tools" },
    item.openThread && h("button", reply, icon("reply")),
    h("button", more, icon("dots")),
  );
}

/** A scrolling list of rows; only what has changed is built anew. */
export class Feed {
  constructor(node) {
    this.node = node;
    this.rows = new Map(); // key -> {mark, node}
    this.place = "";
    this.pinned = true; // it stays at its end while things arrive
    node.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(node);
  }

  size() {
    return `${this.node.clientWidth}x${this.node.clientHeight}`;
  }

  scrolled() {
    // A new size moves things too; only what a person scrolls says where he wants to be.
    if (this.size() === this.measured) this.pinned = this.atEnd();
  }

  resized() {
    this.measured = this.size();
    if (this.pinned) this.toEnd();
  }

  atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.node;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  toEnd(smooth = false) {
    this.node.scrollTo({
      top: this.node.scrollHeight,
      behavior: smooth ? "smooth" : "instant",
    });
  }

  /** Show *items* ({key, mark, build}) of *place*; a new place starts at its end. */
  show(place, items) {
    const fresh = place !== this.place;
    this.pinned ||= fresh;
    if (fresh) this.rows.clear();
    this.place = place;
    const nodes = items.map((item) => this.nodeOf(item, fresh));
    const keys = new Set(items.map((item) => item.key));
    for (const key of this.rows.keys()) if (!keys.has(key)) this.rows.delete(key);
    keepFocus(this.node, () => arrange(this.node, nodes));
    if (items.length < 2)
      this.node.scrollTop = 0; // nothing but the welcome
    else if (this.pinned) this.toEnd();
  }

  nodeOf(item, fresh) {
    const old = this.rows.get(item.key);
    const mark = JSON.stringify(item.mark);
    if (old?.mark === mark) return old.node;
    const node = item.build();
    if (!fresh) node.classList.add(old ? "changed" : "new");
    this.rows.set(item.key, { mark, node });
    return node;
  }
}

/** Make *nodes* the children of *parent*, moving none that is in its place already. */
function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node)
      parent.insertBefore(node, parent.children[i] ?? null);
  });
}

/** Say whether *message* is but words: what has blocks stands on its own. */
function isTalk(message) {
  return !message?.whisper && !message?.reply_broadcast && !message?.blocks?.length;
}

/** Return the *messages* as one conversation: {message, compact, newDay}. */
export function paced(messages) {
  let last = null;
  return messages.map((message) => {
    const newDay = !last || day(message.ts) !== day(last.ts);
    const near = last && message.ts - last.ts < CLOSE_BY;
    const same = last && message.user === last.user && message.bot === last.bot;
    const plainTalk = [message, last].every(isTalk);
    last = message;
    return { message, newDay, compact: Boolean(near && same && plainTalk && !newDay) };
  });
}

/** Return the line that begins a day. */
export function divider(ts) {
  return h("div", { class: "day", role: "separator" }, h("span", {}, day(ts)));
}
