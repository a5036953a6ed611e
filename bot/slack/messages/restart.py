"""The one message of a restart, from its announcement to its end. Pure.

A restart of one instance is told at length, each one of several in a line. The message
is drawn anew from the records each time, so that an edit never loses a fact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bot.model import (
    ENDS,
    UNDER_WAY,
    Message,
    Record,
    Request,
    State,
    gives_back,
)
from bot.slack.messages import approval, signs
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.buttons import offer
from bot.slack.messages.outcome import (
    NOT_RESTARTED,
    Seen,
    is_to_come,
    standing,
    verdict,
)

_BAR = 10  # cells
# In a title next to two statuses of 40 characters each; Slack allows 150 in all.
_IN_TITLE = 50
_GROUPS: Mapping[str, frozenset[State]] = {
    "ready": frozenset({State.READY}),
    "under way": UNDER_WAY,
    "to come": frozenset(),  # says ``is_to_come``
    "failed": frozenset({State.FAILED}),
    "timed out": frozenset({State.TIMED_OUT}),
    "unknown": frozenset({State.UNKNOWN}),
    "down": frozenset({State.DOWN}),
    "joined": frozenset({State.JOINED}),
    NOT_RESTARTED: frozenset(),  # all the rest
}


# --- the message ----------------------------------------------------------------------


def message(
    records: Sequence[Record],
    seen: Mapping[str, Seen] | None = None,
    *,
    mentions: Sequence[str] = (),
    owners: Sequence[str] = (),
) -> Message:
    """Show where *records* stand; *seen* has the last look by request id.

    *mentions* are those of the approvers, who are told about a break-glass restart,
    *owners* the user ids of those whose instances they are.
    """
    looks = seen or {}
    if len(records) == 1:
        (record,) = records
        heading, body = _heading(record), _body(record, looks.get(record.request.id))
    else:
        heading, body = _heading_of_all(records), _lines(records, looks)
    return b.message(b.title(heading), *_asked(records, mentions, owners), *body)


def _asked(
    records: Sequence[Record], mentions: Sequence[str], owners: Sequence[str]
) -> tuple[b.Part | None, ...]:
    """Return who asked for what and why, who agreed, and who has to know."""
    request = records[0].request
    agreed = [who for record in records for who in t.approvals(record)]
    approved = f", approved by {t.together(agreed)}" if agreed else ""
    glass = any(record.request.break_glass for record in records)
    what = t.what_of(records)
    if len(records) == 1 and _is_named_in_title(request):  # the heading has the name
        what = f"In {t.code(request.target.project)}"
    return (
        b.marked(
            f"{what}, asked by {t.mention(request.user_id)}"
            f" {t.date(request.asked_at)}{approved}."
        ),
        _glass_line(mentions) if glass else None,
        b.ruling(f"It passes a freeze: {request.passes}.") if request.passes else None,
        approval.owned(owners),
        b.words(t.reason(request)),
    )


def _glass_line(mentions: Sequence[str]) -> b.Part:
    """Return the loud line of a restart that nobody approved beforehand."""
    call = f" Please review it: {t.together(mentions)}." if mentions else ""
    return b.marked(f"This is a break-glass restart: nobody approved it first.{call}")


# --- ... of one -----------------------------------------------------------------------


def _heading(record: Record) -> str:
    """Return the title: how it stands, and while it is under way the transition."""
    name, sign = _name(record), signs.of(record)
    if record.state is State.READY:
        return f"{sign.begins}: {name}{t.took(record)}"
    if record.state is State.REFUSED:
        return f"{sign.begins}: {name}, {NOT_RESTARTED}"
    if record.state in ENDS:
        return f"{sign.begins}: {name}"
    if record.state is State.FOLLOWING:
        return f"{sign.begins}: {name} is {t.status(_found(record))}"
    if t.has_moved(record):
        return f"{signs.acting(record).begins} {name}: {t.arrow(record)}"
    if record.answered:
        return f"{signs.CHECKING.begins} {name}: the cloud's answer was lost"
    return f"{signs.acting(record).begins} {name}"


def _body(record: Record, seen: Seen | None) -> tuple[b.Part | None, ...]:
    """Return how far the restart is, or how it ended."""
    if record.state in ENDS:
        seen_were = f"Statuses seen: {t.arrow(record)}."
        arrow = b.words(seen_were) if t.has_moved(record) else None
        said = b.paragraphs(*verdict(record))
        return (arrow, *said, offer(record), approval.ids(record))
    if record.state is State.FOLLOWING:
        status, verb = record.last_status or _found(record), t.verb(record.request)
        busy = f"It was busy already, so no {verb} was sent. I say how it ends."
        said = b.paragraphs(t.sentence(record.detail))
        return (b.words(busy), *said, _progress(seen, status, _found(record)))
    if t.has_moved(record):
        status = record.last_status or record.current
        progress = _progress(seen, status, t.transition(record)[-1])
        return (*_between(record), progress, approval.ids(record))
    if record.answered:
        return (
            b.words(
                f"The {record.request.plan[0]} was sent, but the cloud's answer was"
                " lost, so nobody knows yet whether it happens. I do not send it again;"
                " I watch the instance and say what I see."
            ),
        )
    sent = "The channel is the record: nothing has been sent to the cloud yet."
    return (*_between(record), b.note(sent))


def _between(record: Record) -> tuple[b.Part | None, ...]:
    """Return what is given up between a stop and a start, and why it takes so long."""
    if not gives_back(record.request.plan):
        return ()
    lost = approval.given_back(record.baseline)
    trouble = f"Not started yet: {t.sentence(record.trouble)} I try again."
    waits = record.trouble and not record.came_up
    return (b.note(lost), b.words(trouble) if waits else None)


def _is_named_in_title(request: Request) -> bool:
    return len(request.target.instance) <= _IN_TITLE


def _name(record: Record) -> str:
    """Return what the instance is called, short enough for a title."""
    name = record.request.target.instance
    whole = _is_named_in_title(record.request)
    return name if whole else name[: _IN_TITLE - 1] + "…"


def _found(record: Record) -> str:
    """Return the status in which an instance was found busy."""
    return record.baseline.status if record.baseline else record.last_status


def _progress(seen: Seen | None, status: str, shown: str) -> b.Part:
    """Return the time passed; where it is known, also how far that usually is.

    *status* is the last one known without a look, *shown* the one in the heading.
    """
    look = seen or Seen(status)
    now = look.status or status
    known = now == shown and t.status(now) == now
    moved = "" if known else f"Status now: {t.status(now)}. "
    line = f"{moved}Time passed: {t.duration(look.at_s)}"
    if not look.usual_s:
        return b.note(f"{line}.")
    share = look.at_s / look.usual_s
    far = "longer than usual" if share > 1 else f"{round(share * 100)} % of that"
    line += f", usually {t.duration(look.usual_s)} ({far})."
    filled = min(_BAR, round(share * _BAR))
    bar = "█" * filled + "░" * (_BAR - filled)
    # A screen reader would spell the bar out, so only the drawing has it.
    return b.Part(b.note(line).text, b.note(f"{bar}  {line}").block)


# --- ... of several -------------------------------------------------------------------


def _heading_of_all(records: Sequence[Record]) -> str:
    """Return the title of several: restarting, or how it ended, and how many where."""
    if not all(record.state in ENDS for record in records):
        doing = signs.acting(records[0]).begins
        return f"{doing} {t.count_of(records)}: {_counts(records)}"
    sign = signs.of_all(records)
    if sign is signs.READY:
        return f"{sign.begins}: all {t.count_of(records)}"
    return f"{sign.begins}: {_counts(records)}"


def _counts(records: Sequence[Record]) -> str:
    """Return how many stand where, raw: "2 ready, 1 under way"."""
    found = Counter(map(_group, records))
    return ", ".join(f"{found[word]} {word}" for word in _GROUPS if found[word])


def _group(record: Record) -> str:
    """Return with which others one is counted."""
    if is_to_come(record):
        return "to come"
    words = (word for word, states in _GROUPS.items() if record.state in states)
    return next(words, NOT_RESTARTED)


def _lines(
    records: Sequence[Record], looks: Mapping[str, Seen]
) -> tuple[b.Part | None, ...]:
    """Return where each of them stands, and what happens after a failure."""
    plan = "If one fails, no further one is restarted."
    if records[0].request.go_on:
        plan = "If one fails, the others are restarted all the same."
    over = all(record.state in ENDS for record in records)
    rows = (
        b.row(
            t.code(record.request.target.instance),
            standing(record, looks.get(record.request.id)),
        )
        for record in records
    )
    return (*rows, None if over else b.note(plan))
