"""``mlstudio-bot history``: the audit trail, and the proof that it is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import FAILED, Config, Json, print_json, settings_of, wait_for

if TYPE_CHECKING:
    from bot.config import Settings


def history(
    since: Annotated[str, typer.Option(help="How far back, such as 12h or 7d.")] = "7d",
    project: Annotated[str, typer.Option(help="Only this project.")] = "",
    instance: Annotated[str, typer.Option(help="Only this instance.")] = "",
    config: Config = None,
    *,
    as_json: Json = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the whole trail's hash chain.")
    ] = False,
) -> None:
    """Print the audit trail, newest first."""
    begin = _begin(since)
    settings = settings_of(config)
    if verify:
        _verify(settings)
        return
    from bot.cli.history import broken_glass, entries, line

    found = wait_for(entries(settings, begin, project, instance))
    if as_json:
        print_json(found)
    else:
        lines = [*map(line, found), broken_glass(found)]
        said = "\n".join(filter(None, lines))
        print(said or f"Nothing on record in the last {since}.")


def _begin(since: str) -> datetime:
    """Return when the time *since* began."""
    from bot.model import seconds

    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(since))
    except OverflowError as error:
        raise typer.BadParameter(
            "that is too long ago", param_hint="--since"
        ) from error
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from error


def _verify(settings: Settings) -> None:
    from bot.cli.history import verified

    flaws, count, newest = wait_for(verified(settings))
    for flaw in flaws:
        print(f"✗ {flaw}")
    if flaws:
        print(f"The trail has {count} entries, newest hash {newest or 'none'}.")
        raise typer.Exit(FAILED)
    print(f"✓ the trail is whole: {count} entries, newest hash {newest or 'none'}")
