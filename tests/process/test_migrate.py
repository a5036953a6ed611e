"""Who begins with a SQLite file and wants replicas takes all along that is known.

As the operator's manual has it: its statements for the DBA, its command, its backup.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psycopg
import pytest

from bot.cli.migrate import migrate
from bot.config import load_settings
from bot.errors import BotError, ConfigError
from bot.ledger import Ledger
from bot.model import State
from tests.support.command_line import typed
from tests.support.manual import blocks
from tests.support.postgres import Postgres
from tests.support.processes import Running, Site, until

pytestmark = [pytest.mark.process, pytest.mark.postgres]

ADDRESS = "postgresql://mlstudio@postgres/mlstudio"  # in the manual


def as_the_manual_says(server: Postgres, name: str) -> str:
    """Let a DBA make role and database *name*, and return the bot's address."""
    (sql,) = blocks("sql")
    before, after = sql.replace("mlstudio", name).split(f"\\c {name}\n")
    url = server.database()
    own = url.replace(urlsplit(url).path, f"/{name}")
    for where, statements in ((url, before), (own, after)):
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in filter(str.strip, statements.split(";")):
                connection.execute(statement.encode())
    return own.replace("postgres@", f"{name}@")


def backed_up_and_restored(server: Postgres, url: str, name: str, folder: Path) -> str:
    """Follow the manual's backup of PostgreSQL, and return the restored one's URL."""
    lines = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith(("pg_dump", "createdb", "pg_restore"))
    ]
    assert len(lines) == 3
    text = "\n".join(lines).replace(ADDRESS, f"'{url}'")
    text = text.replace("mlstudio_restored", f"{name}_restored")
    text = text.replace("=mlstudio ", f"={name} ")
    subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={
            "PATH": f"{server.programs}:{os.environ['PATH']}",
            "PGHOST": parse_qs(urlsplit(url).query)["host"][0],
            "PGUSER": "postgres",
        },
        check=True,
        timeout=60,
    )
    return url.replace(f"/{name}?", f"/{name}_restored?")


async def stopped(bot: Running) -> None:
    bot.send(signal.SIGTERM)
    assert await bot.ended() == 0


async def test_what_has_not_ended_ends_on_the_new_database(
    tmp_path: Path, server: Postgres
) -> None:
    """A restart under way and a request that waits for approval are told to their end
    after the move, nothing is sent twice, and the trail is whole, there and in a backup
    of it; a bot that still runs is refused, and so is a database in which one has.
    """
    name = f"m{uuid4().hex[:8]}"
    async with Site(tmp_path) as site:
        bot = await site.start()
        begun = time.time()
        under_way, waits = await asyncio.gather(
            site.ask("trainer-7"), site.ask("gated-1")
        )
        await site.seen_rebooting("trainer-7", begun)
        await until(site.open_cards, what="the card")
        settings, url = load_settings(site.config), as_the_manual_says(server, name)
        with pytest.raises(ConfigError, match="stop it first"):
            await migrate(settings, url)
        await stopped(bot)

        assert f"mlbot migrate {ADDRESS}\n" in "".join(blocks("sh"))
        config = ("--config", str(site.config))
        done = await asyncio.to_thread(typed, "migrate", url, *config)

        assert done.code == 0, done.err
        assert "✓ the trail is whole" in done.out
        assert "not ended yet: 2" in done.out
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
        proof = await site.ledger.prove()
    assert proof.flaws == []
    restored = Ledger(backed_up_and_restored(server, url, name, tmp_path))
    assert await restored.prove() == proof
    restored.close()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("sqlite:///other.db", 'must be "postgresql://user@host/database"'),
        ("postgres://u@h/d", "begins with postgres://"),
        ("postgresql://u:planted@h/d", "must not hold a password"),
        ("other", "must be"),
    ],
)
def test_an_address_that_cannot_be_it(tmp_path: Path, target: str, said: str) -> None:
    """What is no address of a PostgreSQL, or shows a password to all who list
    processes, is wrong usage, and nothing of it is repeated.
    """
    config = tmp_path / "bot.toml"
    text = f'database = "sqlite:///{tmp_path}/bot.db"\n[cloud]\n'
    text += 'iam_url = "https://iam.example.com/v3"\n'
    text += 'modelarts_url = "https://m.example.com"\n[projects.p]\nid = "0a"\n'
    config.write_text(text, "utf-8")
    (tmp_path / "bot.db").touch()

    done = typed("migrate", target, "--config", str(config))

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "planted" not in done.err
