"""What the bot writes is for itself; what others can read of its own is pointed out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.cli.check import check_file
from bot.ledger import Ledger
from tests.support.bot_world import Bench

ALL = 0o022  # the usual umask lets everybody read


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(ALL)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    files = [*folder.glob("bot.db*")]
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in files}


async def test_the_database_and_what_lies_beside_it_are_the_bots_alone(
    make_bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new database, its side files and its lock can be read by their owner alone."""
    monkeypatch.setattr(Path, "write_bytes", lambda *_: None)  # the bot makes it itself
    bench: Bench = await make_bench()
    await bench.ask("history")

    made = modes(bench.path.parent)

    assert {"bot.db", "bot.db-wal", "bot.db-shm", "bot.db.lock"} <= made.keys()
    assert set(made.values()) == {0o600}


def test_who_opens_a_new_database_makes_it_private(tmp_path: Path) -> None:
    """Whatever opens the record first, nobody else can read it."""
    ledger = Ledger(f"sqlite:///{tmp_path}/bot.db")
    ledger.open()
    assert set(modes(tmp_path).values()) == {0o600}
    ledger.close()


async def test_check_points_out_what_others_can_read(bench: Bench) -> None:
    """A database of before, and a secret's file, that every user can read are named,
    with the command that mends it; private ones are not.
    """
    folder = bench.path.parent
    (folder / "bot.db").chmod(0o644)
    token, password = folder / "token", folder / "password"
    token.write_text("xoxb-1-2-abcdefghijkl")
    password.write_text("x")
    token.chmod(0o644)
    password.chmod(0o600)
    environ = {"SLACK_BOT_TOKEN_FILE": f"{token}", "OS_PASSWORD_FILE": f"{password}"}

    found = check_file(bench.path, environ, offline=False)
    lines = [str(one) async for one in found]

    told = [line for line in lines if "chmod 600" in line]
    assert [line.partition(" ")[0] for line in told] == ["✓", "✓"]
    assert any("SLACK_BOT_TOKEN is set; but every user here" in line for line in told)
    assert any(f"chmod 600 {folder}/bot.db" in line for line in told)
    assert "OS_PASSWORD" not in "".join(told)
