"""``mlstudio-bot explain``: the decision, for somebody who asks beforehand."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.common import Config, Json, configured, print_json, wait_for


def explain(
    user: Annotated[
        str, typer.Argument(help="A user id (U…): profile, ⋮, Copy member ID.")
    ],
    project: str,
    instance: str,
    channel: Annotated[
        str | None, typer.Option(help="As if asked in this channel (C…).")
    ] = None,
    config: Config = None,
    *,
    as_json: Json = False,
) -> None:
    """Say which rule decides for somebody, what it decides, and who may approve."""
    from bot.cli.explain import explain as explained

    settings, secrets = configured(config)
    found = wait_for(explained(settings, secrets, user, project, instance, channel))
    if as_json:
        print_json(found.as_json())
    else:
        print(found.as_text())
