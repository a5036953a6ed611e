"""Where a restart stands and how it ended, in a line or at length. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.model import ENDS, Record, State, StatusClass, class_of
from bot.slack.messages import formatting as t
from bot.slack.messages import signs

NOT_RESTARTED = "not restarted"
LINE_LIMIT = 160  # characters of what a line says about an end
# Ends of a restart that may have been sent and has not become ready.
ACTED = frozenset({State.FAILED, State.TIMED_OUT, State.UNKNOWN, State.DOWN})
_DECIDED = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.REFUSED})


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at an instance: its status, and seconds since its restart.

    *usual_s* is how long its restarts usually take, where that is known.
    """

    status: str
    at_s: float = 0.0
    usual_s: float | None = None


def standing(record: Record, seen: Seen | None = None) -> str:
    """Return in a line, raw, where a request stands or how it ended."""
    if record.state in ENDS:
        return ending(record)
    if record.state is State.PENDING:
        return signed(record)
    if is_to_come(record):
        return f"{signs.TURN.mark} {signs.TURN.word}"
    mark = signs.of(record).mark
    if record.state is State.FOLLOWING:
        now = seen.status if seen else record.last_status
        return f"{mark} busy already, nothing is sent: {t.status(now)}{_passed(seen)}"
    if t.has_moved(record):
        last = t.transition(record)[-1]
        moved = seen.status if seen and seen.status != last else ""
        now = f", now {t.status(moved)}" if moved else ""
        return f"{mark} {t.arrow(record)}{now}{_passed(seen)}"
    if record.answered:
        lost = "checking, the cloud's answer was lost"
        return f"{signs.CHECKING.mark} {lost}{_passed(seen)}"
    return f"{mark} restarting"


def signed(record: Record) -> str:
    """Return in a few words, raw, where *record* stands, with its sign."""
    return f"{signs.of(record).mark} {t.outcome(record)}"


def is_to_come(record: Record) -> bool:
    """Say whether nothing has been done yet: nothing is sent before it is announced."""
    waits = record.state in {State.ASKED, State.PENDING, State.APPROVED}
    return waits or (record.state is State.RESTARTING and not record.message_ts)


def ending(record: Record, limit: int = LINE_LIMIT) -> str:
    """Return how a request ended, raw, with a mark; *limit* is in characters."""
    if record.state is State.READY:
        arrow = f" ({t.arrow(record)})" if t.has_moved(record) else ""
        said = f": {t.sentence(t.clean(record.detail))}" if record.detail else ""
        return f"{signed(record)}{arrow}{said}"
    mark = signs.of(record).mark
    if record.state is State.JOINED:
        return f"{mark} joined: another request restarts it and tells how that ends"
    detail = t.sentence(t.clean(record.detail))
    why = f": {detail}" if detail else ""
    own = record.state in ACTED | _DECIDED
    said = f"{mark} {t.outcome(record) if own else NOT_RESTARTED}{why}"
    return said if len(said) <= limit else said[: limit - 1] + "…"


def _passed(seen: Seen | None) -> str:
    """Return the time since the restart; where it is known, how long it usually is."""
    if seen is None:
        return ""
    usual = f" (usually {t.duration(seen.usual_s)})" if seen.usual_s else ""
    return f", {t.duration(seen.at_s)}{usual}"


def verdict(record: Record) -> tuple[str, ...]:
    """Return, raw, how it ended: what happened, what it means, what to do."""
    now, took = t.status(record.last_status), t.took(record)
    match record.state:
        case State.READY:
            return (untouched(record), t.sentence(record.detail))
        case State.DOWN:
            since = record.stopped_at or record.sent_at
            when = f" since {since:%H:%M} UTC" if since else ""
            return (
                f"It is down{when}: it was stopped for this restart and is {now}.",
                t.sentence(record.detail),
                "Nothing starts it unasked any more.",
            )
        case State.FAILED:
            verb = t.verb(record.request)
            failed = f"The {verb} failed: it reached {now}{took}."
            return (failed, _reason(record), _mend(record))
        case State.TIMED_OUT:
            return (
                f"Its status still stands at {now}{took}. I have stopped watching.",
                t.sentence(record.detail),
                f"It may still come back: {_look(record)} shows its status.",
            )
        case State.UNKNOWN:
            return (
                f"The outcome is unknown. {t.sentence(record.detail)}",
                f"The last status seen was {now}. I do not send {_call(record)} again.",
                f"Look at it with {_look(record)}, and ask again only if it needs it.",
            )
        case _:
            return (t.sentence(record.detail), "The instance was left as it was.")


def untouched(record: Record) -> str:
    """Return that nothing was sent, where the instance was only watched."""
    if record.sent_at is not None or record.current:
        return ""
    return f"It was busy already, so no {t.verb(record.request)} was sent."


def _call(record: Record) -> str:
    """Return what was sent, and nobody knows whether it came through."""
    return f"the {record.request.plan[0]}"


def _reason(record: Record) -> str:
    """Return the cloud's own reason for a failure, or that there is none."""
    if record.detail.startswith("The cloud"):
        return record.detail
    if not record.detail:
        return "The cloud gave no reason."
    if record.kept_down:
        return record.detail
    return f"The cloud's reason: {t.sentence(record.detail)}"


def _mend(record: Record) -> str:
    """Return what to do about a restart that failed."""
    if class_of(record.last_status) is StatusClass.STOPPED:
        return f"Start it with {_start(record)}: a restart does not start it."
    return "Look at it in the ModelArts console before you restart it again."


def _start(record: Record) -> str:
    """Return the command that starts the instance, raw."""
    target = record.request.target
    return f"{t.COMMAND} start {target.project} {target.instance}"


def _look(record: Record) -> str:
    """Return the command that shows the instance, raw."""
    target = record.request.target
    return f"{t.COMMAND} status {target.project} {target.instance}"
