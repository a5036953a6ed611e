"""The trail for machines, and files of its lines on the command line."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from bot.cli.main import cli
from bot.ledger import BREAK_GLASS, Entry, Ledger, audit
from bot.ledger.schema import trail
from tests.support.audit_lines import written
from tests.support.ledger_world import database, lines, opened, trail_of
from tests.unit.test_trail import SETTINGS

# What OCSF 1.8.0 requires of API Activity (6003), with the enumerations and the "at
# least one of" of its objects: https://schema.ocsf.io/1.8.0/classes/api_activity
TEXT = {"type": "string", "minLength": 1}
ENDPOINT = ("ip", "uid", "name", "hostname", "svc_name", "instance_uid")
API_ACTIVITY = {
    "type": "object",
    "required": [
        *(
            "activity_id",
            "category_uid",
            "class_uid",
            "type_uid",
            "severity_id",
            "time",
        ),
        *("metadata", "actor", "api", "src_endpoint"),
    ],
    "properties": {
        "activity_id": {"enum": [0, 1, 2, 3, 4, 99]},
        "category_uid": {"const": 6},
        "class_uid": {"const": 6003},
        "type_uid": {"enum": [600300 + number for number in (0, 1, 2, 3, 4, 99)]},
        "severity_id": {"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
        "status_id": {"enum": [0, 1, 2, 99]},
        "time": {"type": "integer", "minimum": 10**12, "maximum": 10**13},
        "message": {"type": "string"},
        "metadata": {
            "required": ["product", "version"],
            "properties": {
                "version": {"const": "1.8.0"},
                "product": {"required": ["name"], "properties": {"name": TEXT}},
                "sequence": {"type": "integer"},
                "uid": TEXT,
                "correlation_uid": TEXT,
            },
        },
        "actor": {
            "anyOf": [
                {"required": [name]}
                for name in ("process", "user", "session", "app_name", "app_uid")
            ],
            "properties": {
                "user": {"required": ["uid"], "properties": {"uid": TEXT}},
                "app_name": TEXT,
            },
        },
        "api": {
            "required": ["operation"],
            "properties": {
                "operation": TEXT,
                "request": {"required": ["uid"], "properties": {"uid": TEXT}},
                "service": {"properties": {"name": TEXT}},
            },
        },
        "src_endpoint": {"anyOf": [{"required": [name]} for name in ENDPOINT]},
        "resources": {
            "type": "array",
            "items": {"anyOf": [{"required": ["name"]}, {"required": ["uid"]}]},
        },
        "unmapped": {
            "type": "object",
            "required": ["seq", "hash", "previous_hash", "request"],
        },
    },
}
Ended = tuple[int, str, str]
PERSON = {"team_id": "T0HOME", "user_id": "U0ANN"}
ENTRIES = (
    Entry("configuration", detail="start"),
    Entry("asked", "r1", project="ml-prod", instance="box", instance_id="ID", **PERSON),
    Entry("refused", "r2", project="ml-prod", detail="No\u2028rule.", **PERSON),
    Entry("sending", "r1", project="ml-prod", instance_id="ID", **PERSON),
    Entry("accepted", "r1", ref="req-1", **PERSON),
    Entry(BREAK_GLASS, "r1", instance="box", user_id="U0ANN"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger's file is."""
    return tmp_path / "bot.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """Return an empty ledger, with a configuration file beside it."""
    path.with_name("mlstudio-bot.toml").write_text(SETTINGS.format(path=path), "utf-8")
    one = opened(path)
    yield one
    one.close()


@pytest.fixture(autouse=True)
def here(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Be in a folder without a configuration."""
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLSTUDIO_BOT_CONFIG", raising=False)
    return folder


async def typed(*words: str, path: Path | None = None, **how: Any) -> Ended:
    """Return exit code, output and errors of ``mlstudio-bot history``."""
    return await asyncio.to_thread(_typed, *words, path=path, **how)


def _typed(*words: str, path: Path | None = None, **how: Any) -> Ended:
    config = ["--config", str(path.with_name("mlstudio-bot.toml"))] if path else []
    result = CliRunner().invoke(cli, ["history", *config, *words], **how)
    if result.exception and not isinstance(result.exception, SystemExit):
        return 2, result.stdout, str(result.exception)  # as ``main`` says it
    return result.exit_code, result.stdout, result.stderr


# --- entries --------------------------------------------------------------------------


async def test_ocsf_events_are_what_the_schema_asks_for(ledger, path):
    """One JSON array of API Activity, an event a line, newest first."""
    for entry in ENTRIES:
        await ledger.note(entry)
    code, out, _ = await typed("--format", "ocsf", path=path)

    events = json.loads(out)
    assert code == 0
    for event in events:
        Draft202012Validator(API_ACTIVITY).validate(event)
        assert event["type_uid"] == 600300 + event["activity_id"]
    assert len(out.splitlines()) == len(ENTRIES) * 1 + 2
    events.reverse()
    assert [one["activity_id"] for one in events] == [99, 1, 99, 3, 99, 99]
    assert [one["severity_id"] for one in events] == [1, 1, 2, 1, 1, 3]
    assert [one["status_id"] for one in events] == [1, 1, 2, 1, 1, 1]
    rows = await trail_of(ledger)
    for event, row in zip(events, rows, strict=True):
        told = event["unmapped"]
        assert told["request"] == row["request_id"]
        assert {name: told[name] for name in ("seq", "hash", "previous_hash")} == {
            name: row[name] for name in ("seq", "hash", "previous_hash")
        }
    assert events[0]["actor"] == {"app_name": "mlstudio-bot"}
    assert events[1]["actor"]["user"] == {"uid": "U0ANN", "org": {"uid": "T0HOME"}}
    assert events[1]["resources"][0]["uid"] == "ID"


async def test_json_is_what_it_was(ledger, path, monkeypatch):
    """``--json`` and ``--format json`` are one list, however many pages it took."""
    await lines(ledger, 7)
    monkeypatch.setattr(audit, "ENTRIES_A_PAGE", 3)
    whole = list(reversed(await trail_of(ledger)))

    code, out, _ = await typed("--json", path=path)

    assert (code, out) == (0, json.dumps(whole, indent=2) + "\n")
    assert (await typed("--format", "json", path=path))[1] == out
    assert set(json.loads(out)[0]) == {column.name for column in trail.c}


async def test_only_so_many(ledger, path, monkeypatch):
    """``--limit`` is for the newest ones, in every format."""
    monkeypatch.setattr(audit, "ENTRIES_A_PAGE", 3)
    await lines(ledger, 9)

    async def seqs(*words: str) -> list[int]:
        return [one["seq"] for one in json.loads((await typed(*words, path=path))[1])]

    assert await seqs("--json", "--limit", "1") == [9]
    assert await seqs("--json", "--limit", "6") == [9, 8, 7, 6, 5, 4]
    assert await seqs("--json", "--limit", "99") == list(range(9, 0, -1))
    assert len((await typed("--limit", "4", path=path))[1].splitlines()) == 4
    assert (
        len(json.loads((await typed("--format", "ocsf", "--limit", "2", path=path))[1]))
        == 2
    )


async def test_nothing_on_record(ledger, path):
    """Is an empty list for machines and a sentence for people."""
    assert await typed("--json", path=path) == (0, "[]\n", "")
    assert await typed("--format", "ocsf", path=path) == (0, "[]\n", "")
    assert (await typed(path=path))[1] == "Nothing on record in the last 7d.\n"
    code, out, said = await typed("--json", "--project", "ml-prd", path=path)
    assert (code, out) == (2, "")
    assert 'There is no project "ml-prd"' in said


async def test_people_see_the_request(ledger, path):
    """Each line ends in the id that the log, the cards and the machines have."""
    await ledger.note(ENTRIES[1])

    assert (await typed(path=path))[1].rstrip().endswith("ml-prod/box  request r1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "xml"), "'xml' is not one of"),
        (("--limit", "0"), "--limit"),
        (("some.log",), "“some.log” is for --verify"),
        (("--format", "ocsf", "--json"), "choose --json or --format ocsf"),
        (("--verify", "--format", "ocsf"), "a proof is text or json"),
        (("--verify", "x.log", "--since", "soon"), "for --since: write"),
        (("--verify", "nowhere.log"), "nowhere.log cannot be read: No such file"),
        (("--verify", "/"), "/ cannot be read: Is a directory"),
        (("--verify", "a", "--config", "none.toml"), "none.toml"),
    ],
)
async def test_what_cannot_be_typed(words, said):
    """Is one sentence and exit 2."""
    code, out, wrong = await typed(*words)

    assert (code, out) == (2, "")
    assert said in wrong.replace("\n", " ")


# --- a file of lines ------------------------------------------------------------------


async def test_a_file_is_proven_alone(ledger, here):
    """Without a configuration; what cannot be known then is said."""
    log = here / "bot.log"
    await lines(ledger, 5)
    rows = await trail_of(ledger)
    log.write_bytes(b"".join([b"{}\n", *written(rows)]))

    code, out, _ = await typed("--verify", "bot.log")

    whole, alone, not_proven = out.splitlines()
    assert code == 0
    assert whole.startswith("✓ bot.log: from entry 1 to 5 nothing is missing, changed,")
    assert rows[-1]["hash"] in whole
    assert alone.startswith("– not compared with a database: there is no configuration")
    assert "whether its end was cut off" in not_proven
    from_input = await typed("--verify", "-", input=log.read_bytes())
    assert from_input == (0, out.replace("✓ bot.log", "✓ -"), "")


async def test_a_file_that_lacks_a_line_fails(ledger, here):
    """Exit 1, the line, and what there is of the trail; for machines, too."""
    log = here / "bot.log"
    await lines(ledger, 5)
    rows = await trail_of(ledger)
    log.write_bytes(b"".join(written([*rows[:2], *rows[3:]])))

    code, out, _ = await typed("--verify", "bot.log")
    assert code == 1
    assert out.startswith("✗ entry 3 is missing\nbot.log has 4 entries, from 1 to 5; ")
    assert "✓" not in out
    code, out, _ = await typed("--verify", "--json", "bot.log")
    proof = json.loads(out)
    assert (code, proof["whole"], proof["flaws"]) == (1, False, ["entry 3 is missing"])
    assert (proof["entries"], proof["lines"], proof["compared"]) == (4, 4, False)
    assert (await typed("--verify", "bot.log", "--since", "1d"))[0] == 1


async def test_a_file_is_compared_with_the_database(ledger, path, here):
    """What was cut off is found on either side, and so is what was changed there."""
    await lines(ledger, 5)
    rows = written(await trail_of(ledger))

    async def found(lines: list[bytes]) -> tuple[int, str]:
        (here / "bot.log").write_bytes(b"".join(lines))
        return (await typed("--verify", "bot.log", path=path))[:2]

    code, out = await found(rows)
    assert code == 0
    assert "✓ the database has the same entries" in out
    code, out = await found(rows[:4])
    assert code == 1
    assert "✗ entry 5 is in the database, and not in the file\n" in out
    with database(path) as file:
        file.execute("DELETE FROM mlstudio_trail WHERE seq > 3")
        file.execute("UPDATE mlstudio_trail SET user_id = 'U0EVE' WHERE seq = 2")
    code, out = await found(rows)
    assert code == 1
    assert "✗ entries 4 to 5 are in the file, and not in the database\n" in out
    assert "✗ in the database: entry 2 (" in out


async def test_a_database_that_is_gone_is_said(ledger, path, here):
    """Where its file is not there the lines are proven alone; one that cannot be read
    fails.
    """
    log = here / "bot.log"
    await lines(ledger, 2)
    log.write_bytes(b"".join(written(await trail_of(ledger))))
    path.rename(here / "elsewhere.db")

    code, out, _ = await typed("--verify", "bot.log", path=path)
    assert code == 0
    assert f"– not compared with a database: there is no database at {path}" in out
    path.mkdir()
    code, out, _ = await typed("--verify", "bot.log", path=path)
    assert code == 1
    assert "✗ not compared with the database: " in out


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", 1, "no line of the trail is among its 0 lines"),
        (b"hello\n" * 3, 1, "no line of the trail is among its 3 lines"),
        (gzip.compress(b"x", mtime=0), 2, "is compressed: “zcat FILE | "),
        ("\ufeff{}".encode("utf-16-le"), 2, "is UTF-16"),
    ],
)
async def test_a_file_that_is_no_log_of_the_bot(here, content, code, said):
    """Proves nothing, and why is said."""
    (here / "x.log").write_bytes(content)

    ended, out, wrong = await typed("--verify", "x.log")

    assert ended == code
    assert said in out + wrong
