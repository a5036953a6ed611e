"""The audit trail for the command line; it only reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

from bot.config import Settings
from bot.config.name_lookup import unknown
from bot.config.tables import ID_SHAPE
from bot.errors import BotError, UsageError
from bot.ledger import BREAK_GLASS, Ledger
from bot.ledger.postgres import is_postgres
from bot.ledger.schema import url_of
from bot.slack.messages.formatting import clean

Json = dict[str, Any]


@frozen
class Window:
    """Which entries of the trail are asked for: of them the newest *limit*."""

    since: datetime
    project: str = ""
    instance: str = ""
    limit: int | None = None


async def entries(settings: Settings, window: Window) -> AsyncIterator[Json]:
    """Yield entries, newest first; LedgerError if the trail cannot be read.

    It is read a page at a time, however long it is. Where there is nothing a name that
    nobody knows is a UsageError: what is on record may have gone from the
    configuration.
    """
    found = False
    with closing(opened(settings)) as ledger:
        async for page in ledger.pages(**asdict(window)):
            found = True
            for entry in page:
                yield entry
    if not found:
        _known(settings, window.project, window.instance)


def _known(settings: Settings, project: str, instance: str) -> None:
    """Raise UsageError for a name that the configuration does not have."""
    projects = settings.projects
    if project and project not in projects:
        raise UsageError(unknown("project", project, projects))
    asked = [projects[project]] if project else projects.values()
    aliases = {alias for own in asked for alias in own.instances}
    if instance and instance not in aliases and not ID_SHAPE.fullmatch(instance):
        where = f" in {project}" if project else ""
        raise UsageError(unknown("instance", instance, sorted(aliases), where))


async def lines(settings: Settings, window: Window) -> AsyncIterator[str]:
    """Yield entries as lines for people, newest first.

    Last, if there was any, how often somebody went past an approval.
    """
    glass = 0
    async for entry in entries(settings, window):
        glass += entry["kind"] == BREAK_GLASS
        yield line(entry)
    if glass:
        yield f"Break-glass: {glass} of these requests went past the approval."


async def objects(
    settings: Settings, window: Window, shown: Callable[[Json], str]
) -> AsyncIterator[str]:
    """Yield the lines of one JSON array, each entry as it is *shown*, newest first."""
    before = "[\n"
    async for entry in entries(settings, window):
        yield before + shown(entry)
        before = ",\n"
    yield "\n]" if before == ",\n" else "[]"


def line(entry: Json) -> str:
    """Return one entry as a line for people."""
    where = "/".join(filter(None, (entry["project"], entry["instance"])))
    rule = f"rule “{entry['rule']}”" if entry["rule"] else ""
    parts = (
        shown(entry["at"]),
        entry["kind"],
        "/".join(filter(None, (entry["team_id"], entry["user_id"]))),
        where,
        rule,
        clean(entry["detail"]),
        f"ref {entry['ref']}" if entry["ref"] else "",
        f"request {entry['request_id']}" if entry["request_id"] else "",
    )
    return "  ".join(filter(None, parts))


def missing_file(settings: Settings) -> str:
    """Return what to say of a database's file that is not there, else nothing."""
    path = url_of(settings.database).database or ""
    if is_postgres(settings.database) or Path(path).exists():
        return ""
    return (
        f"there is no database at {Path(path).absolute()}: a relative path starts"
        " from the folder in which the bot was started"
    )


def shown(at: str) -> str:
    """Return a time of the trail as people read it."""
    return at.replace("T", " ").replace("+00:00", "Z")


def opened(settings: Settings) -> Ledger:
    """Open the database; one that is not there is not made by looking at it."""
    missing = missing_file(settings)
    if missing:
        raise BotError(missing)
    ledger = Ledger(settings.database)
    ledger.open()
    return ledger
