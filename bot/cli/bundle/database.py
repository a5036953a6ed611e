"""How much stands in the database, and what it lacks; nothing of what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from bot.cli.bundle.configuration import address_of
from bot.config import Settings
from bot.errors import ConfigError
from bot.ledger.migration import missing
from bot.ledger.postgres import is_postgres
from bot.ledger.preconditions import ENGINE_SCHEMA
from bot.ledger.schema import engine_of, requests, trail, url_of


def database_of(settings: Settings | None) -> dict[str, Any]:
    """Return the state of the database, as far as it answers; nothing is changed."""
    if settings is None:
        return {"problem": "which one is not known, since the file has mistakes"}
    found: dict[str, Any] = {"address": address_of(settings.database)}
    file = "" if is_postgres(settings.database) else url_of(settings.database).database
    if file and not Path(file).exists():
        return {**found, "problem": "there is no such file yet"}
    try:
        engine = engine_of(settings.database).execution_options(reading=True)
        try:
            with engine.connect() as connection:
                found |= _state(connection)
                found["rows"] = dict(_rows(engine))
        finally:
            engine.dispose()
    except (SQLAlchemyError, ConfigError) as error:
        found["problem"] = _cause(error)
    return found


def _state(connection: sa.Connection) -> dict[str, Any]:
    """Return versions, what the next start adds, and where trail and requests stand."""
    there = set(sa.inspect(connection).get_table_names())
    state: dict[str, Any] = {
        "server": ".".join(map(str, connection.dialect.server_version_info or ())),
        "the next start adds": str(missing(connection)) or "nothing",
    }
    if trail.name in there:
        newest = sa.select(trail.c.seq, trail.c.at).order_by(trail.c.seq.desc())
        row = connection.execute(newest.limit(1)).first()
        state["newest entry"] = {"seq": row.seq, "at": row.at} if row else None
    if requests.name in there:
        by_state = sa.select(requests.c.state, sa.func.count())
        counts = connection.execute(by_state.group_by(requests.c.state)).all()
        state["requests"] = {str(state): number for state, number in counts}
    return state


def _rows(engine: sa.Engine) -> Iterator[tuple[str, int | str]]:
    """Yield each table with how many rows it has, or why that cannot be told."""
    schemas: list[str | None] = [None]
    if engine.dialect.name == "postgresql":
        schemas.append(ENGINE_SCHEMA)
    for schema in schemas:
        for name in sorted(sa.inspect(engine).get_table_names(schema)):
            table = sa.table(name, schema=schema)
            try:
                with engine.connect() as connection:  # one may be refused, or too long
                    query = sa.select(sa.func.count()).select_from(table)
                    yield name, connection.execute(query).scalar_one()
            except SQLAlchemyError as error:
                yield name, _cause(error)


def _cause(error: Exception) -> str:
    """Return why the database did not answer, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())
