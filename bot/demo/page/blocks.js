/** Block Kit's layout blocks as DOM nodes, on messages, dialogs and the app's home. */

import { h, fragment, safeUrl, uid } from "./dom.js";
import { control, textNodes } from "./elements.js";
import { markdown } from "./markdown.js";
import { plain } from "./mrkdwn.js";
import { richText } from "./richtext.js";

/**
 * Return the fragment that *list* of blocks looks like.
 *
 * *ctx*: me (user id), names (directory), form (a Form), act(action) and
 * options(element, block, query) which ask the app, errors ({block_id: sentence}).
 */
export function blocks(list, ctx) {
  ctx.form.begin();
  return fragment((list ?? []).map((block) => layout(block, ctx)));
}

function layout(block, ctx) {
  const build = LAYOUTS[block.type];
  if (build) return build(block, ctx);
  return h(
    "p",
    { class: "unknown" },
    `Not shown here: a block of type “${block.type}”`,
  );
}

function header(block) {
  return h(
    "h3",
    { class: "b-header" },
    plain(block.text.text, block.text.emoji !== false),
  );
}

function section(block, ctx) {
  const text = block.text && h("div", { class: "b-text" }, textNodes(block.text, ctx));
  const fields = block.fields?.length
    ? h(
        "div",
        { class: "b-fields" },
        block.fields.map((f) => h("div", {}, textNodes(f, ctx))),
      )
    : null;
  const accessory = block.accessory && part(block.accessory, block, ctx);
  const aside = accessory && h("div", { class: "b-accessory" }, accessory);
  return h(
    "div",
    { class: "b-section" },
    h("div", { class: "b-main" }, text, fields),
    aside,
  );
}

/** Return an element that may stand in a section or a context. */
function part(element, block, ctx) {
  if (element.type === "image") return picture(element, "b-thumb");
  if (element.type === "mrkdwn" || element.type === "plain_text") {
    return h("span", {}, textNodes(element, ctx));
  }
  return control(element, block, ctx);
}

function context(block, ctx) {
  return h(
    "div",
    { class: "b-context" },
    block.elements.map((e) => part(e, block, ctx)),
  );
}

function actions(block, ctx) {
  return h(
    "div",
    { class: "b-actions" },
    block.elements.map((e) => control(e, block, ctx)),
  );
}

/** Return an image, or its words: this page fetches nothing from other places. */
function picture(element, kind) {
  const { image_url: url = "", alt_text: alt = "" } = element;
  if (url.startsWith("data:image/") || url.startsWith(`${location.origin}/`)) {
    return h("img", { class: kind, src: url, alt });
  }
  const label = `Image: ${alt || "no description"}`;
  const href = safeUrl(url);
  const box = {
    class: `${kind} b-noimage`,
    role: "img",
    "aria-label": label,
    title: label,
  };
  return href
    ? h(
        "a",
        { ...box, role: null, href, target: "_blank", rel: "noopener noreferrer" },
        label,
      )
    : h("span", box, label);
}

function image(block) {
  const title = block.title && h("figcaption", {}, plain(block.title.text));
  return h("figure", { class: "b-image" }, title, picture(block, "b-picture"));
}

/** Return an input block: label, control, hint and the app's error, tied together. */
function input(block, ctx) {
  const [id, hintId, errorId] = [uid("input"), uid("hint"), uid("error")];
  const error = ctx.errors?.[block.block_id];
  const node = control(block.element, block, ctx);
  const field = node?.matches?.(".field") ? node : node?.querySelector?.(".field");
  (field ?? node)?.setAttribute("aria-labelledby", id);
  const described = [block.hint && hintId, error && errorId].filter(Boolean).join(" ");
  if (described) (field ?? node)?.setAttribute("aria-describedby", described);
  if (error) (field ?? node)?.setAttribute("aria-invalid", "true");
  if (field) field.id = uid("field");
  const optional = block.optional ? h("small", {}, " (optional)") : null;
  return h(
    "div",
    { class: "b-input", "data-block": block.block_id },
    h("label", { id, for: field?.id }, plain(block.label.text), optional),
    node,
    block.hint && h("p", { class: "hint", id: hintId }, plain(block.hint.text)),
    error && h("p", { class: "error", id: errorId }, plain(error)),
  );
}

function cell(value, ctx) {
  if (!value) return "";
  if (value.type === "rich_text") return richText(value, ctx);
  return plain(String(value.text ?? value.value ?? ""));
}

function table(block, ctx) {
  const settings = block.column_settings ?? [];
  const row = (tag) => (cells) =>
    h(
      "tr",
      {},
      cells.map((c, i) =>
        h(
          tag,
          { style: { "text-align": settings[i]?.align ?? "start" } },
          cell(c, ctx),
        ),
      ),
    );
  const [head, ...body] = block.rows;
  return h(
    "div",
    { class: "b-table", tabindex: 0, role: "region", "aria-label": "Table" },
    h(
      "table",
      {},
      h("thead", {}, row("th")(head)),
      h("tbody", {}, body.map(row("td"))),
    ),
  );
}

function alert(block, ctx) {
  const level = ["info", "warning", "error", "success"].includes(block.level)
    ? block.level
    : "";
  return h("div", { class: `b-alert ${level}` }, textNodes(block.text, ctx));
}

const LAYOUTS = {
  header,
  section,
  context,
  actions,
  image,
  input,
  table,
  alert,
  divider: () => h("hr"),
  markdown: (block) => markdown(block.text),
  rich_text: (block, ctx) => h("div", { class: "b-rich" }, richText(block, ctx)),
};
