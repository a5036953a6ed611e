"""App Home: what waits for somebody, what is under way, and what he may restart.

A home page asks the cloud nothing: it is drawn for whoever passes by, and shows what
was seen last, with its age.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import attrs
import structlog
from slack_bolt.context.ack.async_ack import AsyncAck

from bot.errors import BotError, RotaError, SlackError
from bot.listeners.freezes import FreezeListeners
from bot.listeners.payloads import who_clicked
from bot.listeners.quota import Quota
from bot.listeners.tasks import Tasks
from bot.model import UNDER_WAY as BUSY
from bot.model import Record, State, Target, Verdict, usual_s
from bot.policy import Question
from bot.restarts.services import Services
from bot.slack.messages.app_home import BOXES, UNDER_WAY, Glance, Home, found, home_view
from bot.slack.messages.blocks import View
from bot.slack.messages.oncall import duty_line
from bot.slack.messages.outcome import Seen

log = structlog.get_logger()

LATELY_S = 1800.0  # who opened the page within this time sees it change
VIEWERS = 50
LAST = 5
# Instances for which the rules are asked, of more than a page shows.
MOST_INSTANCES_ASKED = 200
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
            return home_view(Home())
        records = await self._services.ledger.open_requests()
        boxes, more = await self._boxes(user_id)
        busy = [one for one in records if one.state in BUSY]
        home = Home(
            waiting=[
                (record, await self._mentions(record))
                for record in records
                if record.state is State.PENDING and await self._may(user_id, record)
            ],
            mine=[one for one in records if one.request.user_id == user_id],
            rebooting=[(one, await self._seen(one)) for one in busy[:UNDER_WAY]],
            down=await self._services.ledger.down(),
            last=await self._services.ledger.recent(limit=LAST),
            boxes=boxes,
            more=more,
            frozen=await self._freezes.in_words(),
            on_call=await self._on_call(),
        )
        return home_view(home)

    async def on_search(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Answer the search for an instance with what was seen of those it finds."""
        actor = who_clicked(body)
        outsider = await self._services.authorizer.outsider(
            actor.user_id, actor.team_id
        )
        boxes = [] if outsider else list(map(self._glance, self._targets()))
        await ack(options=found(boxes, str(body.get("value") or "")))

    async def _seen(self, record: Record) -> Seen:
        """Return the last look at what is under way, and how long it usually takes."""
        target, since = record.request.target, record.sent_at
        look = self._services.cloud.seen(target)
        passed = self._services.now() - since if since else timedelta()
        return Seen(
            look.instance.status if look else record.last_status,
            passed.total_seconds(),
            usual_s(await self._services.ledger.durations(target.key)),
        )

    async def _on_call(self) -> list[str]:
        """Return who is on call on each line, as of the last minute."""
        lines = self._services.rotas.lines
        return await asyncio.gather(*map(self._duty, lines))

    async def _duty(self, line: str) -> str:
        try:
            return duty_line(line, await self._services.rotas.shown(line))
        except RotaError as error:
            return duty_line(line, str(error))

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

    def _targets(self) -> list[Target]:
        settings = self._services.settings()
        return list(itertools.chain(*map(settings.targets, settings.projects)))

    async def _boxes(self, user_id: str) -> tuple[list[Glance], int]:
        """Return the instances that somebody's page shows, and how many there are more.

        Of many those that he may restart come first, as far as the rules can tell.
        """
        targets = self._targets()
        shown: list[Glance] = []
        for target in targets[:MOST_INSTANCES_ASKED]:
            decision = await self._services.authorizer.decide(
                Question(user_id, "", target, channel_id=None, reason=None),
                ask_cloud=False,
            )
            may = decision.verdict is not Verdict.DENY
            shown.append(replace(self._glance(target), may=may, window=decision.window))
            if len(targets) > BOXES and sum(one.may for one in shown) == BOXES:
                break
        best = sorted(shown, key=lambda one: not one.may)[:BOXES]
        in_order = [one for one in shown if one in best]
        return in_order, len(targets) - len(in_order)

    def _glance(self, target: Target) -> Glance:
        """Return an instance with what was last seen of it; nobody is asked."""
        seen = self._services.cloud.seen(target)
        return Glance(target, *((seen.instance.status, seen.age_s) if seen else ()))
