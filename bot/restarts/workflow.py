"""The durable workflow of a restart, from the approval to the last word.

``RestartWorkflow.tell`` is the workflow, to be read top to bottom. Each step it names
is a coroutine that may run again after a crash, so it looks at the record before it
acts; what a step returns is recorded, and decides which way the workflow goes. Between
steps there is no clock, no chance and no I/O: the engine replays them (see "The engine"
in bot/README.md).

Each of several that were asked for together has a workflow of its own. One of them
speaks for all (``bot.restarts.batch``): it asks for approval, posts the message, and
has the last word; one that was asked for by itself does so for itself.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import attrs

from bot.model import UNDER_WAY
from bot.restarts.approval import Approvals
from bot.restarts.cycle import Next
from bot.restarts.engine import StepRunner
from bot.restarts.notifications import Notifications
from bot.restarts.schedule import Schedule
from bot.restarts.send import Sender
from bot.restarts.services import Services
from bot.restarts.watch import Watcher

# Every step of the workflow; a test kills the bot before and after each of them.
# Recorded workflows know them by name and order: changing either breaks them for good.
Step = Literal[
    "examine",
    "card",
    "wait",
    "close",
    "prepare",
    "turn",
    "announce",
    "send",
    "watch",
    "interim",
    "fault",
    "say_end",
    "rest",
    "follow_up",
    "show_end",
    "state",
]
STEPS: tuple[Step, ...] = get_args(Step)
# Too long to be waited for when the bot stops, and safe to break off.
LONG: frozenset[Step] = frozenset({"wait", "turn", "watch", "rest"})

SEND_TRIES = 5
FAULT = (
    "The bot met a fault of its own; its log has the details. Look at the instance"
    " before you ask again."
)


@attrs.frozen
class RestartWorkflow:
    """Tells what becomes of a request."""

    _runner: StepRunner[Step]
    _services: Services
    _approvals: Approvals
    _schedule: Schedule
    _sender: Sender
    _watcher: Watcher
    _say: Notifications

    async def tell(self, request_id: str) -> str:
        """Tell the whole story of one request and return how it ended."""
        run, say = self._runner, self._say
        if not await run.faultless(self._act, request_id):
            await run.step("fault", self._fault, request_id)
        await run.until_done("say_end", say.say_end, request_id)
        if await run.step("rest", self._schedule.rest, request_id):
            await run.until_done("follow_up", say.follow_up, request_id)
            await run.until_done("show_end", say.show_end, request_id)
        return await run.step("state", self._state, request_id)

    async def _act(self, request_id: str) -> None:
        """Do what was asked, as far as it is allowed and possible."""
        run, say, schedule = self._runner, self._say, self._schedule
        speaks, asks = await run.step("examine", schedule.examine, request_id)
        if asks:
            await self._ask(request_id)
        while (ours := await run.step("prepare", schedule.prepare, request_id)) is None:
            if await run.step("turn", schedule.turn, request_id):
                await self._ask(request_id)
        if speaks:
            await run.until_done("announce", say.announce, request_id)
        if ours:
            await self._carry_out(request_id)

    async def _ask(self, request_id: str) -> None:
        """Ask for approval, and wait until it is decided."""
        run, approvals = self._runner, self._approvals
        await run.until_done("card", approvals.post_card, request_id)
        await run.step("wait", approvals.wait, request_id)
        await run.until_done("close", approvals.close_card, request_id)

    async def _carry_out(self, request_id: str) -> None:
        """Send each act of the plan when it is due, and watch what becomes of it."""
        run = self._runner
        await self._send(request_id)
        while (due := await run.step("watch", self._watch, request_id)) is not None:
            if due == "say":
                await run.step("interim", self._say.interim, request_id)
            else:
                await self._send(request_id)

    async def _send(self, request_id: str) -> None:
        for attempt in range(SEND_TRIES):
            send = partial(self._sender.send, attempt=attempt)
            wait_s = await self._runner.step("send", send, request_id)
            if wait_s is None:
                break
            await self._runner.sleep(wait_s)

    # --- steps that are nobody else's -------------------------------------------------

    async def _watch(self, request_id: str) -> Next | None:
        record = await self._services.ledger.existing(request_id)
        if record.state not in UNDER_WAY:
            return None
        return await self._watcher.until_next(record)

    async def _fault(self, request_id: str) -> None:
        await self._schedule.fault(request_id, FAULT)

    async def _state(self, request_id: str) -> str:
        record = await self._services.ledger.existing(request_id)
        self._services.traces.story(record)
        return str(record.state)
