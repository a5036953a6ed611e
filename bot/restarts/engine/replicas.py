"""Who a replica is on PostgreSQL, and how it takes over what a dead one has left."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

import psycopg
import sqlalchemy as sa
import structlog
from dbos import DBOS
from psycopg import AsyncConnection

from bot.errors import BotError, ConfigError, LedgerError
from bot.ledger.postgres import connect_args
from bot.ledger.preconditions import unmet

log = structlog.get_logger()

PEERS_EVERY_S = 2.0


class SessionIdentity:
    """One of several replicas: a PostgreSQL session lock says that it is alive.

    The server drops the lock with the connection, so whoever gets a peer's lock knows
    that the peer is gone; a frozen one keeps its lock.
    """

    def __init__(self, database: str) -> None:
        self.executor_id = uuid.uuid4().hex
        self._database = database
        self._connection: AsyncConnection | None = None
        self._held = asyncio.Event()

    async def take(self) -> None:
        """Connect and take our own lock; raise LedgerError if that cannot be done.

        Raises ConfigError where the database will not do for the bot.
        """
        if (why := await unmet(self._database)) is not None:
            raise ConfigError(str(why))
        try:
            self._connection = await AsyncConnection.connect(
                autocommit=True, **connect_args(self._database)
            )
            if not await self._lock(self.executor_id):
                raise LedgerError("a peer is just taking over what this replica left")
            await self._connection.execute(_BE_ONE, (_EACH_KEY,))
        except psycopg.Error as error:
            raise LedgerError(f"the database cannot be reached: {error}") from error
        self._held.set()

    async def give_back(self) -> None:
        """Close the connection, and with it the lock."""
        self._held.clear()
        if self._connection is not None:
            await self._connection.close()

    async def replicas(self) -> int:
        """Return how many replicas hold the lock that all of them share."""
        if self._connection is None:
            raise LedgerError("the replica lock is not held")
        try:
            cursor = await self._connection.execute(_COUNT, (_EACH_KEY,) * 2)
            row = await cursor.fetchone()
        except psycopg.Error as error:
            raise LedgerError(f"the replicas cannot be counted: {error}") from error
        return int(row[0]) if row else 0

    async def right_to_act(self, story_id: str) -> None:
        """Wait while our lock is lost; wait for ever if a peer has the workflow now."""
        await self._held.wait()
        if not await self._is_mine(story_id):
            log.warning("workflow taken over by another replica", workflow=story_id)
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
            except (psycopg.Error, BotError, sa.exc.SQLAlchemyError) as error:
                self._held.clear()
                log.warning("replica lock lost", error=str(error))
                await _quietly(self.give_back)
            except Exception:
                log.exception("peers not looked after")

    async def _keep_lock(self) -> None:
        """Prove that our connection leads to the primary, or take the lock again.

        A lock that is held on a primary that was demoted keeps nobody out.
        """
        if self._held.is_set() and self._connection is not None:
            cursor = await self._connection.execute("SHOW transaction_read_only")
            if await cursor.fetchone() != ("off",):
                raise LedgerError("the database can only be read: it is no primary")
        else:
            await self.take()
            log.info("replica lock held again")

    async def _peers(self) -> set[str]:
        """Return the other executors that have workflows under way."""
        pending = await DBOS.list_workflows_async(
            status="PENDING", load_input=False, load_output=False
        )
        executors = {workflow.executor_id for workflow in pending}
        return {one for one in executors if one and one != self.executor_id}

    async def _take_over(self, peer: str) -> None:
        """Resume what *peer* has left, if it is gone."""
        if not await self._lock(peer):
            return
        try:
            left = await DBOS.list_workflows_async(
                status="PENDING", executor_id=peer, load_input=False, load_output=False
            )
            for workflow in left:
                await DBOS.resume_workflow_async(workflow.workflow_id)
            log.info("took over from a dead replica", peer=peer, workflows=len(left))
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


# Besides its own each replica holds one lock together with all others: who counts its
# holders counts the living. https://www.postgresql.org/docs/current/view-pg-locks.html
_EACH_KEY = _lock_key("each replica") & 0x7FFFFFFFFFFFFFFF
_BE_ONE = "SELECT pg_advisory_lock_shared(%s)"
_COUNT = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
      AND classid::bigint = (%s::bigint >> 32)
      AND objid::bigint = (%s::bigint & 4294967295)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def _quietly(close: Callable[[], Awaitable[None]]) -> None:
    """Close what is broken already; how it fails says nothing new."""
    with suppress(psycopg.Error, OSError):
        await close()
