"""The record of several requests asked for together, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import LedgerError, StateConflict
from bot.ledger import Ledger
from bot.ledger.schema import engine_of, requests
from bot.model import Approval, Record, Request, State
from tests.support.ledger_world import ACTIVE, ANN, BOB, LEA, ONE, TWO, asking
from tests.support.postgres import Postgres


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bot.db"
    server: Postgres = request.getfixturevalue("server")
    return server.database()


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    """Return a ledger in it."""
    opened = Ledger(database)
    opened.open()
    yield opened
    opened.close()


def several(*approvals: Approval | None, **fields: object) -> list[Request]:
    """Return requests to be asked for together, each with its approval."""
    now = datetime.now(UTC)
    return [
        asking(approval=approval, place=place, asked_at=now, **fields)
        for place, approval in enumerate(approvals)
    ]


async def pending(ledger: Ledger, *approvals: Approval | None) -> list[Record]:
    """Return a batch, of which all that need approval wait for it."""
    records, _ = await ledger.record_all(several(*approvals))
    for record in records:
        if record.request.waits:
            await ledger.move(record.request.id, State.PENDING, baseline=ACTIVE)
    return await ledger.batch(records[0].request.batch)


async def states(ledger: Ledger, record: Record) -> list[State]:
    """Return where the batch of a record stands, in its order."""
    return [one.state for one in await ledger.batch(record.request.batch)]


async def test_several_are_recorded_as_one(ledger: Ledger) -> None:
    """They come back in their order, with the one that speaks for all of them."""
    asked = several(None, ONE, ONE)
    records, new = await ledger.record_all(asked)
    assert new
    assert [one.request.id for one in records] == [one.id for one in asked]
    assert {one.request.batch for one in records} == {asked[0].id}
    assert await ledger.batch(asked[0].id) == records
    again, new = await ledger.record_all(asked)
    assert (again, new) == (records, False)


async def test_all_are_recorded_or_none(ledger: Ledger) -> None:
    """What is recorded too late is not recorded at all."""
    asked = several(None, None)
    with pytest.raises(LedgerError, match="too late"):
        await ledger.record_all(asked, deadline=datetime.now(UTC) - timedelta(1))
    assert await ledger.known([one.id for one in asked]) == []


async def test_the_same_delivery_at_once_is_one_batch(ledger: Ledger) -> None:
    """However many replicas get it at the same moment, it is recorded once."""
    asked = several(None, ONE, ONE)
    answers = await asyncio.gather(*(ledger.record_all(asked) for _ in range(4)))
    assert sorted(new for _, new in answers) == [False, False, False, True]
    assert (
        len({tuple(one.request.id for one in records) for records, _ in answers}) == 1
    )


async def test_one_under_way_is_joined_and_does_not_speak(ledger: Ledger) -> None:
    """One that somebody restarts already joins that; another one speaks for all."""
    asked = several(None, None)
    host = asking(target=asked[0].target)
    await ledger.record(host)
    await ledger.move(host.id, State.RESTARTING)
    records, _ = await ledger.record_all(asked)
    assert [one.state for one in records] == [State.JOINED, State.ASKED]
    assert records[0].joined == host.id
    assert {one.request.batch for one in records} == {asked[1].id}


async def test_nobody_speaks_where_all_have_joined(ledger: Ledger) -> None:
    """A batch of which nothing is left to do is told by the others' stories."""
    asked = several(None)
    host = asking(target=asked[0].target)
    await ledger.record(host)
    await ledger.move(host.id, State.RESTARTING)
    await ledger.record_all(asked)
    assert await ledger.untold() == [host.id]


@pytest.mark.parametrize("index", [1, 2])
async def test_one_word_counts_for_all(ledger: Ledger, index: int) -> None:
    """Whoever approves one approves all that wait with it, and nothing else."""
    batch = await pending(ledger, None, TWO, TWO)
    word = batch[index].request.id
    assert (await ledger.vote(word, LEA, approve=True)).state is State.PENDING
    assert (await ledger.vote(word, BOB, approve=True)).state is State.APPROVED
    expected = [State.ASKED, State.APPROVED, State.APPROVED]
    assert await states(ledger, batch[0]) == expected
    entries = await ledger.entries(since=datetime.now(UTC) - timedelta(hours=1))
    approvals = [e["request_id"] for e in entries if e["kind"] == "approval"]
    assert sorted(approvals) == sorted([one.request.id for one in batch[1:]] * 2)
    for record in batch[1:]:
        assert len(await ledger.digests(record.request.id)) == 1


async def test_one_denial_counts_for_all(ledger: Ledger) -> None:
    """Whoever denies one denies all, and gives his reason for all."""
    batch = await pending(ledger, ONE, ONE)
    await ledger.vote(batch[1].request.id, LEA, approve=False)
    assert await states(ledger, batch[0]) == [State.DENIED] * 2
    assert await ledger.explain_denial(batch[0].request.id, LEA, "not today")
    assert not await ledger.explain_denial(batch[0].request.id, BOB, "nor mine")
    denied = await ledger.batch(batch[0].request.batch)
    assert [one.detail for one in denied] == ["not today"] * 2


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED])
async def test_what_ends_one_wait_ends_all(ledger: Ledger, state: State) -> None:
    """Cancelling one, or its expiry, is that of all that wait with it."""
    batch = await pending(ledger, ONE, None, ONE)
    await ledger.move(batch[2].request.id, state, by=ANN)
    assert await states(ledger, batch[0]) == [state, State.ASKED, state]


async def test_a_late_word_lets_all_expire(ledger: Ledger) -> None:
    """A word after the time is up approves none of them."""
    batch = await pending(ledger, replace_expiry(0.01), replace_expiry(0.01))
    await asyncio.sleep(0.02)
    with pytest.raises(StateConflict):
        await ledger.vote(batch[0].request.id, LEA, approve=True)
    assert await states(ledger, batch[0]) == [State.EXPIRED] * 2


def replace_expiry(seconds: float) -> Approval:
    """Return an approval that has to be given within so many seconds."""
    return ONE.model_copy(update={"expires": seconds})


async def test_words_at_once_never_lock_each_other_out(ledger: Ledger) -> None:
    """Clicks on different ones at the same moment are counted one after the other."""
    batch = await pending(ledger, *[ONE] * 6)
    words = await asyncio.gather(
        *(ledger.vote(one.request.id, LEA, approve=True) for one in batch),
        *(ledger.move(one.request.id, State.CANCELLED) for one in batch),
        return_exceptions=True,
    )
    assert {type(word) for word in words} <= {Record, StateConflict}
    assert len(set(await states(ledger, batch[0]))) == 1
    assert await ledger.verify() == []


async def test_an_older_database_grows(database: str) -> None:
    """A database of before gets what it lacks, and its requests are still known."""
    before = Ledger(database)
    before.open()
    request = asking()
    await before.record(request)
    before.close()
    engine = engine_of(database)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX mlstudio_requests_by_batch"))
        for column in ("batch", "summed"):
            sql = f"ALTER TABLE {requests.name} DROP COLUMN {column}"
            connection.execute(sa.text(sql))
    engine.dispose()
    after = Ledger(database)
    after.open()
    after.open()
    assert (await after.existing(request.id)).request == request
    records, _ = await after.record_all(several(None, None))
    assert len(await after.batch(records[0].request.batch)) == 2
    after.close()


def test_a_request_of_before_is_still_read() -> None:
    """What was recorded before there were batches is a single request."""
    request = asking()
    data = request.to_json()
    for name in ("batch", "place", "go_on"):
        del data[name]
    assert Request.from_json(data) == request
    assert request.speaks == request.id
    assert replace(request, batch="another").speaks == "another"


async def test_approval_is_asked_for_once(database: str, ledger: Ledger) -> None:
    """Of all who come as far at once, over all replicas, one waits; the others join."""
    other = Ledger(database)
    box = asking().target
    asked = [asking(approval=ONE, target=box) for _ in range(6)]
    for one in asked:
        await ledger.record(one)

    found = await asyncio.gather(
        *(
            to.wait_for_approval(one.id, ACTIVE)
            for to, one in zip([ledger, other] * 3, asked, strict=True)
        )
    )
    other.close()

    (host,) = [one for one in found if one.state is State.PENDING]
    guests = [one for one in found if one.state is State.JOINED]
    assert [one.joined for one in guests] == [host.request.id] * 5
    again = await ledger.wait_for_approval(host.request.id, ACTIVE)
    assert again.state is State.PENDING
