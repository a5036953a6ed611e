"""A limit on refusals: somebody who is refused again and again is refused at once.

Each refusal costs questions to Slack and sometimes to the cloud; whoever hammers on a
closed door must not use them up for everybody else. The count lives in this process
only, so several replicas allow as many times more. The trail holds every refusal.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import structlog

from bot.model import Decision, Verdict
from bot.telemetry.metrics import Metrics

log = structlog.get_logger()

MOST = 20  # refusals of one person ...
WITHIN_S = 60.0  # ... within so many seconds
TOO_OFTEN = Decision(
    Verdict.DENY,
    "You were refused too often within a minute: nothing was done.",
    "Wait a minute, then ask for what you may: `/mlstudio can` tells.",
)


class RefusalLimit:
    """Counts the refusals of each person, and knows who has had too many."""

    def __init__(
        self, *, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._at: dict[str, deque[float]] = {}

    def count(self, user_id: str, decision: Decision, kind: str = "") -> None:
        """Count a refusal of *user_id*; *kind* is what was refused, or what refused.

        One that the limit itself made is no reason for another.
        """
        limited = decision is TOO_OFTEN
        # One of few words: rule names stay out of the figures.
        kind = "limit" if limited else kind or ("rule" if decision.rule else "no rule")
        self._metrics.refusals.labels(kind).inc()
        if limited:
            log.warning("refused too often", user=user_id, most=MOST, within_s=WITHIN_S)
            return
        self._at.setdefault(user_id, deque(maxlen=MOST + 1)).append(self._clock())

    def limit(self, user_id: str) -> Decision | None:
        """Return the refusal of who has had more than MOST within WITHIN_S."""
        since = self._clock() - WITHIN_S
        self._at = {who: at for who, at in self._at.items() if at[-1] > since}
        at = self._at.get(user_id, ())
        return TOO_OFTEN if sum(one > since for one in at) > MOST else None
