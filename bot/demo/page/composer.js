/** The box to type in: commands with completion, plain words, and a memory. */

import { h, icon, paint, uid } from "./dom.js";

/** The box; *hooks*: send(text) -> Promise of whether it went, suggest(text), history (array), label. */
export class Composer {
  constructor(hooks) {
    this.hooks = hooks;
    this.at = -1; // the suggestion that is lit
    this.back = 0; // how far back in the history
    this.items = [];
    const list = uid("suggestions");
    this.list = h("ul", {
      class: "suggest",
      id: list,
      role: "listbox",
      "aria-label": "Completions",
      hidden: true,
    });
    this.usage = h("p", { class: "usage", "aria-live": "polite" });
    this.field = h("textarea", {
      rows: 1,
      "aria-label": hooks.label,
      "aria-autocomplete": "list",
      "aria-controls": list,
      spellcheck: "false",
      oninput: () => this.typed(),
      onkeydown: (event) => this.key(event),
      onblur: () => this.offer([]),
    });
    this.button = h(
      "button",
      { type: "submit", class: "send", "aria-label": "Send", title: "Send (Enter)" },
      icon("send"),
    );
    this.tools = h("div", { class: "compose-tools" });
    this.chips = h("div", { class: "chips" });
    const send = (event) => {
      event.preventDefault();
      this.send();
    };
    this.node = h(
      "form",
      { class: "composer", onsubmit: send },
      this.chips,
      h(
        "div",
        { class: "compose-box" },
        this.list,
        this.field,
        h("div", { class: "compose-foot" }, this.tools, this.usage, this.button),
      ),
    );
    this.size();
  }

  /** Put *text* into the box, ready to be sent. */
  fill(text) {
    this.field.value = text;
    this.size();
    this.offer([]);
    this.usage.textContent = text ? "Enter sends it" : "";
  }

  offerExamples(label, examples) {
    const chip = (e) => {
      const use = () => {
        this.fill(e.text);
        this.field.focus();
      };
      return h(
        "button",
        { type: "button", title: e.text, "data-key": e.label, onclick: use },
        e.label,
      );
    };
    paint(this.chips, examples, () =>
      examples.length ? [h("span", {}, label), examples.map(chip)] : [],
    );
  }

  size() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, 160)}px`;
    this.button.disabled = !this.field.value.trim();
  }

  typed() {
    this.back = 0;
    this.size();
    const { usage, items } = this.hooks.suggest(this.field.value);
    this.usage.textContent = usage;
    this.offer(items);
  }

  offer(items) {
    this.items = items;
    this.at = -1;
    this.list.hidden = !items.length;
    this.field.removeAttribute("aria-activedescendant");
    this.list.replaceChildren(...items.map((item) => this.suggestion(item)));
  }

  suggestion(item) {
    const take = (event) => {
      event.preventDefault(); // keep the focus in the box
      this.accept(item);
    };
    const props = {
      role: "option",
      id: uid("suggestion"),
      "aria-selected": "false",
      onmousedown: take,
    };
    return h("li", props, h("b", {}, item.label), h("span", {}, item.hint));
  }

  light(step) {
    const rows = [...this.list.children];
    rows[this.at]?.setAttribute("aria-selected", "false");
    this.at =
      (this.at + step + rows.length + (this.at < 0 && step < 0 ? 1 : 0)) % rows.length;
    rows[this.at].setAttribute("aria-selected", "true");
    rows[this.at].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", rows[this.at].id);
  }

  accept(item) {
    this.field.value = item.text;
    this.typed();
  }

  key(event) {
    if (event.isComposing) return;
    const handled = this.items.length ? this.keyInList(event) : this.keyInBox(event);
    if (handled) event.preventDefault();
  }

  keyInList(event) {
    if (event.key === "ArrowDown") this.light(1);
    else if (event.key === "ArrowUp") this.light(-1);
    else if (event.key === "Escape") this.offer([]);
    else if (event.key === "Tab" && !event.shiftKey)
      this.accept(this.items[Math.max(0, this.at)]);
    else if (event.key === "Enter" && this.at >= 0) this.accept(this.items[this.at]);
    else return this.keyInBox(event);
    return true;
  }

  keyInBox(event) {
    if (event.key === "Enter" && !event.shiftKey) this.send();
    else if (event.key === "ArrowUp" && this.recalls()) this.recall(1);
    else if (event.key === "ArrowDown" && this.back) this.recall(-1);
    else return false;
    return true;
  }

  /** Arrow up means "the last one" in an empty box or while going back. */
  recalls() {
    return (
      (this.back > 0 || !this.field.value) && this.back < this.hooks.history.length
    );
  }

  recall(step) {
    this.back += step;
    this.field.value = this.back ? this.hooks.history.at(-this.back) : "";
    this.size();
  }

  async send() {
    const text = this.field.value.trim();
    if (!text) return;
    if (this.hooks.history.at(-1) !== text) this.hooks.history.push(text);
    this.back = 0;
    this.fill("");
    const sent = await this.hooks.send(text); // the next may go meanwhile
    if (!sent && !this.field.value) this.fill(text); // nothing typed is lost
  }
}
