/** Building DOM nodes: data only ever becomes text nodes and attributes, never HTML. */

const SVG = "http://www.w3.org/2000/svg";
const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** Return *url* if a browser may follow it safely, else null. */
export function safeUrl(url) {
  try {
    return SCHEMES.has(new URL(url).protocol) ? String(url) : null;
  } catch {
    return null; // not a URL at all
  }
}

/** Make an element; props are attributes, `on…` listeners, `value`, `style`, `ref`. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value !== null && value !== undefined && value !== false) {
      put(node, name, value);
    }
  }
  node.append(...children.flat(Infinity).filter(shown));
  return node;
}

/** Say whether a child is to be seen: a condition that does not hold leaves a gap. */
function shown(child) {
  return child !== null && child !== undefined && child !== false;
}

function put(node, name, value) {
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value") node.value = value;
  else if (name === "style") {
    for (const [key, text] of Object.entries(value)) node.style.setProperty(key, text);
  } else node.setAttribute(name, value === true ? "" : String(value));
}

/** Return a fragment of the *nodes*. */
export function fragment(...nodes) {
  const out = document.createDocumentFragment();
  out.append(...nodes.flat(Infinity).filter(shown));
  return out;
}

let count = 0;

/** Return an id that no other element of the page has. */
export function uid(prefix = "n") {
  count += 1;
  return `${prefix}-${count}`;
}

const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  send: "M4 12 3.5 4.5 21 12 3.5 19.5zM4 12h8",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  dots: "M5 12h.01M12 12h.01M19 12h.01",
  close: "M6 6l12 12M18 6 6 18",
  reply: "M4 5h16v11H11l-4.5 4V16H4zM8 9.5h8M8 12.5h5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  world:
    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
  people:
    "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14.5a6.5 6.5 0 0 1 3.5 5.5",
  chat: "M4 4.5h16v12H12l-5 4v-4H4z",
  down: "M12 5v14M6 13l6 6 6-6",
  bot: "M20 12a8 8 0 1 1-2.6-5.9M20 3v4.5h-4.5M9 10h6v5H9z",
};

/** Return the line icon *name* as an inline SVG that screen readers skip. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Rebuild *node* only when *signature* is new, keeping the keyboard focus. */
export function paint(node, signature, build) {
  const mark = JSON.stringify(signature);
  if (node.painted === mark) return;
  node.painted = mark;
  keepFocus(node, () => node.replaceChildren(fragment(build())));
}

/** Run *change* on *node*'s content and give the focus back to the same control. */
export function keepFocus(node, change) {
  const active = document.activeElement;
  const key = node.contains(active) ? active.dataset.key : undefined;
  change();
  if (key === undefined) return;
  node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}
