"""The workflow engine's life: who this process is, start, take-over of the dead, stop.

Only this module and ``restart.py`` know that the engine is DBOS. Why each setting is
what it is: DESIGN, "The engine", rules 4 to 6 and 9.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

import psycopg
import sqlalchemy as sa
import structlog
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from psycopg import AsyncConnection

from bot.errors import ConfigError, LedgerError
from bot.ledger.schema import url_of

log = structlog.get_logger()

# A constant of ours: stories of another version would stay pending for ever, silently.
STORY_VERSION = "1"
UNIXEPOCH_SINCE = (3, 42)  # the SQLite that knows 'subsec'
PEERS_EVERY_S = 2.0
STOP_WITHIN_S = 1.5
PRUNE_AT_ONCE = 500


class Identity(Protocol):
    """An executor id that no two living processes share."""

    executor_id: str

    async def take(self) -> None:
        """Become this executor, or raise ConfigError or LedgerError."""

    async def give_back(self) -> None:
        """Be it no longer."""

    async def right_to_act(self, story_id: str) -> None:
        """Return once this process may act for a story; never, if another does."""

    async def look_after_peers(self) -> None:
        """Run until cancelled: take over what dead peers have left."""


class Engine:
    """DBOS on *database*; *poll_s* is how soon a story on SQLite notices a message."""

    def __init__(self, database: str, *, poll_s: float = 0.25) -> None:
        self._url = url_of(database)
        self._poll_s = poll_s
        sqlite = self._url.get_backend_name() == "sqlite"
        # Few writers at once: who meets SQLite's lock sleeps, and acks wait behind it.
        self._pool_size = 2 if sqlite else 5
        self.identity: Identity = (
            FileIdentity(Path(self._url.database or ""))
            if sqlite
            else SessionIdentity(self._url)
        )
        self._nurse: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Become an executor and configure DBOS; register the stories after this.

        Raises ConfigError when another process already uses a SQLite database.
        """
        await self.identity.take()
        if sqlite3.sqlite_version_info < UNIXEPOCH_SINCE:
            sa.event.listen(sa.Engine, "connect", _teach_unixepoch)
        # With a handler of its own, DBOS adds none, and its records reach ours.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": "mlstudio-bot",
            "system_database_url": self._url.render_as_string(hide_password=False),
            "application_version": STORY_VERSION,
            "executor_id": self.identity.executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": 16,
            "sys_db_pool_size": self._pool_size,
            "notification_listener_polling_interval_sec": self._poll_s,
            "log_level": "WARNING",
        }
        DBOS(config=config)

    def launch(self) -> None:
        """Start the engine in the running loop: recorded stories go on from here."""
        DBOS.launch()
        self._nurse = asyncio.create_task(self.identity.look_after_peers())

    async def stop(self) -> None:
        """Stop; what is going on stays recorded and goes on at the next start.

        Close nothing that a story uses before this has returned.
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

    async def prune(self, *, before: datetime) -> None:
        """Forget finished stories that ended before a time."""
        old = await DBOS.list_workflows_async(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=PRUNE_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if old:
            await DBOS.delete_workflows_async([story.workflow_id for story in old])
            log.info("old stories forgotten", stories=len(old))

    async def right_to_act(self, story_id: str) -> None:
        """Return once this process may act for *story_id*; never, if another does.

        A step with an effect asks first: a process that lost its database for a
        while may have been succeeded by another one.
        """
        await self.identity.right_to_act(story_id)


def _teach_unixepoch(connection: object, _record: object) -> None:
    """Let an old SQLite (Debian 12, Ubuntu 22.04) tell milliseconds as DBOS asks it to.

    On Python 3.12 and later DBOS has ``unixepoch('subsec')`` in the defaults of its
    tables, which an SQLite before 3.42 takes for NULL: nothing could be begun.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", 1, lambda _: round(time.time(), 3))


def _destroy() -> None:
    DBOS.destroy(destroy_registry=True)


class FileIdentity:
    """The one process that uses a SQLite file: a lock beside it keeps others out."""

    executor_id = "only"

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: int | None = None

    async def take(self) -> None:
        """Lock the file beside the database, or say who is in the way."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another mlstudio-bot already uses this database ({self._path} is"
                " locked); stop it first, or give this one a database of its own"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self._path} cannot be written ({error.strerror}); put the database"
                " where the bot may write"
            ) from error

    async def give_back(self) -> None:
        """Unlock the file."""
        if self._file is not None:
            os.close(self._file)

    async def right_to_act(self, story_id: str) -> None:
        """Return at once: there is nobody else."""

    async def look_after_peers(self) -> None:
        """Do nothing: there are none."""


class SessionIdentity:
    """One of several replicas: a PostgreSQL session lock says that it is alive.

    The server drops the lock with the connection, so whoever gets a peer's lock knows
    that the peer is gone; a frozen one keeps its lock.
    """

    def __init__(self, url: sa.URL) -> None:
        self.executor_id = uuid.uuid4().hex
        self._dsn = url.set(drivername="postgresql").render_as_string(
            hide_password=False
        )
        self._connection: AsyncConnection | None = None
        self._held = asyncio.Event()

    async def take(self) -> None:
        """Connect and take our own lock; raise LedgerError if that cannot be done."""
        try:
            self._connection = await AsyncConnection.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=5,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
            )
            if not await self._lock(self.executor_id):
                raise LedgerError("a peer is just taking over what this replica left")
        except psycopg.Error as error:
            raise LedgerError(f"the database cannot be reached: {error}") from error
        self._held.set()

    async def give_back(self) -> None:
        """Close the connection, and with it the lock."""
        self._held.clear()
        if self._connection is not None:
            await self._connection.close()

    async def right_to_act(self, story_id: str) -> None:
        """Wait while our lock is lost; wait for ever if a peer has the story now."""
        await self._held.wait()
        if not await self._is_mine(story_id):
            log.warning("story taken over by another replica", story=story_id)
            await asyncio.Event().wait()

    async def _is_mine(self, story_id: str) -> bool:
        found = await DBOS.list_workflows_async(
            workflow_ids=[story_id], load_input=False, load_output=False
        )
        # One that is being taken over still bears our name until somebody has it.
        return bool(found) and (found[0].executor_id, found[0].status) == (
            self.executor_id,
            "PENDING",
        )

    async def look_after_peers(self) -> None:
        """Look every two seconds, first after our own lock, then after the peers."""
        while True:
            await asyncio.sleep(PEERS_EVERY_S)
            try:
                await self._keep_lock()
                for peer in await self._peers():
                    await self._take_over(peer)
            except (psycopg.Error, LedgerError, sa.exc.SQLAlchemyError) as error:
                self._held.clear()
                log.warning("replica lock lost", error=str(error))
                await _quietly(self.give_back)
            except Exception:
                log.exception("peers not looked after")

    async def _keep_lock(self) -> None:
        """Prove that our connection lives, or take the lock again."""
        if self._held.is_set() and self._connection is not None:
            await self._connection.execute("SELECT 1")
        else:
            await self.take()
            log.info("replica lock held again")

    async def _peers(self) -> set[str]:
        """Return the other executors that have stories under way."""
        pending = await DBOS.list_workflows_async(
            status="PENDING", load_input=False, load_output=False
        )
        executors = {story.executor_id for story in pending}
        return {one for one in executors if one and one != self.executor_id}

    async def _take_over(self, peer: str) -> None:
        """Resume what *peer* has left, if it is gone."""
        if not await self._lock(peer):
            return
        try:
            left = await DBOS.list_workflows_async(
                status="PENDING", executor_id=peer, load_input=False, load_output=False
            )
            for story in left:
                await DBOS.resume_workflow_async(story.workflow_id)
            log.info("took over from a dead replica", peer=peer, stories=len(left))
        finally:
            await self._unlock(peer)

    async def _lock(self, executor_id: str) -> bool:
        return await self._ask("SELECT pg_try_advisory_lock(%s)", executor_id)

    async def _unlock(self, executor_id: str) -> bool:
        return await self._ask("SELECT pg_advisory_unlock(%s)", executor_id)

    async def _ask(self, query: str, executor_id: str) -> bool:
        if self._connection is None:
            raise LedgerError("the replica lock is not held")
        cursor = await self._connection.execute(query, (_lock_key(executor_id),))
        row = await cursor.fetchone()
        return bool(row and row[0])


def _lock_key(executor_id: str) -> int:
    """Return the 64-bit advisory lock key of an executor id."""
    digest = hashlib.sha256(f"mlstudio-bot {executor_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


async def _quietly(close: Callable[[], Awaitable[None]]) -> None:
    """Close what is broken already; how it fails says nothing new."""
    with suppress(psycopg.Error, OSError):
        await close()
