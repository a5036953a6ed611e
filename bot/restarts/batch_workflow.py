"""The durable stories of restarts asked for together; see ``restart`` for how to read.

One of them speaks for all: it asks for approval, posts the one message, and has the
last word. Each, that one too, then waits for its turn and restarts its own instance.
"""

from __future__ import annotations

from bot.restarts.batch_notifications import BatchNotifications
from bot.restarts.batch_schedule import BatchSchedule
from bot.restarts.engine import StepRunner
from bot.restarts.workflow import ANNOUNCE_TRIES, FAULT, RestartWorkflow, Step


class BatchWorkflow:
    """Tells the stories of a batch; what each does by itself it does as *single*."""

    def __init__(
        self,
        runner: StepRunner[Step],
        *,
        single: RestartWorkflow,
        batches: BatchSchedule,
        speech: BatchNotifications,
    ) -> None:
        self._runner = runner
        self._single = single
        self._batches = batches
        self._speech = speech

    async def tell_lead(self, request_id: str) -> str:
        """Tell the story of the request that speaks for all."""
        tell, say = self._runner, self._speech
        if not await tell.faultless(self._lead, request_id):
            await tell.step("fault", self._fault, request_id)
        await tell.until_done("say_end", say.say_end, request_id)
        await tell.step("rest", self._batches.rest, request_id)
        await tell.until_done("sum_up", say.sum_up, request_id)
        await tell.until_done("show_end", say.show_end, request_id)
        return await self._single.end(request_id)

    async def tell_member(self, request_id: str) -> str:
        """Tell the story of any other request of a batch."""
        tell, say = self._runner, self._speech
        if not await tell.faultless(self._take_turn, request_id):
            await tell.step("fault", self._fault, request_id)
        await tell.until_done("say_end", say.say_end, request_id)
        return await self._single.end(request_id)

    async def _lead(self, request_id: str) -> None:
        """Ask for approval, show what is to come, and then do one's own part."""
        tell, say = self._runner, self._speech
        if await tell.step("gather", self._batches.gather, request_id):
            await self._single.await_approval(request_id)
        await tell.step("settle", self._batches.settle, request_id)
        if not await tell.until_done(
            "announce", say.announce, request_id, ANNOUNCE_TRIES
        ):
            await tell.step("silent", say.not_announced, request_id)
        await self._take_turn(request_id)

    async def _take_turn(self, request_id: str) -> None:
        """Restart one's own instance when it is its turn, if that ever comes."""
        tell = self._runner
        await tell.step("turn", self._batches.turn, request_id)
        if await tell.step("prepare", self._batches.prepare, request_id):
            await self._single.carry_out(request_id)

    async def _fault(self, request_id: str) -> None:
        await self._batches.fault(request_id, FAULT)
