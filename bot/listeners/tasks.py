"""The bot's own tasks: held, named, and their failures never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

log = structlog.get_logger()

T = TypeVar("T")

# Slack must have the acknowledgement within 3 s:
# https://docs.slack.dev/interactivity/handling-user-interaction
ACK_WITHIN_S = 2.6


class Tasks:
    """Keeps every task until it is done; ``finish`` waits for those in hand."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run *work* beside its caller; a failure is logged."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def finish(self, within_s: float) -> None:
        """Wait for the tasks in hand; cancel those that take longer."""
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=within_s)
        for task in late:
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task failed", task=task.get_name(), exc_info=error)


async def in_time(task: asyncio.Task[T]) -> T | None:
    """Return what *task* returns if it does so before the acknowledgement is due."""
    await asyncio.wait([task], timeout=ACK_WITHIN_S)
    return task.result() if task.done() else None
