"""What somebody may rely on who types the commands, and pipes what they print."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from bot.demo.slack_server import LocalSlack
from bot.ledger import Entry, Ledger
from tests.support.processes import typed

pytestmark = pytest.mark.process

RULES = """
[[rules]]
name = "on call"
who = ["@ml-oncall"]
instances = ["trainer-*"]
"""
FILE = """
database = "sqlite:///{folder}/bot.db"
[slack]
api_url = "{api_url}"
[cloud]
iam_url = "http://127.0.0.1:9/v3"
modelarts_url = "http://127.0.0.1:9"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[projects.ml-prod.instances]
trainer-7 = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration, in which no bot has run."""
    text = FILE.format(folder=tmp_path, api_url="http://127.0.0.1:9/api/")
    (tmp_path / "mlstudio-bot.toml").write_text(text + RULES, "utf-8")
    return tmp_path


# --- where the output goes -----------------------------------------------------------

PRINTING = [
    ("--help",),
    ("--version",),
    ("assets", "dashboard.json"),
    ("init",),
    ("check", "--offline"),
    ("history",),
    ("demo", "--once", "/mlstudio help"),
]


@pytest.mark.parametrize("words", PRINTING, ids=lambda words: words[0])
async def test_an_output_that_takes_no_more(folder, words):
    """A full disk is exit 1 and one sentence; a reader who has left is exit 1 and no
    word; that stderr is full, too, changes neither.
    """
    ledger = Ledger(f"sqlite:///{folder}/bot.db")
    ledger.open()
    await ledger.note(Entry(kind="refused", team_id="T0", user_id="U0ANN"))
    ledger.close()
    reader, left = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    at_once = {"PYTHONUNBUFFERED": "1"}

    on_full, at_once_on_full, on_left, at_once_on_left, on_both = await asyncio.gather(
        typed(folder, *words, *_own(words, 1), out=full),
        typed(folder, *words, *_own(words, 2), out=full, **at_once),
        typed(folder, *words, *_own(words, 3), out=left),
        typed(folder, *words, *_own(words, 4), out=left, **at_once),
        typed(folder, *words, *_own(words, 5), out=full, err=full),
    )

    sentence = "mlstudio-bot: the output cannot be written: No space left on device\n"
    assert on_full == at_once_on_full == (1, "", sentence)
    assert on_left == at_once_on_left == (1, "", "")
    assert on_both[0] == 1
    os.close(left)
    os.close(full)


def _own(words: tuple[str, ...], run: int) -> tuple[str, ...]:
    """Return the file that one *run* of ``init`` writes."""
    return (f"new-{run}.toml",) if words == ("init",) else ()


# --- explain -------------------------------------------------------------------------


async def test_explain_needs_what_it_uses_only(folder):
    """Before the first start, and with the bot token alone, ``explain`` decides; it
    says what it did without, makes no database, and asks no cloud.
    """
    async with LocalSlack() as slack:
        text = FILE.format(folder=folder, api_url=slack.api_url)
        (folder / "mlstudio-bot.toml").write_text(text + RULES, "utf-8")
        words = ("explain", "U0ANN", "ml-prod", "trainer-7")
        code, said, notes = await typed(folder, *words, SLACK_BOT_TOKEN=slack.bot_token)

    assert code == 0, notes
    assert said.startswith("U0ANN may restart trainer-7 in ml-prod (allow).")
    assert "no cooldown was looked up: there is no database at" in notes
    assert "the cloud was not asked" in notes
    assert not (folder / "bot.db").exists()
    code, said, wrong = await typed(folder, *words)
    assert (code, said) == (2, "")
    assert wrong.startswith("mlstudio-bot: SLACK_BOT_TOKEN: is missing")
    assert wrong.count("\n") == 1


@pytest.mark.parametrize("channel", ["incidents", "#incidents", "U0ANN", ""])
async def test_explain_asks_about_a_channel(folder, channel):
    """What is no channel's id is refused: no rule could ever hold there."""
    asked = ("explain", "U0ANN", "ml-prod", "trainer-7", "--channel", channel)

    code, said, wrong = await typed(folder, *asked, SLACK_BOT_TOKEN="xoxb-1-a")

    assert (code, said) == (2, "")
    assert f"“{channel}” is not the id of a channel (C…)" in wrong


# --- history -------------------------------------------------------------------------


async def test_history_of_a_name_that_nobody_knows(folder):
    """A misspelt project or instance is no empty history: it is asked whether a near
    one was meant; what is on record under an old name is found.
    """
    ledger = Ledger(f"sqlite:///{folder}/bot.db")
    ledger.open()
    old = Entry(kind="refused", team_id="T0", user_id="U0", project="ml-gone")
    await ledger.note(old)
    ledger.close()

    project, instance, gone, known, by_id = await asyncio.gather(
        typed(folder, "history", "--project", "ml-prd", "--json"),
        typed(folder, "history", "--project", "ml-prod", "--instance", "trainer7"),
        typed(folder, "history", "--project", "ml-gone"),
        typed(folder, "history", "--project", "ml-prod"),
        typed(folder, "history", "--instance", "47cf4ff3-0c59-44fe-9821-2840a34c02a0"),
    )

    said = 'mlstudio-bot: There is no project "ml-prd". Did you mean "ml-prod"?\n'
    assert project == (2, "", said)
    assert instance[0] == 2
    assert 'no instance "trainer7" in ml-prod. Did you mean "trainer-7"?' in instance[2]
    assert gone[0] == 0
    assert "ml-gone" in gone[1]
    for code, said, _ in (known, by_id):
        assert (code, said) == (0, "Nothing on record in the last 7d.\n")
