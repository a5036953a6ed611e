"""What a shell, a terminal and a supervisor may rely on before anything is done."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.cli import completion
from bot.cli.commands import run
from bot.cli.main import COMPLETES
from bot.errors import UsageError
from tests.support.command_line import typed

SECRETS = {
    "SLACK_BOT_TOKEN": "xoxb-1-a",
    "SLACK_APP_TOKEN": "xapp-1-a",
    "OS_USERNAME": "bot",
    "OS_PASSWORD": "not-a-real-password",
    "OS_USER_DOMAIN_NAME": "OTC1",
}


# --- completion ----------------------------------------------------------------------

ASKED = {
    "bash": {"COMP_WORDS": "mlstudio-bot ch", "COMP_CWORD": "1"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "mlstudio-bot ch"},
    "fish": {
        "_TYPER_COMPLETE_ARGS": "mlstudio-bot ch",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_shell_completes_a_command(monkeypatch, shell):
    """What is printed for a shell names the program and how it asks; asked so, for a
    beginning, the program answers with the command.
    """
    monkeypatch.setattr(completion, "_caller", lambda: shell)
    done = typed("--show-completion")
    assert done.code == 0
    script = done.out
    asks = f"{COMPLETES}=complete_{shell}"
    assert asks in script
    assert "mlstudio-bot" in script.replace(asks, "")

    for name, value in {COMPLETES: f"complete_{shell}", **ASKED[shell]}.items():
        monkeypatch.setenv(name, value)

    answer = typed()

    assert answer.code == 0
    assert "check" in answer.out
    assert "history" not in answer.out


def test_the_shell_that_counts(monkeypatch):
    """Where the caller is no shell that can complete, the user's own one counts; where
    that is none either, one sentence says what to do.
    """
    monkeypatch.setattr(completion, "_caller", lambda: "dash")
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert completion.script("mlstudio-bot", COMPLETES).startswith("complete --command")

    monkeypatch.setenv("SHELL", "/bin/false")
    with pytest.raises(UsageError, match="set SHELL to one of bash, zsh, fish"):
        completion.script("mlstudio-bot", COMPLETES)


# --- colours and levels --------------------------------------------------------------


@pytest.mark.parametrize("words", [("--help",), ("run", "--nothing"), ("assets", "x")])
def test_no_colours_where_nobody_wants_them(monkeypatch, words):
    """NO_COLOR is kept to, also against whatever else would bring colours in."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")

    said = typed(*words)

    assert said.out + said.err
    assert "\x1b" not in said.out + said.err


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a configuration that ``run`` takes, with its secrets set."""
    file = tmp_path / "bot.toml"
    text = '[cloud]\niam_url = "https://iam.example.com/v3"\n'
    text += 'modelarts_url = "https://m.example.com"\n[projects.p]\nid = "0a"\n'
    file.write_text(text, "utf-8")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return file


def test_how_much_run_says(monkeypatch, configured):
    """``--log-level`` is the least that is logged; a word that is none is explained."""
    level, handlers = logging.getLogger().level, logging.getLogger().handlers
    monkeypatch.setattr(run, "_serve", lambda make: None)
    try:
        words = ("run", "--config", str(configured), "--log-level")
        assert typed(*words, "warning").code == 0
        assert logging.getLogger("bot").level == logging.WARNING
        wrong = typed(*words, "loud")
    finally:
        logging.getLogger("bot").setLevel(logging.NOTSET)
        logging.getLogger().setLevel(level)
        logging.getLogger().handlers = handlers
        logging.captureWarnings(capture=False)
    assert wrong.code == 2
    assert "choose debug, info, warning or error" in wrong.err
