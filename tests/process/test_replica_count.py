"""How many replicas there are, as those know it that share a PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest

from bot.errors import LedgerError
from bot.restarts.engine.replicas import SessionIdentity
from tests.support.postgres import Postgres
from tests.support.processes import until

pytestmark = pytest.mark.postgres


async def test_the_living_are_counted_and_the_dead_are_not(server: Postgres) -> None:
    """Each replica knows how many there are; one whose connection is cut, as by a
    crash, is no longer one, and another database's are none.
    """
    database = server.database()
    one, two, other = (
        SessionIdentity(name) for name in (database, database, server.database())
    )
    for replica in (one, two, other):
        await replica.take()
    assert await one.replicas() == await two.replicas() == 2
    assert await other.replicas() == 1

    assert two._connection is not None
    with psycopg.connect(database, autocommit=True) as connection:
        pid = two._connection.info.backend_pid
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    async def alone() -> bool:
        return await one.replicas() == 1

    await until(alone)
    with pytest.raises(LedgerError, match="cannot be counted"):
        await two.replicas()
    for replica in (one, two, other):
        await replica.give_back()
