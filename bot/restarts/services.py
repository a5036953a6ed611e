"""What the steps of the workflow and the listeners share, handed on as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from bot.cloud import Cloud, Names
from bot.config import Settings
from bot.ledger import Ledger
from bot.oncall import Rotas
from bot.policy.authorizer import Authorizer
from bot.restarts import deadline
from bot.restarts.batch import Batch
from bot.restarts.wakeups import Wakeups
from bot.slack.client import SlackClient
from bot.slack.users import Users
from bot.telemetry.metrics import Metrics
from bot.telemetry.traces import Traces


def _now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class Services:
    """One of each; *settings* returns those in force now, which a reload changes.

    The names that the cloud has are among them once *names* has fetched them.
    """

    settings: Callable[[], Settings]
    ledger: Ledger
    cloud: Cloud
    slack: SlackClient
    users: Users
    authorizer: Authorizer
    metrics: Metrics
    traces: Traces
    wakeups: Wakeups
    now: Callable[[], datetime] = _now  # UTC; a test may play the clock
    rotas: Rotas = attrs.field(factory=Rotas)
    names: Names = attrs.field()

    @names.default
    def _names_of_the_cloud(self) -> Names:
        return Names(self.settings, self.cloud)

    def too_late(self, batch: Batch) -> str:
        """Return why the batch's record is not sent any more, or nothing."""
        settings = self.settings()
        return deadline.too_late(
            batch,
            self.now(),
            within_s=settings.watch.act_within,
            parallel=settings.max_parallel,
        )
