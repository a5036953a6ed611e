/** Slack's mrkdwn as DOM nodes; whatever it does not know stays literal text. */

import { capital, formatDate } from "./dates.js";
import { h, fragment, safeUrl } from "./dom.js";
import { emojify, picture } from "./emoji.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const QUOTE = /^(?:>|&gt;) ?/;
const LONG_QUOTE = /^(?:>>>|(?:&gt;){3}) ?/;
const MARKS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

/** Return *text* with the three entities that Slack escapes turned back. */
export function decode(text) {
  return text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);
}

/** Return a `plain_text`: emoji and entities only. */
export function plain(text, emoji = true) {
  return decode(emoji ? emojify(text) : text);
}

/** Return the fragment that *text* means; *ctx* knows names and who is looking. */
export function mrkdwn(text, ctx, options = {}) {
  const parts = text.split(/```\n?([\s\S]+?)\n?```/);
  return fragment(
    parts.map((part, i) => {
      if (i % 2) return h("pre", {}, code(part));
      const trimmed = part.replace(i > 0 ? /^\n/ : /^$/, "");
      return lines(
        i < parts.length - 1 ? trimmed.replace(/\n$/, "") : trimmed,
        ctx,
        options,
      );
    }),
  );
}

/** Return the lines of *text*: a run of quoted ones is one blockquote. */
function lines(text, ctx, options) {
  const runs = [];
  let rest = false; // after >>> everything is quoted
  for (const line of text ? text.split("\n") : []) {
    rest ||= LONG_QUOTE.test(line);
    const quoted = rest || QUOTE.test(line);
    const bare = quoted ? line.replace(LONG_QUOTE, "").replace(QUOTE, "") : line;
    if (runs.at(-1)?.quoted === quoted) runs.at(-1).lines.push(bare);
    else runs.push({ quoted, lines: [bare] });
  }
  return runs.map((run) => {
    const nodes = run.lines.flatMap((line, i) => [
      ...(i ? [h("br")] : []),
      ...inline(line, ctx, options),
    ]);
    return run.quoted ? h("blockquote", {}, nodes) : nodes;
  });
}

/** Return the nodes of one line. */
export function inline(text, ctx, options = {}) {
  const nodes = [];
  let start = 0;
  let at = 0;
  while (at < text.length) {
    const found = special(text, at, ctx, options);
    if (found) {
      if (at > start) nodes.push(decode(text.slice(start, at)));
      nodes.push(found.node);
      start = at = at + found.length;
    } else at += 1;
  }
  if (at > start) nodes.push(decode(text.slice(start)));
  return nodes;
}

/** Return the node that begins at *at* and how long its source is, or null. */
function special(text, at, ctx, options) {
  const sign = text[at];
  if (sign === "<") return token(text.slice(at), ctx, at === 0);
  if (sign === "`") return codeSpan(text.slice(at));
  if (sign === ":") return emoji(text.slice(at));
  if (sign === "h" && !options.verbatim) return bareUrl(text, at);
  return sign in MARKS ? marked(text, at, ctx, options) : null;
}

function codeSpan(text) {
  const match = /^`([^`]+)`/.exec(text);
  return match && { node: h("code", {}, code(match[1])), length: match[0].length };
}

/** Return what stands inside code: links and mentions as the words they show. */
function code(text) {
  return decode(text.replace(/<(?:[^<>|]*\|)?([^<>]+)>/g, "$1"));
}

function emoji(text) {
  const match = /^:([a-z0-9_+'-]+):/.exec(text);
  const shown = match && picture(match[1]);
  return shown ? { node: emojiNode(match[1], shown), length: match[0].length } : null;
}

/** Return the emoji *name* as an image with a name of its own. */
export function emojiNode(name, shown = picture(name)) {
  if (!shown) return document.createTextNode(`:${name}:`);
  const label = name.replaceAll("_", " ");
  return h(
    "span",
    { class: "emoji", role: "img", "aria-label": label, title: `:${name}:` },
    shown,
  );
}

function bareUrl(text, at) {
  if (at > 0 && WORD.test(text[at - 1])) return null;
  const match = /^https?:\/\/[^\s<>|*]+[^\s<>|*.,;:!?)'"]/.exec(text.slice(at));
  return (
    match && { node: link(decode(match[0]), decode(match[0])), length: match[0].length }
  );
}

/** Return the bold, italic or struck run that begins at *at*, or null. */
function marked(text, at, ctx, options) {
  const end = closing(text, at);
  if (end < 0) return null;
  const inner = inline(text.slice(at + 1, end), ctx, options);
  return { node: h(MARKS[text[at]], {}, inner), length: end + 1 - at };
}

/** Return where the mark at *at* is closed, or -1; tokens and code are skipped. */
function closing(text, at) {
  const sign = text[at];
  const opens =
    (at === 0 || !WORD.test(text[at - 1])) && /^[^\s]/.test(text.slice(at + 1));
  if (!opens || text[at + 1] === sign) return -1;
  for (let i = at + 1; i < text.length; i += 1) {
    const skip = /^(?:<[^<>]+>|`[^`]+`)/.exec(text.slice(i));
    if (skip) i += skip[0].length - 1;
    else if (
      text[i] === sign &&
      !/\s/.test(text[i - 1]) &&
      !WORD.test(text[i + 1] ?? " ")
    )
      return i;
  }
  return -1;
}

/** Return what `<…>` at the beginning of *text* stands for, or null. */
function token(text, ctx, first) {
  const match = /^<([^<>\n]+)>/.exec(text);
  if (!match) return null;
  const [target, label = ""] = divide(match[1]);
  const node = reference(target, decode(label), ctx, first);
  return node && { node, length: match[0].length };
}

function divide(body) {
  const bar = body.indexOf("|");
  return bar < 0 ? [body] : [body.slice(0, bar), body.slice(bar + 1)];
}

function reference(target, label, ctx, first) {
  if (target.startsWith("@")) return userMention(target.slice(1), ctx, label);
  if (target.startsWith("#")) return channelMention(target.slice(1), ctx, label);
  if (target.startsWith("!subteam^")) return groupMention(target.slice(9), ctx, label);
  if (target.startsWith("!date^")) return dateNode(target.slice(6), label, first);
  if (/^!(here|channel|everyone)$/.test(target)) return mention(target.slice(1), true);
  if (target.startsWith("!")) return document.createTextNode(label || `<${target}>`);
  return safeUrl(decode(target)) && link(decode(target), label || decode(target));
}

/** Return a link that opens beside the page. */
export function link(url, label, ...children) {
  const safe = safeUrl(url);
  const shown = children.length ? children : [label];
  if (!safe) return fragment(shown);
  return h("a", { href: safe, target: "_blank", rel: "noopener noreferrer" }, shown);
}

function mention(name, mine, sign = "@") {
  return h("span", { class: mine ? "mention mine" : "mention" }, sign + name);
}

/** Return the mention of a person, lit up for that person. */
export function userMention(id, ctx, label = "") {
  return mention(ctx.names.user(id) ?? (label || id), id === ctx.me);
}

/** Return the mention of a user group, lit up for its members. */
export function groupMention(id, ctx, label = "") {
  const group = ctx.names.group(id);
  const handle = (group?.handle ?? label) || id;
  return mention(handle.replace(/^@/, ""), Boolean(group?.users?.includes(ctx.me)));
}

/** Return the mention of a channel. */
export function channelMention(id, ctx, label = "") {
  return mention(ctx.names.channel(id) ?? (label || id), false, "#");
}

/** Return a date: `timestamp^format^link`, or its fallback if it cannot be read. */
function dateNode(body, fallback, first) {
  const [timestamp, format = "", url = ""] = body.split("^");
  const shown = /^\d+$/.test(timestamp) ? formatDate(timestamp, decode(format)) : null;
  const words = shown ?? fallback;
  const node = h("time", {}, first ? capital(words) : words);
  return url ? link(decode(url), "", node) : node;
}

/** Return the mention of everybody in *range* (here, channel, everyone). */
export function broadcast(range) {
  return mention(range, true);
}
