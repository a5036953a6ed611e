"""What is said of alerts: their cards, and what became of them after a restart. Pure.

Whatever a sender wrote is foreign: it stands in plain_text objects, cut to 200
characters, where it cannot mention, link or format. Only its link is one, if it is an
http(s) address.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from bot.model import (
    Aftermath,
    AlertCard,
    Instance,
    KnownAlert,
    Message,
    Record,
    Target,
)
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages import signs
from bot.slack.messages.buttons import restart_button
from bot.slack.messages.outcome import signed

FOREIGN = 200  # characters of a sender's words
_LINK_LIMIT = 2000
# What cannot be part of Slack's <address|words>, nor of an address at all.
_NOT_IN_LINK = re.compile(r"[\s<>|\"'`\\^{}\x00-\x20\x7f]|[^\x21-\x7e]")
_SHOWN = 10  # alerts of those that are too many
_MINUTES_FROM_S = 120.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside an alert about *target* when its card is drawn.

    *instance* is None where *problem* says why. *usual_s* is how long its restarts
    usually take, *who* are mentions of those who may restart it, *frozen* the freezes
    in force for it, in words.
    """

    target: Target
    instance: Instance | None = None
    problem: str = ""
    last: Record | None = None
    usual_s: float | None = None
    who: Sequence[str] = ()
    requests: Sequence[Record] = ()
    frozen: Sequence[str] = ()


def foreign(text: str, limit: int = FOREIGN) -> str:
    """Return a sender's *text*, raw, on one line and cut."""
    line = t.clean(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def address(text: str) -> str:
    """Return *text* if it is an http(s) address that can be shown as a link."""
    if len(text) > _LINK_LIMIT or _NOT_IN_LINK.search(text):
        return ""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return text if named and parts.scheme.lower() in {"http", "https"} else ""


# --- cards ----------------------------------------------------------------------------


def card(alert: KnownAlert, around: Surroundings) -> Message:
    """Show an *alert* with what somebody needs to know before he restarts."""
    over = alert.ended is not None
    return b.message(
        b.title(
            f"{_sign(alert)} {foreign(alert.name, 100)} on {around.target.instance}"
        ),
        b.marked(_since(alert)),
        b.words(foreign(alert.summary)) if alert.summary else None,
        b.marked(_link(alert)) if address(alert.link) else None,
        b.ruling(_status(around)),
        b.marked(_last(around)),
        *(b.marked_note(_open(one)) for one in around.requests[:3]),
        *(b.ruling(t.sentence(freeze)) for freeze in around.frozen),
        b.marked(f"Who may restart it: {t.together(around.who)}.")
        if not over
        else None,
        b.buttons(restart_button(around.target, alert.id))
        if not over or alert.no_data
        else None,
        b.note(_heard(alert)),
    )


def more(card: AlertCard, names: Sequence[str]) -> Message:
    """Show those of a sender that are too many for cards of their own.

    *names* are what the instances of its alerts are called, in their order.
    """
    over = f", {card.over} of them resolved" if card.over else ""
    rows = [
        b.words(f"{_sign(alert)} {foreign(alert.name, 100)} on {name}")
        for alert, name in zip(card.alerts, names, strict=True)
    ]
    rest = card.count - len(rows[:_SHOWN])
    return b.message(
        b.title(f"and {card.count} more from {card.sender.label}{over}"),
        *rows[:_SHOWN],
        b.note(f"… and {rest} older ones") if rest else None,
        b.note(
            "These came too fast for a card each: one a minute and instance, ten a"
            f" minute and sender. To restart one, type {t.COMMAND} restart."
        ),
    )


def _sign(alert: KnownAlert) -> str:
    """Return how it stands, as its card begins."""
    if alert.ended is None:
        return f"{signs.FIRING.begins}:"
    return f"{(signs.NO_DATA if alert.no_data else signs.RESOLVED).begins}:"


def _since(alert: KnownAlert) -> str:
    """Return since when it fires, or when that ended, as its sender says."""
    who = alert.sender.label
    since = f"{who}: firing since {t.date(alert.began)}."
    if alert.ended is None:
        return since
    if alert.no_data:
        said = "Its data stopped, so nobody knows"
        return f"{since} {said} ({who}, {clock(alert.ended)} UTC)."
    return (
        f"{who}: it fired from {t.date(alert.began)}. Resolved {t.date(alert.ended)}"
        f" ({who}, {clock(alert.ended)} UTC)."
    )


def _link(alert: KnownAlert) -> str:
    escaped = alert.link.replace("&", "&amp;")
    return f"<{escaped}|See it in {alert.sender.label}>"


def _status(around: Surroundings) -> str:
    """Return the status of the instance, or why it is not known, raw."""
    what = t.spot(around.target)
    if around.instance is None:
        return f"{what}: its status could not be read. {around.problem}".strip()
    return f"{what}: status now {t.status(around.instance.status)}."


def _last(around: Surroundings) -> str:
    """Return the last restart, and how long they usually take."""
    usual = around.usual_s
    takes = f" Usually a restart takes {t.duration(usual)}." if usual else ""
    last = around.last
    if last is None or last.sent_at is None:
        return f"No restart of it is on record.{takes}"
    return (
        f"Last restart: {t.date(last.sent_at)}, asked for by"
        f" {t.mention(last.request.user_id)}: {signed(last)}.{takes}"
    )


def _open(record: Record) -> str:
    """Return who has asked for what already, and where that stands."""
    request = record.request
    return (
        f"Asked for already, {t.date(request.asked_at)}: {t.verb(request)} by"
        f" {t.mention(request.user_id)}, {signed(record)}."
    )


def _heard(alert: KnownAlert) -> str:
    """Return how often and when it was heard of, raw."""
    times = "once" if alert.times == 1 else f"{alert.times} times"
    return (
        f"Heard {times}, last {clock(alert.heard_at)} UTC. An alert asks for nothing."
    )


def clock(when: datetime) -> str:
    """Return the time of day in UTC, to the second."""
    return f"{when.astimezone(UTC):%H:%M:%S}"


# --- a restart from a card ------------------------------------------------------------


def reason(alert: KnownAlert) -> str:
    """Return the reason that the dialog is filled with, raw: its name and its link."""
    return " ".join(filter(None, (foreign(alert.name), address(alert.link))))


def aftermath(words: str, alerts: Sequence[KnownAlert], instance: str) -> Message:
    """Tell a restart's thread, in *words*, what became of *alerts* of *instance*."""
    names = list(dict.fromkeys(foreign(alert.name, 100) for alert in alerts))
    if len(names) > _SHOWN:
        names[_SHOWN:] = [f"{len(names) - _SHOWN} more"]
    about = f"{t.together(names)} on {instance}. Times are UTC."
    return b.message(b.words(words), b.note(about))


def became(alert: KnownAlert, restart: Record, told: Aftermath) -> str:
    """Say what has become of an *alert* after a *restart*, raw.

    It never says that the restart has cured it: nobody knows.
    """
    who, ended, sent = alert.sender.label, alert.ended, restart.sent_at
    at = f"({who}, {clock(ended)})" if ended else f"({who})"
    verb = t.verb(restart.request)
    match told:
        case Aftermath.CLEARED if ended and sent:
            passed = _about((ended - sent).total_seconds())
            return f"Cleared {passed} after the {verb} {at}."
        case Aftermath.BEFORE | Aftermath.CLEARED:
            return f"It had cleared before the {verb} {at}."
        case Aftermath.NO_DATA:
            return f"Its data stopped, so nobody knows {at}."
        case Aftermath.FIRING:
            return f"Still firing, last heard {clock(alert.heard_at)} {at}."
        case Aftermath.SILENT:
            return f"No word since the {verb} {at}: nobody knows whether it cleared."


def _about(seconds: float) -> str:
    """Return a time in words, from two minutes on without its seconds."""
    whole = seconds if seconds < _MINUTES_FROM_S else 60 * round(seconds / 60)
    return t.duration(whole)


def note(record: Record, request_id: str, name: str) -> str:
    """Return what is noted on an incident of a restart that has ended, raw.

    *request_id* is of who asked from its card; *record* may be what that has joined,
    and *name* whose that is: where it is read, Slack's ids say nothing.
    """
    request = record.request
    known = f"{foreign(name, 80)} " if name != request.user_id else ""
    detail = f" {t.sentence(t.clean(record.detail))}" if record.detail else ""
    return (
        f"mlstudio-bot: {t.verb(request)} of {t.spot(request.target)}, asked for in"
        f" Slack by {known}({request.user_id}): {t.outcome(record)}.{detail}"
        f" Request {request_id}"
    )
