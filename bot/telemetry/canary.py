"""The canary: does Slack reach us, does the cloud let us in; unready while not.

"Deaf but healthy" is what it is for: a process that answers its probes while nothing
reaches it any more. What each way in can prove, and what nobody can prove from inside,
is said at ``SocketMode.prove`` and ``HttpMode.prove``. For the cloud, each project's
login is used for a look at no instance: this proves that the login which the bot holds
is accepted now, together with address, project id and the right to look; it does not
prove that a password would be accepted again, nor the right to restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import attrs
import structlog

from bot.cloud import Cloud
from bot.errors import BotError, CloudMisfit

log = structlog.get_logger()

Proof = Callable[[], Awaitable[None]]

AGAIN_S = 2.0  # what fails once is asked once more before it is believed
MEND_EVERY_S = 30.0  # while something fails: it shall be seen soon when it works again
PROVE_WITHIN_S = 45.0


@attrs.define
class Canary:
    """Proves every *every_s* seconds what *proofs* says, by name; raising means no.

    *proofs* is asked anew for each round, since a reload may change the projects.
    """

    _proofs: Callable[[], Mapping[str, Proof]]
    _every_s: float
    _limit_s: float = attrs.field(default=PROVE_WITHIN_S, kw_only=True)
    _again_s: float = attrs.field(default=AGAIN_S, kw_only=True)
    _clock: Callable[[], float] = attrs.field(default=time.monotonic, kw_only=True)
    _failed: frozenset[str] = attrs.field(
        default=frozenset({"not proven yet"}), init=False
    )
    _proven_at: float = attrs.field(default=float("-inf"), init=False)
    _loop: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    async def is_well(self) -> bool:
        """Say whether all was proven lately; a canary that hangs is no proof."""
        longest = 2 * self._every_s + 2 * self._limit_s + self._again_s
        return not self._failed and self._clock() - self._proven_at < longest

    def start(self) -> None:
        """Prove now, and then again and again."""
        self._loop = asyncio.create_task(self._run(), name="canary")

    async def close(self) -> None:
        """Stop proving."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        while True:
            hurry = await self.look()
            await asyncio.sleep(
                min(self._every_s, MEND_EVERY_S) if hurry else self._every_s
            )

    async def look(self) -> bool:
        """Prove everything once; say whether it is worth looking again soon."""
        proofs = self._proofs()
        answers = await asyncio.gather(
            *(self._prove(name, proof) for name, proof in proofs.items())
        )
        errors = {
            name: error for name, error in zip(proofs, answers, strict=True) if error
        }
        failed = frozenset(errors)
        if self._failed and not failed:
            log.info("canary well", proven=sorted(proofs))
        self._failed, self._proven_at = failed, self._clock()
        # A refused login only gets worse by trying: the cloud locks accounts and keys.
        return any(not isinstance(error, CloudMisfit) for error in errors.values())

    async def _prove(self, name: str, proof: Proof) -> Exception | None:
        """Return why *proof* failed, twice in a row; None when it holds."""
        error = await self._once(proof)
        if error is not None and not isinstance(error, CloudMisfit):
            await asyncio.sleep(self._again_s)
            error = await self._once(proof)
        if error is not None:
            log.error("canary failed", proof=name, error=_words(error))
        return error

    async def _once(self, proof: Proof) -> Exception | None:
        try:
            async with asyncio.timeout(self._limit_s):
                await proof()
        except Exception as error:  # noqa: BLE001 - of any kind: it is no proof
            return error
        return None


def cloud_proofs(cloud: Cloud, projects: Mapping[str, object]) -> dict[str, Proof]:
    """Return the proof of each project's login."""
    return {f"cloud {name}": partial(cloud.prove, name) for name in projects}


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, BotError) else repr(error)
