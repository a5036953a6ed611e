"""A limit on refusals: somebody who is refused again and again is refused at once.

Each refusal costs questions to Slack and sometimes to the cloud; whoever hammers on a
closed door must not use them up for everybody else. The count lives in this process
only, so several replicas allow as many times more. The trail holds every refusal.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import attrs
import structlog

from bot.ledger import Entry
from bot.listeners.payloads import Actor
from bot.model import Decision, Request, Verdict
from bot.restarts.services import Services

log = structlog.get_logger()

MOST_REFUSALS = 20  # refusals of one person ...
REFUSALS_WITHIN_S = 60.0  # ... within so many seconds
TOO_OFTEN = Decision(
    Verdict.DENY,
    "You were refused too often within a minute: nothing was done.",
    "Wait a minute, then ask for what you may: `/mlstudio can` tells.",
)


@attrs.frozen
class RefusalLimit:
    """Counts the refusals of each person, and knows who has had too many."""

    _services: Services
    _clock: Callable[[], float] = time.monotonic
    _at: dict[str, deque[float]] = attrs.field(factory=dict, init=False)

    def count(self, user_id: str, decision: Decision, kind: str = "") -> None:
        """Count a refusal of *user_id*; *kind* is what was refused, or what refused.

        One that the limit itself made is no reason for another.
        """
        limited = decision is TOO_OFTEN
        # One of few words: rule names stay out of the figures.
        ruled = "rule" if decision.rule else "no rule"
        kind = kind or ("freeze" if decision.frozen else ruled)
        kind = "limit" if limited else kind
        self._services.metrics.refusals.labels(kind).inc()
        if limited:
            log.warning(
                "refused too often",
                user=user_id,
                most=MOST_REFUSALS,
                within_s=REFUSALS_WITHIN_S,
            )
            return
        self._at.setdefault(user_id, deque(maxlen=MOST_REFUSALS + 1)).append(
            self._clock()
        )

    def limit(self, user_id: str) -> Decision | None:
        """Return the refusal of who has had too many within REFUSALS_WITHIN_S."""
        since = self._clock() - REFUSALS_WITHIN_S
        for who in [who for who, at in self._at.items() if at[-1] <= since]:
            del self._at[who]
        at = self._at.get(user_id, ())
        return TOO_OFTEN if sum(one > since for one in at) > MOST_REFUSALS else None

    async def note(
        self, actor: Actor, decision: Decision, kind: str, entry: Entry
    ) -> None:
        """Count a refusal that is no request's end, and put it on record as *entry*."""
        self.count(actor.user_id, decision, kind)
        await self._services.ledger.note(entry.by(actor.person))

    async def may_approve(self, actor: Actor, request: Request) -> Decision:
        """Decide whether somebody may approve *request*, which needs an approval."""
        return self.limit(actor.user_id) or await self._services.authorizer.may_approve(
            actor.user_id, actor.team_id, request
        )
