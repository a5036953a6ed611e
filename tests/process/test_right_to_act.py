"""A replica acts only while it is surely the one that tells a story."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from dbos import DBOS
from structlog.testing import capture_logs

from bot.model import State
from bot.restarts.engine.replicas import _lock_key
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import buttons
from tests.support.postgres import Postgres, postgres
from tests.support.processes import until

pytestmark = pytest.mark.postgres

LOOKS = 20  # in which a replica that may act would have done so


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Return a running PostgreSQL."""
    with postgres() as running:
        yield running


@contextmanager
def lock_taken_away(database: str) -> Iterator[None]:
    """Cut the connection that holds the replica's lock, and hold that lock instead."""
    with psycopg.connect(database, autocommit=True) as connection:
        key = _lock_key(DBOS.executor_id)
        held = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32) | objid::bigint = %s",
            [key],
        )
        ((pid,),) = held.fetchall()
        # Nothing else runs in this process until both are done.
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        connection.execute("SELECT pg_advisory_lock(%s)", [key])
        yield


async def test_a_replica_that_lost_its_lock_does_nothing_until_it_has_it_again(
    make_bench: MakeBench, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot prove to be alive may have a successor: votes count, no act."""
    monkeypatch.setattr("bot.restarts.engine.replicas.PEERS_EVERY_S", 0.05)
    database = server.database()
    bench = await make_bench(database=database)
    card = await bench.card()
    with capture_logs() as logs:

        def lost() -> int:
            return sum(line["event"] == "replica lock lost" for line in logs)

        with lock_taken_away(database):
            await until(lost, what="the loss is noticed")
            assert (await bench.slack.click("bob", card, "approve")).ok
            noticed = lost()
            await until(lambda: lost() >= noticed + LOOKS, what="some more looks")
            record = await bench.ledger.existing(bench.id_of(card))
            assert record.state is State.APPROVED
            assert bench.sent == 0
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


@pytest.mark.parametrize(
    "change",
    ["executor_id = 'another'", "status = 'ENQUEUED'"],
    ids=["taken over", "being taken over"],
)
async def test_a_story_that_another_replica_has_is_let_alone(
    make_bench: MakeBench,
    server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    """A replica that was given up for dead and lives acts for its own stories only."""
    monkeypatch.setattr("bot.restarts.engine.replicas.PEERS_EVERY_S", 3600.0)
    monkeypatch.setattr("bot.app.STORIES_WITHIN_S", 0.1)
    database = server.database()
    bench = await make_bench(database=database)
    card = await bench.card()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            f"UPDATE dbos.workflow_status SET {change} WHERE workflow_uuid = %s",  # noqa: S608
            [bench.id_of(card)],
        )
    assert (await bench.slack.click("bob", card, "approve")).ok
    delivery, _, _ = await bench.restart()  # what is its own goes on
    assert (await bench.record(delivery)).state is State.READY
    record = await bench.ledger.existing(bench.id_of(card))
    assert record.state is State.APPROVED
    assert buttons(bench.now(card)) == ["approve", "deny"]
    assert bench.sent == 1
