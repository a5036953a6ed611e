/** What people have put into the inputs of one message, dialog or home, by element. */

const CHOICES = ["selected_options", "selected_option"];

// The key under which Slack's `state.values` holds an element, and its first value.
const STATE = {
  plain_text_input: ["value", "initial_value"],
  number_input: ["value", "initial_value"],
  email_text_input: ["value", "initial_value"],
  url_text_input: ["value", "initial_value"],
  static_select: ["selected_option", "initial_option"],
  external_select: ["selected_option", "initial_option"],
  radio_buttons: ["selected_option", "initial_option"],
  checkboxes: ["selected_options", "initial_options"],
  multi_static_select: ["selected_options", "initial_options"],
  users_select: ["selected_user", "initial_user"],
  channels_select: ["selected_channel", "initial_channel"],
  conversations_select: ["selected_conversation", "initial_conversation"],
  datepicker: ["selected_date", "initial_date"],
  timepicker: ["selected_time", "initial_time"],
};

/** Return the state key of the element type, or undefined if it holds no state. */
export function stateKey(type) {
  return STATE[type]?.[0];
}

/** The values, kept while the blocks around them change. */
export class Form {
  constructor() {
    this.kept = new Map();
    this.shown = new Map();
  }

  /** Forget which elements are shown; their values stay for when they come back. */
  begin() {
    this.shown.clear();
  }

  /** Note that *element* of *block* is shown, and return its value. */
  show(element, block) {
    const [key, initial] = STATE[element.type];
    const name = slot(element, block);
    const empty = key === CHOICES[0] ? [] : null;
    if (!this.kept.has(name)) this.kept.set(name, element[initial] ?? empty);
    this.shown.set(name, { element, block });
    return this.kept.get(name);
  }

  /** Keep *value* for *element*. */
  set(element, block, value) {
    this.kept.set(slot(element, block), value);
  }

  get(element, block) {
    return this.kept.get(slot(element, block));
  }

  /** Return Slack's `state.values` of everything shown. */
  values() {
    const out = {};
    for (const [name, { element, block }] of this.shown) {
      const value = {
        type: element.type,
        [stateKey(element.type)]: this.kept.get(name),
      };
      (out[block.block_id] ??= {})[element.action_id] = value;
    }
    return out;
  }

  /** Return {block_id: sentence} for the inputs that Slack itself would refuse. */
  mistakes() {
    const out = {};
    for (const [name, { element, block }] of this.shown) {
      const sentence =
        block.type === "input" && mistake(element, block, this.kept.get(name));
      if (sentence) out[block.block_id] = sentence;
    }
    return out;
  }
}

function slot(element, block) {
  return `${block.block_id}/${element.action_id}`;
}

function mistake(element, block, value) {
  const empty =
    value === null || value === "" || (Array.isArray(value) && !value.length);
  if (empty) return block.optional ? null : "Please complete this required field.";
  if (value.length < element.min_length) {
    return `Please enter at least ${element.min_length} characters.`;
  }
  return null;
}
