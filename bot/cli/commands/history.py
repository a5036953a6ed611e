"""``mlstudio-bot history``: the audit trail, and the proof that it is whole."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.common import (
    FAILED,
    Config,
    Json,
    found,
    print_json,
    settings_of,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.cli.history import Window
    from bot.config import Settings

SINCE = "7d"


class Format(StrEnum):
    """How entries are printed."""

    TEXT = "text"
    JSON = "json"
    OCSF = "ocsf"


def history(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="With --verify: a file of audit lines, such as a log; - is the input.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="How far back, such as 12h or 7d.",
            show_default=f"{SINCE}; --verify: all",
        ),
    ] = None,
    project: Annotated[str, typer.Option(help="Only this project.")] = "",
    instance: Annotated[str, typer.Option(help="Only this instance.")] = "",
    limit: Annotated[
        int | None, typer.Option(help="Only so many, the newest.", min=1)
    ] = None,
    style: Annotated[
        Format, typer.Option("--format", help="For people, machines or a SIEM.")
    ] = Format.TEXT,
    config: Config = None,
    *,
    as_json: Json = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Prove the whole trail, or the lines of FILE."),
    ] = False,
) -> None:
    """Print the audit trail, newest first; or prove that it is whole."""
    style = _style(style, as_json=as_json)
    begin = _begin(since or SINCE)
    if verify:
        if style is Format.OCSF:
            raise typer.BadParameter("a proof is text or json", param_hint="--format")
        from_then = begin.isoformat(timespec="milliseconds") if since else ""
        _verify(file, config, from_then, as_json=style is Format.JSON)
        return
    if file is not None:
        raise typer.BadParameter(f"“{file}” is for --verify", param_hint="FILE")
    from bot.cli.history import Window

    window = Window(begin, project, instance, limit)
    if not wait_for(_print(settings_of(config), window, style)):
        print(f"Nothing on record in the last {since or SINCE}.")


def _style(style: Format, *, as_json: bool) -> Format:
    """Return how to print; --json is --format json."""
    if as_json and style is Format.OCSF:
        raise typer.BadParameter(
            "choose --json or --format ocsf", param_hint="--format"
        )
    return Format.JSON if as_json else style


async def _print(settings: Settings, window: Window, style: Format) -> bool:
    """Print entries as they are read; say whether anything was printed."""
    from bot.cli.history import lines, objects
    from bot.cli.ocsf import event

    shown: AsyncIterator[str]
    if style is Format.TEXT:
        shown, end = lines(settings, window), "\n"
    elif style is Format.JSON:
        shown, end = objects(settings, window, _indented), ""
    else:
        shown, end = objects(settings, window, lambda one: json.dumps(event(one))), ""
    printed = False
    async for text in shown:
        print(text, end=end)
        printed = True
    if printed and not end:
        print()
    return printed


def _indented(entry: dict[str, object]) -> str:
    """Return an entry as ``print_json`` shows it in a list."""
    return "  " + json.dumps(entry, indent=2).replace("\n", "\n  ")


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


def _verify(file: str | None, config: Config, since: str, *, as_json: bool) -> None:
    """Print what was proven and what cannot be; fail if anything is amiss."""
    from bot.cli import verify

    if file is None:
        proof = wait_for(verify.proven(settings_of(config)))
        told, lines = verify.as_object(proof), verify.proof_lines(proof)
        flaws = proof.flaws
    else:
        settings, alone = _at_hand(config)
        of_file = wait_for(verify.file_proven(file, settings, alone, since))
        told, lines = verify.file_object(of_file), verify.file_lines(of_file)
        flaws = of_file.flaws
    if as_json:
        print_json(told)
    else:
        print("\n".join(lines))
    if flaws:
        raise typer.Exit(FAILED)


def _at_hand(config: Config) -> tuple[Settings | None, str]:
    """Return the settings; where there are none and nobody named any, why."""
    path = found(config)
    named = config is not None or "MLSTUDIO_BOT_CONFIG" in os.environ
    if named or path.exists():
        return settings_of(config), ""
    return None, f"there is no configuration here ({path}; --config FILE names one)"
