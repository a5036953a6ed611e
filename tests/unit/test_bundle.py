"""What somebody may rely on who sends the file for a bug report to strangers."""

from __future__ import annotations

import asyncio
import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli.bundle import write
from bot.cli.bundle.log import shown_lines
from bot.cli.bundle.screen import Screen
from bot.ledger import Entry, Ledger
from tests.support.command_line import typed

# Planted in the configuration, the environment, files and the log.
SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-17-planted-bot",
    "SLACK_APP_TOKEN": "xapp-1-planted-app",
    "OS_USERNAME": "mlstudio-bot",
    "OS_PASSWORD": "planted/pass word",
    "OS_USER_DOMAIN_NAME": "OTC0001",
    "PGPASSWORD": "planted-pg",
    "HTTPS_PROXY": "http://plantedproxy:plantedpass@127.0.0.1:9",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer planted-otel",
    "SOME_OTHER_API_KEY": "planted-other",
}
FILE = """
# planted-comment
database = "{database}"
[slack]
api_url = "http://127.0.0.1:9/api/"
[cloud]
iam_url = "http://127.0.0.1:9/v3"
modelarts_url = "http://127.0.0.1:9"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[projects.ml-prod.instances]
trainer-7 = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
[owners]
planted_owner = "U024BE7LH"
[[rules]]
name = "on call"
who = ["U024BE7LH"]
"""
REQUEST = "0f3a5c7d9e1b2a4c6e8f0a1b2c3d4e5f"
TRACEBACK = """Traceback (most recent call last):
  File "/opt/bot/listeners/requests.py", line 105, in ask
    planted_source_line
bot.errors.LedgerError: planted-message of it
"""
LOG: list[object] = [
    {
        "timestamp": "2026-11-26T02:00:00Z",
        "level": "info",
        "event": "asked",
        "logger": "bot.listeners.requests",
        "request": REQUEST,
        "user": "U024BE7LH",
        "project": "ml-prod",
        "instance": "planted-instance",
        "reason": "planted-reason typed",
        "seconds": 1.5,
        "step": "examine",
    },
    {
        "event": "dialog not redrawn",
        "logger": "bot.listeners.restart_dialog",
        "error": 'no project "planted-typed" for planted-name of it',
        "name": "planted-name",
        "exception": TRACEBACK,
    },
    {
        "event": "Unhandled request ({'text': 'planted-command'})",
        "logger": "slack_bolt.AsyncApp",
        "body": {"text": "planted-body", "user_id": "U024BE7LH"},
    },
    {
        "logger": "audit",
        "seq": 7,
        "kind": "refused",
        "user_id": "U024BE7LH",
        "detail": "planted-detail",
        "project": "planted-project",
        "hash": "ab" * 32,
    },
    {"event": "x", "logger": "bot.x", "why": "token xoxb-17-planted-bot; planted-pg"},
    {"planted key": "planted"},
    "planted-plain-line",
    ["planted-list"],
    '{"a":' * 600 + "1" + "}" * 600,  # deeper than a line of ours ever is
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration, a log, and the secrets in place."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    lines = [one if isinstance(one, str) else json.dumps(one) for one in LOG]
    lines[0] = f"mlstudio-bot-1  | {lines[0]}"  # as Compose prints it
    Path("bot.log").write_text("\n".join(lines), "utf-8")
    configure("sqlite:///bot.db")
    return tmp_path


def configure(database: str) -> None:
    Path("mlstudio-bot.toml").write_text(FILE.format(database=database), "utf-8")


def bundled(*words: str) -> tuple[int, str, dict[str, str]]:
    """Run ``check --bundle``; return exit code, words, and the files of the archive."""
    done = typed("check", "--offline", "--bundle", "b.zip", *words)
    said = done.out + done.err
    if not zipfile.is_zipfile("b.zip"):
        return done.code, said, {}
    with zipfile.ZipFile("b.zip") as archive:
        files = {Path(n).name: archive.read(n).decode() for n in archive.namelist()}
    return done.code, said, files


def test_what_is_in_it(folder):
    """Versions, settings, schema and counts, what ``check`` said, and the log, with the
    ids that it takes to follow a request; and no word that was planted anywhere.
    """
    ledger = Ledger("sqlite:///bot.db")
    ledger.open()
    entry = Entry("refused", user_id="U0ANN", detail="planted-trail")
    asyncio.run(ledger.note(entry))
    ledger.close()

    code, said, files = bundled("--log", "bot.log")

    assert (code, said.splitlines()[-1][:12]) == (0, "Wrote b.zip.")
    assert stat.S_IMODE(Path("b.zip").stat().st_mode) == 0o600
    database = json.loads(files["database.json"])
    assert database["rows"]["mlstudio_trail"] == 1
    assert database["newest entry"]["seq"] == 1
    assert database["the next start adds"] == "nothing"
    settings = json.loads(files["configuration.json"])["settings"]
    assert settings["rules"][0]["name"] == "on call"
    assert settings["owners"] == "1 of them"
    versions = json.loads(files["versions.json"])
    assert versions["packages"]["dbos"]
    assert "OS_PASSWORD" in versions["variables that are set"]
    assert "✓ SLACK_BOT_TOKEN is set" in files["check.txt"]
    first, second, library, trail, *_, counts = map(
        json.loads, files["log.jsonl"].splitlines()
    )
    assert (first["request"], first["user"], first["event"], first["seconds"]) == (
        *(REQUEST, "U024BE7LH", "asked", 1.5),
    )
    assert (first["project"], first["reason"]) == ("ml-prod", "[left out]")
    assert first["step"] == "examine"  # how far a restart came
    assert second["error"] == "no project “…” for [left out] of it"
    assert second["exception"].splitlines() == [
        '  File "/opt/bot/listeners/requests.py", line 105, in ask',
        "bot.errors.LedgerError",
    ]
    assert library["event"] == "Unhandled request"
    assert (trail["seq"], trail["hash"]) == (7, "ab" * 32)
    assert counts == {"lines": 9, "looked at": 9, "shown": 6}
    everything = "".join(files.values())
    assert "planted" not in everything.lower()
    assert "pass word" not in everything


def test_what_is_there_already_stays(folder):
    """An existing file is left alone, and nothing else is done."""
    Path("b.zip").write_text("mine", "utf-8")

    code, said, _ = bundled()

    assert code == 1
    assert "exists already" in said
    assert "✓" not in said
    assert Path("b.zip").read_text("utf-8") == "mine"


def _broken_file() -> None:
    text = 'password = "planted-1"\n[slack]\nmode = "planted"\n'
    Path("mlstudio-bot.toml").write_text(text, "utf-8")


def _no_toml() -> None:
    Path("mlstudio-bot.toml").write_text('secret = "planted-2', "utf-8")


def _no_file() -> None:
    Path("mlstudio-bot.toml").unlink()


@pytest.mark.parametrize("break_it", [_broken_file, _no_toml, _no_file])
def test_a_configuration_that_is_wrong(folder, break_it: Callable[[], None]):
    """It is written all the same, says what is wrong, and shows nothing of the file."""
    break_it()

    code, said, files = bundled("--log", "bot.log")

    assert code == 1  # as ``check`` ends
    assert "Wrote b.zip." in said
    found = json.loads(files["configuration.json"])
    assert found["problems"]
    assert found["settings"] == "not shown, since the file has mistakes"
    assert "not known" in json.loads(files["database.json"])["problem"]
    assert "planted" not in "".join(files.values()).lower()


def test_a_database_that_is_away(folder):
    """What is wrong with the database stands in its place."""
    Path("bot.db").write_bytes(b"not a database, not at all" * 100)
    assert "not a database" in json.loads(bundled()[2]["database.json"])["problem"]

    Path("b.zip").unlink()
    configure("postgresql://planteduser@127.0.0.1:9/mlstudio?application_name=planted")
    files = bundled()[2]
    found = json.loads(files["database.json"])
    assert found["address"] == "postgresql://127.0.0.1:9/mlstudio?…"
    assert "refused" in found["problem"]
    assert "planted" not in "".join(files.values()).lower()


def test_a_log_that_is_not_there(folder):
    """A log that cannot be read is one sentence before anything is done; one without a
    bundle is wrong usage.
    """
    code, said, files = bundled("--log", "nothing.log")
    assert (code, files) == (1, {})
    assert "nothing.log cannot be read" in said

    done = typed("check", "--offline", "--log", "bot.log")
    assert done.code == 2
    assert "--bundle FILE" in done.err


def test_a_file_that_cannot_be_written(folder, monkeypatch):
    """A disk that is full leaves no half of an archive."""

    def full(*_: object) -> io.BytesIO:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bot.cli.bundle.os.fdopen", full)

    code, said, _ = bundled()

    assert code == 1
    assert "b.zip cannot be written: No space left on device" in said
    assert not Path("b.zip").exists()


def test_names_of_people_in_what_check_said():
    """Ids stay, display names and owners' names do not."""
    lines = [
        "✓ user U024BE7LH (Ann Planted)",
        "– [owners] does not know ann.planted, raj: they are not told",
    ]

    shown = shown_lines(lines, Screen.of((), None))

    assert "U024BE7LH" in shown
    assert "lanted" not in shown


def test_only_the_newest_lines_of_a_long_log(folder, monkeypatch):
    """A log of any length becomes a bundle that can be attached."""
    monkeypatch.setattr("bot.cli.bundle.log.MOST_LOG_LINES", 10)
    with Path("long.log").open("w", encoding="utf-8") as log:
        log.writelines(f'{{"seconds": {number}}}\n' for number in range(1000))

    write(Path("c.zip"), Path("mlstudio-bot.toml"), {}, log=Path("long.log"))

    with zipfile.ZipFile("c.zip") as archive:
        *lines, counts = archive.read("mlstudio-bot/log.jsonl").splitlines()
    assert [json.loads(line)["seconds"] for line in lines] == [*range(990, 1000)]
    assert json.loads(counts)["lines"] == 1000
