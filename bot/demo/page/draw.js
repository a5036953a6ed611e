/** Drawing: brings every part of the page up to date with what it knows. */

import { blocks } from "./blocks.js";
import { COMMAND } from "./commands.js";
import { h, icon, paint } from "./dom.js";
import { header, tabs } from "./frame.js";
import { feedItems, threadItems } from "./items.js";
import { sidebar } from "./sidebar.js";
import { welcome } from "./welcome.js";

const $ = (id) => document.getElementById(id);

/** Draw all of *page*; what has not changed is left as it is. */
export function draw(page) {
  const { store } = page;
  drawBanner(store);
  if (!store.loaded) return;
  drawSide(page);
  drawHead(page);
  drawMain(page);
  drawThread(page);
  drawTabs(page);
  page.outside.show(store.outside);
  page.dialog.show(store.views.get(page.me) ?? null);
}

function drawBanner(store) {
  const sentence = trouble(store);
  $("banner").hidden = !sentence;
  $("banner").textContent = sentence;
}

/** Return what keeps the page or the bot from working, in a sentence, or "". */
function trouble(store) {
  if (!store.loaded) return store.linked ? "" : "Connecting to the demo …";
  if (!store.linked) return "Not connected to the demo; trying again …";
  const running = store.outside?.bot?.running !== false;
  return running ? "" : "The bot’s process is not running: nobody answers commands.";
}

function drawSide(page) {
  const { linked, people, channels, bot, team } = page.store;
  const chosen = [page.me, page.place, page.isDark()];
  const news = [[...page.attention.mentions], [...page.attention.unread]];
  const known = [linked, people, channels, bot, team];
  paint($("side"), [known, chosen, news], () => sidebar(page));
}

function drawHead(page) {
  const channel = page.store.channels.find((c) => c.id === page.place.channel);
  const where = channel ? `#${channel.name}, or ${COMMAND} …` : page.store.bot.name;
  paint($("head"), [page.place, channel, page.me], () => header(page, channel));
  page.composer.field.placeholder = `Message ${where}`;
}

function drawMain(page) {
  const home = page.place.app === "home";
  $("feed").hidden = home;
  $("compose").hidden = home;
  $("home").hidden = !home;
  if (home) drawHome(page);
  else drawFeed(page);
}

function drawFeed(page) {
  const first = {
    key: "welcome",
    mark: [page.examples(), page.place, page.me],
    build: () => welcome(page),
  };
  page.feed.show(`${page.me}/${page.channel}`, [first, ...feedItems(page)]);
  if (page.feed.pinned) $("newer").hidden = true;
  page.composer.offerExamples("Try", page.examples());
  paint(page.composer.tools, page.me, () => shortcutButton(page));
}

function shortcutButton(page) {
  const label = "Shortcut: restart an instance";
  const use = () => page.shortcut("restart_instance");
  const props = { type: "button", class: "ghost", title: label, onclick: use };
  const words = h("span", {}, "Restart an instance");
  return h("button", { ...props, "aria-label": label }, icon("bolt"), words);
}

function drawHome(page) {
  const view = page.store.homes.get(page.me);
  const none = `Nothing here yet: ${page.store.bot.name} has not filled its home for you.`;
  paint($("home"), [view, page.me], () => {
    if (!view) return h("p", { class: "hint" }, none);
    const ctx = page.context("home", { home: true, view_id: view.id });
    return h("div", { class: "home-body" }, blocks(view.blocks, ctx));
  });
}

function drawThread(page) {
  const root = page.thread && page.store.messages.get(page.channel)?.get(page.thread);
  $("thread").hidden = !root;
  if (!root) return;
  const close = {
    type: "button",
    class: "ghost",
    "aria-label": "Close the thread",
    title: "Close (Esc)",
    onclick: () => page.closeThread(),
  };
  paint($("thread-head"), page.channel, () => [
    h("h2", {}, icon("reply"), "Thread"),
    h("button", close, icon("close")),
  ]);
  const place = `${page.me}/${page.channel}/${page.thread}`;
  page.threadFeed.show(place, threadItems(page));
}

function drawTabs(page) {
  const now = $("app").dataset.panel;
  const asked = [...page.attention.mentions.values()].reduce((a, b) => a + b, 0);
  paint($("tabs"), [now, page.thread, asked], () => tabs(page, now, asked));
}
