"""A limit on refusals: somebody who is refused again and again is answered at once.

Each refusal costs questions to Slack, sometimes to the cloud, and a line in the audit
trail; whoever hammers on a closed door must not use them up for everybody else. The
count lives in this process only, so several replicas allow as many times more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.response import BoltResponse

from bot.chat import Chat
from bot.errors import ChatError
from bot.ledger import Entry, Ledger
from bot.listeners.tasks import Tasks
from bot.messages import answers
from bot.metrics import Metrics

log = structlog.get_logger()

MOST = 20  # refusals of one person ...
WITHIN_S = 60.0  # ... within so many seconds
WAIT = "You were refused too often within a minute: nothing was done."
REMEDY = "Wait a minute, then ask for what you may: `/mlstudio can` tells."


class Refusals:
    """Counts the refusals of each person, and keeps out who has had too many."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        chat: Chat,
        tasks: Tasks,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._chat = chat
        self._tasks = tasks
        self._metrics = metrics
        self._clock = clock
        self._at: dict[str, deque[float]] = {}
        self._kept_out: set[str] = set()

    def count(self, user_id: str, kind: str) -> None:
        """Count a refusal of *user_id* by a *kind* of rule."""
        self._metrics.refusals.labels(kind).inc()
        self._at.setdefault(user_id, deque(maxlen=MOST + 1)).append(self._clock())

    def is_over(self, user_id: str) -> bool:
        """Say whether *user_id* has had more than MOST refusals within WITHIN_S."""
        since = self._clock() - WITHIN_S
        self._at = {who: at for who, at in self._at.items() if at[-1] > since}
        at = self._at.get(user_id, ())
        return sum(one > since for one in at) > MOST

    async def middleware(
        self,
        body: dict[str, Any],
        next: Callable[[], Awaitable[Any]],  # noqa: A002 - Bolt's
    ) -> Any:
        """Answer somebody who is over the limit without asking anybody."""
        user_id = _user_of(body)
        if not user_id or not self.is_over(user_id):
            self._kept_out.discard(user_id)
            return await next()
        self._metrics.refusals.labels("limit").inc()
        if user_id not in self._kept_out:
            self._kept_out.add(user_id)
            self._tasks.start(self._begin(user_id, body), "limit")
        return BoltResponse(status=200, body=_answer(body))

    async def _begin(self, user_id: str, body: dict[str, Any]) -> None:
        """Put it on record, once; say it to somebody whose click has no answer."""
        log.warning("refused too often", user=user_id, most=MOST, within_s=WITHIN_S)
        detail = f"more than {MOST} refusals within {WITHIN_S:.0f} s; more unrecorded"
        await self._ledger.note(
            Entry(
                kind="refusals limited",
                team_id=_team_of(body),
                user_id=user_id,
                detail=detail,
            )
        )
        if body.get("type") != "block_actions":
            return
        channel = str((body.get("channel") or {}).get("id") or "")
        try:
            await self._chat.whisper(
                answers.plain(WAIT, REMEDY),
                user_id=user_id,
                channel=channel,
                response_url=str(body.get("response_url") or ""),
            )
        except ChatError as error:
            log.info("limit not said", error=str(error))


def _user_of(body: dict[str, Any]) -> str:
    """Return who acts; nobody does in an event, which refuses nothing."""
    user = body.get("user")
    acting = user.get("id") if isinstance(user, dict) else body.get("user_id")
    return str(acting or "")


def _team_of(body: dict[str, Any]) -> str:
    """Return the team of who acts, as Slack names it for a command or a click."""
    person, team = body.get("user"), body.get("team") or {}
    own = person.get("team_id") if isinstance(person, dict) else None
    return str(own or body.get("team_id") or team.get("id") or "")


def _answer(body: dict[str, Any]) -> str | dict[str, Any]:
    """Return the answer that fits into the acknowledgement of *body*."""
    if "command" in body:
        return f"{WAIT} {REMEDY}"
    if body.get("type") == "view_submission":
        blocks = body["view"].get("blocks") or ()
        fields = [b["block_id"] for b in blocks if b.get("type") == "input"]
        return {"response_action": "errors", "errors": dict.fromkeys(fields[:1], WAIT)}
    return ""
