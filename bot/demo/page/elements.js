/** Block Kit's interactive elements; every use of one is told to `ctx.act`. */

import { Combobox } from "./combobox.js";
import { confirmed } from "./confirm.js";
import { h, icon, safeUrl, uid } from "./dom.js";
import { stateKey } from "./form.js";
import { mrkdwn, plain } from "./mrkdwn.js";
import { openMenu } from "./popover.js";

/** Return *text* (a text object) as nodes. */
export function textNodes(text, ctx) {
  if (text.type === "mrkdwn")
    return mrkdwn(text.text, ctx, { verbatim: text.verbatim });
  return plain(text.text, text.emoji !== false);
}

/** Return the control for *element* of *block*, or null if this person may not see it. */
export function control(element, block, ctx) {
  const audience = element.visible_to_user_ids;
  if (audience && !audience.includes(ctx.me)) return null;
  const build = CONTROLS[element.type];
  if (!build) return h("span", { class: "unknown" }, `Not shown here: ${element.type}`);
  if (stateKey(element.type)) ctx.form.show(element, block);
  return build(element, block, ctx);
}

// Which control it is for a person; block ids change with every edit of a message.
const keyOf = (element) => `${element.action_id}/${element.value ?? ""}`;
const option = (text, value) => h("option", { value }, text);

/** Send the use of *element* to the app, unless the person thinks again. */
async function used(node, element, block, ctx, fields) {
  if (block.type === "input" && !block.dispatch_action) return true;
  if (element.confirm && !(await confirmed(element.confirm, ctx))) return false;
  node.setAttribute("aria-busy", "true");
  const { type, action_id } = element;
  try {
    await ctx.act({ type, action_id, block_id: block.block_id, ...fields });
  } finally {
    node.removeAttribute("aria-busy");
  }
  return true;
}

/** Keep *value* as the state of *element* and send it; a refused one is taken back. */
async function put(node, element, block, ctx, value) {
  const before = ctx.form.get(element, block);
  ctx.form.set(element, block, value); // first: what is sent holds the whole state
  const sent = await used(node, element, block, ctx, {
    [stateKey(element.type)]: value,
  });
  if (!sent) ctx.form.set(element, block, before);
}

function button(element, block, ctx) {
  const { text, value, style, url } = element;
  const target = safeUrl(url ?? "");
  const node = h(
    target ? "a" : "button",
    {
      class: `button ${style ?? ""}`,
      type: target ? null : "button",
      href: target,
      target: target && "_blank",
      rel: target && "noopener noreferrer",
      "aria-label": element.accessibility_label,
      "data-key": keyOf(element),
      onclick: () => {
        if (!node.hasAttribute("aria-busy"))
          used(node, element, block, ctx, { text, value });
      },
    },
    plain(text.text, text.emoji !== false),
  );
  return node;
}

/** A native select; *read* turns the chosen position into the value Slack sends. */
function select(element, block, ctx, { children, read, position }) {
  const show = () => (node.selectedIndex = position(ctx.form.get(element, block)) + 1);
  const change = async () => {
    await put(node, element, block, ctx, read(node.selectedIndex - 1));
    show();
  };
  const node = h(
    "select",
    { class: "field", "data-key": keyOf(element), onchange: change },
    option(element.placeholder?.text ?? "Choose…", ""),
    children,
  );
  show();
  return node;
}

function staticSelect(element, block, ctx) {
  const groups = element.option_groups;
  const options = groups ? groups.flatMap((g) => g.options) : element.options;
  const entries = (list) => list.map((o) => option(plain(o.text.text), o.value));
  return select(element, block, ctx, {
    children: groups
      ? groups.map((g) =>
          h("optgroup", { label: plain(g.label.text) }, entries(g.options)),
        )
      : entries(options),
    read: (at) => options[at] ?? null,
    position: (value) => options.findIndex((o) => o.value === value?.value),
  });
}

/** A select of people or channels: *list* returns pairs of id and name. */
function directorySelect(list) {
  return (element, block, ctx) => {
    const entries = list(ctx.names);
    return select(element, block, ctx, {
      children: entries.map(([id, name]) => option(name, id)),
      read: (at) => entries[at]?.[0] ?? null,
      position: (value) => entries.findIndex(([id]) => id === value),
    });
  };
}

function externalSelect(element, block, ctx) {
  const combo = new Combobox({
    chosen: ctx.form.get(element, block),
    placeholder: element.placeholder?.text,
    least: element.min_query_length ?? 3,
    key: keyOf(element),
    load: (query) => ctx.options(element, block, query),
    choose: (chosen) => put(combo.input, element, block, ctx, chosen),
  });
  return combo.node;
}

function overflow(element, block, ctx) {
  const node = h(
    "button",
    {
      class: "button square",
      type: "button",
      "aria-label": "More actions",
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "data-key": keyOf(element),
      onclick: () => openMenu(node, "More actions", element.options.map(item)),
    },
    icon("dots"),
  );
  const item = (choice) => ({
    label: plain(choice.text.text),
    hint: choice.description && plain(choice.description.text),
    run: () => used(node, element, block, ctx, { selected_option: choice }),
  });
  return node;
}

/** Radio buttons or checkboxes: *next* gives the new state from a click on an option. */
function choices(type, next) {
  return (element, block, ctx) => {
    const name = uid("choice");
    const state = () => ctx.form.get(element, block);
    const has = (o) => [state()].flat().some((c) => c?.value === o.value);
    const inputs = element.options.map((o) => {
      const change = async () => {
        await put(inputs[0], element, block, ctx, next(state(), o, input.checked));
        inputs.forEach((each, i) => (each.checked = has(element.options[i])));
      };
      const key = `${keyOf(element)}${o.value}`;
      const props = { type, name, checked: has(o), "data-key": key, onchange: change };
      const input = h("input", props);
      return input;
    });
    const rows = element.options.map((o, i) => choice(inputs[i], o, ctx));
    const role = type === "radio" ? "radiogroup" : "group";
    return h("div", { class: "choices", role }, rows);
  };
}

/** Return the line of one choice: its *input* and its words. */
function choice(input, { text, description }, ctx) {
  const hint = description && h("small", {}, textNodes(description, ctx));
  const words = h("span", {}, textNodes(text, ctx), hint);
  return h("label", { class: "choice" }, input, words);
}

function toggled(values, choice, on) {
  const others = (values ?? []).filter((v) => v.value !== choice.value);
  return on ? [...others, choice] : others;
}

/** A text field; Enter in it is an action where the block asks for that. */
function typed(type) {
  return (element, block, ctx) => {
    const value = () => node.value || null;
    const enter = (event) => {
      if (event.key !== "Enter" || element.multiline || event.isComposing) return;
      if (block.dispatch_action) event.preventDefault();
      used(node, element, block, ctx, { value: value() });
    };
    const node = h(element.multiline ? "textarea" : "input", {
      class: "field",
      type: element.multiline ? null : type,
      rows: element.multiline ? 4 : null,
      placeholder: element.placeholder?.text,
      maxlength: element.max_length,
      autocomplete: "off",
      "data-key": keyOf(element),
      value: ctx.form.get(element, block) ?? "",
      oninput: () => ctx.form.set(element, block, value()),
      onkeydown: enter,
    });
    return node;
  };
}

/** A date or time: the browser's own picker. */
function picker(type) {
  return (element, block, ctx) => {
    const node = h("input", {
      class: "field",
      type,
      "data-key": keyOf(element),
      value: ctx.form.get(element, block) ?? "",
      onchange: () => put(node, element, block, ctx, node.value || null),
    });
    return node;
  };
}

const channels = directorySelect((names) => names.channels());

const CONTROLS = {
  button,
  overflow,
  static_select: staticSelect,
  external_select: externalSelect,
  users_select: directorySelect((names) => names.users()),
  channels_select: channels,
  conversations_select: channels,
  radio_buttons: choices("radio", (_, choice) => choice),
  checkboxes: choices("checkbox", toggled),
  multi_static_select: choices("checkbox", toggled),
  plain_text_input: typed("text"),
  number_input: typed("number"),
  email_text_input: typed("email"),
  url_text_input: typed("url"),
  datepicker: picker("date"),
  timepicker: picker("time"),
};
