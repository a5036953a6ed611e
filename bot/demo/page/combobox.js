/** A searchable select whose options come from the app (`external_select`). */

import { h, uid } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { place } from "./popover.js";

const PAUSE = 120; // ms of no typing before the app is asked

/** The control: *load* returns the options for a query, *choose* gets the picked one. */
export class Combobox {
  constructor({ chosen, placeholder, least = 3, key, load, choose }) {
    Object.assign(this, { chosen, least, load, choose, options: [], at: -1, asked: 0 });
    const id = uid("list");
    this.list = h("ul", {
      class: "menu options",
      role: "listbox",
      id,
      popover: "manual",
    });
    this.input = h("input", {
      class: "field",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": id,
      "data-key": key,
      placeholder: placeholder ?? "Search…",
      value: label(chosen),
      oninput: () => this.search(PAUSE),
      onclick: () => this.open(),
      onblur: () => this.close(),
      onkeydown: (event) => this.key(event),
    });
    this.node = h("div", { class: "combo" }, this.input, this.list);
  }

  open() {
    if (this.list.matches(":popover-open") || !this.input.isConnected) return;
    this.input.select();
    this.list.showPopover();
    this.input.setAttribute("aria-expanded", "true");
    this.search(0, this.chosen ? "" : this.input.value);
  }

  /** Close the list; what was typed but not chosen is taken back. */
  close() {
    clearTimeout(this.timer);
    this.asked += 1; // an answer that is still under way is too late now
    if (!this.input.value.trim() && this.chosen) this.pick(null);
    this.input.value = label(this.chosen);
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    if (this.list.isConnected) this.list.hidePopover();
  }

  search(pause, query = this.input.value) {
    clearTimeout(this.timer);
    if (!this.list.matches(":popover-open")) return this.open(); // it asks
    const missing = this.least - query.length;
    if (missing > 0)
      this.say(`Type ${missing} more character${missing > 1 ? "s" : ""}`);
    else this.timer = setTimeout(() => this.ask(query), pause);
  }

  async ask(query) {
    const turn = (this.asked += 1);
    this.input.setAttribute("aria-busy", "true");
    const groups = await this.load(query).catch((error) => error);
    if (turn !== this.asked) return; // a later question or a closed list
    this.input.removeAttribute("aria-busy");
    if (groups instanceof Error) this.say(groups.message);
    else this.show(groups);
  }

  say(sentence) {
    this.options = [];
    this.list.replaceChildren(
      h("li", { class: "hint", role: "presentation" }, sentence),
    );
    place(this.list, this.input);
  }

  /** Show *groups* of options; a group without a label has no heading. */
  show(groups) {
    this.options = groups.flatMap((group) => group.options);
    if (!this.options.length) return this.say("Nothing found");
    this.at = -1;
    this.list.replaceChildren(
      ...groups.flatMap((group) => [
        group.label
          ? h("li", { class: "hint", role: "presentation" }, plain(group.label.text))
          : "",
        ...group.options.map((option) => this.row(option)),
      ]),
    );
    place(this.list, this.input);
    return this.move(1);
  }

  row(option) {
    const hint = option.description
      ? h("small", {}, plain(option.description.text))
      : null;
    return h(
      "li",
      {
        role: "option",
        id: uid("option"),
        "aria-selected": String(option.value === this.chosen?.value),
        onmousedown: (event) => {
          event.preventDefault(); // keep the focus in the input
          this.take(option);
        },
      },
      label(option),
      hint,
    );
  }

  move(step) {
    const rows = [...this.list.querySelectorAll("[role=option]")];
    if (!rows.length) return;
    rows[this.at]?.classList.remove("active");
    this.at = (this.at + step + rows.length) % rows.length;
    rows[this.at].classList.add("active");
    rows[this.at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", rows[this.at].id);
  }

  take(option) {
    this.pick(option);
    this.close();
  }

  pick(option) {
    this.chosen = option;
    this.input.value = label(option);
    this.choose(option);
  }

  key(event) {
    const open = this.list.matches(":popover-open");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) open ? this.move(step) : this.open();
    else if (event.key === "Enter" && open && this.options[this.at])
      this.take(this.options[this.at]);
    else if (event.key === "Escape" && open) this.close();
    else return;
    event.preventDefault(); // Esc closes the list, not the dialog around it
  }
}

function label(option) {
  return option ? plain(option.text.text) : "";
}
