"""From a SQLite file to PostgreSQL: copied while no bot runs, then proven."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from attrs import frozen

from bot.config import Settings
from bot.config.secret_leaks import holds_password
from bot.config.tables import database as checked
from bot.errors import BotError, UsageError
from bot.ledger import Ledger
from bot.ledger.copying import copy
from bot.ledger.postgres import is_postgres
from bot.ledger.preconditions import unmet
from bot.ledger.proof import Proof
from bot.ledger.schema import url_of
from bot.restarts.engine.identity import FileIdentity


@frozen
class Migrated:
    """How many *rows* of each table were copied, how many requests are still open, and
    what the trail proved in its new place."""

    rows: Mapping[str, int]
    unfinished: int
    proof: Proof


async def migrate(settings: Settings, target: str) -> Migrated:
    """Copy the SQLite database of *settings* into the PostgreSQL *target*.

    Raises UsageError for an address that cannot be it, ConfigError while a bot uses the
    file, LedgerError where a database fails, BotError if the copy is not the original.
    """
    file = _file(settings)
    _check(target)
    if why := await unmet(target):
        raise BotError(f"the new database: {why.fault} → {why.remedy}")
    own = FileIdentity(file)
    await own.take()
    try:
        with closing(Ledger(settings.database)) as old, closing(Ledger(target)) as new:
            before = await old.prove()
            rows = await asyncio.to_thread(copy, old.database, new.database)
            after = await new.prove()
            if _proven(before) != _proven(after):
                raise BotError(
                    "the copy does not prove what the original proves; go on using"
                    f" {file}, and drop the new database"
                )
            return Migrated(rows, await new.in_flight(), after)
    finally:
        await own.give_back()


def _proven(proof: Proof) -> tuple[object, ...]:
    """Return what two proofs of the same have in common, in whatever order."""
    return proof.entries, proof.newest_hash, proof.requests, sorted(proof.flaws)


def said(done: Migrated) -> Iterator[str]:
    """Yield for people what was copied and proven, and what is left to do."""
    counted = ", ".join(f"{number} {name}" for name, number in done.rows.items())
    yield f"✓ copied: {counted}"
    flaws = len(done.proof.flaws)
    yield (
        f"– the trail has the same {flaws} flaws as before; history --verify names them"
        if flaws
        else f"✓ the trail is whole: {done.proof.entries} entries, newest hash"
        f" {done.proof.newest_hash}"
    )
    if done.unfinished:
        yield f"– not ended yet: {done.unfinished}; the bot goes on with them"
    yield "Now set database = … to the new address, and start the bot. Keep the file."


def _file(settings: Settings) -> Path:
    """Return the file that is copied."""
    if is_postgres(settings.database):
        raise UsageError(
            "the configured database is a PostgreSQL already; pg_dump and pg_restore"
            " move one"
        )
    file = Path(url_of(settings.database).database or "")
    if not file.exists():
        raise UsageError(f"there is no database {file}: nothing has to be copied")
    return file


def _check(target: str) -> None:
    """Raise UsageError unless *target* is the address of a PostgreSQL."""
    what = "the new database's address"
    try:
        address = checked(target)
    except ValueError as error:
        raise UsageError(f"{what} {error}") from error
    if not is_postgres(address):
        raise UsageError(f'{what} must be "postgresql://user@host/database"')
    if holds_password(address):
        raise UsageError(
            f"{what} must not hold a password; set PGPASSWORD or PGPASSFILE instead"
        )
