"""Whoever waits for a request hears of all that happens to it, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest_asyncio

from bot.ledger import Ledger
from bot.model import State
from bot.restarts.wakeups import Wakeups
from tests.process.test_ledger_batches import database, ledger, pending
from tests.support.ledger_world import ACTIVE, ANN, LEA, ONE, asking

__all__ = ["database", "ledger"]  # fixtures
SOON_S = 5.0


@pytest_asyncio.fixture
async def wakeups(ledger: Ledger) -> AsyncIterator[Wakeups]:
    """Return a bell that looks often."""
    wakeups = Wakeups(ledger, every_s=0.01)
    await wakeups.start()
    yield wakeups
    await wakeups.close()


async def waiting(ledger: Ledger) -> str:
    """Return the id of a request that waits for approval."""
    request = asking(approval=ONE, asked_at=datetime.now(UTC))
    await ledger.record(request)
    await ledger.wait_for_approval(request.id, ACTIVE)
    return request.id


async def heard(rung: asyncio.Event) -> bool:
    """Say whether the bell rings within the time that a few looks take."""
    try:
        await asyncio.wait_for(rung.wait(), 0.1)
    except TimeoutError:
        return False
    return True


async def test_it_rings_for_what_another_replica_records(
    database: str, ledger: Ledger, wakeups: Wakeups
) -> None:
    """A click counts on whichever replica it lands, and is heard on all of them."""
    request_id, other = await waiting(ledger), Ledger(database)
    with wakeups.listening(request_id) as rung:
        await heard(rung)  # of its own beginning, maybe
        rung.clear()
        await other.vote(request_id, LEA, approve=True)
        await asyncio.wait_for(rung.wait(), SOON_S)
    other.close()


async def test_it_rings_for_nobody_else(ledger: Ledger, wakeups: Wakeups) -> None:
    """What happens to one request wakes no other, and no news wake nobody."""
    one, other = await waiting(ledger), await waiting(ledger)
    with wakeups.listening(one) as rung, wakeups.listening(other) as heard_of:
        for bell in (rung, heard_of):  # of its own beginning
            await asyncio.wait_for(bell.wait(), SOON_S)
            bell.clear()
        await ledger.vote(other, LEA, approve=True)
        await asyncio.wait_for(heard_of.wait(), SOON_S)
        assert not rung.is_set()


async def test_it_rings_for_who_speaks_for_all(
    ledger: Ledger, wakeups: Wakeups
) -> None:
    """News of any one of a batch are news for the one that speaks for it."""
    batch = await pending(ledger, None, ONE, ONE)
    speaks = batch[0].request.batch
    last = next(one for one in batch if one.request.id != speaks)
    with wakeups.listening(speaks) as rung:
        await heard(rung)
        rung.clear()
        await ledger.move(last.request.id, State.VOIDED, detail="by itself")
        await asyncio.wait_for(rung.wait(), SOON_S)


async def test_what_came_before_is_no_news(ledger: Ledger) -> None:
    """A bell that starts beside a long trail does not read all of it."""
    request_id = await waiting(ledger)
    wakeups = Wakeups(ledger, every_s=0.01)
    await wakeups.start()
    with wakeups.listening(request_id) as rung:
        assert not await heard(rung)
        await ledger.move(request_id, State.CANCELLED, by=ANN)
        await asyncio.wait_for(rung.wait(), SOON_S)
    await wakeups.close()
