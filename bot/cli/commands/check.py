"""``mlstudio-bot check``: a line for each thing that could be wrong."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from bot.cli.common import FAILED, Config, found, wait_for


def check(
    config: Config = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody over the network.")
    ] = False,
) -> None:
    """Check configuration, secrets, Slack, database and cloud: a line for each."""
    from bot.cli.check import check_file

    lines = wait_for(check_file(found(config), os.environ, offline=offline))
    for line in lines:
        print(line)
    if any(line.ok is False for line in lines):
        raise typer.Exit(FAILED)
