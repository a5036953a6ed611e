"""How long a new process takes to go on with the stories that wait, and its memory.

A thousand requests wait for approval, the bot is killed and started again. Run it with
``python -m tests.bench.resume [--stories 1000] [--postgres]``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from bot.ledger.schema import url_of
from bot.slack.messages.approval import APPROVE
from tests.support.postgres import postgres
from tests.support.processes import Running, Site, until

AT_ONCE = 8
PATIENCE_S = 240.0
RESTING = 0.1  # of a core


async def waiting(site: Site, names: list[str]) -> None:
    """Let every instance wait for approval."""
    slots = asyncio.Semaphore(AT_ONCE)
    refused: Counter[str] = Counter()

    async def ask(name: str) -> None:
        async with slots:
            while "Recorded" not in (delivery := await site.ask(name)).text:
                refused[delivery.text or delivery.error] += 1

    await asyncio.gather(*map(ask, names))
    for sentence, times in refused.items():
        print(f"  asked again {times} times: {sentence!r}")
    await until(lambda: posted(site.running[0]) == len(names), PATIENCE_S)


def posted(running: Running) -> int:
    """Return how many stories have posted their card and wait."""
    return sum('"step": "card"' in word for word in running.words)


def resumed(database: str, since: float) -> int:
    """Return how many stories were begun anew after *since* (POSIX seconds)."""
    engine = sa.create_engine(url_of(database))
    schema = "dbos." if engine.dialect.name == "postgresql" else ""
    query = sa.text(
        f"SELECT count(*) FROM {schema}workflow_status"  # noqa: S608 - no foreign text
        " WHERE status = 'PENDING' AND started_at_epoch_ms >= :since"
    )
    with engine.connect() as connection:
        count = connection.scalar(query, {"since": since * 1000})
    engine.dispose()
    return int(count or 0)


def megabytes(running: Running) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def processor_s(running: Running) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def at_rest(running: Running) -> None:
    """Return when a process has nothing to do for a second but to wait."""
    before, used = 0.0, 1.0
    while used - before > RESTING:
        before = processor_s(running)
        await asyncio.sleep(1.0)
        used = processor_s(running)


async def run(stories: int, folder: Path, database: str) -> None:
    """Play it and print the figures."""
    names = [f"gated-{number:05}" for number in range(stories)]
    async with Site(folder, database=database, names=names) as site:
        first = await site.start()
        print(f"memory without stories    {megabytes(first):.0f} MB")
        began = time.time()
        await waiting(site, names)
        print(f"asked and waiting after   {time.time() - began:.1f} s")
        print(f"memory while they wait    {megabytes(first):.0f} MB")
        await first.kill()
        began = time.time()
        second = await site.start()
        print(f"serves again after        {time.time() - began:.1f} s")
        await until(
            lambda: resumed(site.database, began) == stories, PATIENCE_S, "resumed"
        )
        print(f"all taken up after        {time.time() - began:.1f} s")
        await at_rest(second)
        print(f"all wait again after      {time.time() - began:.1f} s")
        print(f"memory then               {megabytes(second):.0f} MB")
        before = processor_s(second)
        await asyncio.sleep(10.0)
        print(f"processor while they wait {(processor_s(second) - before) * 10:.0f} %")
        began = time.time()
        (card,) = site.open_cards()[:1]
        assert (await site.slack.click("bob", card, APPROVE)).ok
        await until(lambda: sum(map(site.posts, names)), PATIENCE_S)
        print(f"click to restart call     {time.time() - began:.2f} s")


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=1000)
    parser.add_argument("--postgres", action="store_true")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres()) if args.postgres else None
        database = server.database() if server else ""
        asyncio.run(run(args.stories, folder, database))


if __name__ == "__main__":
    main()
