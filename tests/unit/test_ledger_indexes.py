"""Whatever the ledger is asked, it does not read all that was ever asked for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.ledger import Ledger
from bot.model import State
from tests.support.ledger_world import (
    ACTIVE,
    LONG_AGO,
    NOON,
    Clock,
    asking,
    boxed,
    lines,
    opened,
    trail_of,
)

PAGE = 50
SINCE = NOON - timedelta(days=7)
KEY = boxed(1).key
Ask = Callable[[Ledger], Awaitable[Any]]
QUESTIONS: dict[str, Ask] = {
    "get": lambda to: to.get("one"),
    "pending": lambda to: to.pending(KEY),
    "last restart": lambda to: to.last_restart(KEY, but="one"),
    "durations": lambda to: to.durations(KEY),
    "recent": lambda to: to.recent(limit=5),
    "recent of a project": lambda to: to.recent(project="ml-prod", limit=5),
    "recent of an instance": lambda to: to.recent(instance_key=KEY, limit=5),
    "open": lambda to: to.open_requests(),
    "open of an instance": lambda to: to.open_requests(KEY),
    "down": lambda to: to.down(),
    "in flight": lambda to: to.in_flight(),
    "joined": lambda to: to.joined("one"),
    "batch": lambda to: to.batch("one"),
    "known": lambda to: to.known(["one", "two"]),
    "untold": lambda to: to.untold(),
    "news": lambda to: to.news(since=1),
    "entries": lambda to: to.entries(since=SINCE, before=9, limit=5),
    "break-glasses": lambda to: to.broken_glass(since=SINCE, instance="box-1"),
    "digests": lambda to: to.digests("one"),
    "newest hash": lambda to: to.newest_hash(),
    "record": lambda to: to.record(asking(target=boxed(1))),
    "record all": lambda to: to.record_all([asking(), asking()]),
    "wait": lambda to: to.wait_for_approval("one", ACTIVE),
    "expire": lambda to: to.move("three", State.EXPIRED),
    "join": lambda to: to.join("two", "one"),
}


@pytest.fixture
async def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger with a few requests."""
    one = opened(tmp_path / "bot.db", now=Clock())
    for name in ("one", "two", "three"):
        await one.record(asking(name))
    await one.wait_for_approval("three", ACTIVE)
    yield one
    one.close()


@pytest.fixture
def asked(ledger: Ledger) -> list[tuple[str, Any]]:
    """Return the list of all statements that the ledger sends from now on."""
    sent: list[tuple[str, Any]] = []
    sa.event.listen(
        ledger.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, sql, values, *_: sent.append((sql, values)),
    )
    return sent


@pytest.mark.parametrize("name", QUESTIONS)
async def test_every_question_has_an_index(ledger, asked, name):
    """No statement reads a whole table, nor sorts more than it returns."""
    await QUESTIONS[name](ledger)

    statements = [one for one in asked if re.match("SELECT|UPDATE|DELETE", one[0])]
    assert statements
    with ledger.database.reading() as connection:
        for sql, values in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
            steps = [str(row[-1]) for row in plan]
            whole = [step for step in steps if re.fullmatch(r"SCAN mlstudio_\w+", step)]
            sorts = any("TEMP B-TREE FOR ORDER BY" in step for step in steps)
            assert not whole or "LIMIT" in sql, (sql, steps)
            assert not sorts or "LIMIT" not in sql, (sql, steps)


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda to: to.down(KEY), "down"),
        (lambda to: to.open_requests(KEY), "open"),
        (lambda to: to.record(asking(target=boxed(1))), "open"),
        (lambda to: to.durations(KEY), "sent"),
        (lambda to: to.recent(instance_key=KEY, limit=5), "acted_on"),
    ],
)
async def test_few_are_read_of_an_instance_that_was_restarted_often(
    ledger, asked, ask, index
):
    """What is open or was left down is looked for among such alone."""
    await ask(ledger)

    used = set[str]()
    with ledger.database.reading() as connection:
        for sql, values in asked[:]:
            if sql.startswith("SELECT") and "instance_key = ?" in sql:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
                used |= {str(row[-1]).partition("USING INDEX ")[2] for row in plan}
    assert used == {f"mlstudio_requests_{index} (instance_key=?)"}


async def test_a_long_trail_comes_a_page_at_a_time(ledger, asked, monkeypatch):
    """All entries come once, newest first, in pages of a known size."""
    monkeypatch.setattr("bot.ledger.audit.ENTRIES_A_PAGE", PAGE)
    await lines(ledger, 2 * PAGE - 4)  # with the four that are there: two full pages
    asked.clear()

    pages = [page async for page in ledger.pages(since=LONG_AGO)]

    assert [len(page) for page in pages] == [PAGE, PAGE]
    assert [one for page in pages for one in page] == await ledger.entries(
        since=LONG_AGO
    )
    narrowed = [page async for page in ledger.pages(since=LONG_AGO, instance="box-1")]
    assert [len(page) for page in narrowed] == []
    assert len(await trail_of(ledger)) == 2 * PAGE
