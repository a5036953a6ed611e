/** The little pictures of people: initials on a colour of their own. */

import { h, icon } from "./dom.js";

const HUES = [172, 22, 262, 208, 338, 96, 44, 296, 232];

/** Return the picture of *person*; *place* is the position among all people. */
export function avatar(person, place = 0, size = "") {
  if (!person || person.bot) {
    return h(
      "span",
      { class: `avatar app ${size}`, "aria-hidden": "true" },
      icon("bot"),
    );
  }
  const hue = HUES[Math.max(0, place) % HUES.length];
  const words = (person.real_name || person.name).split(/\s+/);
  const initials =
    words.length > 1 ? words[0][0] + words.at(-1)[0] : words[0].slice(0, 2);
  const box = {
    class: `avatar ${size}`,
    style: { "--hue": hue },
    "aria-hidden": "true",
  };
  return h("span", box, initials.toUpperCase());
}
