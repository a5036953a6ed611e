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
from bot.restarts.batch_message import BatchMessages
from bot.restarts.batch_notifications import BatchNotifications
from bot.restarts.batch_schedule import BatchSchedule, Pulse
from bot.restarts.batch_workflow import BatchWorkflow
from bot.restarts.engine import StepRunner, Workflows
from bot.restarts.notifications import Notifications
from bot.restarts.preflight import Preflight
from bot.restarts.send import Sender
from bot.restarts.wakeups import Wakeups
from bot.restarts.watch import Watcher
from bot.restarts.workflow import LONG, STEPS, RestartWorkflow, Step
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
        approvals = Approvals(
            ledger=clients.ledger,
            slack=clients.slack,
            authorizer=authorizer,
            metrics=metrics,
            wakeups=wakeups,
        )
        return cls(
            settings, clients, me, metrics, tasks, users, authorizer, approvals, wakeups
        )


def restarts_of(services: Services) -> Restarts:
    """Return all restarts; they have to be registered before the engine launches."""
    clients = services.clients
    runner = StepRunner[Step](
        steps=STEPS,
        long=LONG,
        right_to_act=clients.engine.right_to_act,
        traces=clients.traces,
    )
    preflight = Preflight(
        ledger=clients.ledger, cloud=clients.cloud, authorizer=services.authorizer
    )
    batch_messages = BatchMessages(
        slack=clients.slack, ledger=clients.ledger, authorizer=services.authorizer
    )
    single = _single(services, runner, preflight, batch_messages)
    batch = _batch(services, runner, preflight, batch_messages, single)
    return Restarts(
        Workflows(runner),
        ledger=clients.ledger,
        single=single,
        batch=batch,
        wakeups=services.wakeups,
    )


def _single(
    services: Services,
    runner: StepRunner[Step],
    preflight: Preflight,
    batch_messages: BatchMessages,
) -> RestartWorkflow:
    clients = services.clients
    return RestartWorkflow(
        runner,
        ledger=clients.ledger,
        preflight=preflight,
        approvals=services.approvals,
        sending=Sender(
            ledger=clients.ledger,
            cloud=clients.cloud,
            still_right=preflight.still_right,
        ),
        watcher=Watcher(
            cloud=clients.cloud,
            slack=clients.slack,
            ledger=clients.ledger,
            authorizer=services.authorizer,
            batch_messages=batch_messages,
            settings=services.settings().watch,
        ),
        speech=Notifications(
            slack=clients.slack,
            ledger=clients.ledger,
            authorizer=services.authorizer,
            metrics=services.metrics,
        ),
        traces=clients.traces,
    )


def _batch(
    services: Services,
    runner: StepRunner[Step],
    preflight: Preflight,
    batch_messages: BatchMessages,
    single: RestartWorkflow,
) -> BatchWorkflow:
    clients, pulse = services.clients, Pulse()
    return BatchWorkflow(
        runner,
        single=single,
        batches=BatchSchedule(
            ledger=clients.ledger,
            preflight=preflight,
            pulse=pulse,
            parallel=lambda: services.settings().max_parallel,
        ),
        speech=BatchNotifications(
            slack=clients.slack,
            ledger=clients.ledger,
            authorizer=services.authorizer,
            metrics=services.metrics,
            batch_messages=batch_messages,
            pulse=pulse,
        ),
    )
