"""``mlstudio-bot assets``: files for those who watch the bot."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.errors import UsageError


def assets(
    name: Annotated[
        str, typer.Argument(help="Which one to print; without it, what there is.")
    ] = "",
) -> None:
    """Print the operator's files: alert rules, a Grafana dashboard, the manual."""
    from bot.cli.assets import ASSETS, text_of

    if name:
        try:
            print(text_of(name), end="")
        except UsageError as error:
            raise typer.BadParameter(str(error), param_hint="NAME") from error
        return
    for asset, purpose in ASSETS.items():
        print(f"{asset:<16}{purpose}")
