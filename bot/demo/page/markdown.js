/** The small part of standard Markdown that Block Kit's `markdown` block is used for. */

import { h, fragment } from "./dom.js";
import { link } from "./mrkdwn.js";

const INLINE =
  /`([^`]+)`|\*\*(.+?)\*\*|\*([^*]+)\*|_([^_]+)_|~~(.+?)~~|\[([^\]]+)\]\(([^)\s]+)\)/;

/** Return the nodes of one run of Markdown *text*. */
function inline(text) {
  const found = INLINE.exec(text);
  if (!found) return [text];
  const [all, code, strong, em, em2, struck, label, url] = found;
  const node = code
    ? h("code", {}, code)
    : url
      ? link(url, label)
      : h(
          strong ? "strong" : struck ? "s" : "em",
          {},
          inline(strong ?? struck ?? em ?? em2),
        );
  const rest = inline(text.slice(found.index + all.length));
  return [text.slice(0, found.index), node, ...rest];
}

// What a paragraph of Markdown can be: how to tell, and what to make of its lines.
const KINDS = [
  [
    /^#{1,6} /,
    (lines) =>
      lines.map((l) => h("h3", { class: "b-header" }, inline(l.replace(/^#+ /, "")))),
  ],
  [
    /^[-*] /,
    (lines) =>
      h(
        "ul",
        {},
        lines.map((l) => h("li", {}, inline(l.replace(/^[-*] /, "")))),
      ),
  ],
  [
    /^\d+\. /,
    (lines) =>
      h(
        "ol",
        {},
        lines.map((l) => h("li", {}, inline(l.replace(/^\d+\. /, "")))),
      ),
  ],
  [
    /^> ?/,
    (lines) =>
      h(
        "blockquote",
        {},
        lines.map((l) => h("div", {}, inline(l.replace(/^> ?/, "")))),
      ),
  ],
  [
    /^/,
    (lines) =>
      h(
        "p",
        {},
        lines.flatMap((l, i) => (i ? [h("br"), ...inline(l)] : inline(l))),
      ),
  ],
];

const kindOf = (line) => KINDS.findIndex(([sign]) => sign.test(line));

/** Return lines of *text* in runs of one kind; an empty line ends a run. */
function runs(text) {
  const out = [];
  let kind = -1;
  for (const line of text.split("\n")) {
    const next = line.trim() ? kindOf(line) : -1;
    if (next >= 0 && next === kind) out.at(-1).lines.push(line);
    else if (next >= 0) out.push({ kind: next, lines: [line] });
    kind = next;
  }
  return out;
}

/** Return the fragment that the Markdown *text* means. */
export function markdown(text) {
  const parts = text.split(/```\w*\n([\s\S]*?)\n?```/);
  return fragment(
    parts.map((part, i) =>
      i % 2
        ? h("pre", {}, part)
        : runs(part).map((run) => KINDS[run.kind][1](run.lines)),
    ),
  );
}
