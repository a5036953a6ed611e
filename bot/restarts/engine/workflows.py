"""The workflows of this process: begun, gone on with after a failure, let go of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID, WorkflowStatus, error

from bot.restarts.engine.steps import StepRunner

log = structlog.get_logger()

GIVEN_UP = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
SELDOM = 32  # looks between two revivals of a workflow that dies again and again
CANCEL_WITHIN_S = 1.0


class Workflows:
    """Has workflows told; ``register`` them before the engine launches.

    A workflow bears the id of the request that it is about.
    """

    def __init__(self, runner: StepRunner[Any]) -> None:
        self._runner = runner
        self._known: dict[str, Callable[[str], Any]] = {}
        self._telling: dict[asyncio.Task[Any], str] = {}
        self._dead: set[str] = set()  # workflows that the engine failed here
        self._missed: dict[str, int] = {}  # looks at which nobody told a workflow
        self.urgent: frozenset[str] = frozenset()  # they wait for each other only

    def register(self, name: str, tell: Callable[[str], Awaitable[str]]) -> None:
        """Make a workflow known to the engine, by a *name* that recorded ones keep."""

        async def workflow(request_id: str) -> str:
            with self._being_told(request_id):
                urgent = request_id in self.urgent
                await self._runner.concurrency.begin(urgent=urgent)
                return await tell(request_id)

        known = DBOS.workflow(name=name, max_recovery_attempts=None)
        self._known[name] = known(workflow)

    async def begin(self, name: str, request_id: str) -> None:
        """Begin the workflow called *name*; one that exists goes on as it is."""
        with SetWorkflowID(request_id):
            await DBOS.start_workflow_async(self._known[name], request_id)

    async def revive(
        self, untold: Collection[str], begin: Callable[[str], Awaitable[None]]
    ) -> None:
        """Go on with what this process should be telling and is not.

        A workflow that died here, as when the disk was full, is resumed. One that the
        engine gave up is told anew, and one that it never had is begun by *begin*: the
        record knows how far it got. Two looks must have missed it, ever more if it
        dies again.
        """
        due = self._due({*untold, *self._dead})
        if not due:
            return
        workflows = await DBOS.list_workflows_async(
            workflow_ids=due, load_input=False, load_output=False
        )
        known = {workflow.workflow_id: workflow for workflow in workflows}
        for request_id in due:
            workflow = known.get(request_id)
            if workflow is None:
                await begin(request_id)
            elif workflow.status in GIVEN_UP:
                await _retell(request_id, await self._runner.names(request_id))
            elif _is_ours(workflow):
                names = await self._runner.names(request_id)
                log.warning("workflow resumed", **names)
                await DBOS.resume_workflow_async(request_id)
            else:
                self._dead.discard(request_id)  # over, or another replica's

    def _due(self, wanted: Collection[str]) -> list[str]:
        """Count a look at the *wanted* ones; return those to revive at this one."""
        missing = set(wanted) - set(self._telling.values())
        self._missed = {
            one: self._missed.get(one, 0) + (one in missing)
            for one in wanted
            if one in missing or one in self._missed
        }
        return [one for one in missing if _is_due(self._missed[one])]

    async def stop(self, within_s: float) -> None:
        """Begin no further step, wait for those in hand, and let go of the workflows.

        They stay recorded as under way, and the next process goes on with them.
        """
        await self._runner.stop(within_s)
        # The engine warns of every task that is cancelled.
        logging.getLogger("dbos").setLevel(logging.ERROR)
        for task in self._telling:
            task.cancel()
        if self._telling:
            await asyncio.wait([*self._telling], timeout=CANCEL_WITHIN_S)

    @contextmanager
    def _being_told(self, request_id: str) -> Iterator[None]:
        """Know who tells a workflow while it is told."""
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("workflows are told in tasks")
        self._telling[task] = request_id
        try:
            yield
            self._dead.discard(request_id)
        except Exception:
            self._dead.add(request_id)
            raise
        finally:
            self._runner.concurrency.rest()
            del self._telling[task]


def _is_ours(workflow: WorkflowStatus) -> bool:
    """Say whether it is this process that should be telling a workflow."""
    mine = workflow.executor_id == DBOS.executor_id
    return mine and workflow.status == "PENDING"


async def _retell(request_id: str, names: Mapping[str, str]) -> None:
    """Tell a workflow that was given up from its beginning; *names* are for the log."""
    log.error("workflow was given up; told anew", **names)
    try:
        await DBOS.rewind_workflow_async(request_id)
    except error.DBOSException as why:  # another replica was quicker
        log.info("workflow not rewound", **names, why=str(why))


def _is_due(looks: int) -> bool:
    """Say whether one that was missed at so many looks is revived at this one."""
    is_power_of_two = looks & (looks - 1) == 0
    return looks > 1 and (is_power_of_two or looks % SELDOM == 0)
