/** The panel of the outside world: the cloud, its clock, and ways to break things. */

import { clockSeconds, moment, span, weekClock } from "./dates.js";
import { h, icon, paint } from "./dom.js";

const SPEEDS = [
  [0.5, "Slow"],
  [1, "Normal"],
  [5, "Fast"],
  [20, "Faster"],
];
const JUMPS = [
  [3600, "1 hour"],
  [6 * 3600, "6 hours"],
  [86_400, "1 day"],
];
const FAULTS = [
  [
    "cloud_429",
    "Cloud says “too many requests”",
    "Nothing was done, so the bot waits and tries again.",
  ],
  [
    "lost_answer",
    "The restart’s answer gets lost",
    "It must not be sent again: the bot looks instead.",
  ],
  [
    "stale_reads",
    "Status answers are out of date",
    "An old ACTIVE must not count as ready.",
  ],
  [
    "slack_429",
    "Slack slows the bot down",
    "What the bot has to say comes late, but it comes.",
  ],
  [
    "no_capacity",
    "All machines are taken",
    "A notebook that is stopped cannot be started: it is tried again.",
  ],
  ["cloud_down", "Cloud cannot be reached", "The bot says so, and goes on looking."],
  ["rota_down", "The rota does not answer", "Nobody is let in by it; others still may."],
  ["rota_denied", "The rota refuses the bot", "Nobody is let in by it; others still may."],
];
const READY = /^(ACTIVE|RUNNING)$/;
const FAILED = /(FAILED|ERROR|UNAVAILABLE|DELETED|FROZEN)/;
const SHOWN = 40; // calls
const DAY = 86_400; // s; what is older is not counted

/** Return the colour class of a cloud *status*. */
function tone(status) {
  if (READY.test(status)) return "ok";
  if (FAILED.test(status)) return "bad";
  return status === "STOPPED" ? "off" : "busy";
}

/** The panel; *send*(body) posts to the server. */
export class Outside {
  constructor(node, send) {
    this.send = send;
    const part = (title, ...children) =>
      h("section", {}, title && h("h3", {}, title), children);
    this.instances = h("ul", { class: "instances" });
    this.speed = h("div", {
      class: "segments",
      role: "group",
      "aria-label": "Speed of the world",
    });
    this.clock = h("p", { class: "clock" });
    this.jumps = h(
      "div",
      { class: "segments", role: "group", "aria-label": "Let time pass" },
      JUMPS.map(([jump, name]) =>
        h("button", { type: "button", onclick: () => this.send({ jump }) }, `+ ${name}`),
      ),
    );
    this.faults = h("div", { class: "faults" });
    this.bot = h("div", { class: "process" });
    this.rota = h("div", { class: "rota" });
    this.calls = h("ol", {
      class: "calls",
      tabindex: 0,
      "aria-label": "Calls to the cloud",
    });
    this.count = h("span", { class: "count" });
    node.append(
      h("header", {}, h("h2", {}, icon("world"), "Outside world")),
      h(
        "div",
        { class: "world-body" },
        part("Instances in the cloud", this.instances),
        part("On call", this.rota),
        part("Clock", this.speed, this.clock, this.jumps),
        part("Break something", this.faults),
        part("The bot’s process", this.bot),
        part(h("span", {}, "Calls the bot made ", this.count), this.calls),
      ),
    );
    setInterval(() => this.tick(), 1000);
  }

  show(world) {
    if (!world) return;
    paint(this.instances, world.instances, () =>
      world.instances.map((each) => instance(each, this.send)),
    );
    paint(this.speed, world.speed, () => this.speeds(world.speed));
    paint(this.faults, world.faults, () =>
      FAULTS.map((fault) => this.fault(fault, world.faults)),
    );
    paint(this.bot, world.bot, () => this.process(world.bot));
    const rota = world.rota ?? [];
    paint(this.rota, rota, () => rota.map((each) => shift(each, this.send)));
    const restarts = world.calls.filter((c) => /^(restart|stop)$/.test(c.kind)).length;
    paint(this.count, restarts, () => [
      `${restarts} restart${restarts === 1 ? "" : "s"}`,
    ]);
    const alias = new Map(world.instances.map((i) => [i.id, i.alias]));
    paint(this.calls, world.calls, () => calls(world.calls, alias));
    if (world !== this.world) this.received = Date.now();
    this.world = world;
    this.tick();
  }

  /** Return the world's time in ms; without *now* from the server, ours. */
  now() {
    const { now, speed } = this.world;
    if (!now) return Date.now();
    return moment(now).getTime() + (Date.now() - this.received) * speed;
  }

  /** Bring the times that pass up to date. */
  tick() {
    const ahead = this.world?.ahead ?? 0;
    this.clock.textContent = `Slack and the bot: ${weekClock(Date.now() + ahead * 1000)}`;
    for (const node of this.instances.querySelectorAll("[data-since]")) {
      const passed = (this.now() - moment(node.dataset.since)) / 1000;
      node.textContent = passed < DAY ? span(passed) : "";
    }
  }

  speeds(now) {
    const known = SPEEDS.some(([speed]) => speed === now);
    const list = known ? SPEEDS : [...SPEEDS, [now, "Set"]].sort(([a], [b]) => a - b);
    return list.map(([speed, name]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(speed === now),
          "data-key": `speed/${speed}`,
          onclick: () => this.send({ speed }),
        },
        name,
        h("small", {}, `×${speed}`),
      ),
    );
  }

  fault([name, label, expected], on) {
    const active = on.includes(name);
    return h(
      "button",
      {
        type: "button",
        role: "switch",
        class: "switch",
        "aria-checked": String(active),
        "data-key": `fault/${name}`,
        onclick: () => this.send({ fault: name, on: !active }),
      },
      h("span", { class: "knob" }),
      h("span", {}, h("b", {}, label), h("small", {}, expected)),
    );
  }

  process(bot) {
    const state = bot.running
      ? `running${bot.pid ? `, process ${bot.pid}` : ""}`
      : "not running";
    const starts = `started ${bot.starts === 1 ? "once" : `${bot.starts} times`}`;
    const [order, label] = bot.running
      ? ["kill", "Kill it (kill -9)"]
      : ["start", "Start it again"];
    return [
      h(
        "p",
        {},
        h("span", { class: `dot ${bot.running ? "ok" : "bad"}` }),
        `${state} · ${starts}`,
      ),
      h(
        "button",
        {
          type: "button",
          class: `button ${bot.running ? "danger" : "primary"}`,
          "data-key": "bot",
          onclick: () => this.send({ bot: order }),
        },
        label,
      ),
      h(
        "small",
        {},
        bot.running
          ? "Kill it in the middle of a restart: nothing is lost, nothing is sent twice."
          : "What it had in hand is durable; it goes on from there.",
      ),
    ];
  }
}

/** Return the button that stops or starts a notebook by hand, where it can be. */
function byHand(each, send) {
  const start = /^(STOPPED|START_FAILED)$/.test(each.status);
  if (!each.notebook || !(start || each.status === "RUNNING")) return null;
  const act = start ? "Start" : "Stop";
  return h(
    "button",
    {
      type: "button",
      class: "by-hand",
      title: "As somebody at the cloud’s console does",
      "aria-label": `${act} ${each.alias}`,
      "data-key": `by-hand/${each.id}`,
      onclick: () => send({ box: each.id, start }),
    },
    act,
  );
}

/** Return the button that lets an alert about an instance fire, or resolves it. */
function alarm(each, send) {
  const act = each.alert ? "Resolve" : "Alert";
  const said = each.alert ? "Resolve the alert about" : "Let an alert fire about";
  return h(
    "button",
    {
      type: "button",
      class: "alarm",
      title: "As Alertmanager does: it tells the bot",
      "aria-label": `${said} ${each.alias}`,
      "data-key": `alert/${each.id}`,
      onclick: () => send({ alert: each.id, on: !each.alert }),
    },
    act,
  );
}

function instance(each, send) {
  const look = tone(each.status);
  return h(
    "li",
    { title: each.id },
    h("span", { class: `dot ${look}` }),
    h(
      "span",
      { class: "what" },
      h("b", {}, each.alias || each.id),
      " ",
      h("small", {}, each.project),
    ),
    byHand(each, send),
    alarm(each, send),
    each.since && h("small", { "data-since": each.since }),
    h("span", { class: `status ${look}` }, each.status),
  );
}

/** Return who is on call on a schedule, with a button for each who could be. */
function shift(schedule, send) {
  const people = [...schedule.people, { id: "", name: "Nobody" }];
  const on = (id) => (id ? schedule.on_call.includes(id) : !schedule.on_call.length);
  return h(
    "div",
    { class: "shift", title: schedule.id },
    h(
      "p",
      {},
      h("b", {}, schedule.name),
      schedule.until && h("small", {}, ` until ${weekClock(schedule.until * 1000)}`),
    ),
    h(
      "div",
      { class: "segments", role: "group", "aria-label": `On call: ${schedule.name}` },
      people.map(({ id, name }) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(on(id)),
            "data-key": `shift/${schedule.id}/${id}`,
            onclick: () => send({ rota: { schedule: schedule.id, person: id } }),
          },
          name.split(" ")[0],
        ),
      ),
    ),
  );
}

function calls(list, alias) {
  if (!list.length)
    return h("li", { class: "none" }, "None yet: it has not been asked for anything.");
  return list
    .slice(-SHOWN)
    .reverse()
    .map((each) => call(each, alias));
}

function call(each, alias) {
  const [answer, look] = answered(each.status);
  return h(
    "li",
    { class: /^(restart|stop|start)$/.test(each.kind) ? "restart" : null },
    h("time", {}, clockSeconds(each.at)),
    h("b", {}, each.kind),
    h("span", {}, alias.get(each.instance) ?? each.instance ?? ""),
    h("span", { class: `status ${look}` }, answer),
  );
}

/** Return the words and the colour for how a call was answered. */
function answered(status) {
  if (status === null || status === undefined) return ["…", "busy"]; // still in hand
  if (!status) return ["cut off", "bad"];
  return [String(status), /^2/.test(status) ? "ok" : "bad"];
}
