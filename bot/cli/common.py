"""What the commands share: their exit codes, options, configuration, and output.

It imports late, so that ``--help`` is quick.
"""

from __future__ import annotations

import json
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bot.errors import BotError

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


def configured(config: Path | None) -> tuple[Settings, Secrets]:
    """Return settings and secrets; raise ConfigError with every mistake."""
    from bot import config as configuration

    return configuration.load(found(config), os.environ)


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run *work*; asyncio is a third of the time of ``--help``, which needs it not."""
    import asyncio

    return asyncio.run(work)


def said(error: BotError) -> str:
    """Return *error* with what it knows for who runs the bot: why, and the remedy."""
    why = f" ({error.why})" if error.why else ""
    remedy = f" → {error.remedy}" if error.remedy else ""
    return f"{error}{why}{remedy}"


def print_json(value: object) -> None:
    """Print *value* as JSON for people and machines."""
    print(json.dumps(value, indent=2))
