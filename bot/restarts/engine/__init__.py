"""The workflow engine's life: configure, launch, prune, stop.

Only this package knows that the engine is DBOS (https://docs.dbos.dev). Why each
setting is what it is: "The engine" in bot/README.md.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import LedgerError
from bot.ledger.postgres import is_postgres, postgres_engine
from bot.ledger.schema import drop_read_only, url_of
from bot.restarts.engine.identity import FileIdentity, Identity
from bot.restarts.engine.replicas import SessionIdentity
from bot.restarts.engine.steps import StepRunner
from bot.restarts.engine.workflows import Workflows

__all__ = ["WORKFLOW_VERSION", "Engine", "StepRunner", "Workflows"]

log = structlog.get_logger()

# A constant of ours: those of another version would stay pending for ever, silently.
WORKFLOW_VERSION = "1"
UNIXEPOCH_SINCE = (3, 42)  # the SQLite that knows 'subsec'
STOP_WITHIN_S = 1.5
PRUNE_AT_ONCE = 500


class Engine:
    """DBOS on *database*; *poll_s* is how often it looks for news on SQLite."""

    def __init__(self, database: str, *, poll_s: float = 0.25) -> None:
        self._database = database
        self._poll_s = poll_s
        self.identity: Identity = (
            SessionIdentity(database)
            if is_postgres(database)
            else FileIdentity(Path(url_of(database).database or ""))
        )
        self._sql: sa.Engine | None = None  # on PostgreSQL it is ours, not the engine's
        self._nurse: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Become an executor and configure DBOS; register the workflows after this.

        Raises ConfigError when another process already uses a SQLite database, or when
        a PostgreSQL will not do; LedgerError when it cannot be reached.
        """
        await self.identity.take()
        if sqlite3.sqlite_version_info < UNIXEPOCH_SINCE:
            sa.event.listen(sa.Engine, "connect", _teach_unixepoch)
        # All engines of this process, for DBOS makes its own.
        sa.event.listen(sa.Engine, "handle_error", drop_read_only)
        # With a handler of its own, DBOS adds none, and its records reach ours.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": "mlstudio-bot",
            "application_version": WORKFLOW_VERSION,
            "executor_id": self.identity.executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": 16,
            "notification_listener_polling_interval_sec": self._poll_s,
            "log_level": "WARNING",
        }
        if is_postgres(self._database):
            self._sql = _sessions(self._database)
            config["system_database_engine"] = self._sql
        else:
            config["system_database_url"] = self._database
            # Who meets SQLite's lock sleeps, and acknowledgements wait behind it.
            config["sys_db_pool_size"] = 2
        DBOS(config=config)

    def launch(self) -> None:
        """Start the engine in the running loop: recorded workflows go on from here.

        Raises LedgerError where the database does not let it.
        """
        try:
            DBOS.launch()
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise LedgerError(f"the engine cannot use the database: {cause}") from error
        self._nurse = asyncio.create_task(self.identity.look_after_peers())

    async def stop(self) -> None:
        """Stop; what is going on stays recorded and goes on at the next start.

        Close nothing that a workflow uses before this has returned.
        """
        if self._nurse is not None:
            self._nurse.cancel()
            await asyncio.wait([self._nurse])
        # A thread of our own: DBOS lends its threads to the loop and ends them here.
        thread = ThreadPoolExecutor(1, thread_name_prefix="engine stop")
        with suppress(TimeoutError):
            end = asyncio.get_running_loop().run_in_executor(thread, _destroy)
            await asyncio.wait_for(asyncio.shield(end), STOP_WITHIN_S)

    async def release(self) -> None:
        """Be nobody again; the last thing, when nothing of ours acts any more."""
        await self.identity.give_back()
        if self._sql is not None:
            self._sql.dispose()

    async def prune(self, *, before: datetime) -> None:
        """Forget finished workflows that ended before a time."""
        old = await DBOS.list_workflows_async(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=PRUNE_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if old:
            await DBOS.delete_workflows_async([one.workflow_id for one in old])
            log.info("old workflows forgotten", workflows=len(old))

    async def right_to_act(self, story_id: str) -> None:
        """Return once this process may act for *story_id*; never, if another does.

        A step with an effect asks first: a process that lost its database for a
        while may have been succeeded by another one.
        """
        await self.identity.right_to_act(story_id)


def _sessions(database: str) -> sa.Engine:
    """Return what DBOS reaches PostgreSQL with: as its own would be, but durable."""
    return postgres_engine(
        database,
        "idle_in_transaction_session_timeout = '60s'",
        pool_size=3,
        max_overflow=0,
        pool_timeout=30,
    )


def _teach_unixepoch(connection: object, _record: object) -> None:
    """Let an old SQLite (Debian 12, Ubuntu 22.04) tell milliseconds as DBOS asks it to.

    On Python 3.12 and later DBOS has ``unixepoch('subsec')`` in the defaults of its
    tables, which an SQLite before 3.42 takes for NULL: nothing could be begun.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", 1, lambda _: round(time.time(), 3))


def _destroy() -> None:
    DBOS.destroy(destroy_registry=True)
