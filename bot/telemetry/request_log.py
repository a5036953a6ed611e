"""What the log says of a request: its names on every line, and one line at its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs
import structlog

from bot.model import Record, Request, Target

log = structlog.get_logger()

MOST_REQUESTS = 1000  # requests whose names are remembered
ENDED = "request ended"  # what the line at the end is called, for whoever counts them


def names_of(request: Request) -> dict[str, str]:
    """Return what every line of *request* bears."""
    return {"request": request.id, **named([request.target])}


def named(targets: Sequence[Target]) -> dict[str, str]:
    """Return the project and the names of instances of one project."""
    project = targets[0].project
    return {"project": project, "instance": ", ".join(t.instance for t in targets)}


@attrs.frozen
class Names:
    """Knows what the lines of each request bear; *record_of* reads what never changes.

    It raises what *record_of* raises.
    """

    _record_of: Callable[[str], Awaitable[Record]]
    _known: dict[str, dict[str, str]] = attrs.field(factory=dict, init=False)

    async def of(self, request_id: str) -> dict[str, str]:
        """Return the names of a request that must exist."""
        if request_id not in self._known:
            record = await self._record_of(request_id)
            if len(self._known) >= MOST_REQUESTS:
                self._known.clear()
            self._known[request_id] = names_of(record.request)
        return self._known[request_id]


def bind(request: Request) -> None:
    """Let every line of the calling task bear the names of *request* from now on."""
    structlog.contextvars.bind_contextvars(**names_of(request))


def ended(record: Record, now: datetime) -> None:
    """Write the line that sums up a request which has ended and been told."""
    with structlog.contextvars.bound_contextvars(**names_of(record.request)):
        log.info(ENDED, **summary(record, now))


def summary(record: Record, now: datetime) -> Mapping[str, Any]:
    """Return who, what, by which rule, and how long each phase took in seconds.

    *now* is when its end had been told (UTC). What does not apply is left out; what
    people typed is in the trail alone.
    """
    request = record.request
    return {
        "user": request.user_id,
        "wants": str(request.wants),
        "rule": request.rule,
        "outcome": str(record.state),
        **_given(
            approvals=[vote.user_id for vote in record.votes if vote.approve],
            break_glass=request.break_glass,
            decided_by=record.decided_by,
            joined=record.joined,
            batch=request.batch,
            detail=record.detail,
        ),
        **_phases(record, now),
    }


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _phases(record: Record, now: datetime) -> dict[str, float]:
    """Return the seconds of each phase that there was, and of all of them together.

    Clocks may have been put back meanwhile; no phase is shorter than nothing.
    """
    asked, ended_at = record.request.asked_at, record.ended_at or now
    agreed = max((v.at for v in record.votes if v.approve), default=None)
    decided = agreed if record.is_approved else None
    until = {
        "approval_s": (decided or ended_at) if record.request.waits else None,
        "prepare_s": record.sent_at,
        "restart_s": ended_at if record.sent_at else None,
        "tell_s": now,
    }
    phases, since = {}, asked
    for name, at in until.items():
        if at is not None:
            phases[name] = _seconds(since, at)
            since = at
    return phases | {"total_s": _seconds(asked, now)}


def _seconds(since: datetime, until: datetime) -> float:
    return round(max(0.0, (until - since).total_seconds()), 3)
