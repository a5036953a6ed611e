"""What is asked of notebooks besides a look and an act: lease, flavors, the list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from typing import Protocol

import attrs
import httpx

from bot.cloud import notebook
from bot.cloud.api import Call
from bot.cloud.error_response import body_of, told_ms
from bot.cloud.rate_limiter import Rank
from bot.errors import CloudUnknown
from bot.model import AutoStop, Instance, Lease, Target


class Wire(Protocol):
    """How the calls go out; each returns an answer without an error in it."""

    def counted(self, kind: str) -> AbstractContextManager[None]:
        """Count a call of this *kind* by how it ends."""

    async def of_one(
        self, target: Target, call: Call, *, changes: str = ""
    ) -> httpx.Response:
        """Make a *call* about one notebook; *changes* is the right that it needs."""

    async def of_all(
        self, project: str, path: str, query: Mapping[str, str], rank: Rank
    ) -> httpx.Response:
        """Make a call about all notebooks of a project."""


@attrs.frozen
class NotebookCalls:
    """Asks over *wire*; every failure is a CloudError."""

    _wire: Wire

    async def lease(self, target: Target) -> Lease:
        """Return when a notebook stops by itself."""
        with self._wire.counted("lease"):
            response = await self._wire.of_one(target, Call("GET", "/lease"))
            return notebook.lease(body_of(response))

    async def set_lease(self, target: Target, auto_stop: AutoStop) -> Lease:
        """Set when a running notebook stops by itself, and return what counts then.

        The same may be set again.
        """
        set_to = Call("PATCH", "/lease", notebook.lease_body(auto_stop))
        with self._wire.counted("lease"):
            response = await self._wire.of_one(
                target, set_to, changes="updateStopPolicy"
            )
        body = body_of(response)
        return notebook.lease(body) if body else await self.lease(target)

    async def is_sold_out(self, target: Target, instance: Instance) -> bool | None:
        """Say whether all machines like a notebook's are taken; None where unsaid.

        That there are some is a hint, no reservation.
        """
        query = {"type": "DEDICATED" if instance.pool else "MANAGED"}
        with self._wire.counted("flavors"):
            response = await self._wire.of_all(
                target.project, notebook.FLAVORS, query, Rank.QUESTION
            )
            return notebook.sold_out(body_of(response), instance.flavor)

    async def all(self, project: str) -> tuple[Instance, ...]:
        """Return every notebook of *project*, each once: all pages, or an error."""
        found = [page async for page in self.pages(project)]
        return tuple({one.id.lower(): one for page in found for one in page}.values())

    async def pages(
        self, project: str, *, rank: Rank = Rank.QUESTION
    ) -> AsyncIterator[tuple[Instance, ...]]:
        """Yield the notebooks of *project*, whoever's they are, page by page.

        While they change, one may stand on two pages, or on none.
        """
        seen: set[str] = set()
        for offset in count(step=notebook.NOTEBOOKS_A_PAGE):
            with self._wire.counted("list"):
                query = notebook.page_query(offset)
                response = await self._wire.of_all(project, notebook.LIST, query, rank)
                page = notebook.instances(body_of(response))
                if page is None:
                    raise CloudUnknown("The cloud's list of notebooks is unreadable.")
            yield tuple(replace(one, read_ms=told_ms(response)) for one in page)
            ids = {one.id for one in page}
            if notebook.is_last(body_of(response)) or ids <= seen:
                return
            seen |= ids
