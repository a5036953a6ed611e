"""``mlstudio-bot explain``: the decision, for somebody who asks beforehand."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.common import Config, Json, complain, configured, print_json, wait_for


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
    from bot.cli.explain import not_asked

    settings, secrets = configured(config, needed={"SLACK_BOT_TOKEN"})
    found = wait_for(explained(settings, secrets, user, project, instance, channel))
    for sentence in not_asked(settings, secrets):
        complain(sentence)
    if as_json:
        print_json(found.as_json())
    else:
        print(found.as_text())
