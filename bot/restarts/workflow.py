"""The durable story of one request, from the approval to the last word.

``RestartWorkflow.tell`` is the story, to be read top to bottom. Each step it names is a
coroutine that may run again after a crash, so it looks at the record before it acts;
what a step returns is recorded, and decides which way the story goes. Between steps
there is no clock, no chance and no I/O: the engine replays them (DESIGN, "The engine").
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

from bot.ledger import Ledger
from bot.model import ENDS, UNDER_WAY, State
from bot.restarts.approval import Approvals
from bot.restarts.engine import StepRunner
from bot.restarts.notifications import Notifications
from bot.restarts.preflight import Preflight
from bot.restarts.send import Sender
from bot.restarts.watch import Watcher
from bot.telemetry.traces import Traces

# Every step of the stories; a test kills the bot before and after each of them.
# Recorded stories know them by name and order: changing either breaks them for good.
Step = Literal[
    "examine",
    "card",
    "wait",
    "close",
    "prepare",
    "announce",
    "silent",
    "send",
    "watch",
    "fault",
    "say_end",
    "show_end",
    "state",
    # of several restarts asked for together (``batch_story``)
    "gather",
    "settle",
    "turn",
    "rest",
    "sum_up",
]
STEPS: tuple[Step, ...] = get_args(Step)
# Too long to be waited for when the bot stops, and safe to break off.
LONG: frozenset[Step] = frozenset({"wait", "watch", "turn", "rest"})

ANNOUNCE_TRIES = 6
SEND_TRIES = 5
FAULT = (
    "The bot met a fault of its own; its log has the details. Look at the instance"
    " before you ask again."
)


class RestartWorkflow:
    """Tells the story of a restart that was asked for by itself."""

    def __init__(
        self,
        runner: StepRunner[Step],
        *,
        ledger: Ledger,
        preflight: Preflight,
        approvals: Approvals,
        sending: Sender,
        watcher: Watcher,
        speech: Notifications,
        traces: Traces,
    ) -> None:
        self._runner = runner
        self._ledger = ledger
        self._preflight = preflight
        self._approvals = approvals
        self._sending = sending
        self._watcher = watcher
        self._speech = speech
        self._traces = traces

    async def tell(self, request_id: str) -> str:
        """Tell the whole story of one request and return how it ended."""
        tell, say = self._runner, self._speech
        if not await tell.faultless(self._act, request_id):
            await tell.step("fault", self._fault, request_id)
        await tell.until_done("say_end", say.say_end, request_id)
        await tell.until_done("show_end", say.show_end, request_id)
        return await self.end(request_id)

    async def _act(self, request_id: str) -> None:
        """Do what was asked, as far as it is allowed and possible."""
        tell, say = self._runner, self._speech
        if await tell.step("examine", self._preflight.examine, request_id):
            await self.await_approval(request_id)
        if not await tell.step("prepare", self._preflight.prepare, request_id):
            return
        if not await tell.until_done(
            "announce", say.announce, request_id, ANNOUNCE_TRIES
        ):
            await tell.step("silent", say.not_announced, request_id)
        await self.carry_out(request_id)

    # --- what the stories of a batch have in common with it ---------------------------

    async def await_approval(self, request_id: str) -> None:
        """Ask for approval and wait until it is decided or its time is up."""
        tell, approvals = self._runner, self._approvals
        await tell.until_done("card", approvals.post_card, request_id)
        await tell.step("wait", approvals.wait, request_id)
        await tell.until_done("close", approvals.close_card, request_id)

    async def carry_out(self, request_id: str) -> None:
        """Send the restart, once, and watch what becomes of it."""
        tell = self._runner
        for attempt in range(SEND_TRIES):
            send = partial(self._sending.send, attempt=attempt)
            wait = await tell.step("send", send, request_id)
            if wait is None:
                break
            await tell.sleep(wait)
        await tell.step("watch", self._watch, request_id)

    async def end(self, request_id: str) -> str:
        """Return how it ended: the last step of every story."""
        return await self._runner.step("state", self._state, request_id)

    # --- steps that are nobody else's -------------------------------------------------

    async def _watch(self, request_id: str) -> None:
        record = await self._ledger.existing(request_id)
        if record.state in UNDER_WAY:
            await self._watcher.until_end(record)

    async def _fault(self, request_id: str) -> None:
        """End a request whose story met a fault of the bot."""
        record = await self._ledger.existing(request_id)
        if record.state not in ENDS:
            under_way = record.state in UNDER_WAY
            state = State.UNKNOWN if under_way else State.VOIDED
            await self._ledger.move(request_id, state, detail=FAULT)

    async def _state(self, request_id: str) -> str:
        record = await self._ledger.existing(request_id)
        self._traces.story(record)
        return str(record.state)
