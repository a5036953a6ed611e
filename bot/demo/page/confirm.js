/** Block Kit's confirm dialog: a question before an action is sent. */

import { h } from "./dom.js";
import { mrkdwn, plain } from "./mrkdwn.js";

/** Ask the question of the confirm object *ask*; resolve to true for yes. */
export function confirmed(ask, ctx) {
  return new Promise((resolve) => {
    let answer = false;
    const say = (yes) => () => {
      answer = yes;
      box.close();
    };
    const kind = ask.style === "danger" ? "danger" : "primary";
    const box = h(
      "dialog",
      {
        class: "dialog small",
        "aria-label": plain(ask.title.text),
        onclose: () => settle(),
      },
      h("h2", {}, plain(ask.title.text)),
      h("div", { class: "dialog-body" }, textNodes(ask.text, ctx)),
      h(
        "div",
        { class: "dialog-foot" },
        h(
          "button",
          { type: "button", class: "button", onclick: say(false) },
          plain(ask.deny.text),
        ),
        h(
          "button",
          {
            type: "button",
            class: `button ${kind}`,
            autofocus: true,
            onclick: say(true),
          },
          plain(ask.confirm.text),
        ),
      ),
    );
    const settle = () => {
      box.remove();
      resolve(answer);
    };
    document.body.append(box);
    box.showModal();
  });
}

function textNodes(text, ctx) {
  return text.type === "mrkdwn" ? mrkdwn(text.text, ctx) : plain(text.text);
}
