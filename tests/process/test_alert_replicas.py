"""Alerts on PostgreSQL: whatever reaches several replicas at once counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.ledger import Ledger
from bot.model import Aftermath, Alert, Sender, State
from tests.support.ledger_world import NOON, Clock, asking, boxed
from tests.support.postgres import Postgres

pytestmark = [pytest.mark.postgres, pytest.mark.process]
REPLICAS = 3


@pytest.fixture
def clock() -> Clock:
    """Return the clock of all replicas."""
    return Clock()


@pytest.fixture
def replicas(server: Postgres, clock: Clock) -> Iterator[list[Ledger]]:
    """Return as many ledgers over one database."""
    url = server.database()
    every = [Ledger(url, now=clock) for _ in range(REPLICAS)]
    for ledger in every:
        ledger.open()
    yield every
    for ledger in every:
        ledger.close()


def firing(number: int, **more: object) -> Alert:
    """Return an alert with a *number*."""
    began = NOON - timedelta(minutes=5)
    return Alert(Sender.ALERTMANAGER, f"key-{number}", "Stuck", began, **more)


async def test_what_comes_to_several_replicas_at_once_counts_once(
    replicas: list[Ledger], clock: Clock
) -> None:
    """The limits hold over all of them, one draws each card, one tells each end, and
    one writes each note.
    """
    many = [(firing(number), boxed(number % 15)) for number in range(45)]
    await asyncio.gather(*(one.hear(many, "C1") for one in replicas))

    drawn = await asyncio.gather(*(one.take_cards() for one in replicas))
    cards = {card.id: card for each in drawn for card in each}
    assert len(cards) == sum(map(len, drawn)) == 11
    (more,) = (card for card in cards.values() if card.more)
    assert more.count == 45 - 10
    for ledger, each in zip(replicas, drawn, strict=True):
        for card in each:
            await ledger.drawn(card, "1.5")

    first, *_ = replicas
    target = boxed(0)
    shown = [alert for card in cards.values() for alert in card.alerts]
    about = [one for one in shown if one.instance_id == target.instance_id]
    alert_id = about[0].id
    await first.record(asking("r", target=target, alert=alert_id))
    clock.ahead(minutes=1)
    await first.move("r", State.RESTARTING, message_ts="1.5")
    await first.take_send("r", "life")
    await first.answered("r", "accepted")
    await first.move("r", State.READY)
    clock.ahead(minutes=3)
    over = [
        (firing(number, ended=clock(), incident="PINC1"), boxed(0))
        for number in range(0, 45, 15)
    ]
    await asyncio.gather(*(one.hear(over, "C1") for one in replicas))
    told = await asyncio.gather(*(one.take_outcomes() for one in replicas))
    assert [one.aftermath for each in told for one in each] == [Aftermath.CLEARED] * 3
    notes = await asyncio.gather(*(one.take_notes() for one in replicas))
    assert sum(map(len, notes)) == 1
    await first.forget_alerts(clock() + timedelta(days=1))
    assert await first.alert(alert_id) is None
