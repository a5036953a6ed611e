"""The trail's lines over crashes and replicas: none is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.ledger import Entry, Ledger
from bot.ledger.audit import append
from tests.support.audit_lines import audit_lines
from tests.support.ledger_world import lines, trail_of
from tests.support.postgres import Postgres
from tests.support.processes import Running, Site, until

pytestmark = pytest.mark.process


def written(*processes: Running) -> dict[int, dict[str, object]]:
    """Return the entries that stand in the logs of processes, by their numbers."""
    return {line["seq"]: line for each in processes for line in audit_lines(each.words)}


async def test_a_kill_between_commit_and_line(tmp_path: Path) -> None:
    """What was recorded right before a crash is written by the next process."""
    async with Site(tmp_path) as site:
        crashing = "tests.support.crashing"
        died = await site.start(module=crashing, CRASH="after:Ledger.record")
        await site.ask("trainer-7")
        await died.ended()
        (asked,) = [e for e in await trail_of(site.ledger) if e["kind"] == "asked"]
        assert asked["seq"] not in written(died)

        again = await site.start()

        await until(lambda: written(again).get(asked["seq"]) == asked, what="its line")
        before = [line["seq"] for line in audit_lines([*died.words, *again.words])]
        assert before[: asked["seq"]] == list(range(1, asked["seq"] + 1))


@pytest.mark.postgres
async def test_a_replica_that_writes_is_killed(
    tmp_path: Path, server: Postgres
) -> None:
    """Another one goes on within seconds, and what came in between is not lost."""
    async with Site(tmp_path, database=server.database()) as site:
        one = await site.start()
        await until(lambda: written(one), what="a line of the first")
        other = await site.start()
        await site.ask("trainer-7")
        await until(
            lambda: "restarting" in {line["kind"] for line in written(one).values()},
            what="the lines of a restart",
        )
        assert not written(other)
        await one.kill()
        await lines(site.ledger, 3)
        whole = await trail_of(site.ledger)

        await until(lambda: whole[-1]["seq"] in written(other), what="the last line")

        found = written(one, other)
        assert [found.get(entry["seq"]) for entry in whole] == whole


@pytest.mark.postgres
async def test_a_number_is_visible_after_all_before_it(server: Postgres) -> None:
    """An entry that is not committed yet keeps those behind it back: whoever reads up
    to a number has missed none.
    """
    ledger = Ledger(server.database())
    await asyncio.to_thread(ledger.open)
    now = ledger.database.now()
    slow = ledger.database.engine.connect()
    held = slow.begin()
    append(slow, Entry("note", detail="not committed yet"), now)
    quick = asyncio.create_task(ledger.note(Entry("note", detail="behind it")))

    def waiting() -> bool:
        query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with ledger.database.reading() as connection:
            return connection.execute(sa.text(query)).first() is not None

    await until(lambda: asyncio.to_thread(waiting), what="the second to wait")
    cursor = await ledger.cursor()
    assert await ledger.unwritten(cursor, 9) == []
    held.commit()
    await quick

    page = await ledger.unwritten(cursor, 9)

    assert [row["seq"] for row in page or ()] == [1, 2]
    slow.close()
    ledger.close()
