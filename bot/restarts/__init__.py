"""All restarts: how the rest of the bot sets their workflows going."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Self

import attrs

from bot.ledger import Ledger
from bot.model import gives_back
from bot.restarts.approval import Approvals
from bot.restarts.engine import StepRunner, Workflows
from bot.restarts.message import Messages
from bot.restarts.notifications import Notifications
from bot.restarts.owners import Owners
from bot.restarts.preflight import Preflight
from bot.restarts.schedule import Schedule
from bot.restarts.send import Sender
from bot.restarts.services import Services
from bot.restarts.wakeups import Pulse, Wakeups
from bot.restarts.watch import Watcher
from bot.restarts.workflow import LONG, STEPS, RestartWorkflow, Step
from bot.telemetry.request_log import Names

NAME = "restart"  # of the workflow: recorded ones are found by it


@attrs.frozen
class Restarts:
    """Begins, wakes and revives workflows; ``register`` before the engine launches."""

    _ledger: Ledger
    _wakeups: Wakeups
    _workflows: Workflows
    _workflow: RestartWorkflow

    @classmethod
    def of(
        cls,
        services: Services,
        approvals: Approvals,
        right_to_act: Callable[[str], Awaitable[None]],
    ) -> Self:
        """Put the workflow together; *right_to_act* is the engine's."""
        runner = StepRunner[Step](
            steps=STEPS,
            long=LONG,
            right_to_act=right_to_act,
            names=Names(services.ledger.existing).of,
            traces=services.traces,
            slack_back=services.wakeups.slack_back,
        )
        owners = Owners(services)
        messages, pulse, preflight = Messages(services), Pulse(), Preflight(services)
        workflow = RestartWorkflow(
            runner,
            services,
            approvals,
            Schedule(services, preflight, pulse),
            Sender(services, preflight, owners),
            Watcher(services, messages),
            Notifications(services, messages, approvals, pulse, owners),
        )
        return cls(services.ledger, services.wakeups, Workflows(runner), workflow)

    def register(self) -> None:
        """Make the workflow known to the engine."""
        self._workflows.register(NAME, self._workflow.tell)

    async def look_ahead(self) -> None:
        """See which workflows are not to wait for others when they go on.

        What was stopped, or may have been, is looked after before all else.
        """
        open_ones = await self._ledger.open_requests()
        self._workflows.urgent = frozenset(
            one.request.id
            for one in open_ones
            if one.sent_at and gives_back(one.request.plan)
        )

    async def begin(self, request_id: str) -> None:
        """Begin the workflow of a recorded request; one that exists goes on."""
        await self._workflows.begin(NAME, request_id)

    def wake(self, request_id: str) -> None:
        """Make a workflow that waits in this process look at its record at once."""
        self._wakeups.ring(request_id)

    async def revive(self, untold: Collection[str]) -> None:
        """Go on with what this process should be telling and is not."""
        await self._workflows.revive(untold, self.begin)

    async def stop(self, within_s: float) -> None:
        """Let go of the workflows once their steps in hand are done."""
        await self._workflows.stop(within_s)
