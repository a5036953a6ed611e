"""The audit trail: nothing happens without it, and nobody changes it unseen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from bot.app.maintenance import HASH_EVERY_S, Maintenance
from bot.cli.main import cli
from bot.errors import LedgerError
from bot.ledger import Entry, Ledger
from bot.ledger.schema import trail
from bot.model import Request, State
from bot.restarts.approval import Approvals
from bot.restarts.services import Services
from bot.telemetry.metrics import Metrics
from tests.support.ledger_world import (
    ANN,
    HOME,
    LEA,
    LONG_AGO,
    ONE,
    TWO,
    Clock,
    asking,
    boxed,
    brought,
    database,
    lines,
    opened,
    together,
    trail_of,
)

FULL = """CREATE TRIGGER full BEFORE INSERT ON mlstudio_trail
BEGIN SELECT RAISE(ABORT, 'no more entries'); END"""
GONE = "ALTER TABLE mlstudio_trail RENAME TO elsewhere"
SETTINGS = """
database = "sqlite:///{path}"
[cloud]
iam_url = "https://iam.eu-de.otc.t-systems.com/v3"
modelarts_url = "https://modelarts.eu-de.otc.t-systems.com"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
"""


@pytest.fixture
def clock() -> Clock:
    """Return the ledger's clock."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger's file is."""
    return tmp_path / "bot.db"


@pytest.fixture
def ledger(path: Path, clock: Clock) -> Iterator[Ledger]:
    """Return a ledger in an empty file."""
    one = opened(path, now=clock)
    yield one
    one.close()


# --- whole, or found out --------------------------------------------------------------


async def test_an_untouched_trail_is_whole(ledger, clock):
    """A trail of whole stories has no flaw, and grows by one each time."""
    assert await ledger.verify() == []
    assert await ledger.newest_hash() == (0, "")
    await brought(ledger, asking(approval=TWO), State.READY)
    await ledger.record(asking(), refusal="no")
    clock.ahead(hours=-1)  # clocks may be set back; the chain does not mind
    newest = await ledger.note(Entry(kind="note", detail="“ü” \N{BELL}\x00\n∞"))

    assert await ledger.verify() == []
    seqs = [entry["seq"] for entry in await trail_of(ledger)]
    assert seqs == list(range(1, len(seqs) + 1))
    assert await ledger.newest_hash() == (len(seqs), newest)


@pytest.mark.parametrize("column", [c.name for c in trail.c if c.name != "seq"])
@pytest.mark.parametrize("number", [1, 4, 6])
async def test_a_changed_entry_is_found(ledger, path, column, number):
    """Whatever is changed of an entry, the first, the last or between, is found."""
    await lines(ledger)
    with database(path) as file:
        file.execute(
            f"UPDATE mlstudio_trail SET {column} = 'x' WHERE seq = ?",  # noqa: S608
            [number],
        )

    flaws = await ledger.verify()

    assert any(f"entry {number} " in flaw for flaw in flaws)


@pytest.mark.parametrize(
    ("gone", "flaw"),
    [
        ("seq = 1", "entry 1 is missing"),
        ("seq = 3", "entry 3 is missing"),
        ("seq BETWEEN 2 AND 4", "entries 2 to 4 are missing"),
    ],
)
async def test_missing_entries_are_found(ledger, path, gone, flaw):
    """What was cut out, from the beginning or the middle, is named by its numbers."""
    await lines(ledger)
    with database(path) as file:
        file.execute(f"DELETE FROM mlstudio_trail WHERE {gone}")  # noqa: S608

    assert await ledger.verify() == [flaw]


async def test_a_cut_that_was_closed_up_is_found(ledger, path):
    """Numbering the rest anew does not hide what was cut from the middle."""
    await lines(ledger)
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq = 3")
        file.execute("UPDATE mlstudio_trail SET seq = seq - 1 WHERE seq > 3")

    flaws = await ledger.verify()

    assert flaws[0] == "entry 3 does not follow the one before it"
    assert any("entry 3 " in flaw and "was changed" in flaw for flaw in flaws)


async def test_reordered_entries_are_found(ledger, path):
    """Two entries that have changed places are both named."""
    await lines(ledger)
    with database(path) as file:
        file.executescript(
            "UPDATE mlstudio_trail SET seq = 99 WHERE seq = 2;"
            "UPDATE mlstudio_trail SET seq = 2 WHERE seq = 4;"
            "UPDATE mlstudio_trail SET seq = 4 WHERE seq = 99;"
        )

    flaws = await ledger.verify()

    for number in (2, 4):
        assert any(f"entry {number} " in flaw for flaw in flaws)


async def test_an_invented_entry_is_found(ledger, path):
    """An entry that the bot has not written does not fit into the chain."""
    await lines(ledger, 2)
    with database(path) as file:
        file.execute(
            "INSERT INTO mlstudio_trail SELECT 3, at, 'approval', request_id, team_id,"
            " 'U0EVE', project, instance, instance_id, rule, rule_version, detail, ref,"
            " digest, hash, hash FROM mlstudio_trail WHERE seq = 2"
        )

    (flaw,) = await ledger.verify()

    assert flaw.startswith("entry 3 ")
    assert flaw.endswith("was changed")


async def test_a_cut_at_the_end_shows_in_the_newest_hash(ledger, path):
    """The chain cannot miss what came last, so the log keeps its number and hash."""
    await lines(ledger)
    logged = await ledger.newest_hash()
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq > 4")

    assert await ledger.verify() == []
    assert await ledger.newest_hash() != logged


async def test_two_replicas_write_one_chain(ledger, path, clock):
    """Entries of two ledgers at the same time follow each other without a gap."""
    other = Ledger(f"sqlite:///{path}", now=clock)

    hashes = await together(
        *(to.note(Entry(kind=f"{n}")) for n, to in enumerate([ledger, other] * 20))
    )

    other.close()
    assert len(set(hashes)) == 40
    assert await ledger.verify() == []
    assert (await ledger.newest_hash())[0] == 40


# --- no act without it ----------------------------------------------------------------


Act = Callable[[Ledger, Request], Awaitable[Any]]
ACTS: dict[str, tuple[State, Act]] = {
    "ask": (State.ASKED, lambda to, _: to.record(asking("new"))),
    "refuse": (State.ASKED, lambda to, _: to.record(asking("new"), refusal="no")),
    "wait": (State.ASKED, lambda to, one: to.move(one.id, State.PENDING)),
    "join": (State.ASKED, lambda to, one: to.join(one.id, "host")),
    "approve": (State.PENDING, lambda to, one: to.vote(one.id, LEA, approve=True)),
    "deny": (State.PENDING, lambda to, one: to.vote(one.id, LEA, approve=False)),
    "expire": (State.PENDING, lambda to, one: to.move(one.id, State.EXPIRED)),
    "cancel": (State.PENDING, lambda to, one: to.move(one.id, State.CANCELLED, by=ANN)),
    "restart": (State.APPROVED, lambda to, one: to.move(one.id, State.RESTARTING)),
    "claim": (State.RESTARTING, lambda to, one: to.take_send(one.id, "life")),
    "answer": (State.RESTARTING, lambda to, one: to.answered(one.id, "accepted")),
    "end": (State.RESTARTING, lambda to, one: to.move(one.id, State.READY)),
}


@pytest.mark.parametrize("trouble", [FULL, GONE], ids=["full", "gone"])
@pytest.mark.parametrize("name", ACTS)
async def test_what_cannot_be_put_on_trail_is_not_done(ledger, path, name, trouble):
    """Where the entry cannot be written, the request stays as it was, word for word."""
    state, act = ACTS[name]
    await brought(ledger, asking("host"), State.RESTARTING)
    request = asking(approval=ONE)
    await brought(ledger, request, state)
    before = _whole(path)
    with database(path) as file:
        file.execute(trouble)

    with pytest.raises(LedgerError):
        await act(ledger, request)

    assert _whole(path) == before


async def test_a_claim_that_cannot_be_given_back_on_trail_stays(ledger, path):
    """Without its entry a claim stays taken: nothing can be sent twice by that."""
    request = asking()
    await brought(ledger, request, State.RESTARTING)
    await ledger.take_send(request.id, "life")
    with database(path) as file:
        file.execute(FULL)

    with pytest.raises(LedgerError):
        await ledger.give_back_send(request.id, "life", "busy")

    assert not await ledger.take_send(request.id, "life 2")


async def test_a_reason_that_cannot_be_put_on_trail_is_not_kept(ledger, path):
    """The reason of a denial changes the record and the trail, or neither."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    await ledger.vote(request.id, LEA, approve=False)
    before = _whole(path)
    with database(path) as file:
        file.execute(FULL)

    with pytest.raises(LedgerError):
        await ledger.explain_denial(request.id, LEA, "a run is on")

    assert _whole(path) == before


def _whole(path: Path) -> list[Any]:
    """Return all requests and votes as they stand in the file."""
    with database(path) as file:
        return [
            file.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
            for table in ("mlstudio_requests", "mlstudio_votes")
        ]


# --- reading it -----------------------------------------------------------------------


async def test_the_trail_can_be_narrowed(ledger, clock):
    """By time, by project, and by instance under any of its names; newest first."""
    one, dev = asking(target=boxed(1)), asking(target=boxed(2, "ml-dev"))
    await ledger.record(one)
    clock.ahead(hours=1)
    await ledger.record(dev)
    await ledger.move(dev.id, State.RESTARTING)

    async def found(since: Any = LONG_AGO, **only: str) -> list[tuple[str, str]]:
        entries = await ledger.entries(since=since, **only)
        return [(entry["instance"], entry["kind"]) for entry in entries]

    old, new = ("box-1", "asked"), [("box-2", "restarting"), ("box-2", "asked")]
    assert await found() == [*new, old]
    assert await found(clock()) == new
    assert await found(clock() + timedelta(seconds=1)) == []
    assert await found(project="ml-prod") == await found(instance="box-1") == [old]
    assert await found(instance="id-00000001") == [old]
    assert await found(project="ml-dev", instance="box-1") == []


@pytest.fixture
def config(path: Path, tmp_path: Path) -> Path:
    """Return a configuration file that names the ledger's file."""
    file = tmp_path / "mlstudio-bot.toml"
    file.write_text(SETTINGS.format(path=path), encoding="utf-8")
    return file


def history(config: Path, *options: str) -> tuple[int, str]:
    """Return exit code and output of ``mlstudio-bot history``."""
    command = ["history", "--config", str(config), "--since", "99999d", *options]
    result = CliRunner().invoke(cli, command)
    return result.exit_code, result.stdout


@pytest.fixture
async def stories(ledger: Ledger) -> Ledger:
    """Return a ledger with a denied request and a break-glass."""
    denied = asking(approval=ONE, target=boxed(1))
    await brought(ledger, denied, State.PENDING)
    await ledger.vote(denied.id, LEA, approve=False)
    await ledger.explain_denial(denied.id, LEA, "not now")
    await ledger.record(asking(approval=ONE, break_glass=True, target=boxed(2)))
    return ledger


def test_the_command_line_prints_the_trail(config, stories):
    """Each line says when (UTC), what, who by team and user, where and which rule."""
    code, out = history(config)

    assert code == 0
    *entries, glass = out.splitlines()
    assert entries[0].startswith("2025-03-01 12:00:00.000Z  break-glass  T0HOME/U0ANN")
    denied = "T0HOME/U0LEA  ml-prod/box-1  rule “a lead agrees”"
    assert f"denied  {denied}  request " in out
    assert f"denial explained  {denied}  not now  request " in out
    assert glass == "Break-glass: 1 of these requests went past the approval."


def test_the_command_line_prints_json_for_machines(config, stories):
    """All of an entry is there, newest first, and nothing but JSON is printed."""
    code, out = history(config, "--json", "--instance", "ID-00000001")

    entries = json.loads(out)
    assert code == 0
    kinds = [entry["kind"] for entry in entries]
    assert kinds == ["denial explained", "denied", "denial", "pending", "asked"]
    assert entries[0]["team_id"] == HOME
    assert set(entries[0]) == {column.name for column in trail.c}


def test_the_command_line_finds_the_trail_whole(config, stories):
    """``--verify`` says from where to where, and which hash is the newest."""
    code, out = history(config, "--verify")

    assert code == 0
    assert out.startswith("✓ from entry 1 to 7 nothing is missing, changed or moved; ")


def test_the_command_line_finds_flaws(config, stories, path):
    """``--verify`` prints each flaw and fails."""
    with database(path) as file:
        file.execute("UPDATE mlstudio_trail SET user_id = 'U0EVE' WHERE seq = 3")
        file.execute("DELETE FROM mlstudio_trail WHERE seq = 5")

    code, out = history(config, "--verify")

    assert code == 1
    assert "✗ entry 3 (2025-03-01T12:00:00.000+00:00) was changed\n" in out
    assert "✗ entry 5 is missing\n" in out
    assert "✓" not in out


# --- the hash outside -----------------------------------------------------------------


class Nothing:
    """Stories, engine and home of a bot that has nothing else to do."""

    async def _nothing(self, *_: Any, **__: Any) -> None:
        return None

    begin = wake = revive = refresh = prune = not_now = _nothing


@pytest.fixture
def metrics() -> Metrics:
    """Return figures of their own."""
    return Metrics()


@pytest.fixture
def maintenance(ledger: Ledger, metrics: Metrics) -> Maintenance:
    """Return the upkeep of *ledger*."""
    nothing: Any = Nothing()
    services: Any = SimpleNamespace(ledger=ledger, metrics=metrics)
    return Maintenance(services, *[nothing] * 5, retention_s=60.0)


async def test_the_newest_hash_goes_to_the_log_at_the_start(
    ledger, maintenance, metrics
):
    """The log has number and hash of the newest entry as soon as the bot runs."""
    await lines(ledger, 3)
    number, newest = await ledger.newest_hash()

    with capture_logs() as logged:
        await maintenance.log_hash()

    (line,) = [one for one in logged if one["event"] == "audit trail"]
    assert (line["entries"], line["hash"]) == (number, newest)
    assert metrics.registry.get_sample_value("mlstudio_audit_hash_timestamp_seconds")


async def test_the_hash_is_logged_again_and_again(maintenance, monkeypatch):
    """Every hour, also after a look at the trail that failed."""
    assert HASH_EVERY_S == 3600.0
    monkeypatch.setattr("bot.app.maintenance.HASH_EVERY_S", 0.001)
    looks, thrice = count(1), asyncio.Event()

    async def log_hash(_: Maintenance) -> None:
        look = next(looks)
        if look == 1:
            raise LedgerError("the database did not answer")
        if look == 3:
            thrice.set()

    monkeypatch.setattr(Maintenance, "log_hash", log_hash)
    maintenance.start()
    await asyncio.wait_for(thrice.wait(), 5)
    await maintenance.close()


async def test_requests_in_flight_are_counted(ledger, maintenance, metrics):
    """What has not ended is in flight; what has ended is not."""
    for state in (State.ASKED, State.PENDING, State.RESTARTING, State.READY):
        await brought(ledger, asking(), state)

    await maintenance.revive()

    assert metrics.registry.get_sample_value("mlstudio_requests_in_flight") == 3


# --- approvals, counted ---------------------------------------------------------------


@pytest.mark.parametrize("end", ["approved", "denied", "cancelled", "expired"])
async def test_the_wait_for_approval_is_counted(ledger, clock, metrics, end):
    """However a wait ends, the time from asking to the decision is observed once."""
    request = asking(approval=ONE)
    await brought(ledger, request, State.PENDING)
    nothing: Any = Nothing()
    approvals = Approvals(
        Services(
            settings=nothing,
            ledger=ledger,
            cloud=nothing,
            slack=nothing,
            users=nothing,
            authorizer=nothing,
            metrics=metrics,
            traces=nothing,
            wakeups=nothing,
            now=clock,
        )
    )
    await ledger.update(request.id, reminded=True)
    assert 0 < (await approvals.next_wait(request.id) or 0) <= 15 * 60
    clock.ahead(minutes=30 if end == "expired" else 4)
    if end == "cancelled":
        await ledger.move(request.id, State.CANCELLED, by=ANN)
    elif end != "expired":
        await ledger.vote(request.id, LEA, approve=end == "approved")

    assert await approvals.next_wait(request.id) is None

    assert (await ledger.existing(request.id)).state == end
    value = metrics.registry.get_sample_value
    assert value("mlstudio_approval_wait_seconds_count") == 1
    waited = 30 * 60 if end == "expired" else 4 * 60
    assert value("mlstudio_approval_wait_seconds_sum") == waited
