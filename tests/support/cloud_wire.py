"""A small IAM and ModelArts behind the wire, for the tests of the client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import httpx
from pydantic import SecretStr

from bot.cloud import Cloud, Endpoint, Login
from bot.cloud.clocks import Clocks
from bot.model import Target

PROJECT_ID = "a4a5d4098fb4474fa22cd05f897d6b99"
INSTANCE_ID = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
TRAINER = Target("ml-prod", PROJECT_ID, "trainer-7", INSTANCE_ID, ("trainer-7",))
IAM = "https://iam.example.com/v3"
MODELARTS = "https://modelarts.example.com"
PASSWORD = "correct-horse"
LOGIN = Login(
    username="bot",
    password=SecretStr(PASSWORD),
    user_domain_name="OTC0001",
    ak=SecretStr("AccessKey"),
    sk=SecretStr("SecretKey"),
)
TOKEN_POINT = Endpoint(
    project="ml-prod",
    project_id=PROJECT_ID,
    auth="token",
    iam_url=IAM,
    modelarts_url=MODELARTS,
    signature="access",
    region="",
    service="",
)
KEY_POINT = replace(TOKEN_POINT, auth="aksk")
ACTIVE = {"id": INSTANCE_ID, "status": "ACTIVE", "latest_update_timestamp": "1000"}
REBOOTING = {"current_status": "REBOOTING", "previous_state": "ACTIVE"}


@dataclass
class Clock:
    """A clock that stands still until somebody moves it or sleeps on it."""

    at: float = 1_700_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept.append(seconds)
        self.at += seconds


class Wire:
    """The far side: hands out 9 KB tokens, takes only the living ones.

    *answers* are given to ModelArts calls one by one, before the usual ones; an
    exception among them is raised by the transport.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tokens: set[str] = set()
        self.logins: list[dict[str, Any]] = []
        self.calls: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        self.login_answers: list[httpx.Response | Exception] = []
        self.life_s = 86400.0
        self.iam_ahead_s = 0.0
        self.arrived = asyncio.Event()
        self.together = 0  # answer only when so many calls have arrived

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the host that was asked does."""
        if request.url.host == httpx.URL(IAM).host:
            return self._log_in(request)
        self.calls.append(request)
        if self.together:
            if len(self.calls) >= self.together:
                self.arrived.set()
            await self.arrived.wait()
        if self.answers:
            return _given(self.answers.pop(0))
        if "/demanager/" not in request.url.path:
            return refused(400, "ModelArts.6404", "no such notebook")
        token = request.headers.get("X-Auth-Token")
        if token and token not in self.tokens:
            return refused(401, "APIG.0301", "token expires, expires_at: 2026")
        return httpx.Response(
            200, json=REBOOTING if request.method == "POST" else ACTIVE
        )

    def _log_in(self, request: httpx.Request) -> httpx.Response:
        self.logins.append(json.loads(request.content))
        if self.login_answers:
            return _given(self.login_answers.pop(0))
        token = f"MII{len(self.logins):0>9000}"
        self.tokens.add(token)
        at = self.clock() + self.iam_ahead_s
        times = {"issued_at": iso(at), "expires_at": iso(at + self.life_s)}
        return httpx.Response(
            201,
            headers={"X-Subject-Token": token, "Date": formatdate(at, usegmt=True)},
            json={"token": {"project": {"id": PROJECT_ID}, **times}},
        )


def iso(timestamp: float) -> str:
    """Return a time as IAM writes it."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _given(answer: httpx.Response | Exception) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return answer


def refused(status: int, code: str = "", text: str = "no", **headers: str) -> Any:
    """Return an error as the gateway words it."""
    body = {"error_code": code, "error_msg": text, "request_id": "req-1"}
    return httpx.Response(status, json=body, headers=headers)


def clocks_of(clock: Clock) -> Clocks:
    """Return *clock* as all that a client asks for the time."""
    return Clocks(monotonic=clock, now=clock, sleep=clock.sleep)


def cloud_over(
    handler: Callable[[httpx.Request], Any],
    clock: Clock,
    *points: Endpoint,
    login: Login = LOGIN,
    **more: Any,
) -> Cloud:
    """Return the client under test, connected to *handler*."""
    return Cloud(
        {point.project: point for point in points or (TOKEN_POINT,)},
        login,
        httpx.AsyncClient(transport=httpx.MockTransport(handler)),
        clocks=clocks_of(clock),
        **more,
    )
