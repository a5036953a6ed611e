"""The durable stories of restarts asked for together; see ``restart`` for how to read.

One of them speaks for all: it asks for approval, posts the one message, and has the
last word. Each, that one too, then waits for its turn and restarts its own instance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.batch import Batches
from bot.batch_speech import BatchSpeech
from bot.restart import ANNOUNCE_TRIES, FAULT, Restarts


class AllRestarts(Restarts):
    """Tells the stories of single restarts and of batches."""

    def __init__(
        self, *, batches: Batches, batch_speech: BatchSpeech, **single: Any
    ) -> None:
        super().__init__(**single)
        self._batches = batches
        self._batch_speech = batch_speech
        self._leading: Callable[[str], Any] | None = None
        self._following: Callable[[str], Any] | None = None

    def register(self) -> None:
        """Make the stories known to the engine."""
        super().register()
        self._leading = self._known_as("lead", self.tell_lead)
        self._following = self._known_as("member", self.tell_member)

    async def _story_of(self, request_id: str) -> Callable[[str], Any] | None:
        request = (await self._ledger.existing(request_id)).request
        if not request.batch:
            return await super()._story_of(request_id)
        return self._leading if request.batch == request.id else self._following

    async def tell_lead(self, request_id: str) -> str:
        """Tell the story of the request that speaks for all."""
        await self._guarded(request_id, self._lead, self._batch_fault)
        say = self._batch_speech
        await self._until_done("say_end", say.say_end, request_id)
        await self._step("rest", self._batches.rest, request_id)
        await self._until_done("sum_up", say.sum_up, request_id)
        await self._until_done("show_end", say.show_end, request_id)
        return await self._step("state", self._state, request_id)

    async def tell_member(self, request_id: str) -> str:
        """Tell the story of any other request of a batch."""
        await self._guarded(request_id, self._take_turn, self._batch_fault)
        await self._until_done("say_end", self._batch_speech.say_end, request_id)
        return await self._step("state", self._state, request_id)

    async def _lead(self, request_id: str) -> None:
        """Ask for approval, show what is to come, and then do one's own part."""
        if await self._step("gather", self._batches.gather, request_id):
            await self._approval(request_id)
        await self._step("settle", self._batches.settle, request_id)
        say = self._batch_speech
        if not await self._until_done(
            "announce", say.announce, request_id, ANNOUNCE_TRIES
        ):
            await self._step("silent", say.not_announced, request_id)
        await self._take_turn(request_id)

    async def _take_turn(self, request_id: str) -> None:
        """Restart one's own instance when it is its turn, if that ever comes."""
        await self._step("turn", self._batches.turn, request_id)
        if await self._step("prepare", self._batches.prepare, request_id):
            await self._carry_out(request_id)

    async def _batch_fault(self, request_id: str) -> None:
        await self._batches.fault(request_id, FAULT)
