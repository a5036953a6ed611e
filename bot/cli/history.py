"""The audit trail for the command line; it only reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import asdict

from bot.config import Settings
from bot.config.name_lookup import unknown
from bot.config.tables import ID_SHAPE
from bot.errors import BotError, UsageError
from bot.ledger import BREAK_GLASS, Ledger
from bot.ledger.postgres import is_postgres
from bot.ledger.proof import Proof
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


async def lines(
    settings: Settings, since: datetime, project: str, instance: str
) -> AsyncIterator[str]:
    """Yield the trail since a time as lines for people, newest first.

    It is read a page at a time, however long it is. Last, if there was any, how often
    somebody went past an approval. UsageError as with ``entries``.
    """
    glass, found = 0, False
    with closing(_opened(settings)) as ledger:
        async for page in ledger.pages(since=since, project=project, instance=instance):
            found = True
            for entry in page:
                glass += entry["kind"] == BREAK_GLASS
                yield line(entry)
    if not found:
        _known(settings, project, instance)
    if glass:
        yield f"Break-glass: {glass} of these requests went past the approval."


async def proven(settings: Settings) -> Proof:
    """Return what going through all of the trail and the requests proves."""
    with closing(_opened(settings)) as ledger:
        return await ledger.prove()


def as_object(proof: Proof) -> Json:
    """Return *proof* for machines."""
    return {"whole": not proof.flaws, **asdict(proof)}


def proof_lines(proof: Proof) -> Iterator[str]:
    """Yield for people what *proof* proves, and what it cannot."""
    for flaw in proof.flaws:
        yield f"✗ {flaw}"
    if proof.flaws:
        yield f"The trail has {_extent(proof)}."
        return
    if not proof.entries:
        yield "– the trail is empty: nothing was recorded yet, or all of it was removed"
        return
    yield (
        f"✓ from entry {proof.first} to {proof.last} nothing is missing, changed or"
        f" moved; newest {_shown(proof.newest_at)}, hash {proof.newest_hash}"
    )
    yield (
        f"✓ the requests ({proof.requests}) stand where the trail leaves them, and were"
        " sent when it says so"
    )
    yield (
        "– not proven: whether the end of both was cut off, or both written anew, by"
        " whoever owns the database; compare the newest entry's hash with the log"
        " (“audit trail”)"
    )


def _extent(proof: Proof) -> str:
    """Return how much of the trail there is."""
    if not proof.entries:
        return "no entries"
    return (
        f"{proof.entries} entries, from {proof.first} to {proof.last}; newest"
        f" {_shown(proof.newest_at)}, hash {proof.newest_hash}"
    )


def line(entry: Json) -> str:
    """Return one entry as a line for people."""
    where = "/".join(filter(None, (entry["project"], entry["instance"])))
    rule = f"rule “{entry['rule']}”" if entry["rule"] else ""
    parts = (
        _shown(entry["at"]),
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
    if is_postgres(settings.database) or Path(path).exists():
        return ""
    return (
        f"there is no database at {Path(path).absolute()}: a relative path starts"
        " from the folder in which the bot was started"
    )


def _shown(at: str) -> str:
    """Return a time of the trail as people read it."""
    return at.replace("T", " ").replace("+00:00", "Z")


def _opened(settings: Settings) -> Ledger:
    """Open the database; one that is not there is not made by looking at it."""
    missing = missing_file(settings)
    if missing:
        raise BotError(missing)
    ledger = Ledger(settings.database)
    ledger.open()
    return ledger
