"""The audit trail for the command line; it only reads."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.config import Settings
from bot.config.name_lookup import unknown
from bot.config.tables import ID_SHAPE
from bot.errors import BotError, UsageError
from bot.ledger import BREAK_GLASS, Ledger
from bot.ledger.schema import url_of
from bot.slack.messages.formatting import clean

Json = dict[str, Any]


async def entries(
    settings: Settings, since: datetime, project: str, instance: str
) -> list[Json]:
    """Return the trail since a time, newest first; LedgerError if it cannot be read.

    Where there is nothing a name that nobody knows is a UsageError: what is on record
    may have gone from the configuration.
    """
    with closing(_opened(settings)) as ledger:
        found = await ledger.entries(since=since, project=project, instance=instance)
    if not found:
        _known(settings, project, instance)
    return found


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


async def verified(settings: Settings) -> tuple[list[str], int, str]:
    """Return all flaws of the trail, how many entries it has, and its newest hash."""
    with closing(_opened(settings)) as ledger:
        return (await ledger.verify(), *await ledger.newest_hash())


def broken_glass(found: list[Json]) -> str:
    """Return how many of the entries *found* mark a break-glass, or nothing."""
    count = sum(entry["kind"] == BREAK_GLASS for entry in found)
    if not count:
        return ""
    return f"Break-glass: {count} of these requests went past the approval."


def line(entry: Json) -> str:
    """Return one entry as a line for people."""
    where = "/".join(filter(None, (entry["project"], entry["instance"])))
    rule = f"rule “{entry['rule']}”" if entry["rule"] else ""
    parts = (
        entry["at"].replace("T", " ").replace("+00:00", "Z"),
        entry["kind"],
        "/".join(filter(None, (entry["team_id"], entry["user_id"]))),
        where,
        rule,
        clean(entry["detail"]),
        f"ref {entry['ref']}" if entry["ref"] else "",
    )
    return "  ".join(filter(None, parts))


def missing_file(settings: Settings) -> str:
    """Return what to say of a database's file that is not there, else nothing."""
    path = url_of(settings.database).database or ""
    if not settings.database.startswith("sqlite") or Path(path).exists():
        return ""
    return (
        f"there is no database at {Path(path).absolute()}: a relative path starts"
        " from the folder in which the bot was started"
    )


def _opened(settings: Settings) -> Ledger:
    """Open the database; one that is not there is not made by looking at it."""
    missing = missing_file(settings)
    if missing:
        raise BotError(missing)
    ledger = Ledger(settings.database)
    ledger.open()
    return ledger
