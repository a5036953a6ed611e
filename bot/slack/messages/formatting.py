"""Words: escaping, cutting, mentions, dates, durations, outcomes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from bot.model import (
    Act,
    Instance,
    Record,
    Request,
    State,
    StatusClass,
    Target,
    class_of,
)
from bot.slack.messages import signs

COMMAND = "/mlstudio"
STATUS_LIMIT = 40  # characters shown of a status word, which the cloud may make up
FIELD_LIMIT = 2000  # characters, escaped; the same as Slack's limit for a field
MENTIONS_LIMIT = 50
_MOST_WORDS, _FIRST_WORDS = 9, 4  # of a transition
NAMES_LIMIT = 3  # of instances in one sentence
_JUST_NOW_S = 5.0

_USER = re.compile(r"[UW][A-Z0-9]+")
_GROUP = re.compile(r"S[A-Z0-9]+")
# An id of Slack's as it stands in a sentence of policy; all of today begin like this.
# What stands in curly quotes was typed, or named, by somebody: it mentions nobody.
_ID = re.compile(r"“[^”]*(?:”|$)|\b[UWSC]0[A-Z0-9]{3,}\b")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
# Marks that reorder what is read: an approver must see what was really typed.
_REORDERING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_SURROGATES = range(0xD800, 0xE000)
_VISIBLE = {
    **dict.fromkeys(map(ord, _REORDERING), ""),
    **dict.fromkeys(_CONTROLS, " "),
    **dict.fromkeys(_SURROGATES, "\N{REPLACEMENT CHARACTER}"),
}
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """Return *text* with Slack's three control characters as entities.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.translate(_ENTITIES)


def clean(text: str) -> str:
    """Return *text* on one line, without characters that hide or reorder it."""
    return " ".join(text.translate(_VISIBLE).split())


def said(text: str, limit: int = FIELD_LIMIT) -> str:
    """Return foreign *text* harmless: one line, escaped, at most *limit* characters."""
    line = clean(text)
    whole = escape(line)
    if len(whole) <= limit:
        return whole
    ends = accumulate(len(escape(char)) for char in line)
    return escape(line[: sum(end < limit for end in ends)]) + "…"


def code(name: str) -> str:
    """Return a configured *name* as mrkdwn that cannot format, link or be an emoji."""
    return f"`{said(name, 80).replace('`', chr(39))}`"


def place(target: Target) -> str:
    """Return "`instance` in `project`" as mrkdwn."""
    return f"{code(target.instance)} in {code(target.project)}"


def places(targets: Sequence[Target]) -> str:
    """Return "`this`, `that` and 3 more in `project`" as mrkdwn."""
    names = [code(target.instance) for target in targets]
    if len(names) > NAMES_LIMIT + 1:
        names[NAMES_LIMIT:] = [f"{len(names) - NAMES_LIMIT} more"]
    return f"{together(names)} in {code(targets[0].project)}"


def what_of(records: Sequence[Record]) -> str:
    """Return what was asked for, as mrkdwn; nothing for no records."""
    return places([record.request.target for record in records]) if records else ""


def count_of(records: Sequence[Record]) -> str:
    """Return "3 instances"."""
    return "1 instance" if len(records) == 1 else f"{len(records)} instances"


def spot(target: Target) -> str:
    """Return "instance in project" raw, for plain text."""
    return f"{_short(target.instance)} in {_short(target.project)}"


def _short(name: str, limit: int = 80) -> str:
    """Return *name* cut to *limit* characters, raw."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def mention(reference: str) -> str:
    """Return the mention of a user id, a group id or "*"; else the words themselves."""
    if reference == "*":
        return "every full member"
    if _USER.fullmatch(reference):
        return f"<@{reference}>"
    if _GROUP.fullmatch(reference):
        return f"<!subteam^{reference}>"
    return said(reference, 80)


def named(raw: str) -> str:
    """Return *raw* escaped, with Slack's ids in it as mentions that show a name."""
    return _ID.sub(lambda found: _reference(found[0]), said(raw))


def _reference(slack_id: str) -> str:
    """Return the mention of a person, a group or a channel; a quotation as it is."""
    if slack_id.startswith("“"):
        return slack_id
    return f"<#{slack_id}>" if slack_id.startswith("C") else mention(slack_id)


def together(mentions: Sequence[str], word: str = "and") -> str:
    """Return "a, b and c" of ready *mentions*; at most 50 are named."""
    names = list(dict.fromkeys(mentions))
    if len(names) > MENTIONS_LIMIT:
        names[MENTIONS_LIMIT:] = [f"{len(names) - MENTIONS_LIMIT} more"]
    *most, last = names or ["nobody"]
    return f"{', '.join(most)} {word} {last}" if most else last


def date(when: datetime) -> str:
    """Return *when* as a date that Slack shows in the reader's own time zone."""
    utc = when.astimezone(UTC)
    shown = "{date_short_pretty} {time}"
    return f"<!date^{int(utc.timestamp())}^{shown}|{utc:%Y-%m-%d %H:%M} UTC>"


def duration(seconds: float) -> str:
    """Return *seconds* as its two largest units, such as "2 min 5 s"."""
    whole = round(seconds)
    if whole < 1:
        return "less than 1 s"
    for (size, unit), (smaller, part) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def status(word: str | None) -> str:
    """Return a status *word* of the cloud, raw but cut; says so where it is unknown."""
    if not word or not word.strip():
        return "no status"
    shown = _short(clean(word), STATUS_LIMIT)
    known = class_of(word) is not StatusClass.UNKNOWN
    return shown if known else f"{shown} (a status I do not know)"


def arrow(record: Record) -> str:
    """Return the transition in the cloud's own words, raw: "ACTIVE → REBOOTING"."""
    words = [_short(clean(one), STATUS_LIMIT) for one in transition(record)]
    if len(words) > _MOST_WORDS:
        words[_FIRST_WORDS : _FIRST_WORDS - _MOST_WORDS] = ["…"]
    return " → ".join(words)


def has_moved(record: Record) -> bool:
    """Say whether there is a transition to show."""
    return len(transition(record)) > 1


def transition(record: Record) -> tuple[str, ...]:
    """Return the statuses, in order; of a restart in one call the two of its answer."""
    if record.request.plan != (Act.RESTART,):
        return record.path
    return (record.previous, record.current) if record.current else ()


def verb(request: Request) -> str:
    """Return what was asked for, as a verb or a noun: "restart" or "start"."""
    return str(request.wants)


def took(record: Record) -> str:
    """Return " after 42 s", or nothing where the duration is not known."""
    if record.duration_s is None:
        return ""
    return f" after {duration(record.duration_s)}"


def seen(word: str, age_s: float) -> str:
    """Return a status *word* of the cloud with how long ago it was seen, raw."""
    ago = "just now" if age_s < _JUST_NOW_S else f"{duration(age_s)} ago"
    return f"{status(word)}, {ago}"


def beside(name: str, known: str) -> str:
    """Return *name* with what is *known* about it, raw, as a select shows it."""
    return f"{name} · {known}" if known else name


def other_name(instance: Instance | None, alias: str) -> str:
    """Return what the cloud calls an instance, where that is not its *alias*."""
    return instance.name if instance and instance.name != alias else ""


def labelled(known: Mapping[str, str]) -> str:
    """Return "Label: value. Other: value" of what is known, raw."""
    return ". ".join(f"{label}: {value}" for label, value in known.items() if value)


def sentence(text: str) -> str:
    """Return raw *text* with a full stop where it ends without a mark."""
    line = text.strip()
    return line if not line or line[-1] in ".!?…" else line + "."


def reason(request: Request) -> str:
    """Return, raw, why somebody asked, or that he gave no reason."""
    return f"Reason: {request.reason}" if request.reason else "No reason was given."


def approvals(record: Record) -> list[str]:
    """Return the mentions of the people who approved, each once."""
    return list(dict.fromkeys(mention(v.user_id) for v in record.votes if v.approve))


def outcome(record: Record) -> str:
    """Return in a few words, raw, where *record* stands or how it ended."""
    match record.state:
        case State.READY:
            return f"ready{took(record)}"
        case State.FAILED:
            return f"failed with {status(record.last_status)}{took(record)}"
        case State.TIMED_OUT:
            still = status(record.last_status)
            return f"timed out, still {still}{took(record)}"
        case _:
            return signs.of(record).word
