"""The one message of a restart, from its announcement to its end, and its reply. Pure.

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
    is_stopping,
)
from bot.slack.messages import approval, signs
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.buttons import offer
from bot.slack.messages.outcome import (
    NOT_RESTARTED,
    Seen,
    ending,
    is_to_come,
    standing,
    untouched,
    verdict,
)

_BAR = 10  # cells
# In a title next to two statuses of 40 characters each; Slack allows 150 in all.
_IN_TITLE = 50
_LONG_LINE = 400  # characters of what is told about the end of one of several
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
        said = _paragraphs(*verdict(record))
        return (arrow, *said, offer(record), approval.ids(record))
    if record.state is State.FOLLOWING:
        status, verb = record.last_status or _found(record), t.verb(record.request)
        busy = f"It was busy already, so no {verb} was sent. I say how it ends."
        said = _paragraphs(t.sentence(record.detail))
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


def _paragraphs(*raws: str) -> tuple[b.Part, ...]:
    """Return a paragraph for each of *raws* that says something."""
    return tuple(b.words(raw) for raw in raws if raw)


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


# --- what is said in between ----------------------------------------------------------


def trouble(record: Record, until: str) -> Message:
    """Say that what is stopped could not be started yet; *until* is a date (markup)."""
    name = t.code(record.request.target.instance)
    return b.message(
        b.marked(
            f"{signs.STARTING.begins}: {name} could not be started yet."
            f" I try again until {until}."
        ),
        b.words(t.sentence(record.trouble)),
    )


def doubt(record: Record, more_s: float) -> Message:
    """Say that nobody knows whether the stop was carried out.

    *more_s* is for how many seconds more it is looked at.
    """
    request = record.request
    who, name = t.mention(request.user_id), t.code(request.target.instance)
    now = t.status(record.last_status)
    unseen = f"Its status still stands at {now}: the stop was not seen."
    if any(map(is_stopping, record.path)):
        unseen = f"It was on its way down and is {now} again, not seen stopped."
    return b.message(
        b.marked(
            f"{signs.UNKNOWN.begins}. {who}: the outcome of the stop of {name} is"
            " unknown."
        ),
        b.words(
            f"{unseen} Nothing more was sent. I look at it for {t.duration(more_s)}"
            " more; if it does stop, I start it."
        ),
    )


def up_again(record: Record, status: str) -> Message:
    """Say in its thread that what was down is so no longer."""
    name = t.code(record.request.target.instance)
    who = t.mention(record.request.user_id)
    return b.message(
        b.marked(
            f"{signs.of_status(status).begins}. {who}: {name} is not down any more. It"
            f" is {status}."
        )
    )


# --- the reply below it ---------------------------------------------------------------


def followup(
    records: Sequence[Record],
    *,
    followers: Sequence[str] = (),
    hosts: Mapping[str, Record] | None = None,
    approvers: Sequence[str] = (),
) -> Message:
    """Tell the requester how all of it ended, and the *approvers* (mentions) if it is
    down.

    *followers* are the user ids of those who joined the one that was asked for; *hosts*
    are the requests that some of several have joined, by their id.
    """
    request = records[0].request
    if len(records) == 1:
        return _told(records[0], (request.user_id, *followers), approvers)
    ready = [record for record in records if record.state is State.READY]
    who, project = t.mention(request.user_id), t.code(request.target.project)
    if len(ready) == len(records):
        line = f"all {t.count_of(records)} in {project} are ready."
    else:
        of = f"{len(ready) or 'none'} of {t.count_of(records)} in {project}"
        line = f"{of} {'is' if len(ready) == 1 else 'are'} ready."
    return b.message(
        b.marked(f"{signs.of_all(records).begins}. {who}: {line}{_longest(ready)}"),
        *(_one_of(record, (hosts or {}).get(record.joined)) for record in records),
        b.marked(f"One is down, {t.together(approvers)}.") if approvers else None,
        *(offer(record) for record in records),
    )


def joined_end(host: Record, user_id: str) -> Message:
    """Tell somebody who joined *host* how that one ended, beside its follow-up."""
    if host.state in approval.CLOSED:
        return approval.notice(host, (user_id,))
    return _told(host, (user_id,))


def _told(
    record: Record, user_ids: Sequence[str], approvers: Sequence[str] = ()
) -> Message:
    """Tell *user_ids* and *approvers* (mentions) how the restart ended."""
    who = t.together([*(t.mention(user_id) for user_id in user_ids), *approvers])
    name = t.code(record.request.target.instance)
    if record.state is State.READY:
        ready = f"{signs.READY.begins}. {who}: {name} is ready. {_spent(record)}"
        return b.message(b.marked(ready), *_paragraphs(t.sentence(record.detail)))
    verb = t.verb(record.request)
    opening = {
        State.DOWN: f"{name} is down{_since(record)}.",
        State.FAILED: f"{name} has not come back.",
        State.TIMED_OUT: f"{name} has not come back in time.",
        State.UNKNOWN: f"I cannot say how the {verb} of {name} ended.",
        State.REFUSED: f"the {verb} of {name} was refused. Nothing was {verb}ed.",
    }.get(record.state, f"{name} was not {verb}ed.")
    first = b.marked(f"{signs.of(record).begins}. {who}: {opening}")
    return b.message(first, *_paragraphs(*verdict(record)), offer(record))


def _since(record: Record) -> str:
    """Return since when it is down, as our own markup."""
    since = record.stopped_at or record.sent_at
    return f" since {t.date(since)}" if since else ""


def _spent(record: Record) -> str:
    """Return the time until it was ready as a sentence of our own markup."""
    project, spent = t.code(record.request.target.project), record.duration_s
    if untouched(record):
        lasted = "" if spent is None else f" for {t.duration(spent)}"
        return f"{untouched(record)} I watched it in {project}{lasted}."
    if spent is None:
        return f"It was {t.verb(record.request)}ed in {project}."
    return f"Its {t.verb(record.request)} in {project} took {t.duration(spent)}."


def _longest(ready: Sequence[Record]) -> str:
    """Return the longest of the restarts that became ready."""
    spent = max((record.duration_s or 0.0 for record in ready), default=0.0)
    word = "It" if len(ready) == 1 else "The longest"
    return f" {word} took {t.duration(spent)}." if spent else ""


def _one_of(record: Record, host: Record | None) -> b.Part:
    """Return how one of several ended, and in whose request where not in this one."""
    name = t.code(record.request.target.instance)
    if record.state is not State.JOINED or host is None:
        return b.row(name, ending(record, _LONG_LINE))
    who = t.mention(host.request.user_id)
    return b.row(f"{name}, in the request of {who}", standing(host))
