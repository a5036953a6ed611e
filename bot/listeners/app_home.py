"""App Home: what waits for somebody, what is under way, and what he may restart.

A home page asks the cloud nothing: it is drawn for whoever passes by, and shows what
was seen last, with its age.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import attrs
import structlog

from bot.errors import BotError, SlackError
from bot.listeners.freezes import FreezeListeners
from bot.listeners.quota import Quota
from bot.listeners.tasks import Tasks
from bot.model import UNDER_WAY, Record, State, Target, Verdict
from bot.policy import Question
from bot.restarts.services import Services
from bot.slack.messages.app_home import ROWS, Glance, home_view
from bot.slack.messages.blocks import View

log = structlog.get_logger()

LATELY_S = 1800.0  # who opened the page within this time sees it change
VIEWERS = 50
LAST = 10
OPENED = 20  # pages of one person within a minute; ``refresh`` draws the others


@attrs.define
class AppHome:
    """Draws home pages, and draws them anew for those who looked lately."""

    _services: Services
    _tasks: Tasks
    _freezes: FreezeListeners
    _home_team: str
    _clock: Callable[[], float] = time.monotonic
    _viewers: dict[str, float] = attrs.field(factory=dict, init=False)
    _opened: Quota = attrs.field(factory=lambda: Quota(OPENED), init=False)

    async def on_opened(self, event: dict[str, Any]) -> None:
        """Draw the page of who opened it."""
        if event.get("tab", "home") == "home":
            user_id = str(event["user"])
            self._viewers[user_id] = self._clock()
            if self._opened.use(user_id):
                self._tasks.start(self._draw(user_id), "home")

    async def refresh(self) -> None:
        """Draw the pages anew of all who looked lately."""
        since = self._clock() - LATELY_S
        recent = {u: at for u, at in self._viewers.items() if at > since}
        self._viewers = dict(
            sorted(recent.items(), key=lambda seen: -seen[1])[:VIEWERS]
        )
        for user_id in self._viewers:
            await self._draw(user_id)

    async def _draw(self, user_id: str) -> None:
        try:
            await self._services.slack.publish_home(user_id, await self._view(user_id))
        except BotError as error:
            log.info("home not drawn", error=str(error))

    async def _view(self, user_id: str) -> View:
        if await self._services.authorizer.outsider(user_id, self._home_team):
            return home_view()
        records = await self._services.ledger.open_requests()
        may, later = await self._targets(user_id)
        return home_view(
            waiting=[
                (record, await self._mentions(record))
                for record in records
                if record.state is State.PENDING and await self._may(user_id, record)
            ],
            mine=[one for one in records if one.request.user_id == user_id],
            rebooting=[one for one in records if one.state in UNDER_WAY],
            down=await self._services.ledger.down(),
            last=await self._services.ledger.recent(limit=LAST),
            may_restart=may,
            later=later,
            frozen=await self._freezes.in_words(),
        )

    async def _may(self, user_id: str, record: Record) -> bool:
        if record.request.approval is None:
            return False
        requester = record.request.user_id
        try:
            could = await self._services.authorizer.may_still(record.request)
        except SlackError as error:
            log.info("who may approve is not known", error=str(error))
            return False
        return user_id != requester if could is None else user_id in could

    async def _mentions(self, record: Record) -> list[str]:
        return await self._services.authorizer.asked(record.request)

    async def _targets(
        self, user_id: str
    ) -> tuple[list[Glance], list[tuple[Target, str]]]:
        """Return what somebody may restart from somewhere, as far as rules can tell.

        Then, with when that is, what he may once a window has opened. Of many only as
        many as the page shows.
        """
        settings, cloud = self._services.settings(), self._services.cloud
        found: list[Glance] = []
        later: list[tuple[Target, str]] = []
        for target in itertools.chain(*map(settings.targets, settings.projects)):
            decision = await self._services.authorizer.decide(
                Question(user_id, "", target, channel_id=None, reason=None),
                ask_cloud=False,
            )
            if decision.verdict is not Verdict.DENY:
                seen = cloud.seen(target)
                known = (seen.instance.status, seen.age_s) if seen else ("", 0.0)
                found.append(Glance(target, *known, window=decision.window))
            elif decision.window:
                later.append((target, decision.window))
            if len(found) == ROWS:
                break
        return found, later
