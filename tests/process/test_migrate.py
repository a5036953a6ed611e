"""Who begins with a SQLite file and wants replicas takes all along that is known."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from bot.cli.migrate import migrate
from bot.config import load_settings
from bot.errors import BotError, ConfigError
from bot.model import State
from tests.support.postgres import Postgres
from tests.support.processes import Running, Site, until

pytestmark = [pytest.mark.process, pytest.mark.postgres]


async def stopped(bot: Running) -> None:
    bot.send(signal.SIGTERM)
    assert await bot.ended() == 0


async def test_what_has_not_ended_ends_on_the_new_database(
    tmp_path: Path, server: Postgres
) -> None:
    """A restart under way and a request that waits for approval are told to their end
    after the move, nothing is sent twice, and the trail is whole; a bot that still runs
    is refused, and so is a database in which one has.
    """
    async with Site(tmp_path) as site:
        bot = await site.start()
        begun = time.time()
        under_way, waits = await asyncio.gather(
            site.ask("trainer-7"), site.ask("gated-1")
        )
        await site.seen_rebooting("trainer-7", begun)
        await until(site.open_cards, what="the card")
        settings, url = load_settings(site.config), server.database()
        with pytest.raises(ConfigError, match="stop it first"):
            await migrate(settings, url)
        await stopped(bot)

        done = await migrate(settings, url)

        assert done.proof.flaws == []
        assert done.unfinished == 2
        assert done.rows["mlstudio_requests"] == 2
        with pytest.raises(BotError, match="is not empty"):
            await migrate(settings, url)
        site.database = url
        site.config.write_text(site._settings(), "utf-8")
        bot = await site.start()
        site.finish_reboot("trainer-7")
        assert (await site.told(under_way)).state is State.READY
        begun = time.time()
        await site.approve()
        await site.seen_rebooting("gated-1", begun)
        site.finish_reboot("gated-1")
        assert (await site.told(waits)).state is State.READY
        assert (site.posts("trainer-7"), site.posts("gated-1")) == (1, 1)
        await stopped(bot)
        assert (await site.ledger.prove()).flaws == []
