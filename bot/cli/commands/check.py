"""``mlstudio-bot check``: a line for each thing that could be wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.common import FAILED, Config, found, wait_for


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

    if log and not bundle:
        raise typer.BadParameter("goes with --bundle FILE", param_hint="--log")
    if bundle:
        from bot.cli.bundle import expect_new, write

        expect_new(bundle, log)
    lines = wait_for(check_file(found(config), os.environ, offline=offline))
    for line in lines:
        print(line)
    if bundle:
        said = map(str, lines)
        write(bundle, found(config), os.environ, checked=said, log=log)
        print(f"Wrote {bundle}. Read it before you send it.")
    if any(line.ok is False for line in lines):
        raise typer.Exit(FAILED)
