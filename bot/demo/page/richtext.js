/** Block Kit's `rich_text` as DOM nodes. */

import { formatDate } from "./dates.js";
import { h, fragment } from "./dom.js";
import {
  broadcast,
  channelMention,
  emojiNode,
  groupMention,
  link,
  userMention,
} from "./mrkdwn.js";

const STYLES = {
  bold: "strong",
  italic: "em",
  strike: "s",
  code: "code",
  underline: "u",
};

const INLINE = {
  text: (e) =>
    styled(e, ...e.text.split("\n").flatMap((t, i) => (i ? [h("br"), t] : [t]))),
  link: (e) => styled(e, link(e.url, e.text || e.url)),
  user: (e, ctx) => styled(e, userMention(e.user_id, ctx)),
  usergroup: (e, ctx) => styled(e, groupMention(e.usergroup_id, ctx)),
  channel: (e, ctx) => styled(e, channelMention(e.channel_id, ctx)),
  emoji: (e) => emojiNode(e.name),
  broadcast: (e) => broadcast(e.range),
  date: (e) => h("time", {}, formatDate(e.timestamp, e.format) ?? e.fallback ?? ""),
  color: (e) => h("code", {}, e.value),
};

/** Return *nodes* wrapped in the styles of the element *e*. */
function styled(e, ...nodes) {
  return Object.keys(STYLES)
    .filter((name) => e.style?.[name])
    .reduce((inner, name) => h(STYLES[name], {}, inner), fragment(nodes));
}

function run(part, ctx) {
  return (part.elements ?? []).map((e) => INLINE[e.type]?.(e, ctx) ?? e.text ?? "");
}

/** Return a list; neighbours of a deeper indent are lists of their own in Slack. */
function list(part, ctx) {
  const indent = { "margin-inline-start": `${1.5 * (part.indent ?? 0)}em` };
  const start = part.style === "ordered" ? (part.offset ?? 0) + 1 : null;
  return h(
    start ? "ol" : "ul",
    { start, style: indent },
    part.elements.map((e) => h("li", {}, run(e, ctx))),
  );
}

const PARTS = {
  rich_text_section: (part, ctx) => h("div", {}, run(part, ctx)),
  rich_text_list: list,
  rich_text_preformatted: (part, ctx) => h("pre", {}, run(part, ctx)),
  rich_text_quote: (part, ctx) => h("blockquote", {}, run(part, ctx)),
};

/** Return the fragment of a `rich_text` block or cell. */
export function richText(block, ctx) {
  return fragment((block.elements ?? []).map((part) => PARTS[part.type]?.(part, ctx)));
}
