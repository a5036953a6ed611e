"""``mlstudio-bot demo``: all of it, between a local Slack and a local cloud."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.common import wait_for


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page.")] = 8765,
    *,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the page.")
    ] = False,
    once: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Play one command in the terminal."),
    ] = None,
) -> None:
    """Try it all with a local Slack and a local cloud: no account, no internet."""
    from bot.demo.cli import play, serve

    if once is not None:
        raise typer.Exit(wait_for(play(once)))
    wait_for(serve(port, browser=not no_browser))
