"""``mlstudio-bot init``: a configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.errors import BotError


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(
        "mlstudio-bot.toml"
    ),
) -> None:
    """Write a commented starter configuration; an existing file is left alone."""
    from bot.cli.assets import starter

    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(starter())
    except FileExistsError:
        raise BotError(
            f"{file} exists already; choose another name, or remove it first"
        ) from None
    except OSError as error:
        raise BotError(f"{file} cannot be written: {error.strerror}") from error
    print(f"Wrote {file}. Fill it in, then run: mlstudio-bot check --config {file}")
