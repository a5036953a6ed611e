/** The beginning of a channel: what this is and what to do first. */

import { h, icon } from "./dom.js";

/** Return the welcome for the place that is open. */
export function welcome(page) {
  const { store, me } = page;
  const channel = store.channels.find((c) => c.id === page.place.channel);
  if (!channel)
    return h(
      "div",
      { class: "welcome" },
      h("p", {}, `Your direct messages with ${store.bot.name}.`),
    );
  const name = store.names.person(me)?.real_name ?? "";
  const step = (title, ...words) =>
    h("li", {}, h("b", {}, title), h("span", {}, words));
  return h(
    "div",
    { class: "welcome" },
    h("p", { class: "eyebrow" }, "The real bot · a pretend Slack · a pretend cloud"),
    h("h2", {}, "Restart a machine from chat, and hear how it ended"),
    h(
      "ol",
      {},
      step(
        "Press Enter",
        `The box below holds a first command; you send it as ${name}. Or click one of the examples above the box.`,
      ),
      step(
        "Watch one message",
        "It changes as the cloud does, from ACTIVE to REBOOTING; the answer in its thread says when it is ready.",
      ),
      step(
        "Be somebody else",
        "Some machines need a second person: choose one of them under “You are” and approve. A number shows who is asked.",
      ),
      step(
        "Break something",
        "Under “Outside world”: lose an answer, throttle the cloud, kill the bot in the middle.",
      ),
    ),
    h(
      "button",
      { type: "button", class: "button primary", onclick: () => start(page) },
      icon("send"),
      startLabel(page),
    ),
  );
}

function startLabel(page) {
  return page.examples()[0]?.label ?? "Begin";
}

function start(page) {
  const [first] = page.examples();
  if (!first) return;
  page.composer.fill(first.text);
  page.composer.field.focus();
  page.composer.send();
}
