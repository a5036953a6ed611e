"""What a long history costs: each answer, the start, and the command line.

Run it with ``python -m tests.bench.history [--requests N] [--entries N] [--postgres]``.

Two bots, each between far sides of its own and with a database of its own. What one
restart and one refusal left on record is copied into the past, entry by entry with
hashes that fit, evenly over the instances and the last two years: a few of them in one
database, so that every answer is full, very many in the other. Then both are asked in
turn, so that they meet the same machine; "× few" compares the medians. Times in ms at
the local Slack, from sending to the answer; of the home page, until it is published.

The command line reads the same database: seconds, entries a second, and the most
memory that it held.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import psutil
import sqlalchemy as sa

from bot.demo.instances import Reboot
from bot.ledger.chain import ORIGIN, hash_of
from bot.ledger.schema import cursor, requests, trail, url_of
from tests.bench.ack import FREE
from tests.bench.rig import PROJECT, Postgres, Rig, box_id, options, rigged, share

BOXES = 40
FEW = (1600, 8000)  # requests and entries
SPAN = timedelta(days=730)
AT_ONCE = 5000  # rows that are written at once
PAUSE_S = 0.15
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


async def answers(rigs: Sequence[Rig], rounds: int) -> list[dict[str, float]]:
    """Start a bot in each rig, ask all of them everything in turn, and stop them.

    Return for each what is measured, the times as medians in milliseconds.
    """
    bots = [await rig.start_bot() for rig in rigs]
    asks = [kinds(rig) for rig in rigs]
    found = [{name: list[float]() for name in each} for each in asks]
    for number in range(-3, rounds):
        for name in asks[0]:
            # In turn the one, then the other is first; what is begun goes on behind.
            for ask, times in [*zip(asks, found, strict=True)][
                :: 1 if number % 2 else -1
            ]:
                times[name].append(await ask[name](number % BOXES))
                await asyncio.sleep(PAUSE_S)
        for rig in rigs:
            await rig.wait_until(lambda: not rebooting(rig))  # noqa: B023
    measured = []
    for rig, bot, times in zip(rigs, bots, found, strict=True):
        medians = {name: 1000 * share(all_[3:], 0.5) for name, all_ in times.items()}
        measured.append(medians | {"memory in MB": bot.rss_mb})
        await rig.stop_bots()
    return measured


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
            connection.execute(requests.insert(), [row for row, _ in some])
            lines = [line for _, lines in some for line in lines]
            connection.execute(trail.insert(), lines)
        # All of it has gone out as lines, or the bot would do that first.
        newest = {"seq": lines[-1]["seq"], "hash": lines[-1]["hash"]}
        connection.execute(cursor.update().values(newest))
    # What has to be done after that much was written, or it is done while we measure.
    postgresql = engine.dialect.name == "postgresql"
    tidy = "VACUUM ANALYZE" if postgresql else "PRAGMA wal_checkpoint(TRUNCATE)"
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(tidy)
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


async def bench(
    rounds: int, count: int, entries: int, database: Callable[[], str]
) -> None:
    """Print both tables; *database* makes the URL of a new one."""
    async with (
        rigged(BOXES, reboot=SHORT, database=database()) as few,
        rigged(BOXES, reboot=SHORT, database=database()) as many,
    ):
        for rig in (few, many):
            rig.configure(calls_per_minute=FREE, poll="1s")
        await answers([few, many], 1)
        lengthen(few.database, *FEW)
        lengthen(many.database, count, entries)
        print(f"{'requests':20}{FEW[0]:10}{count:10}")
        print(f"{'entries':20}{FEW[1]:10}{entries:10}{'× few':>10}")
        before, after = await answers([few, many], rounds)
        for name, figure in before.items():
            ratio = after[name] / figure
            print(f"{name:20}{figure:10.1f}{after[name]:10.1f}{ratio:10.2f}")
        await asyncio.to_thread(commands, many)


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        database = str  # a new SQLite file
        if given.postgres:
            server = Postgres()
            stack.callback(server.close)
            database = server.database
        asyncio.run(bench(given.rounds, given.requests, given.entries, database))


if __name__ == "__main__":
    main()
