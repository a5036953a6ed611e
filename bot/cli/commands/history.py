"""``mlstudio-bot history``: the audit trail, and the proof that it is whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import FAILED, Config, Json, print_json, settings_of, wait_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
        _verify(settings, as_json=as_json)
        return
    from bot.cli.history import entries, lines

    if as_json:
        print_json(wait_for(entries(settings, begin, project, instance)))
    elif not wait_for(_print(lines(settings, begin, project, instance))):
        print(f"Nothing on record in the last {since}.")


async def _print(lines: AsyncIterator[str]) -> bool:
    """Print *lines* as they come; say whether there were any."""
    any_of_them = False
    async for line in lines:
        print(line)
        any_of_them = True
    return any_of_them


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


def _verify(settings: Settings, *, as_json: bool) -> None:
    """Print what was proven and what cannot be; fail if anything is amiss."""
    from bot.cli.history import as_object, proof_lines, proven

    proof = wait_for(proven(settings))
    if as_json:
        print_json(as_object(proof))
    else:
        print("\n".join(proof_lines(proof)))
    if proof.flaws:
        raise typer.Exit(FAILED)
