"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable

from bot.app.clients import BotIdentity, Clients
from bot.cloud import Names
from bot.config import Secrets, Settings
from bot.oncall import Rotas
from bot.policy.authorizer import Authorizer
from bot.restarts.services import Services
from bot.restarts.wakeups import Wakeups
from bot.slack.users import Users
from bot.telemetry.metrics import Metrics


def services_of(
    clients: Clients,
    me: BotIdentity,
    settings: Callable[[], Settings],
    secrets: Secrets,
    metrics: Metrics,
    *,
    poll_s: float,
) -> Services:
    """Return what all share; *poll_s* is how soon a waiting story notices its news."""
    users = Users(clients.idem, me.team_id, on_call=metrics.slack_called)
    names = Names(settings, clients.cloud)
    rotas = Rotas.of(
        settings, secrets, clients.http, home_team=me.team_id, now=clients.now
    )
    return Services(
        settings=names.settings,
        names=names,
        rotas=rotas,
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
            rotas=rotas,
            now=clients.now,
        ),
        metrics=metrics,
        traces=clients.traces,
        wakeups=Wakeups(clients.ledger, every_s=poll_s),
        now=clients.now,
    )
