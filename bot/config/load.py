"""The configuration file: where it is, and what it and the environment hold."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from bot.config import openstack, secrets
from bot.config.cross_checks import Document, logins, of_relations, table
from bot.config.error_messages import (
    TOKEN,
    Fraction,
    Problem,
    echo,
    lines,
    of_shape,
)
from bot.config.oncall import of_lines, sources
from bot.config.secret_leaks import of_leaks
from bot.config.secrets import Secrets
from bot.config.settings import Settings
from bot.errors import ConfigError

DEFAULT = "mlstudio-bot.toml"
VARIABLE = "MLSTUDIO_BOT_CONFIG"
_POSITION = re.compile(r"(.*) \(at (line (\d+), column \d+)\)", re.DOTALL)


def find(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Return which file holds the configuration; whether it is there is not asked."""
    return path or Path(environ.get(VARIABLE) or DEFAULT)


class Examined(NamedTuple):
    """What the file and the environment say, and what is wrong with either."""

    settings: Settings | None
    wrong: tuple[str, ...]
    secrets: Secrets
    missing: list[Problem]


def load(path: Path, environ: Mapping[str, str]) -> tuple[Settings, Secrets]:
    """Return what the file and the environment say.

    Raises ConfigError with every mistake of both.
    """
    found = examine(path, environ)
    if found.settings is None or found.missing:
        raise ConfigError(*found.wrong, *lines(found.missing))
    return found.settings, found.secrets


def examine(path: Path, environ: Mapping[str, str]) -> Examined:
    """Return what the file and the environment say, with every mistake of both."""
    try:
        found = openstack.complete(_read(path), environ)
    except ConfigError as error:
        # What else is needed only the file can tell.
        return Examined(None, error.problems, *secrets.read(environ, ()))
    document = found.document
    mode = table(document, "slack").get("mode", "socket")
    notes = "notes" if table(document, "alerts").get("note_from") else None
    uses = (mode, *logins(document), *sources(document), notes)
    needs = {use for use in uses if isinstance(use, str)}
    settings, wrong = _settings(document, found.problems)
    hidden = secrets.read(environ, needs, found.common, found.own)
    return Examined(settings, wrong, *hidden)


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return what the file says, with addresses and ids from clouds.yaml and *environ*.

    Raises ConfigError with every mistake in it; secrets are not asked for.
    """
    found = openstack.complete(_read(path), environ)
    settings, wrong = _settings(found.document, found.problems)
    if settings is None:
        raise ConfigError(*wrong)
    return settings


def validate(document: Document) -> Settings:
    """Return a parsed *document* as settings; raises ConfigError with every mistake."""
    settings, wrong = _settings(document)
    if settings is None:
        raise ConfigError(*wrong)
    return settings


def _settings(
    document: Document, unfound: Sequence[Problem] = ()
) -> tuple[Settings | None, tuple[str, ...]]:
    """Return the settings, or else everything that is wrong with *document*.

    *unfound* is what a clouds.yaml should have brought.
    """
    settings, shape = None, []
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        shape = list(of_shape(error, Settings))
    found = [*of_leaks(document), *shape, *of_relations(document), *of_lines(document)]
    if unfound:
        found = [*unfound, *(one for one in found if not _follows(one))]
    return (None if found else settings), lines(found)


def _follows(problem: Problem) -> bool:
    """Say whether something is only missing because clouds.yaml did not bring it."""
    brought = {"iam_url", "modelarts_url", "id"}
    return problem.path[-1] in brought and problem.text.startswith("is missing")


# --- the file ------------------------------------------------------------------------


def _read(path: Path) -> Document:
    """Return the file's content; raises ConfigError when it cannot be had."""
    text = _text(path)
    try:
        return tomllib.loads(text, parse_float=Fraction)
    except RecursionError:
        raise ConfigError(f"{path}: it is nested too deeply") from None
    except ValueError as error:
        what = TOKEN.sub("…", " ".join(str(error).split()))
        position = _POSITION.fullmatch(what)
        if position:
            twice = _twice(position[1], text.splitlines()[int(position[3]) - 1])
            if twice:
                raise ConfigError(f"{path}: line {position[3]}: {twice}") from None
            what = f"{position[2]}: {position[1]}"
        raise ConfigError(f"{path}: this is not TOML, {what}") from None


def _twice(what: str, line: str) -> str:
    """Return that something stands twice, if the parser's words mean that of *line*."""
    header = re.match(r"\s*(\[.*\])", line)
    key = re.match(r"\s*([^=#\[]+?)\s*=", line)
    inline = re.fullmatch(r"Duplicate inline table key '(.*)'", what)
    if header and what.startswith(("Cannot declare", "Cannot overwrite")):
        table = echo(header[1], also="[] \"'")
        return f"the table {table} is there already; put all of it in one place"
    if inline or (key and what == "Cannot overwrite a value"):
        name = echo((inline or key or [])[1].strip("\"'"), also=" \"'")
        return f'"{name}" is there already, in the same table; keep one of the two'
    return ""


def _text(path: Path) -> str:
    """Return the file's text; raises ConfigError when it cannot be had."""
    try:
        # Some editors begin a file with a byte order mark.
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f'{path}: there is no such file; "mlstudio-bot init {path}" writes one to'
            " start from"
        ) from None
    except OSError as error:
        why = error.strerror or "it failed"
        raise ConfigError(f"{path}: the file cannot be read: {why}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8 text") from None
