"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from bot.app.clients import BotIdentity, Clients
from bot.config import Settings
from bot.listeners.tasks import Tasks
from bot.policy.authorizer import Authorizer
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.services import Services as Shared
from bot.restarts.wakeups import Wakeups
from bot.slack.users import Users
from bot.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """One of each; *settings* returns those in force now, which a reload changes."""

    settings: Callable[[], Settings]
    clients: Clients
    me: BotIdentity
    metrics: Metrics
    tasks: Tasks
    users: Users
    authorizer: Authorizer
    approvals: Approvals
    wakeups: Wakeups
    shared: Shared

    @classmethod
    def of(
        cls,
        clients: Clients,
        me: BotIdentity,
        *,
        settings: Callable[[], Settings],
        metrics: Metrics,
        tasks: Tasks,
        poll_s: float,
    ) -> Self:
        """Put the shared parts together."""
        users = Users(clients.idem, me.team_id, on_call=metrics.slack_called)
        authorizer = Authorizer(
            settings=settings,
            users=users,
            ledger=clients.ledger,
            cloud=clients.cloud,
            home_team=me.team_id,
        )
        wakeups = Wakeups(clients.ledger, every_s=poll_s)
        shared = Shared(
            settings=settings,
            ledger=clients.ledger,
            cloud=clients.cloud,
            slack=clients.slack,
            users=users,
            authorizer=authorizer,
            metrics=metrics,
            traces=clients.traces,
            wakeups=wakeups,
        )
        return cls(
            settings=settings,
            clients=clients,
            me=me,
            metrics=metrics,
            tasks=tasks,
            users=users,
            authorizer=authorizer,
            approvals=Approvals(shared),
            wakeups=wakeups,
            shared=shared,
        )


def restarts_of(services: Services) -> Restarts:
    """Return all restarts; they have to be registered before the engine launches."""
    return Restarts.of(
        services.shared, services.approvals, services.clients.engine.right_to_act
    )
