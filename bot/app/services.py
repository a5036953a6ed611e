"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable

from bot.app.clients import BotIdentity, Clients
from bot.cloud import Names
from bot.config import Settings
from bot.policy.authorizer import Authorizer
from bot.restarts.services import Services
from bot.restarts.wakeups import Wakeups
from bot.slack.users import Users
from bot.telemetry.metrics import Metrics


def services_of(
    clients: Clients,
    me: BotIdentity,
    settings: Callable[[], Settings],
    metrics: Metrics,
    *,
    poll_s: float,
) -> Services:
    """Return what all share; *poll_s* is how soon a waiting story notices its news."""
    users = Users(clients.idem, me.team_id, on_call=metrics.slack_called)
    names = Names(settings, clients.cloud)
    return Services(
        settings=names.settings,
        names=names,
        ledger=clients.ledger,
        cloud=clients.cloud,
        slack=clients.slack,
        users=users,
        authorizer=Authorizer(
            settings=names.settings,
            users=users,
            ledger=clients.ledger,
            cloud=clients.cloud,
            home_team=me.team_id,
        ),
        metrics=metrics,
        traces=clients.traces,
        wakeups=Wakeups(clients.ledger, every_s=poll_s),
    )
