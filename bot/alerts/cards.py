"""The messages about alerts: drawn from the record, by one replica at a time.

They notify nobody but who follows the channel: whoever may restart an instance, or did,
is named, not mentioned, however many alerts come.
"""

from __future__ import annotations

import asyncio

import attrs
import structlog

from bot.alerts.services import Services
from bot.cloud import Rank
from bot.errors import BotError, CloudError, SlackError, SlackRefused, UsageError
from bot.model import AlertCard, Instance, KnownAlert, Message, Target, usual_s
from bot.slack.errors import DELETED
from bot.slack.messages import alerts as say
from bot.slack.messages.quiet import mentioned, quiet

log = structlog.get_logger()

POSTS_AT_ONCE = 4
READ_WITHIN_S = 2.0  # the status of an instance; a card does not wait for longer
CARD_FRESH_S = 15.0


@attrs.frozen
class Cards:
    """Draws what has changed."""

    _services: Services

    async def look(self) -> None:
        """Draw what is due; what fails is drawn by who looks half a minute later."""
        gate = asyncio.Semaphore(POSTS_AT_ONCE)

        async def draw(card: AlertCard) -> None:
            async with gate:
                try:
                    await self._draw(card)
                except BotError as error:
                    log.warning("alert not shown", card=card.id, error=str(error))

        due = await self._services.ledger.take_cards()
        await asyncio.gather(*map(draw, due))

    async def _draw(self, card: AlertCard) -> None:
        message = await self._message(card)
        if message is None:  # what it was about is forgotten
            await self._services.ledger.drawn(card, card.ts)
            return
        names = await self._services.authorizer.names(mentioned(message))
        ts = await self._shown(card, quiet(message, names))
        await self._services.ledger.drawn(card, ts)

    async def _shown(self, card: AlertCard, message: Message) -> str:
        """Post or edit the message and return its ts."""
        slack = self._services.slack
        if not card.ts:
            return await slack.post(card.channel_id, message)
        try:
            await slack.update(card.channel_id, card.ts, message)
        except SlackRefused as error:
            log.warning("alert's card not edited", error=str(error))
            if error.code == DELETED and card.over < card.count:
                return await slack.post(card.channel_id, message)
        return card.ts

    async def _message(self, card: AlertCard) -> Message | None:
        if card.more:
            return say.more(card, [self._name(alert) for alert in card.alerts])
        for alert in card.alerts:
            around = await self._around(alert)
            return say.card(alert, around) if around else None
        return None

    def _name(self, alert: KnownAlert) -> str:
        target = self._target(alert)
        return target.instance if target else alert.instance_id

    def _target(self, alert: KnownAlert) -> Target | None:
        try:
            return self._services.settings().target(alert.project, alert.instance_id)
        except UsageError:  # a reload has taken it away
            return None

    async def _around(self, alert: KnownAlert) -> say.Surroundings | None:
        """Gather what is shown beside an alert."""
        target, ledger = self._target(alert), self._services.ledger
        if target is None:
            return None
        read, last, durations, requests, frozen, who = await asyncio.gather(
            self._read(target),
            ledger.last_restart(target.key),
            ledger.durations(target.key),
            ledger.open_requests(target.key),
            ledger.frozen(),
            self._who(target),
        )
        now = self._services.now()
        return say.Surroundings(
            target,
            instance=read[0],
            problem=read[1],
            last=last,
            usual_s=usual_s(durations),
            who=who,
            requests=requests,
            frozen=[
                freeze.sentence(now)
                for freeze in frozen
                if freeze.project in {"", target.project}
            ],
        )

    async def _who(self, target: Target) -> list[str]:
        """Return the mentions of those who may restart it, as far as Slack tells."""
        authorizer = self._services.authorizer
        who = authorizer.who_may(target)
        try:
            return await authorizer.mentions(who)
        except SlackError as error:
            log.info("who may restart is not known by name", error=str(error))
            return [say.foreign(one) for one in who]

    async def _read(self, target: Target) -> tuple[Instance | None, str]:
        """Return the instance, or the sentence that says why it could not be read."""
        cloud = self._services.cloud
        seen = cloud.seen(target)
        if seen and seen.age_s < CARD_FRESH_S:
            return seen.instance, ""
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                instance = await cloud.read(target, rank=Rank.QUESTION)
        except CloudError as error:
            return None, str(error)
        except TimeoutError:
            return None, "The cloud did not answer in time."
        self._services.authorizer.saw(target, instance)
        return instance, ""
