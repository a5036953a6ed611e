"""``mlstudio-bot check``: a line for each thing that could be wrong."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
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
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", help="Write a new zip for a bug report, without secrets."
        ),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="The bot's log, for the bundle."),
    ] = None,
) -> None:
    """Check configuration, secrets, Slack, database and cloud: a line for each."""
    from bot.cli.check import check_file
    from bot.cli.progress import Progress

    if log and not bundle:
        raise typer.BadParameter("goes with --bundle FILE", param_hint="--log")
    if bundle:
        from bot.cli.bundle import expect_new, write

        expect_new(bundle, log)
    progress, said = Progress(), list[str]()
    lines = check_file(found(config), os.environ, offline=offline, asking=progress.show)
    well = wait_for(_all_well(lines, progress, said))
    if bundle:
        write(bundle, found(config), os.environ, checked=said, log=log)
        print(f"Wrote {bundle}. Read it before you send it.")
    if not well:
        raise typer.Exit(FAILED)


async def _all_well(
    lines: AsyncIterator[Line], progress: Progress, said: list[str]
) -> bool:
    """Print each of *lines* when it comes, keep it in *said*; say if none is a ✗."""
    well = True
    async for line in lines:
        progress.clear()
        print(line, flush=True)
        said.append(str(line))
        well &= line.ok is not False
    progress.clear()
    return well
