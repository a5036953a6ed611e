"""``mlstudio-bot migrate``: from one replica's SQLite file to PostgreSQL."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.common import Config, settings_of, wait_for


def migrate(
    target: Annotated[
        str, typer.Argument(help="Where to: postgresql://user@host/database.")
    ],
    config: Config = None,
) -> None:
    """Copy the SQLite database of a stopped bot into an empty PostgreSQL."""
    from bot.cli.migrate import migrate as migrated
    from bot.cli.migrate import said

    for line in said(wait_for(migrated(settings_of(config), target))):
        print(line)
