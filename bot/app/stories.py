"""The stories, put together from their steps."""

from __future__ import annotations

from bot.app.parts import Parts
from bot.batch import Batches
from bot.batch_speech import BatchSpeech
from bot.batch_story import BatchStory
from bot.board import Boards
from bot.engine import Stories, Teller
from bot.patience import Pulse
from bot.preflight import Preflight
from bot.restart import LONG, STEPS, RestartStory, Step
from bot.restarts import Restarts
from bot.sending import Sending
from bot.speech import Speech
from bot.watch import Watcher


def restarts_of(parts: Parts) -> Restarts:
    """Return all restarts; they have to be registered before the engine launches."""
    wires = parts.wires
    teller = Teller[Step](
        steps=STEPS,
        long=LONG,
        right_to_act=wires.engine.right_to_act,
        traces=wires.traces,
    )
    preflight = Preflight(
        ledger=wires.ledger, cloud=wires.cloud, authority=parts.authority
    )
    boards = Boards(chat=wires.chat, ledger=wires.ledger, authority=parts.authority)
    single = _single(parts, teller, preflight, boards)
    batch = _batch(parts, teller, preflight, boards, single)
    return Restarts(
        Stories(teller),
        ledger=wires.ledger,
        single=single,
        batch=batch,
        bell=parts.bell,
    )


def _single(
    parts: Parts, teller: Teller[Step], preflight: Preflight, boards: Boards
) -> RestartStory:
    wires = parts.wires
    return RestartStory(
        teller,
        ledger=wires.ledger,
        preflight=preflight,
        approvals=parts.approvals,
        sending=Sending(
            ledger=wires.ledger, cloud=wires.cloud, still_right=preflight.still_right
        ),
        watcher=Watcher(
            cloud=wires.cloud,
            chat=wires.chat,
            ledger=wires.ledger,
            authority=parts.authority,
            boards=boards,
            settings=parts.settings().watch,
        ),
        speech=Speech(
            chat=wires.chat,
            ledger=wires.ledger,
            authority=parts.authority,
            metrics=parts.metrics,
        ),
        traces=wires.traces,
    )


def _batch(
    parts: Parts,
    teller: Teller[Step],
    preflight: Preflight,
    boards: Boards,
    single: RestartStory,
) -> BatchStory:
    wires, pulse = parts.wires, Pulse()
    return BatchStory(
        teller,
        single=single,
        batches=Batches(
            ledger=wires.ledger,
            preflight=preflight,
            pulse=pulse,
            parallel=lambda: parts.settings().max_parallel,
        ),
        speech=BatchSpeech(
            chat=wires.chat,
            ledger=wires.ledger,
            authority=parts.authority,
            metrics=parts.metrics,
            boards=boards,
            pulse=pulse,
        ),
    )
