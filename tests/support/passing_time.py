"""Time that passes, or is put back, and a bot that is stopped and started again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from bot.app import Bot
from bot.config import load
from tests.support.bot_world import Bench, _secrets
from tests.support.ledger_world import database

TIMES = ("asked_at", "changed_at", "sent_at")


def passed(bench: Bench, request_id: str, seconds: float) -> None:
    """Let all that is on record of a request have happened so much earlier.

    Fewer than no seconds are those by which the host's clock was put back.
    """
    with database(bench.path.parent / "bot.db") as file:
        query = "SELECT request FROM mlstudio_requests WHERE id = ?"
        (written,) = file.execute(query, [request_id]).fetchone()
        request = json.loads(written)
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
