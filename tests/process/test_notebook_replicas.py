"""A stop and a start over several replicas, one of which freezes and one dies."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psycopg
import pytest

from bot.demo.notebooks import ScriptedNotebook
from bot.model import State
from tests.process.test_notebook_crash import NB, NB_ID, site_of
from tests.process.test_replicas import FROZEN_S, in_charge, others
from tests.support.postgres import Postgres
from tests.support.processes import Running, Site, until

pytestmark = [pytest.mark.postgres, pytest.mark.process]


def calls(site: Site, kind: str) -> int:
    """Return how many calls of a *kind* have arrived."""
    return sum(call.kind == kind for call in site.cloud.calls)


async def freeze(bot: Running, database: str) -> None:
    """Freeze *bot* outside of a transaction: nobody else could write for a while."""
    ask = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state LIKE 'idle in transaction%'"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        while True:
            bot.send(signal.SIGSTOP)
            row = connection.execute(ask).fetchone()
            if row == (0,):
                return
            bot.send(signal.SIGCONT)
            await asyncio.sleep(0.05)


async def test_a_notebook_is_stopped_once_and_started_by_whoever_lives(
    server: Postgres, tmp_path: Path
):
    """Frozen after its stop, a replica repeats nothing when it wakes; another one
    starts what it leaves behind, and repeats nothing after a freeze of its own.
    """
    box = ScriptedNotebook(
        id=NB_ID, name=NB, owner="mia", stopping=3600.0, starting=3600.0
    )
    site = site_of(tmp_path, box)
    site.database = server.database()
    async with site:
        for _ in range(2):
            await site.start()
        delivery = await site.ask(NB)
        first = await in_charge(site, delivery, "send")
        (second,) = others(site, first)

        first.send(signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)  # how long it is frozen, not a wait for something
        looks = calls(site, "read")
        first.send(signal.SIGCONT)
        await until(lambda: calls(site, "read") > looks, what="it looks again")
        assert (calls(site, "stop"), calls(site, "start")) == (1, 0)

        first.send(signal.SIGSTOP)
        site.cloud.put(NB, "STOPPED")  # which a frozen one cannot see
        await first.kill()
        await until(lambda: calls(site, "start"), what="the other one starts it")
        await freeze(second, site.database)
        await site.start()  # a third, which finds the second one's lock held
        site.cloud.put(NB, "RUNNING")
        second.send(signal.SIGCONT)

        record = await site.told(delivery)
        assert record.state is State.READY
        assert (calls(site, "stop"), calls(site, "start")) == (1, 1)
        told = [post for post in site.said() if post.reply_broadcast]
        assert len(told) == 1
        assert "is ready" in told[0].text
