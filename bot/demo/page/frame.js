/** The frame around the talk: its head, and the tabs of a narrow window. */

import { avatar } from "./avatar.js";
import { h, icon } from "./dom.js";

const PANELS = [
  ["side", "people", "People"],
  ["chat", "chat", "Chat"],
  ["thread", "reply", "Thread"],
  ["world", "world", "World"],
];

/** Return the head of the open *channel*, or of the app. */
export function header(page, channel) {
  return [channel ? channelHead(page, channel) : appHead(page), meButton(page)];
}

function channelHead(page, channel) {
  const { names, bot } = page.store;
  const people = channel.members.filter((id) => !names.person(id)?.bot).length;
  const invite = {
    type: "button",
    class: "button tiny",
    "data-key": "invite",
    onclick: () => page.say(`/invite @${bot.name}`, false),
  };
  const here = channel.bot_is_member ? `and ${bot.name}` : `· ${bot.name} is not here`;
  return [
    h("h2", {}, icon(channel.private ? "lock" : "hash"), channel.name),
    h("p", {}, `${people} people ${here}`),
    channel.bot_is_member ? null : h("button", invite, "Invite it"),
  ];
}

function appHead(page) {
  const tab = (name, label) => {
    const chosen = String(page.place.app === name);
    const open = () => page.open({ app: name });
    const props = {
      type: "button",
      role: "tab",
      "aria-selected": chosen,
      onclick: open,
    };
    return h("button", { ...props, "data-key": `tab/${name}` }, label);
  };
  return [
    h("h2", {}, avatar(null, 0, "tiny"), page.store.bot.name),
    h(
      "div",
      { class: "tabs", role: "tablist", "aria-label": "Tabs of the app" },
      tab("home", "Home"),
      tab("messages", "Messages"),
    ),
  ];
}

/** Return who one is; in a narrow window it leads to the list of people. */
function meButton(page) {
  const place = page.store.people.findIndex((p) => p.id === page.me);
  const person = page.store.people[place];
  const label = `You are ${person.real_name || person.name}; choose somebody else`;
  const open = () => page.panel("side");
  const props = { type: "button", class: "me", "aria-label": label, onclick: open };
  return h("button", props, avatar(person, place, "small"));
}

/** Return the tabs; *now* is the open panel, *asked* counts what waits for others. */
export function tabs(page, now, asked) {
  return PANELS.map(([panel, sign, label]) => {
    const props = {
      type: "button",
      "aria-current": now === panel ? "page" : null,
      disabled: panel === "thread" && !page.thread,
      "data-key": panel,
      onclick: () => page.panel(panel),
    };
    const count = h("span", { class: "count" }, String(asked));
    return h(
      "button",
      props,
      icon(sign),
      label,
      panel === "side" && asked > 0 && count,
    );
  });
}
