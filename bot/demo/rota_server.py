"""The local PagerDuty and Grafana IRM: what ``bot.oncall`` asks, over real HTTP.

https://developer.pagerduty.com/api-reference/ and
https://grafana.com/docs/grafana-cloud/alerting-and-irm/irm/reference/oncall-api/
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bot.demo.rota import Rota, RotaPerson, Schedule, Shift

ACCEPT = "application/vnd.pagerduty+json;version=2"
MOST_A_PAGE = 100  # rows of a page
_Answer = Callable[[web.Request], web.Response]


class _Refused(Exception):
    """The source refuses a call with *response*."""

    def __init__(self, response: web.Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(slots=True)
class RotaCall:
    """A call that has arrived: its path, its query, and how it was answered."""

    path: str
    query: list[tuple[str, str]]
    status: int = 0


@dataclass(slots=True)
class RotaFaults:
    """How the next calls go wrong.

    *statuses* are answered one after the other (0: as it should be), *every* to all
    calls. *left* is how many calls the limit still lets through, *reset_s* when it is
    over; None of them: the answer does not say. *delay_s* comes before each answer.
    """

    statuses: deque[int] = field(default_factory=deque)
    every: int = 0
    left: int | None = None
    reset_s: int | None = 20
    delay_s: float = 0.0
    body: str = ""  # instead of the true one


class LocalRota:
    """One server for both, on 127.0.0.1; its *rota* may be changed at any time.

    *forms* are the forms in which Grafana takes the token, *clock* is in POSIX s.
    """

    pagerduty_token = "u+not_a_real_key_123"  # noqa: S105
    grafana_token = "glsa_not-a-real-token_5f0c2a1b"  # noqa: S105
    stack = "https://ml.grafana.example"

    def __init__(self, rota: Rota, clock: Callable[[], float] = time.time) -> None:
        self.rota = rota
        self.clock = clock
        self.forms = {"bare"}
        self.faults = RotaFaults()
        self.calls: list[RotaCall] = []
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on *port* of 127.0.0.1; 0 = any that is free."""
        app = web.Application()
        for path, answer in (
            ("/oncalls", self._oncalls),
            ("/schedules/{id}", self._layered),
            ("/v3/schedules/{id}", self._shift_based),
            ("/oncall/api/v1/schedules/{id}/", self._irm_schedule),
            ("/oncall/api/v1/schedules/{id}/final_shifts", self._irm_shifts),
            ("/oncall/api/v1/users/{id}/", self._irm_user),
            ("/{rest:.*}", self._other),
        ):
            app.router.add_get(path, self._served(answer))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    @property
    def url(self) -> str:
        """The address of PagerDuty."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def grafana_url(self) -> str:
        """The address of Grafana IRM."""
        return f"{self.url}/oncall"

    # --- the way of every call --------------------------------------------------------

    def _served(self, answer: _Answer) -> Callable[[web.Request], Awaitable[Any]]:
        async def serve(request: web.Request) -> web.Response:
            call = RotaCall(request.path, list(request.query.items()))
            self.calls.append(call)
            await asyncio.sleep(self.faults.delay_s)
            try:
                response = self._planted() or answer(request)
            except _Refused as refused:
                response = refused.response
            response.headers.update(self._limits())
            call.status = response.status
            return response

        return serve

    def _planted(self) -> web.Response | None:
        """Return the answer of a fault, else None."""
        faults = self.faults
        status = faults.statuses.popleft() if faults.statuses else faults.every
        if faults.left is not None:
            status = status if faults.left > 0 else 429
            faults.left = max(0, faults.left - 1)
        if status:
            return _error(status, "Planted." if status != 429 else "Rate Limit", 2020)  # noqa: PLR2004
        if faults.body:
            return web.Response(text=faults.body, content_type="application/json")
        return None

    def _limits(self) -> dict[str, str]:
        """Return what every answer says of the limit."""
        left, reset_s = self.faults.left, self.faults.reset_s
        if left is None or reset_s is None:
            return {}
        return {
            "ratelimit-limit": "960",
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(reset_s),
        }

    def _other(self, _request: web.Request) -> web.Response:
        return _error(404, "Not Found", 2100)

    def _find(self, schedule_id: str) -> Schedule:
        found = self.rota.schedules.get(schedule_id)
        if found is None:
            raise _Refused(_error(404, "Schedule Not Found", 3004))
        return found

    # --- PagerDuty --------------------------------------------------------------------

    def _admit(self, request: web.Request) -> None:
        """Refuse a key in another form, or of another account or region."""
        expected = f"Token token={self.pagerduty_token}"
        if request.headers.get("Authorization") != expected:
            raise _Refused(_error(401, "Authentication failed", 2006))
        if request.headers.get("Accept") != ACCEPT:
            raise _Refused(_error(406, "Unsupported version", 2001))

    def _oncalls(self, request: web.Request) -> web.Response:
        """GET /oncalls: a row for each shift, policy and level."""
        self._admit(request)
        limit = int(request.query.get("limit", "25"))
        offset = int(request.query.get("offset", "0"))
        if not 0 < limit <= MOST_A_PAGE:
            raise _Refused(_error(400, "Invalid Input Provided", 2001))
        ids = request.query.getall("schedule_ids[]", list(self.rota.schedules))
        rows = [
            row
            for schedule in map(self._find, ids)
            for shift in schedule.on_call(self.clock())
            for row in self._rows(schedule, shift)
        ]
        page = rows[offset : offset + limit]
        return web.json_response(
            {
                "oncalls": page,
                "limit": limit,
                "offset": offset,
                "more": len(rows) > offset + limit,
                "total": None,
            }
        )

    def _rows(self, schedule: Schedule, shift: Shift) -> list[dict[str, Any]]:
        kind = "schedule_v3_reference" if schedule.upgraded else "schedule_reference"
        return [
            {
                "escalation_policy": _reference("escalation_policy_reference", policy),
                "escalation_level": 1,
                "schedule": _reference(kind, schedule.id, schedule.name),
                "user": self._pagerduty_user(shift.person),
                "start": _stamp(shift.start),
                "end": None if shift.end is None else _stamp(shift.end),
            }
            for policy in schedule.policies
        ]

    def _pagerduty_user(self, person_id: str) -> dict[str, Any]:
        person = self.rota.people[person_id]
        return _reference("user_reference", person.id, person.name)

    def _layered(self, request: web.Request) -> web.Response:
        """GET /schedules/{id}: there is no shift-based one here."""
        self._admit(request)
        schedule = self._find(request.match_info["id"])
        if schedule.upgraded:
            raise _Refused(_error(404, "Not Found", 2100))
        people = dict.fromkeys(shift.person for shift in schedule.shifts)
        users = [self._pagerduty_user(one) for one in people]
        return _described(schedule, "schedule", users=users)

    def _shift_based(self, request: web.Request) -> web.Response:
        """GET /v3/schedules/{id}: one that was not upgraded is a 400."""
        self._admit(request)
        schedule = self._find(request.match_info["id"])
        if not schedule.upgraded:
            raise _Refused(_error(400, "Not upgraded", 2001))
        return _described(schedule, "schedule_v3")

    # --- Grafana IRM ------------------------------------------------------------------

    def _let_in(self, request: web.Request) -> None:
        """Refuse a token in another form, or for another stack."""
        takes = {"bare": self.grafana_token, "bearer": f"Bearer {self.grafana_token}"}
        given = request.headers.get("Authorization")
        stack = request.headers.get("X-Grafana-URL")
        if given not in {takes[form] for form in self.forms} or stack != self.stack:
            raise _Refused(_detail(403, "Invalid token."))

    def _irm_schedule(self, request: web.Request) -> web.Response:
        """GET /schedules/{id}/: with ``on_call_now``."""
        self._let_in(request)
        schedule = self._irm_find(request)
        people = [shift.person for shift in schedule.on_call(self.clock())]
        return web.json_response(
            {"id": schedule.id, "name": schedule.name, "on_call_now": people}
        )

    def _irm_shifts(self, request: web.Request) -> web.Response:
        """GET /schedules/{id}/final_shifts: cut to the days asked for."""
        self._let_in(request)
        schedule = self._irm_find(request)
        try:
            begin, end = (
                datetime.strptime(request.query[key], "%Y-%m-%dT%H:%M")
                .replace(tzinfo=UTC)
                .timestamp()
                for key in ("start_date", "end_date")
            )
        except (KeyError, ValueError):
            raise _Refused(_detail(400, "start_date and end_date?")) from None
        found = [
            self._irm_shift(one, max(one.start, begin), min(one.end or end, end))
            for one in schedule.shifts
            if one.start < end and (one.end or end) > begin
        ]
        return web.json_response({"count": len(found), "next": None, "results": found})

    def _irm_shift(self, shift: Shift, start: float, end: float) -> dict[str, Any]:
        person = self.rota.people[shift.person]
        return {
            "user_pk": person.id,
            "user_email": person.email,
            "user_username": person.name,
            "shift_start": _stamp(start),
            "shift_end": _stamp(end),
        }

    def _irm_user(self, request: web.Request) -> web.Response:
        """GET /users/{id}/: with the link to Slack, one or null."""
        self._let_in(request)
        person = self.rota.people.get(request.match_info["id"])
        if person is None:
            raise _Refused(_detail(404, "Not found."))
        return web.json_response(
            {
                "id": person.id,
                "email": person.email,
                "username": person.name,
                "slack": _linked(person),
            }
        )

    def _irm_find(self, request: web.Request) -> Schedule:
        found = self.rota.schedules.get(request.match_info["id"])
        if found is None:
            raise _Refused(_detail(404, "Not found."))
        return found


def _linked(person: RotaPerson) -> dict[str, str] | None:
    if person.slack is None:
        return None
    user_id, team_id = person.slack
    return {"user_id": user_id, "team_id": team_id}


def _described(schedule: Schedule, kind: str, **more: Any) -> web.Response:
    policies = [
        _reference("escalation_policy_reference", one) for one in schedule.policies
    ]
    about = {"type": kind, "name": schedule.name, "escalation_policies": policies}
    return web.json_response({"schedule": {"id": schedule.id, **about, **more}})


def _reference(kind: str, its_id: str, summary: str = "") -> dict[str, Any]:
    return {"id": its_id, "type": kind, "summary": summary or its_id}


def _error(status: int, message: str, code: int) -> web.Response:
    """Return PagerDuty's error."""
    error = {"message": message, "code": code, "errors": []}
    return web.json_response({"error": error}, status=status)


def _detail(status: int, text: str) -> web.Response:
    """Return Grafana's error."""
    return web.json_response({"detail": text}, status=status)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
