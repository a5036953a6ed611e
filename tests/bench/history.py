"""What a long history costs: each answer, the start, and the command line.

Run it with ``python -m tests.bench.history [--requests N] [--entries N] [--postgres]``.

What one restart and one refusal left on record is copied into the past, entry by entry
with hashes that fit, evenly over the instances and the last two years: a few of them,
so that every answer is full, then very many. "× few" compares the medians of what a bot
answers then. Times in ms at the local Slack, from sending to the answer; of the home
page, until it is published.

The command line reads the same database: seconds, entries a second, and the most
memory that it held.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import psutil
import sqlalchemy as sa

from bot.demo.instances import Reboot
from bot.ledger.chain import ORIGIN, hash_of
from bot.ledger.schema import requests, trail, url_of
from tests.bench.ack import FREE
from tests.bench.rig import PROJECT, Postgres, Rig, box_id, options, rigged, share

BOXES = 40
FEW = (1600, 8000)  # requests and entries
SPAN = timedelta(days=730)
AT_ONCE = 5000  # rows that are written at once
SHORT = Reboot(phases=(("REBOOTING", 0.5),))
Row = dict[str, Any]
Ask = Callable[[int], Awaitable[float]]


def kinds(rig: Rig) -> dict[str, Ask]:
    """Return the ways of asking; each returns the seconds until its answer."""

    async def asked(number: int, text: str, expect: str) -> float:
        # Who asks too often is not answered: each round has a person of its own.
        return (await rig.ask(text, f"nobody-{number}", expect=expect)).seconds

    async def begun(number: int) -> float:
        asked = await rig.ask(f"restart {PROJECT} box-{number}", expect="Recorded")
        return asked.seconds

    async def home(number: int) -> float:
        before, began = len(rig.slack.called("views.publish")), time.perf_counter()
        await rig.slack.open_home(f"nobody-{number}")
        await rig.wait_until(lambda: len(rig.slack.called("views.publish")) > before)
        return time.perf_counter() - began

    return {
        "help": lambda n: asked(n, "help", "I restart"),
        "restart, refused": lambda n: asked(
            n, f"restart {PROJECT} box-{n}", "did not restart"
        ),
        "restart, begun": begun,
        "status": lambda n: asked(n, f"status {PROJECT} box-{n}", "box-"),
        "list": lambda n: asked(n, f"list {PROJECT}", "box-1"),
        "history": lambda n: asked(n, "history", "box-"),
        "history of one": lambda n: asked(n, f"history {PROJECT} box-{n}", "box-"),
        "home page": home,
    }


async def answers(rig: Rig, rounds: int) -> dict[str, float]:
    """Start a bot, ask everything in turn, stop it; return medians in seconds."""
    bot = await rig.start_bot()
    found: dict[str, list[float]] = {name: [] for name in kinds(rig)}
    for number in range(-3, rounds):
        for name, ask in kinds(rig).items():
            took_s = await ask(number % BOXES)
            if number >= 0:
                found[name].append(took_s)
        await rig.wait_until(lambda: not rebooting(rig))
    medians = {name: 1000 * share(each, 0.5) for name, each in found.items()}
    medians["memory in MB"] = bot.rss_mb
    medians["start to connected"] = 1000 * bot.connected_s
    await rig.stop_bots()
    return medians


def rebooting(rig: Rig) -> bool:
    """Say whether a restart has not been told to its end."""
    ends = [post for post in rig.slack.messages() if post.reply_broadcast]
    return len(ends) < len(rig.cloud.restarts)


# --- making it long -------------------------------------------------------------------


def lengthen(database: str, count: int, entries: int) -> None:
    """Copy a restart and a refusal, until there are *count* requests, *entries* too.

    What of the entries is left over belongs to no request, as clicks do.
    """
    engine = sa.create_engine(url_of(database))
    with engine.begin() as connection:
        ready = _one(connection, "ready")
        refused = _one(connection, "refused")
        connection.execute(trail.delete())
        connection.execute(requests.delete())
        began = datetime.fromisoformat(ready[1][0]["at"]) - SPAN
        made = _copies(ready, refused, count, entries, began)
        for some in iter(lambda: list(itertools.islice(made, AT_ONCE)), []):
            connection.execute(requests.insert(), [row for row, _ in some if row])
            lines = [line for _, lines in some for line in lines]
            connection.execute(trail.insert(), lines)
    if engine.dialect.name == "postgresql":  # or it does so while we measure
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()


def _one(connection: sa.Connection, state: str) -> tuple[Row, list[Row]]:
    """Return the newest request in *state*, and its entries."""
    found = requests.select().where(requests.c.state == state)
    newest = found.order_by(requests.c.asked_at.desc()).limit(1)
    row = dict(connection.execute(newest).mappings().one())
    told = trail.select().where(trail.c.request_id == row["id"]).order_by(trail.c.seq)
    return row, [dict(line) for line in connection.execute(told).mappings()]


def _copies(
    ready: tuple[Row, list[Row]],
    refused: tuple[Row, list[Row]],
    count: int,
    entries: int,
    began: datetime,
) -> Iterator[tuple[Row, list[Row]]]:
    """Yield requests with their entries, the oldest first; each fourth is a refusal."""
    seq, last = 0, ORIGIN
    for number in range(count):
        row, lines = refused if number % 4 == 3 else ready
        at = began + SPAN * number / (count + 1)
        request_id, box = f"copy-{number}", f"box-{number % BOXES}"
        own = _moved(row, at, request_id, box)
        # A click, a search, a page opened: what is on record beside the requests.
        wanted = (number + 1) * entries // count - seq
        more = [{**lines[0], "kind": "ignored", "request_id": ""}]
        told = []
        for line in [*lines, *more * max(0, wanted - len(lines))]:
            seq += 1
            entry = {**line, "seq": seq, "at": at.isoformat(timespec="milliseconds")}
            entry |= {"instance": box, "instance_id": box_id(box)}
            entry |= {"request_id": line["request_id"] and request_id}
            entry |= {"previous_hash": last}
            last = entry["hash"] = hash_of(entry)
            told.append(entry)
        yield own, told


def _moved(row: Row, at: datetime, request_id: str, box: str) -> Row:
    """Return a copy of a request that was made at another time, of another box."""
    target = row["request"]["target"] | {"instance": box, "aliases": [box]}
    target["instance_id"] = box_id(box)
    moved = {**row, "id": request_id, "instance_key": box_id(box).lower()}
    by_s = at.timestamp() - row["asked_at"]
    for name in ("asked_at", "changed_at", "sent_at", "ended_at"):
        moved[name] = row[name] and row[name] + by_s
    asked = {"id": request_id, "target": target, "asked_at": at.isoformat()}
    moved["request"] = row["request"] | asked
    return moved


# --- the command line -----------------------------------------------------------------


def command(rig: Rig, *words: str) -> tuple[float, float, int]:
    """Run the command line; return its seconds, most MB, and lines printed."""
    began, most = time.perf_counter(), 0.0
    told = (rig.folder / "told").open("w+b")
    with told:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", *words, "--config", str(rig.config)],
            stdout=told,
        )
        while process.poll() is None:
            most = max(most, psutil.Process(process.pid).memory_info().rss / 1e6)
            time.sleep(0.02)
        took_s = time.perf_counter() - began
        told.seek(0)
        count = sum(1 for _ in told)
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    return took_s, most, count


def commands(rig: Rig) -> None:
    """Print what the command line takes."""
    print(f"{'':32}{'s':>8}{'MB':>8}{'lines':>10}")
    for words in (
        ("history", "--since", "1d"),
        ("history", "--since", "1000d", "--limit", "50"),
        ("history", "--since", "1000d", "--instance", "box-7", "--limit", "50"),
        ("history", "--since", "1000d"),
        ("history", "--verify"),
    ):
        took_s, most, lines = command(rig, *words)
        print(f"{' '.join(words):32}{took_s:8.1f}{most:8.0f}{lines:10}", flush=True)


async def bench(rounds: int, count: int, entries: int, database: str) -> None:
    """Print both tables."""
    async with rigged(BOXES, reboot=SHORT, database=database) as rig:
        rig.configure(calls_per_minute=FREE, poll="1s")
        await answers(rig, 1)
        lengthen(rig.database, *FEW)
        few = await answers(rig, rounds)
        lengthen(rig.database, count, entries)
        many = await answers(rig, rounds)
        print(f"{'requests':20}{FEW[0]:10}{count:10}")
        print(f"{'entries':20}{FEW[1]:10}{entries:10}{'× few':>10}")
        for name, before in few.items():
            after = many[name]
            print(f"{name:20}{before:10.1f}{after:10.1f}{after / before:10.2f}")
        await asyncio.to_thread(commands, rig)


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        database = ""
        if given.postgres:
            server = Postgres()
            stack.callback(server.close)
            database = server.database()
        asyncio.run(bench(given.rounds, given.requests, given.entries, database))


if __name__ == "__main__":
    main()
