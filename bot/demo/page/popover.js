/** Menus that float above everything, beside the button that opens them. */

import { h, uid } from "./dom.js";

/** Put the open popover *box* under *anchor*, or above it where there is no room. */
export function place(box, anchor) {
  const at = anchor.getBoundingClientRect();
  if (box.role === "listbox") box.style.width = `${at.width}px`;
  const { width, height } = box.getBoundingClientRect();
  const below = at.bottom + 4 + height <= window.innerHeight;
  const top = below ? at.bottom + 4 : Math.max(4, at.top - height - 4);
  const onTheRight = at.left + width > window.innerWidth * 0.75 && at.width < width;
  const left = onTheRight ? at.right - width : at.left;
  box.style.top = `${top}px`;
  box.style.left = `${Math.max(8, left)}px`;
}

/** Open a menu of *items* ({label, hint?, run}) beside *anchor*; Esc closes it. */
export function openMenu(anchor, label, items) {
  const menu = h(
    "div",
    {
      class: "menu",
      role: "menu",
      id: uid("menu"),
      "aria-label": label,
      popover: "auto",
    },
    items.map((item) => menuItem(item, () => menu.hidePopover())),
  );
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    anchor.setAttribute("aria-expanded", "false");
    menu.remove();
  });
  menu.addEventListener("keydown", (event) => walk(event, menu));
  anchor.after(menu); // inside the same dialog, or it could not be reached
  anchor.setAttribute("aria-expanded", "true");
  menu.showPopover();
  place(menu, anchor);
  menu.querySelector("[role=menuitem]")?.focus();
}

function menuItem(item, close) {
  const run = () => {
    close();
    item.run();
  };
  const hint = item.hint ? h("small", {}, item.hint) : null;
  return h(
    "button",
    { type: "button", role: "menuitem", onclick: run },
    item.label,
    hint,
  );
}

/** Move the focus along the menu with the arrow keys. */
function walk(event, menu) {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (!step) return;
  event.preventDefault();
  const at = items.indexOf(document.activeElement);
  items.at((at + step) % items.length).focus();
}
