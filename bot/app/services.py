"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable

from bot.app.clients import BotIdentity, Clients
from bot.config import Settings
from bot.policy.authorizer import Authorizer
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.batch_message import BatchMessages
from bot.restarts.batch_notifications import BatchNotifications
from bot.restarts.batch_schedule import BatchSchedule, Pulse
from bot.restarts.batch_workflow import BatchWorkflow
from bot.restarts.engine import Engine, StepRunner, Workflows
from bot.restarts.notifications import Notifications
from bot.restarts.preflight import Preflight
from bot.restarts.send import Sender
from bot.restarts.services import Services
from bot.restarts.wakeups import Wakeups
from bot.restarts.watch import Watcher
from bot.restarts.workflow import LONG, STEPS, RestartWorkflow, Step
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
    return Services(
        settings=settings,
        ledger=clients.ledger,
        cloud=clients.cloud,
        slack=clients.slack,
        users=users,
        authorizer=Authorizer(
            settings=settings,
            users=users,
            ledger=clients.ledger,
            cloud=clients.cloud,
            home_team=me.team_id,
        ),
        metrics=metrics,
        traces=clients.traces,
        wakeups=Wakeups(clients.ledger, every_s=poll_s),
    )


def approvals_of(services: Services) -> Approvals:
    """Return the wait for approval, which stories and buttons share."""
    return Approvals(
        ledger=services.ledger,
        slack=services.slack,
        authorizer=services.authorizer,
        metrics=services.metrics,
        wakeups=services.wakeups,
    )


def restarts_of(services: Services, engine: Engine, approvals: Approvals) -> Restarts:
    """Return all restarts; they have to be registered before the engine launches."""
    runner = StepRunner[Step](
        steps=STEPS,
        long=LONG,
        right_to_act=engine.right_to_act,
        traces=services.traces,
    )
    preflight = Preflight(
        ledger=services.ledger, cloud=services.cloud, authorizer=services.authorizer
    )
    batch_messages = BatchMessages(
        slack=services.slack, ledger=services.ledger, authorizer=services.authorizer
    )
    single = _single(services, runner, preflight, batch_messages, approvals)
    batch = _batch(services, runner, preflight, batch_messages, single)
    return Restarts(
        Workflows(runner),
        ledger=services.ledger,
        single=single,
        batch=batch,
        wakeups=services.wakeups,
    )


def _single(
    services: Services,
    runner: StepRunner[Step],
    preflight: Preflight,
    batch_messages: BatchMessages,
    approvals: Approvals,
) -> RestartWorkflow:
    return RestartWorkflow(
        runner,
        ledger=services.ledger,
        preflight=preflight,
        approvals=approvals,
        sending=Sender(
            ledger=services.ledger,
            cloud=services.cloud,
            still_right=preflight.still_right,
        ),
        watcher=Watcher(
            cloud=services.cloud,
            slack=services.slack,
            ledger=services.ledger,
            authorizer=services.authorizer,
            batch_messages=batch_messages,
            settings=services.settings().watch,
        ),
        speech=Notifications(
            slack=services.slack,
            ledger=services.ledger,
            authorizer=services.authorizer,
            metrics=services.metrics,
        ),
        traces=services.traces,
    )


def _batch(
    services: Services,
    runner: StepRunner[Step],
    preflight: Preflight,
    batch_messages: BatchMessages,
    single: RestartWorkflow,
) -> BatchWorkflow:
    pulse = Pulse()
    return BatchWorkflow(
        runner,
        single=single,
        batches=BatchSchedule(
            ledger=services.ledger,
            preflight=preflight,
            pulse=pulse,
            parallel=lambda: services.settings().max_parallel,
        ),
        speech=BatchNotifications(
            slack=services.slack,
            ledger=services.ledger,
            authorizer=services.authorizer,
            metrics=services.metrics,
            batch_messages=batch_messages,
            pulse=pulse,
        ),
    )
