"""Each entry of the trail leaves the house as a line, whatever comes in between."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot.config.redaction import redactor
from bot.ledger import Entry, Ledger
from bot.ledger.audit_line import COLUMNS
from bot.telemetry import audit_log, logs
from bot.telemetry.audit_log import AuditLog
from tests.support.audit_lines import audit_lines, flaws_of
from tests.support.ledger_world import database, lines, opened, trail_of
from tests.support.processes import until

SECRET = "hunter2-hunter2"
TYPED = (
    f'a\nb\u2028\x00\N{PILE OF POO} {{"logger": "audit"}} {SECRET} xoxb-123456-abcdef'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger's file is."""
    return tmp_path / "bot.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """Return a ledger in an empty file, which takes secrets out."""
    one = opened(path, clean=redactor([SECRET]))
    yield one
    one.close()


class Stream(io.StringIO):
    """A log that can be full."""

    room = 10**9

    def write(self, text: str) -> int:
        """Write a line, if there is room."""
        if self.room <= 0:
            raise OSError(28, "No space left on device")
        self.room -= 1
        return super().write(text)

    def seqs(self) -> list[int]:
        """Return the numbers of the entries that it has lines of."""
        return [line["seq"] for line in audit_lines(self.getvalue().splitlines())]


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> Iterator[Stream]:
    """Return where the log of this process goes to."""
    root, audit = logging.getLogger(), logging.getLogger("audit")
    before = root.handlers, root.level, audit.handlers, audit.level
    stream = Stream()
    style = getattr(request, "param", "json")
    logs.configure(style, stream=stream, secrets=[SECRET])
    yield stream
    root.handlers, level, audit.handlers, audit_level = before
    root.setLevel(level)
    audit.setLevel(audit_level)
    logging.getLogger("bot").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def all_written(log: AuditLog) -> None:
    """Let *log* write all that there is."""
    async with asyncio.timeout(30):
        while await log.write_page():
            pass


@pytest.mark.parametrize("stream", ["json", "console"], indirect=True)
async def test_a_line_is_the_entry(ledger: Ledger, stream: Stream) -> None:
    """The logger's name and exactly the trail's columns, as recorded, in any format."""
    await lines(ledger, 3)
    await ledger.note(Entry("note", instance=TYPED, detail=TYPED, rule=TYPED))

    await all_written(AuditLog(ledger, alone=True))

    said = stream.getvalue()
    first = json.loads(said.splitlines()[0])
    assert list(first) == ["logger", *COLUMNS]
    assert first["logger"] == "audit"
    assert audit_lines(said.splitlines()) == await trail_of(ledger)
    assert first["at"].endswith("+00:00")
    assert SECRET not in said
    assert "xoxb" not in said
    assert "[hidden]" in said
    assert flaws_of(line.encode() for line in said.splitlines()) == []


async def test_it_goes_on_from_the_last_line(
    ledger: Ledger, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over many pages and the next process: no line is lost, none comes twice."""
    monkeypatch.setattr(audit_log, "LINES_A_PAGE", 4)
    one = AuditLog(ledger, alone=True)
    await lines(ledger, 9)
    await all_written(one)
    await lines(ledger, 2)
    await all_written(one)
    await lines(ledger, 8)

    await all_written(AuditLog(ledger, alone=True))

    assert stream.seqs() == list(range(1, 20))


async def test_a_line_that_was_not_written_is_written_later(
    ledger: Ledger, stream: Stream
) -> None:
    """A full disk keeps lines back and loses none; what was written is not again."""
    log = AuditLog(ledger, alone=True)
    await lines(ledger, 9)
    stream.room = 4
    with pytest.raises(OSError, match="No space"):
        await log.write_page()
    stream.room = 10**9

    await all_written(log)

    assert stream.seqs() == list(range(1, 10))


async def test_it_writes_beside_the_bot(ledger: Ledger, stream: Stream) -> None:
    """From start to close, by itself; what came last is written at the end."""
    log = AuditLog(ledger, alone=True)
    log.start()
    await lines(ledger, 2)
    await until(lambda: stream.seqs() == [1, 2])
    await lines(ledger, 3)

    await log.close()

    assert stream.seqs() == [1, 2, 3, 4, 5]
    assert (await ledger.cursor()).writer == ""


async def test_one_of_several_writes(
    ledger: Ledger, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one takes over when the writer's beat stands still, and only then; one
    that was frozen stops when it wakes up.
    """
    now = [100.0]
    monkeypatch.setattr("bot.telemetry.audit_log.time.monotonic", lambda: now[0])
    first, second = AuditLog(ledger, alone=False), AuditLog(ledger, alone=False)
    await lines(ledger, 2)
    await first.write_page()
    await lines(ledger, 2)
    await second.write_page()
    assert stream.seqs() == [1, 2]
    await first.write_page()
    for _ in range(9):  # it has nothing to write but its beat
        now[0] += 1.1
        await first.write_page()
        await second.write_page()
    assert (await ledger.cursor()).writer == first._name
    assert stream.seqs() == [1, 2, 3, 4]

    await lines(ledger, 2)
    await second.write_page()
    now[0] += audit_log.LEASE_S + 0.1  # the first one is frozen
    await second.write_page()
    await lines(ledger, 2)
    await first.write_page()

    assert stream.seqs() == [1, 2, 3, 4, 5, 6]
    await second.write_page()
    assert stream.seqs() == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_trail_that_was_cut_off_is_written_again(
    ledger: Ledger, path: Path, stream: Stream
) -> None:
    """What is on it now has gone out, too: nothing hides below an old number."""
    log = AuditLog(ledger, alone=True)
    await lines(ledger, 5)
    await all_written(log)
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq > 3")
    await ledger.note(Entry("note", detail="another fourth"))
    await all_written(log)
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq = 4")
    await ledger.note(Entry("note", detail="one with its number"))

    await all_written(log)

    assert stream.seqs() == [1, 2, 3, 4, 5, 1, 2, 3, 4, 1, 2, 3, 4]
    assert "audit trail cut off or changed" in stream.getvalue()
