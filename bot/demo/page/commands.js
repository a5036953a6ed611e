/** What can be typed: the bot's commands, completions and examples. Pure. */

export const COMMAND = "/mlstudio";

const INSTANCE = ["project", "instance"];
const COMMANDS = [
  [
    "restart",
    INSTANCE,
    "<project> <instance> [reason …]",
    "restart it, and hear when it is ready",
  ],
  ["start", INSTANCE, "<project> <instance> [reason …]", "start one that is stopped"],
  ["status", INSTANCE, "<project> <instance>", "how it is, and who may restart it"],
  ["list", ["project"], "<project>", "the instances of a project"],
  ["history", INSTANCE, "[project] [instance]", "the last restarts"],
  ["can", INSTANCE, "[@user] <project> <instance>", "which rule decides, and why"],
  ["oncall", [], "", "who is on call, and until when"],
  ["cancel", INSTANCE, "<project> <instance>", "withdraw a request that waits"],
  [
    "freeze",
    ["project"],
    "<project>|all <until> <reason …>",
    "let nothing be restarted there for a while",
  ],
  ["thaw", ["project"], "<project>|all", "end a freeze"],
  ["help", [], "", "what it can do"],
];

const startsWith = (start) => (text) =>
  text.toLowerCase().startsWith(start.toLowerCase());

/** Return {usage, items: [{text, label, hint}]} for what has been typed so far. */
export function suggest(text, { instances, people }) {
  if (!text.startsWith("/")) return { usage: "", items: [] };
  const words = text.split(/[ \t]+/);
  if (words.length < 2) return names(words[0], "");
  if (words[0] !== COMMAND) return { usage: "", items: [] };
  if (words.length === 2) return names(COMMAND, words[1]);
  return argument(text, words, instances, people);
}

/** Complete the command's name, or its sub-command. */
function names(command, start) {
  if (!COMMAND.startsWith(command)) return { usage: "", items: [] };
  const items = COMMANDS.filter(([name]) => name.startsWith(start.toLowerCase())).map(
    ([name, , usage, hint]) => ({
      text: `${COMMAND} ${name}${usage ? " " : ""}`,
      label: `${COMMAND} ${name} ${usage}`.trim(),
      hint,
    }),
  );
  return { usage: "", items };
}

/** Complete a project, an instance or, for `can`, a person. */
function argument(text, words, instances, people) {
  const found = COMMANDS.find(([name]) => name === words[1]);
  if (!found) return { usage: "", items: [] };
  const [name, kinds, usage] = found;
  const given = words.slice(2);
  const start = given.at(-1);
  const before = text.slice(0, text.length - start.length);
  if (name === "can" && start.startsWith("@"))
    return { usage, items: persons(before, start, people) };
  const past = given.slice(0, -1).filter((word) => !/^(@|--)/.test(word));
  const kind = kinds[past.length];
  return {
    usage: `${COMMAND} ${name} ${usage}`,
    items: COMPLETE[kind]?.(before, start, instances, past[0]) ?? [],
  };
}

const COMPLETE = {
  project: (before, start, instances) =>
    [...new Set(instances.map((i) => i.project))]
      .filter(startsWith(start))
      .map((project) => ({
        text: `${before}${project} `,
        label: project,
        hint: "project",
      })),
  instance: (before, start, instances, project) =>
    instances
      .filter((i) => i.project === project && startsWith(start)(i.alias))
      .map((i) => ({ text: `${before}${i.alias} `, label: i.alias, hint: i.status })),
};

function persons(before, start, people) {
  return people
    .filter((p) => startsWith(start.slice(1))(p.name))
    .map((p) => ({
      text: `${before}@${p.name} `,
      label: `@${p.name}`,
      hint: p.real_name,
    }));
}

/** Return examples ({label, text}) that fit the *instances* there are. */
export function examples(instances) {
  const restart = (i, reason) => `${COMMAND} restart ${i.project} ${i.alias} ${reason}`;
  const first =
    instances.find((i) => /^(ACTIVE|RUNNING)$/.test(i.status)) ?? instances[0];
  const gated = instances.find((i) => i.alias.startsWith("gated"));
  const flaky = instances.find((i) => i.alias.startsWith("flaky"));
  return [
    first && {
      label: `Restart ${first.alias}`,
      text: restart(first, "loss is NaN since noon"),
    },
    gated && {
      label: "Ask for an approval",
      text: restart(gated, "INC-4711 driver hangs"),
    },
    flaky && {
      label: "One that fails",
      text: restart(flaky, "kernel does not answer"),
    },
    first && {
      label: "Who may?",
      text: `${COMMAND} can ${(gated ?? first).project} ${(gated ?? first).alias}`,
    },
    { label: "A form instead", text: `${COMMAND} restart` },
    { label: "Help", text: `${COMMAND} help` },
  ].filter(Boolean);
}
