"""``mlstudio-bot check --bundle``: one file for a bug report, without secrets.

Whatever cannot be had says so in its place: a bundle is wanted most where a file is
wrong or a database is away.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.cli.bundle.configuration import configuration_of
from bot.cli.bundle.database import database_of
from bot.cli.bundle.log import log_of, shown_lines
from bot.cli.bundle.screen import Screen, hidden_of
from bot.cli.bundle.versions import versions_of
from bot.config import examine
from bot.errors import BotError

_README = """\
For a bug report about mlstudio-bot. Read it before you send it.

versions.json       the bot, Python, its packages, the system, which variables are set
configuration.json  what counts of the configuration; no secret, no login of an address
check.txt           what "mlstudio-bot check" said, without names of people
database.json       rows of each table, the newest entry of the trail, what is lacking
log.jsonl           the lines of the log that was given, if one was

Ids of people, channels, projects and instances stay, and names of the configuration.
What people typed (reasons, commands) is [left out], as is whatever else is not known
to be a word of the bot's own. Of errors what stands in quotes is left out.
"""


def expect_new(file: Path, log: Path | None) -> None:
    """Raise BotError if *file* cannot be a new one, or *log* cannot be read."""
    if file.exists() or file.is_symlink():
        raise BotError(
            f"{file} exists already; choose another name, or remove it first"
        )
    if not file.parent.is_dir():
        raise BotError(f"{file} cannot be written: there is no folder {file.parent}")
    if log:
        try:
            log.open("rb").close()
        except OSError as error:
            raise BotError(f"{log} cannot be read: {error.strerror}") from error


def write(
    file: Path,
    path: Path,
    environ: Mapping[str, str],
    *,
    checked: Iterable[str] = (),
    log: Path | None = None,
) -> None:
    """Write the new archive *file* about the configuration at *path*.

    *checked* is what ``check`` said of it. Raises BotError where it cannot be written
    or *log* cannot be read; an existing file is left alone.
    """
    expect_new(file, log)
    found = examine(path, environ)
    screen = Screen.of(hidden_of(environ, found.secrets.hidden), found.settings)
    parts: dict[str, Any] = {
        "versions.json": versions_of(environ),
        "configuration.json": configuration_of(found),
        "database.json": database_of(found.settings),
    }
    texts = {
        "README.txt": _README,
        "check.txt": shown_lines(checked, screen),
        **{
            name: json.dumps(screen.cleaned(part), indent=2) + "\n"
            for name, part in parts.items()
        },
        "log.jsonl": log_of(log, screen) if log else "",
    }
    _archive(file, texts)


def _archive(file: Path, texts: Mapping[str, str]) -> None:
    """Write *texts* into the new *file*, for its owner alone; all of it or nothing."""
    made = False
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        made = True
        with (
            os.fdopen(opened, "wb") as stream,
            zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, text in texts.items():
                archive.writestr(f"mlstudio-bot/{name}", text)
    except OSError as error:
        if made:
            with suppress(OSError):
                file.unlink()
        raise BotError(f"{file} cannot be written: {error.strerror}") from error
