/** Times as Slack writes them (`<!date^…>` and the stamps of messages). */

const DAY = 86_400_000;
const time = (options) => new Intl.DateTimeFormat(undefined, options);
const date = (options) => new Intl.DateTimeFormat("en-GB", options);

const CLOCK = time({ hour: "numeric", minute: "2-digit" });
const CLOCK_S = time({ timeStyle: "medium" });
const LONG = date({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const FULL = date({ day: "numeric", month: "long", year: "numeric" });
const SHORT = date({ day: "numeric", month: "short", year: "numeric" });
const WEEK = date({ weekday: "short", day: "numeric", month: "short" });
const NUMBERS = date({ year: "numeric", month: "2-digit", day: "2-digit" });

/** Return the moment that *value* names: epoch s or ms, or ISO 8601 text. */
export function moment(value) {
  const number = Number(value);
  if (Number.isNaN(number)) return new Date(value);
  return new Date(number > 1e11 ? number : number * 1000);
}

/** Return "today", "yesterday" or "tomorrow" where it is, else *otherwise*. */
function pretty(when, otherwise) {
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  const days = Math.round((midnight(when) - midnight(new Date())) / DAY);
  return { 0: "today", 1: "tomorrow", "-1": "yesterday" }[days] ?? otherwise;
}

const TOKENS = {
  date_num: (d) => NUMBERS.format(d).split("/").reverse().join("-"),
  date: (d) => FULL.format(d),
  date_long: (d) => LONG.format(d),
  date_short: (d) => SHORT.format(d),
  date_pretty: (d) => pretty(d, FULL.format(d)),
  date_long_pretty: (d) => pretty(d, LONG.format(d)),
  date_short_pretty: (d) => pretty(d, SHORT.format(d)),
  day_divider_pretty: (d) => pretty(d, LONG.format(d)),
  time: (d) => CLOCK.format(d),
  time_secs: (d) => CLOCK_S.format(d),
  ago: (d) => `${span((Date.now() - d) / 1000)} ago`,
};

/** Return *timestamp* (epoch s) in the *format* of Slack's date tokens, or null. */
export function formatDate(timestamp, format) {
  const when = new Date(Number(timestamp) * 1000);
  if (Number.isNaN(when.getTime())) return null;
  return format.replace(/\{(\w+)\}/g, (all, token) =>
    token in TOKENS ? TOKENS[token](when) : all,
  );
}

/** Return *text* with a capital letter, for the beginning of a line. */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return day and clock time of *ms* since 1970, such as "Thu 26 Nov, 14:03". */
export function weekClock(ms) {
  return `${WEEK.format(ms)}, ${CLOCK.format(ms)}`;
}

/** Return the clock time of the Slack timestamp *ts*. */
export function clock(ts) {
  return CLOCK.format(moment(ts));
}

/** Return the clock time with seconds of *value*. */
export function clockSeconds(value) {
  return CLOCK_S.format(moment(value));
}

/** Return the day of *ts* as the feed's dividers name it. */
export function day(ts) {
  return capital(formatDate(Math.floor(Number(ts)), "{day_divider_pretty}"));
}

/** Return a length of *seconds* in words such as `1 min 5 s`. */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  const minutes = Math.floor((s % 3600) / 60);
  return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
}
