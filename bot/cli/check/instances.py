"""What the instances are that have a name here: many looked at together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus

import attrs

from bot.cli.check.line import Asking, Line, bad, counted, failed, good
from bot.cloud import Cloud
from bot.config import Settings
from bot.errors import CloudBusy, CloudError, CloudOtherKind, CloudRefused
from bot.model import Instance, Kind, Target

READS_AT_ONCE = 8  # looks under way together
# Whoever is told to come later comes later; the cloud has a limit of its own.
READ_WAITS_S = (2.0, 5.0, 15.0, 30.0)
_LONGEST_WAIT_S = 60.0


@attrs.define
class Instances:
    """Looks at the named instances of one project; *owners* gathers whose they are."""

    _settings: Settings
    _cloud: Cloud
    _project: str
    _owners: set[str]
    _asking: Asking
    _listed: Mapping[str, Instance] = attrs.field(factory=dict, init=False)

    async def lines(self) -> AsyncIterator[Line]:
        """Yield a line for each, as soon as it is known.

        Notebooks are looked up in the cloud's list, others read one by one.
        """
        own = self._settings.projects[self._project]
        targets = {a: self._settings.target(self._project, a) for a in own.instances}
        notebooks = [t for t in targets.values() if t.kind is Kind.NOTEBOOK]
        if own.discover or len(notebooks) > 1:
            line = await self._list()
            if own.discover:
                yield line
        places = asyncio.Semaphore(READS_AT_ONCE)
        looks = [
            asyncio.create_task(self._look(alias, target, places))
            for alias, target in targets.items()
        ]
        try:
            for done, look in enumerate(asyncio.as_completed(looks)):
                of = f"{done} of {counted(len(looks), 'instance')}"
                self._asking(f"{self._project}: {of}")
                yield await look
        finally:
            for task in looks:
                task.cancel()

    async def _list(self) -> Line:
        """Read the list of notebooks; return whether names can be had from it."""
        self._asking(f"{self._project}: the list of notebooks")
        try:
            found = await self._cloud.list(self._project)
        except CloudError as error:
            mend = (
                "give the bot's user the permission modelarts:notebook:listAllNotebooks"
                f", or set discover = false in projects.{self._project}"
            )
            return failed(self._project, error, mending(error, mend))
        self._listed = {one.id.lower(): one for one in found}
        self._owners.update(one.owner for one in found)
        return good(f"{self._project}: {counted(len(found), 'notebook')} can be named")

    async def _look(
        self, alias: str, target: Target, places: asyncio.Semaphore
    ) -> Line:
        """Return what an instance is and does."""
        named = f"{self._project}/{alias}"
        at = f"projects.{self._project}.instances.{alias}"
        try:
            async with places:
                instance = await self._read(target)
        except CloudOtherKind as error:
            return bad(f"{named}: {error}", f"mend the kind at {at}")
        except CloudError as error:
            mend = f"mend or remove the id at {at}"
            return failed(named, error, mending(error, mend))
        self._owners.add(instance.owner)
        return good(f"{named} is {instance.status} (kind {instance.kind})")

    async def _read(self, target: Target) -> Instance:
        """Return what the cloud says of an instance, when it lets us ask."""
        if target.kind is Kind.NOTEBOOK and target.key in self._listed:
            return self._listed[target.key]
        for wait_s in READ_WAITS_S:
            try:
                return await self._cloud.read(target)
            except CloudBusy as error:
                if error.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
                wait_s = min(error.retry_after or wait_s, _LONGEST_WAIT_S)  # noqa: PLW2901
            self._asking(f"{self._project}: the cloud asks us to wait {wait_s:.0f} s")
            await asyncio.sleep(wait_s)
        return await self._cloud.read(target)


def mending(error: CloudError, remedy: str) -> str:
    """Return *remedy* where the cloud refused, else where to look."""
    if isinstance(error, CloudRefused):
        return remedy
    return "see that this machine reaches the cloud's hosts, and run the check again"
