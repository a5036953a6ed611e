"""What the commands share: their exit codes, options, configuration, and output.

It imports late, so that ``--help`` is quick.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Container, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot.errors import BotError, ConfigError

if TYPE_CHECKING:
    from bot.config import Secrets, Settings

T = TypeVar("T")

FAILED, WRONG = 1, 2  # it failed; wrong usage or configuration

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The configuration (default: $MLSTUDIO_BOT_CONFIG, else"
        " ./mlstudio-bot.toml).",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def found(config: Path | None) -> Path:
    """Return where the configuration is; raise ConfigError if it is nowhere."""
    from bot import config as configuration

    return configuration.find(config, os.environ)


def settings_of(config: Path | None) -> Settings:
    """Return the settings alone, for what needs no secret; raise ConfigError."""
    from bot import config as configuration

    return configuration.load_settings(found(config))


def configured(
    config: Path | None, *, needed: Container[str] | None = None
) -> tuple[Settings, Secrets]:
    """Return settings and secrets; raise ConfigError with every mistake.

    *needed* are the variables whose mistakes count, if not all do.
    """
    from bot import config as configuration
    from bot.config.error_messages import lines

    got = configuration.examine(found(config), os.environ)
    wrong = [p for p in got.missing if needed is None or p.path[0] in needed]
    if got.settings is None or wrong:
        raise ConfigError(*got.wrong, *lines(wrong))
    return got.settings, got.secrets


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run *work*; asyncio is a third of the time of ``--help``, which needs it not."""
    import asyncio

    return asyncio.run(work)


def flush() -> None:
    """Write out what was printed; raise OSError where that cannot be."""
    if sys.stdout is not None:  # None: the output was closed before the start
        sys.stdout.flush()


def abandon(stream: int) -> None:
    """Let the rest of a *stream* (1 or 2) go nowhere: leaving must not fail of it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def complain(sentence: str) -> None:
    """Say *sentence* on stderr, if that can be written."""
    try:
        print(f"mlstudio-bot: {sentence}", file=sys.stderr, flush=True)
    except OSError:
        abandon(2)


def said(error: BotError) -> str:
    """Return *error* with what it knows for who runs the bot: why, and the remedy."""
    why = f" ({error.why})" if error.why else ""
    remedy = f" → {error.remedy}" if error.remedy else ""
    return f"{error}{why}{remedy}"


def print_json(value: object) -> None:
    """Print *value* as JSON for people and machines."""
    print(json.dumps(value, indent=2))
