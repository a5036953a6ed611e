"""What ``history --verify`` proves, what it finds, and what it says it cannot prove."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import verify
from bot.cli.main import cli
from bot.config import load_settings
from bot.ledger import Ledger, audit
from bot.model import Request, State
from tests.support.ledger_world import (
    NOON,
    ONE,
    Clock,
    asking,
    brought,
    database,
    lines,
    opened,
    trail_of,
)

SETTINGS = """
database = "sqlite:///{path}"
[cloud]
iam_url = "https://iam.eu-de.otc.t-systems.com/v3"
modelarts_url = "https://modelarts.eu-de.otc.t-systems.com"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger's file is."""
    return tmp_path / "bot.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """Return a ledger in an empty file, whose clock moves when a test moves it."""
    one = opened(path, now=Clock())
    yield one
    one.close()


@pytest.fixture
async def sent(ledger: Ledger) -> Request:
    """Return a request whose restart was sent, accepted, and ended well."""
    request = asking("sent", approval=ONE)
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "a life")
    await ledger.answered(request.id, "accepted")
    await ledger.move(request.id, State.READY)
    return request


async def history(path: Path, *options: str) -> tuple[int, str]:
    """Return exit code and output of ``mlstudio-bot history``."""
    config = path.with_name("mlstudio-bot.toml")
    config.write_text(SETTINGS.format(path=path), encoding="utf-8")
    command = ["history", "--config", str(config), *options]
    result = await asyncio.to_thread(CliRunner().invoke, cli, command)
    return result.exit_code, result.stdout


# --- trail and requests ---------------------------------------------------------------


@pytest.mark.parametrize("state", State)
async def test_an_honest_record_agrees_with_the_trail(ledger, state):
    """However a request has ended, or not yet, its record is what the trail tells."""
    approval = None if state is State.REFUSED else ONE
    await brought(ledger, asking("one", approval=approval), state)
    proof = await ledger.prove()
    assert proof.flaws == []
    assert proof.requests == 1


async def test_a_call_that_was_not_made_agrees_with_the_trail(ledger):
    """A claim that was given back is none, and one that was taken again is one."""
    request = asking("busy")
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "a life")
    await ledger.give_back_send(request.id, "a life", "429")
    assert await ledger.verify() == []
    ledger.database.now.ahead(minutes=3)
    await ledger.take_send(request.id, "a life")
    assert await ledger.verify() == []


@pytest.mark.parametrize("kept", range(8))
async def test_a_cut_end_shows_in_what_was_requested(ledger, path, sent, kept):
    """What the trail no longer tells of a request, its record still does."""
    assert len(await trail_of(ledger)) == 8
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq > ?", [kept])

    flaws = await ledger.verify()

    assert flaws
    assert all("request sent" in flaw for flaw in flaws)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'denied'",
        "user_id = 'U0EVE'",
        "answered = 'lost'",
        "answered = ''",
        "sent_at = NULL, sent_by = ''",
        "sent_at = sent_at - 3600",
        "request = replace(request, 'ml-prod', 'ml-else')",
        'request = replace(request, \'"instance_id": "ID\', \'"instance_id": "XX\')',
    ],
)
async def test_a_changed_request_is_found(ledger, path, sent, change):
    """Who asked, what for, how far it came and when it was sent cannot be changed."""
    with database(path) as file:
        file.execute(f"UPDATE mlstudio_requests SET {change}")  # noqa: S608

    flaws = await ledger.verify()

    assert flaws
    assert all("request sent" in flaw for flaw in flaws)


async def test_a_request_that_was_removed_is_found(ledger, path, sent):
    """The trail tells of it, so it has been there."""
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_requests")

    (flaw,) = await ledger.verify()

    assert flaw == "request sent is missing, of which entry 8 tells"


async def test_each_request_is_compared_with_its_own_entries(ledger, path):
    """Wherever in their order one is missing on either side, or stands elsewhere."""
    for name in ("Z", "a", "b", "c", "d", "f", "é"):
        await brought(ledger, asking(name), State.CANCELLED)
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_requests WHERE id IN ('Z', 'c', 'é')")
        file.execute("UPDATE mlstudio_requests SET id = 'e' WHERE id = 'd'")
        file.execute("UPDATE mlstudio_requests SET user_id = 'U0EVE' WHERE id = 'b'")

        file.execute("UPDATE mlstudio_requests SET id = x'01' WHERE id = 'f'")

    flaws = await ledger.verify()

    assert [flaw.split(",")[0].split(":")[0] for flaw in flaws] == [
        "request Z is missing",
        "request b",
        "request c is missing",
        "request d is missing",
        "the trail says nothing of request e",
        "request f is missing",
        "request é is missing",
        r"the trail says nothing of request b'\x01'",
    ]


async def test_clicks_on_what_never_was_are_no_flaw(ledger):
    """An entry may name a request that there is none of: a click can hold anything."""
    await ledger.note(audit.Entry(kind="unknown click", request_id="nowhere"))
    assert await ledger.verify() == []


async def test_a_running_bot_is_no_flaw(ledger):
    """What is written meanwhile does not show: both are read as of one moment."""

    async def work() -> None:
        for _ in range(20):
            await brought(ledger, asking(approval=ONE), State.READY)

    working = asyncio.create_task(work())
    looks = 0
    while not working.done():
        assert await ledger.verify() == []
        looks += 1
    await working
    assert looks > 1


# --- what is said ---------------------------------------------------------------------


async def test_it_says_what_is_proven_and_what_is_not(path, sent):
    """Which entries, how new, how many requests; and that the end may be cut off."""
    code, out = await history(path, "--verify")

    assert code == 0
    whole, agreed, not_proven = out.splitlines()
    assert whole.startswith("✓ from entry 1 to 8 nothing is missing, changed or moved;")
    assert f"newest {NOON:%Y-%m-%d %H:%M:%S}" in whole
    assert agreed.startswith("✓ the requests (1) ")
    assert not_proven.startswith("– not proven: ")
    assert "cut off" in not_proven


async def test_an_empty_trail_proves_nothing(ledger, path):
    """There is no ✓ where there is nothing."""
    code, out = await history(path, "--verify")
    assert (code, "✓" in out) == (0, False)
    assert "the trail is empty" in out


async def test_an_emptied_trail_is_found(path, sent):
    """Requests without any trail are an ✗."""
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail")
    code, out = await history(path, "--verify")
    assert code == 1
    assert "✗ the trail says nothing of request sent\n" in out
    assert "The trail has no entries." in out


async def test_machines_get_json(ledger, path, sent):
    """``--verify --json`` holds all of it, and exits as ``--verify`` does."""
    code, out = await history(path, "--verify", "--json")
    proof = json.loads(out)
    assert code == 0
    assert proof.pop("newest_hash") == (await ledger.newest_hash())[1]
    assert proof == {
        "whole": True,
        "entries": 8,
        "first": 1,
        "last": 8,
        "oldest_at": "2025-03-01T12:00:00.000+00:00",
        "newest_at": "2025-03-01T12:00:00.000+00:00",
        "requests": 1,
        "flaws": [],
    }
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq = 3")
    code, out = await history(path, "--verify", "--json")
    proof = json.loads(out)
    assert (code, proof["whole"]) == (1, False)
    assert "entry 3 is missing" in proof["flaws"]


async def test_a_long_proof_shows_how_far_it_is(ledger, path, monkeypatch, capsys):
    """On a terminal, on one line that is gone before it says what it has proven."""
    monkeypatch.setattr("bot.cli.progress._is_terminal", lambda *_: True)
    monkeypatch.setattr("bot.cli.progress._COUNTED", 10)
    await lines(ledger, 23)
    settings = path.with_name("mlstudio-bot.toml")
    settings.write_text(SETTINGS.format(path=path), encoding="utf-8")

    proof = await verify.proven(load_settings(settings, {}))

    told = capsys.readouterr().err.split("\r\x1b[K")
    assert proof.entries == 23
    assert told == [
        "",
        "… 10 of 23 entries",
        "… 20 of 23 entries",
        "… comparing the requests with them",
        "",
    ]


async def test_a_long_history_is_read_a_page_at_a_time(ledger, path, monkeypatch):
    """Nothing is lost or doubled between the pages, and nothing is read all at once."""
    await lines(ledger, 23)
    monkeypatch.setattr(audit, "ENTRIES_A_PAGE", 5)
    read: list[int | None] = []
    whole = audit.entries

    async def counted(*args, limit=None, **more):
        read.append(limit)
        return await whole(*args, limit=limit, **more)

    monkeypatch.setattr(audit, "entries", counted)
    code, out = await history(path, "--since", "99999d")

    assert code == 0
    said = [line.rsplit("line ", 1)[1] for line in out.splitlines()]
    assert said == [str(number) for number in range(23, 0, -1)]
    assert read == [5] * 5
