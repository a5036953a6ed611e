"""Grafana Cloud IRM: who is on call on a schedule, and until when.

https://grafana.com/docs/grafana-cloud/alerting-and-irm/irm/reference/oncall-api/
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import attrs
import structlog
from pydantic import AwareDatetime, BaseModel, SecretStr, field_validator

from bot.errors import RotaDenied, RotaError, RotaUnknownLine
from bot.model import OnCallPerson
from bot.oncall.call import Answer, Caller, Params

log = structlog.get_logger(__name__)

AHEAD = timedelta(days=14)  # so far it is asked when a shift ends
SHIFTS_WITHIN_S = 0.5
_MINUTE = "%Y-%m-%dT%H:%M"  # UTC


class _Schedule(BaseModel):
    id: str | None = None
    on_call_now: list[str]


class _Shift(BaseModel):
    user_pk: str
    user_username: str | None = None
    shift_start: AwareDatetime
    shift_end: AwareDatetime


class _Shifts(BaseModel):
    results: list[_Shift]


class _SlackUser(BaseModel):
    user_id: str | None = None
    team_id: str | None = None


class _User(BaseModel):
    """A user; *slack* is documented as a list, and comes as one or as null."""

    username: str = ""
    slack: tuple[_SlackUser, ...] = ()

    @field_validator("slack", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value] if value else []

    def at(self, team_id: str) -> str | None:
        """Return who that is in the Slack workspace *team_id*."""
        found = {
            one.user_id for one in self.slack if team_id and one.team_id == team_id
        }
        return found.pop() if len(found) == 1 else None


@attrs.define
class _Stack:
    """Asks one stack; *form* is how it takes the token.

    A service account's token is taken bare by older engines, and as a bearer by newer
    ones: the bare one first.
    """

    caller: Caller
    _token: SecretStr
    _form: str = ""

    async def get(self, kind: type[Answer], path: str, params: Params = ()) -> Answer:
        """Return the answer to a GET; raises RotaError."""
        try:
            return await self.caller.get(kind, path, self._headers(self._form), params)
        except RotaDenied:
            if self._form:
                raise
        answer = await self.caller.get(kind, path, self._headers("Bearer "), params)
        self._form = "Bearer "
        return answer

    def _headers(self, form: str) -> dict[str, str]:
        return {
            "Authorization": form + self._token.get_secret_value(),
            "X-Grafana-URL": self.caller.settings.stack or "",
            "Accept": "application/json",
        }


async def on_call(
    caller: Caller, token: SecretStr, home_team: str, now: Callable[[], datetime]
) -> tuple[OnCallPerson, ...]:
    """Return who is on call on any of the line's schedules, each once.

    Who that is in Slack says the map; where it is silent, the link that somebody has
    made from IRM to Slack himself, if it leads to *home_team*. Raises RotaError.
    """
    stack, settings = _Stack(caller, token), caller.settings
    first, *rest = settings.schedule
    schedules = [await _schedule(stack, first)]  # it finds the form of the token
    schedules += await asyncio.gather(*(_schedule(stack, one) for one in rest))
    refs = list(dict.fromkeys(ref for one in schedules for ref in one.on_call_now))
    if not refs:
        return ()
    at = now().astimezone(UTC)
    unmapped = [ref for ref in refs if ref not in settings.people]
    users, shifts = await asyncio.gather(
        asyncio.gather(*(_user(stack, ref) for ref in unmapped)),
        asyncio.gather(*(_shifts(stack, one, at) for one in settings.schedule)),
    )
    linked = {
        ref: user.at(home_team) for ref, user in zip(unmapped, users, strict=True)
    }
    own = _by_person(shift for some in shifts for shift in some)
    return tuple(
        _person(ref, settings.people.get(ref) or linked.get(ref), own[ref], at)
        for ref in refs
    )


async def _schedule(stack: _Stack, schedule_id: str) -> _Schedule:
    """Return a schedule with who is on call; the answer has to be about it."""
    found = await stack.get(_Schedule, f"/api/v1/schedules/{schedule_id}/")
    if found.id not in {None, schedule_id}:
        raise stack.caller.odd()
    return found


async def _user(stack: _Stack, ref: str) -> _User:
    """Return a user, an unknown one where the token may not read any."""
    try:
        return await stack.get(_User, f"/api/v1/users/{quote(ref, safe='')}/")
    except (RotaDenied, RotaUnknownLine) as error:
        log.info("user of Grafana not read", ref=ref, error=str(error))
        return _User()


async def _shifts(stack: _Stack, schedule_id: str, at: datetime) -> list[_Shift]:
    """Return the shifts from now on, none if they cannot be had in time.

    They only say when a shift ends and what its person is called.
    """
    path = f"/api/v1/schedules/{schedule_id}/final_shifts"
    days = [("start_date", f"{at:{_MINUTE}}"), ("end_date", f"{at + AHEAD:{_MINUTE}}")]
    try:
        async with asyncio.timeout(SHIFTS_WITHIN_S):
            return (await stack.get(_Shifts, path, days)).results
    except (RotaError, TimeoutError) as error:
        log.info("end of a shift not read", schedule=schedule_id, error=str(error))
        return []


def _by_person(shifts: Iterable[_Shift]) -> defaultdict[str, list[_Shift]]:
    """Return the shifts of each person in their order."""
    found: defaultdict[str, list[_Shift]] = defaultdict(list)
    for shift in sorted(shifts, key=lambda one: one.shift_start):
        found[shift.user_pk].append(shift)
    return found


def _person(
    ref: str, user_id: str | None, shifts: list[_Shift], at: datetime
) -> OnCallPerson:
    """Return somebody on call, until the last of his *shifts* that follow on."""
    end = at
    for shift in shifts:
        if shift.shift_start <= end:
            end = max(end, shift.shift_end.astimezone(UTC))
    names = (shift.user_username or "" for shift in shifts)
    asked_to = (at + AHEAD).replace(second=0, microsecond=0)
    return OnCallPerson(
        ref=ref,
        label=next((one for one in names if one and "@" not in one), ref),
        user_id=user_id,
        until=end if end > at else None,
        at_least=end >= asked_to,
    )
