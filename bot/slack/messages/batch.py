"""The one message of several restarts asked for together, and how they ended. Pure.

The message is drawn anew from the records each time, so that no edit loses a fact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.model import ENDS, Message, Record, State
from bot.slack.messages import blocks as b
from bot.slack.messages import formatting as t
from bot.slack.messages.restart import glass_line

_DETAIL = 160  # characters of what a row says about its end
_LONG_DETAIL = 400  # ... where it is told
_GROUPS: Mapping[str, frozenset[State]] = {
    "ready": frozenset({State.READY}),
    "under way": frozenset({State.RESTARTING, State.FOLLOWING}),
    "to come": frozenset({State.ASKED, State.PENDING, State.APPROVED}),
    "failed": frozenset({State.FAILED}),
    "still not ready": frozenset({State.TIMED_OUT}),
    "unknown": frozenset({State.UNKNOWN}),
    "restarted by somebody else": frozenset({State.JOINED}),
}
_NOT_RESTARTED = "not restarted"


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at an instance: its status, and seconds since its restart."""

    status: str
    at_s: float
    usual_s: float | None = None


def what_of(records: Sequence[Record]) -> str:
    """Return what was asked for, as markup; nothing where it was one instance only."""
    return t.places([record.request.target for record in records]) if records else ""


def count_of(records: Sequence[Record]) -> str:
    """Return "3 instances"."""
    return "1 instance" if len(records) == 1 else f"{len(records)} instances"


def board(
    records: Sequence[Record],
    seen: Mapping[str, Seen] | None = None,
    *,
    mentions: Sequence[str] = (),
) -> Message:
    """Show where each of *records* stands; *seen* has the last look by request id.

    *mentions* are those of the approvers, who are told about a break-glass restart.
    """
    looks = seen or {}
    glass = any(record.request.break_glass for record in records)
    rows = (_row(record, looks.get(record.request.id)) for record in records)
    over = all(record.state in ENDS for record in records)
    return b.message(
        b.title(f"Restart of {count_of(records)}: {_counts(records)}"),
        _asked(records),
        glass_line(mentions) if glass else None,
        b.words(t.reason(records[0].request)),
        *rows,
        None if over else b.note(_plan(records)),
    )


def summary(records: Sequence[Record], hosts: Mapping[str, Record]) -> Message:
    """Tell the requester how all of it ended; *hosts* are the requests joined."""
    request = records[0].request
    ready = [record for record in records if record.state is State.READY]
    who, project = t.mention(request.user_id), t.code(request.target.project)
    if len(records) == len(ready) == 1:
        line = f"{who}: {count_of(records)} in {project} is ready."
    elif len(ready) == len(records):
        line = f"{who}: all {count_of(records)} in {project} are ready."
    else:
        of = f"{len(ready) or 'none'} of {count_of(records)} in {project}"
        line = f"{who}: {of} {'is' if len(ready) == 1 else 'are'} ready."
    return b.message(
        b.marked(line + _spent(ready)),
        *(_told(record, hosts.get(record.joined)) for record in records),
    )


def accepted(records: Sequence[Record], hosts: Mapping[str, Record]) -> Message:
    """Acknowledge recorded requests, privately; *hosts* are the requests joined."""
    own = [record for record in records if record.state is not State.JOINED]
    others = [record for record in records if record.state is State.JOINED]
    return b.message(
        b.marked(_recorded(own)) if own else None,
        *(b.marked(_joined(record, hosts.get(record.joined))) for record in others),
    )


def _recorded(own: Sequence[Record]) -> str:
    """Return that requests were recorded, and what happens next, as our own markup."""
    line = f"Recorded: your request to restart {what_of(own)}."
    if any(record.request.waits for record in own):
        return f"{line} It needs approval first; I ask for it in the channel, once."
    return f"{line} One message in the channel shows them all."


def _joined(record: Record, host: Record | None) -> str:
    """Return that another request restarts the instance, as our own markup."""
    who = f", asked by {t.mention(host.request.user_id)}" if host else ""
    return (
        f"{t.place(record.request.target)} is taken care of by another request already"
        f"{who}. No second restart is sent; you are mentioned when that one has ended."
    )


def _counts(records: Sequence[Record]) -> str:
    """Return how many stand where, raw: "2 ready, 1 under way"."""
    group = {state: word for word, states in _GROUPS.items() for state in states}
    found = Counter(group.get(record.state, _NOT_RESTARTED) for record in records)
    words = [*_GROUPS, _NOT_RESTARTED]
    return ", ".join(f"{found[word]} {word}" for word in words if found[word])


def _asked(records: Sequence[Record]) -> b.Part:
    """Return who asked for what and when, and who agreed."""
    request = records[0].request
    agreed = [who for record in records for who in t.approvals(record)]
    approved = f", approved by {t.together(agreed)}" if agreed else ""
    return b.marked(
        f"{what_of(records)}, asked by {t.mention(request.user_id)}"
        f" {t.date(request.asked_at)}{approved}."
    )


def _plan(records: Sequence[Record]) -> str:
    """Return, raw, what happens after a failure."""
    if records[0].request.go_on:
        return "If one fails, the others are restarted all the same."
    return "If one fails, no further one is restarted."


def _row(record: Record, seen: Seen | None) -> b.Part:
    """Return where one instance stands."""
    return b.row(t.code(record.request.target.instance), standing(record, seen))


def standing(record: Record, seen: Seen | None = None) -> str:
    """Return where a request stands or how it ended, raw."""
    if record.state in ENDS:
        return _end(record, _DETAIL)
    match record.state:
        case State.PENDING:
            return "waits for approval"
        case State.ASKED | State.APPROVED:
            return "waits for its turn"
        case State.FOLLOWING:
            now = seen.status if seen else record.last_status
            return f"busy already, nothing is sent: {t.status(now)}{_passed(seen)}"
    if record.current:
        moved = seen.status if seen and seen.status != record.current else ""
        now = f", now {t.status(moved)}" if moved else ""
        return f"{t.arrow(record)}{now}{_passed(seen)}"
    if record.answered:
        return f"the cloud's answer was lost, checking{_passed(seen)}"
    return "is being restarted"


def _passed(seen: Seen | None) -> str:
    """Return the time since the restart; where it is known, how long it usually is."""
    if seen is None:
        return ""
    usual = f" (usually {t.duration(seen.usual_s)})" if seen.usual_s else ""
    return f", {t.duration(seen.at_s)}{usual}"


def _end(record: Record, limit: int) -> str:
    """Return how a request ended, raw, with a mark; *limit* is in characters."""
    if record.state is State.READY:
        arrow = f" ({t.arrow(record)})" if record.current else ""
        return f"✓ {t.outcome(record)}{arrow}"
    if record.state is State.JOINED:
        return "another request restarts it and tells how that ends"
    detail = t.sentence(t.clean(record.detail))
    why = f": {detail}" if detail else ""
    word = t.outcome(record) if _acted(record) else _NOT_RESTARTED
    if record.state in {State.DENIED, State.EXPIRED, State.CANCELLED}:
        word = t.outcome(record)
    said = f"✗ {word}{why}"
    return said if len(said) <= limit else said[: limit - 1] + "…"


def _acted(record: Record) -> bool:
    """Say whether a restart that has not become ready may have been sent."""
    return record.state in {State.FAILED, State.TIMED_OUT, State.UNKNOWN}


def _spent(ready: Sequence[Record]) -> str:
    """Return the longest of the restarts that became ready."""
    spent = max((record.duration_s or 0.0 for record in ready), default=0.0)
    word = "It" if len(ready) == 1 else "The longest"
    return f" {word} took {t.duration(spent)}." if spent else ""


def _told(record: Record, host: Record | None) -> b.Part:
    """Return how one instance ended; who restarts it where that is another request."""
    name = t.code(record.request.target.instance)
    if record.state is not State.JOINED or host is None:
        return b.row(name, _end(record, _LONG_DETAIL))
    who = t.mention(host.request.user_id)
    return b.row(f"{name}, in the request of {who}", standing(host))


def refusals(refused: Sequence[tuple[str, str]], rest: int) -> Message:
    """Say why nothing of a batch is restarted: *refused* are names and reasons, raw.

    *rest* is how many of the others the rules would have let through.
    """
    others = "Leave those out and ask for the others again." if rest else ""
    return b.message(
        b.words("I restarted none of these instances."),
        *(b.ruling(f"{name}: {why}") for name, why in refused),
        b.words(others) if others else None,
    )


def apart(groups: Mapping[str, Sequence[str]]) -> Message:
    """Say that rules that ask for different approvals cannot be asked for in one.

    *groups* are the names of the instances by the rule's name.
    """
    return b.message(b.words(SEPARATELY), *_by_rule(groups))


SEPARATELY = (
    "I restarted none of these instances: different rules ask for their approval, and"
    " one approval cannot stand for both. Ask for them separately:"
)


def _by_rule(groups: Mapping[str, Sequence[str]]) -> Iterator[b.Part]:
    for rule, names in groups.items():
        yield b.words(f"{', '.join(names)} (rule “{rule}”)")
