"""PagerDuty: who is on call on schedules of either kind, by ``GET /oncalls`` alone.

https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import attrs
from pydantic import AwareDatetime, BaseModel, SecretStr

from bot.errors import RotaUnknownLine
from bot.model import OnCallPerson
from bot.oncall.call import Caller

# The most that there is: https://developer.pagerduty.com/docs/pagination
SHIFTS_A_PAGE = 100
_MOST_PAGES = 20


class Reference(BaseModel):
    id: str
    summary: str | None = None


class _Row(BaseModel):
    """Somebody's on-call for one level of one policy; *end* null: permanently."""

    user: Reference
    schedule: Reference | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    def holds(self, schedules: Iterable[str], at: datetime) -> bool:
        """Say whether it is one of *schedules*, and somebody is on call *at* then."""
        begun = self.start is None or self.start <= at
        ours = self.schedule is not None and self.schedule.id in schedules
        return ours and begun and (self.end is None or at < self.end)


class _Page(BaseModel):
    oncalls: list[_Row]
    more: bool = False


class Schedule(BaseModel):
    """A schedule: what uses it, and who is on it where PagerDuty lists that."""

    escalation_policies: list[Reference] = []
    users: list[Reference] = []


class _Described(BaseModel):
    schedule: Schedule


async def on_call(
    caller: Caller, token: SecretStr, now: Callable[[], datetime]
) -> tuple[OnCallPerson, ...]:
    """Return who is on call on any of the line's schedules, each once.

    All pages or nothing: raises RotaError. There is no ``earliest`` (it names shifts
    that have not begun), no ``since`` and ``until`` (now is meant without), and no
    ``include[]`` (it brings e-mail addresses).
    """
    settings, rows = caller.settings, []
    wanted = [("schedule_ids[]", one) for one in settings.schedule]
    for page in range(_MOST_PAGES):
        paging = [("limit", str(SHIFTS_A_PAGE)), ("offset", str(page * SHIFTS_A_PAGE))]
        found = await caller.get(_Page, "/oncalls", _headers(token), wanted + paging)
        rows += found.oncalls
        if not found.more:
            break
    else:
        raise caller.odd()
    at = now()
    held = [row for row in rows if row.holds(settings.schedule, at)]
    people = dict.fromkeys(row.user.id for row in held)
    return tuple(
        OnCallPerson(
            ref=ref,
            label=_label([row.user for row in held if row.user.id == ref], ref),
            user_id=settings.people.get(ref),
            until=_last(row.end for row in held if row.user.id == ref),
        )
        for ref in people
    )


async def schedule(caller: Caller, token: SecretStr, schedule_id: str) -> Schedule:
    """Return one schedule, of either kind. Raises RotaError.

    One that was not upgraded is a 400 at its new address:
    https://developer.pagerduty.com/docs/schedules-v2-to-v3-upgrade
    """
    only = caller.settings.model_copy(update={"schedule": (schedule_id,)})
    caller, sent = attrs.evolve(caller, settings=only), _headers(token)
    path = f"/schedules/{schedule_id}"
    try:
        return (await caller.get(_Described, f"/v3{path}", sent)).schedule
    except RotaUnknownLine:
        return (await caller.get(_Described, path, sent)).schedule


def _headers(token: SecretStr) -> dict[str, str]:
    """Return the headers of every call."""
    return {
        "Authorization": f"Token token={token.get_secret_value()}",
        "Accept": "application/vnd.pagerduty+json;version=2",
    }


def _label(users: Iterable[Reference], ref: str) -> str:
    return next((user.summary for user in users if user.summary), ref)


def _last(ends: Iterable[datetime | None]) -> datetime | None:
    """Return when the last of several shifts ends (UTC); None: one never does."""
    known: list[datetime] = []
    for end in ends:
        if end is None:
            return None
        known.append(end)
    return max(known).astimezone(UTC)
