"""Time that passes, or is put back, and a bot that is stopped and started again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from bot.app import Bot
from bot.config import load
from tests.support.bot_world import Bench, _secrets
from tests.support.ledger_world import database

TIMES = ("asked_at", "changed_at", "sent_at")


def at_the_next_post(bench: Bench, act: Callable[[], object]) -> None:
    """Let something happen in the very moment when Slack is sent the next message."""
    done: list[object] = []

    def meets(_: object) -> bool:
        if not done:
            done.append(act)
            act()
        return False  # nothing else goes wrong

    bench.slack.fail("chat.postMessage", count=None, only=meets)


def left_alone_with(bench: Bench, group: str, *users: str) -> None:
    """Let a user group have only these members; Slack sends no event."""
    groups = bench.slack.directory.groups
    old = bench.slack.directory.group(group)
    groups[old.id] = replace(old, users=users)


def passed(bench: Bench, seconds: float) -> None:
    """Let all that is on record have happened so much earlier.

    Fewer than no seconds are those by which the host's clock was put back.
    """
    with database(bench.path.parent / "bot.db") as file:
        written = file.execute("SELECT id, request FROM mlstudio_requests").fetchall()
        for request_id, text in written:
            request = json.loads(text)
            asked_at = datetime.fromisoformat(request["asked_at"])
            request["asked_at"] = (asked_at - timedelta(seconds=seconds)).isoformat()
            earlier = ", ".join(f"{name} = {name} - ?" for name in TIMES)
            file.execute(
                f"UPDATE mlstudio_requests SET request = ?, {earlier} WHERE id = ?",  # noqa: S608
                [json.dumps(request), *[seconds] * len(TIMES), request_id],
            )


async def stopped(bench: Bench) -> None:
    """Stop the bot as SIGTERM does; both far sides stay as they are."""
    bench.bot.stop()
    await bench.running
    # The engine lends its threads to the loop and takes them along.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


@asynccontextmanager
async def second_life(bench: Bench) -> AsyncIterator[Bot]:
    """Run another bot on the same file and database, after the first one's end."""
    known = _secrets(bench.slack, bench.cloud)
    settings, secrets = load(bench.path, known)
    bot = Bot(settings, secrets, path=bench.path, environ=known, poll_s=0.01)
    running = asyncio.create_task(bot.run())
    ready = asyncio.create_task(bot.ready.wait())
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if running.done():
            await running
        yield bot
    finally:
        ready.cancel()
        bot.stop()
        await running
