"""``mlstudio-bot check``: a line for each thing that could be wrong."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import FAILED, Config, found, wait_for

if TYPE_CHECKING:
    from bot.cli.check.line import Line
    from bot.cli.progress import Progress


def check(
    config: Config = None,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody over the network.")
    ] = False,
) -> None:
    """Check configuration, secrets, Slack, database and cloud: a line for each."""
    from bot.cli.check import check_file
    from bot.cli.progress import Progress

    progress = Progress()
    lines = check_file(
        found(config), os.environ, offline=offline, asking=progress.asking
    )
    if not wait_for(_all_well(lines, progress)):
        raise typer.Exit(FAILED)


async def _all_well(lines: AsyncIterator[Line], progress: Progress) -> bool:
    """Print each of *lines* when it comes; say whether none is a ✗."""
    well = True
    async for line in lines:
        progress.clear()
        print(line, flush=True)
        well &= line.ok is not False
    progress.clear()
    return well
