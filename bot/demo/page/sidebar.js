/** The left side: who you are, the channels, the app. */

import { avatar } from "./avatar.js";
import { h, icon } from "./dom.js";

/** Return the side's nodes; *page* tells what is chosen and takes the choices. */
export function sidebar(page) {
  const { store } = page;
  return [
    h(
      "header",
      {},
      h("span", {
        class: `dot ${store.linked ? "ok" : "bad"}`,
        title: store.linked ? "Connected" : "Not connected",
      }),
      h("b", {}, teamName(store.team)),
      theme(page),
    ),
    h(
      "div",
      { class: "side-body" },
      h("h2", { id: "you-are" }, "You are"),
      h(
        "div",
        { class: "people", role: "radiogroup", "aria-labelledby": "you-are" },
        store.people.map((person, i) => personRow(person, i, page)),
      ),
      h("h2", {}, "Channels"),
      h(
        "ul",
        { class: "channels" },
        store
          .channelsOf(page.me)
          .filter((c) => !c.im)
          .map((c) => channelRow(c, page)),
      ),
      h("h2", {}, "Apps"),
      h("ul", { class: "channels" }, appRow(page)),
    ),
  ];
}

function teamName(team) {
  return typeof team === "string" ? team : (team?.name ?? "mlstudio demo");
}

function theme(page) {
  const dark = page.isDark();
  const label = dark ? "Use light colours" : "Use dark colours";
  const props = {
    type: "button",
    class: "ghost",
    "aria-label": label,
    title: label,
    "data-key": "theme",
    onclick: () => page.setTheme(dark ? "light" : "dark"),
  };
  return h("button", props, icon(dark ? "sun" : "moon"));
}

function personRow(person, place, page) {
  const mentions = page.attention.mentions.get(person.id) ?? 0;
  const kind = person.guest ? "guest" : person.stranger ? "other workspace" : "";
  const input = h("input", {
    type: "radio",
    name: "person",
    value: person.id,
    checked: person.id === page.me,
    "data-key": `person/${person.id}`,
    onchange: () => page.become(person.id),
  });
  return h(
    "label",
    { class: "person" },
    input,
    avatar(person, place, "small"),
    h(
      "span",
      { class: "who" },
      h("b", {}, person.real_name || person.name),
      h("small", {}, [person.title, kind].filter(Boolean).join(" · ")),
    ),
    mentions
      ? h(
          "span",
          {
            class: "count",
            title: "Mentioned, or told something in private",
            "aria-label": `${mentions} new for ${person.name}`,
          },
          String(mentions),
        )
      : null,
  );
}

function channelRow(channel, page) {
  const here = page.place.channel === channel.id;
  const unread = page.attention.unread.has(channel.id);
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: unread ? "unread" : null,
        "aria-current": here ? "page" : null,
        "data-key": `channel/${channel.id}`,
        onclick: () => page.open({ channel: channel.id }),
      },
      icon(channel.private ? "lock" : "hash"),
      h("span", {}, channel.name),
      unread ? h("span", { class: "unseen" }, ", new messages") : null,
      channel.bot_is_member ? null : h("small", {}, "bot not here"),
    ),
  );
}

function appRow(page) {
  const here = Boolean(page.place.app);
  const open = () => page.open({ app: "home" });
  const props = {
    type: "button",
    "aria-current": here ? "page" : null,
    "data-key": "app",
    onclick: open,
  };
  return h(
    "li",
    {},
    h(
      "button",
      props,
      avatar(null, 0, "tiny"),
      h("span", {}, page.store.bot.name),
      page.attention.unread.has("app") ? h("span", { class: "count" }, "!") : null,
    ),
  );
}
