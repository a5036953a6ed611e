"""The audit trail for the command line; it only reads."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.config import Settings
from bot.errors import BotError
from bot.ledger import BREAK_GLASS, Ledger
from bot.ledger.schema import url_of
from bot.slack.messages.formatting import clean

Json = dict[str, Any]


async def entries(
    settings: Settings, since: datetime, project: str, instance: str
) -> list[Json]:
    """Return the trail since a time, newest first; LedgerError if it cannot be read."""
    with closing(_opened(settings)) as ledger:
        return await ledger.entries(since=since, project=project, instance=instance)


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


def _opened(settings: Settings) -> Ledger:
    """Open the database; one that is not there is not made by looking at it."""
    path = url_of(settings.database).database or ""
    if settings.database.startswith("sqlite") and not Path(path).exists():
        raise BotError(
            f"there is no database at {Path(path).absolute()}: a relative path starts"
            " from the folder in which the bot was started"
        )
    ledger = Ledger(settings.database)
    ledger.open()
    return ledger
