"""All restarts: which story each has, and how the rest of the bot sets it going."""

from __future__ import annotations

from collections.abc import Collection

from bot.ledger import Ledger
from bot.model import Request
from bot.restarts.batch_workflow import BatchWorkflow
from bot.restarts.engine import Workflows
from bot.restarts.wakeups import Wakeups
from bot.restarts.workflow import RestartWorkflow


class Restarts:
    """Begins, wakes and revives stories; ``register`` before the engine launches."""

    def __init__(
        self,
        stories: Workflows,
        *,
        ledger: Ledger,
        single: RestartWorkflow,
        batch: BatchWorkflow,
        wakeups: Wakeups,
    ) -> None:
        self._stories = stories
        self._wakeups = wakeups
        self._ledger = ledger
        self._single = single
        self._batch = batch

    def register(self) -> None:
        """Make every story known to the engine, by a name that recorded ones keep."""
        self._stories.register("restart", self._single.tell)
        self._stories.register("lead", self._batch.tell_lead)
        self._stories.register("member", self._batch.tell_member)

    async def begin(self, request_id: str) -> None:
        """Begin the story of a recorded request; one that exists goes on as it is."""
        record = await self._ledger.existing(request_id)
        await self._stories.begin(_story_of(record.request), request_id)

    def wake(self, request_id: str) -> None:
        """Make a story that waits in this process look at its record at once."""
        self._wakeups.ring(request_id)

    async def revive(self, untold: Collection[str]) -> None:
        """Go on with what this process should be telling and is not."""
        await self._stories.revive(untold, self.begin)

    async def stop(self, within_s: float) -> None:
        """Let go of the stories once their steps in hand are done."""
        await self._stories.stop(within_s)


def _story_of(request: Request) -> str:
    """Return the name of the story that a request has."""
    if not request.batch:
        return "restart"
    return "lead" if request.batch == request.id else "member"
