/** The app's dialogs (Slack's views of type modal) in a native dialog. */

import { blocks } from "./blocks.js";
import { h, icon, keepFocus } from "./dom.js";
import { plain } from "./mrkdwn.js";

/** The one dialog of the page; *hooks*: context(view, errors), submit, dismissed. */
export class ViewDialog {
  constructor(node, hooks) {
    this.node = node;
    this.hooks = hooks;
    this.view = null;
    node.addEventListener("cancel", (event) => {
      event.preventDefault(); // Esc: the app is told, then the dialog goes
      this.dismiss();
    });
  }

  /** Show *view*, or nothing; the same view again changes nothing. */
  show(view) {
    const mark = JSON.stringify(view);
    if (mark === this.mark) return;
    this.mark = mark;
    this.view = view;
    if (!view) return this.node.close();
    this.refuse(view.errors ?? {});
    if (!this.node.open) {
      this.node.showModal();
      this.firstField()?.focus();
    }
  }

  firstField() {
    return this.node.querySelector(".dialog-body :is(.field, input, button)");
  }

  draw() {
    const { view } = this;
    const ctx = this.hooks.context(view, this.errors);
    const title = plain(view.title.text);
    this.node.setAttribute("aria-label", title);
    const form = h(
      "form",
      { novalidate: true, onsubmit: (event) => this.submit(event, ctx) },
      h(
        "header",
        {},
        h("h2", {}, title),
        h(
          "button",
          {
            type: "button",
            class: "ghost",
            "aria-label": "Close",
            onclick: () => this.dismiss(),
          },
          icon("close"),
        ),
      ),
      h(
        "div",
        { class: "dialog-body" },
        h("p", { class: "error", role: "alert", hidden: true }),
        blocks(view.blocks, ctx),
      ),
      this.foot(),
    );
    keepFocus(this.node, () => this.node.replaceChildren(form));
  }

  foot() {
    const { view } = this;
    const needed = view.submit || (view.blocks ?? []).some((b) => b.type === "input");
    const submit = needed
      ? h(
          "button",
          { type: "submit", class: "button primary" },
          plain(view.submit?.text ?? "Submit"),
        )
      : null;
    const close = plain(view.close?.text ?? "Cancel");
    return h(
      "div",
      { class: "dialog-foot" },
      h(
        "button",
        { type: "button", class: "button", onclick: () => this.dismiss() },
        close,
      ),
      submit,
    );
  }

  async submit(event, ctx) {
    event.preventDefault();
    const mistakes = ctx.form.mistakes();
    if (Object.keys(mistakes).length) return this.refuse(mistakes);
    const button = this.node.querySelector("[type=submit]");
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      const answer = await this.hooks.submit(this.view, ctx.form.values());
      if (answer.errors && this.view) this.refuse(answer.errors);
    } catch (error) {
      if (this.view) this.complain(error.message);
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }

  /** Show *errors* ({block_id: sentence}) at their fields. */
  refuse(errors) {
    this.errors = errors;
    this.draw();
    const inputs = this.view.blocks.filter((b) => b.type === "input");
    const known = new Set(inputs.map((b) => b.block_id));
    const lost = Object.entries(errors).filter(([block]) => !known.has(block));
    if (lost.length) this.complain(lost.map(([, sentence]) => sentence).join(" "));
    this.node.querySelector("[aria-invalid=true]")?.focus();
  }

  complain(sentence) {
    const line = this.node.querySelector(".dialog-body > .error");
    line.textContent = sentence;
    line.hidden = false;
  }

  dismiss() {
    const { view } = this;
    this.show(null);
    this.hooks.dismissed(view);
  }
}
