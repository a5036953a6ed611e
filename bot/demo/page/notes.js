/** Short notes in the corner about what did not work. */

import { h, icon } from "./dom.js";

const STAY = 8000; // ms
const MOST = 3;

/** Show *sentence* for a while; it can be dismissed. */
export function warn(sentence) {
  const notes = document.getElementById("notes");
  const close = () => note.remove();
  const props = {
    type: "button",
    class: "ghost",
    "aria-label": "Dismiss",
    onclick: close,
  };
  const note = h(
    "div",
    { class: "note" },
    h("span", {}, sentence),
    h("button", props, icon("close")),
  );
  notes.append(note);
  while (notes.children.length > MOST) notes.firstChild.remove();
  setTimeout(close, STAY);
}
