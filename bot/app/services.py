"""What the stories and the listeners share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from bot.app.clients import Me, Wires
from bot.config import Settings
from bot.listeners.tasks import Tasks
from bot.policy.authorizer import Authority
from bot.restarts import Restarts
from bot.restarts.approval import Approvals
from bot.restarts.batch_message import Boards
from bot.restarts.batch_notifications import BatchSpeech
from bot.restarts.batch_schedule import Batches, Pulse
from bot.restarts.batch_workflow import BatchStory
from bot.restarts.engine import Stories, Teller
from bot.restarts.notifications import Speech
from bot.restarts.preflight import Preflight
from bot.restarts.send import Sending
from bot.restarts.wakeups import Bell
from bot.restarts.watch import Watcher
from bot.restarts.workflow import LONG, STEPS, RestartStory, Step
from bot.slack.users import People
from bot.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each; *settings* returns those in force now, which a reload changes."""

    settings: Callable[[], Settings]
    wires: Wires
    me: Me
    metrics: Metrics
    tasks: Tasks
    people: People
    authority: Authority
    approvals: Approvals
    bell: Bell

    @classmethod
    def of(
        cls,
        wires: Wires,
        me: Me,
        *,
        settings: Callable[[], Settings],
        metrics: Metrics,
        tasks: Tasks,
        poll_s: float,
    ) -> Self:
        """Put the shared parts together."""
        people = People(wires.idem, me.team_id, on_call=metrics.slack_called)
        authority = Authority(
            settings=settings,
            people=people,
            ledger=wires.ledger,
            cloud=wires.cloud,
            home_team=me.team_id,
        )
        bell = Bell(wires.ledger, every_s=poll_s)
        approvals = Approvals(
            ledger=wires.ledger,
            chat=wires.chat,
            authority=authority,
            metrics=metrics,
            bell=bell,
        )
        return cls(
            settings, wires, me, metrics, tasks, people, authority, approvals, bell
        )


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
