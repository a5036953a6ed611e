"""Random waits around every step and after every call of Slack's, to find what is right
only where the machine is quick: ``pytest -p tests.support.jitter tests/wire``.

Half of the waits are none, a few are half a second; ``JITTER=2`` draws others.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any

from bot.restarts.engine.steps import StepRunner
from bot.slack.client import SlackClient

CHANCE = random.Random(os.environ.get("JITTER", "1"))  # noqa: S311 - no secret


async def wait() -> None:
    """Wait for nothing, a moment, or long enough for somebody else to come first."""
    longest = CHANCE.choices((0.0, 0.05, 0.5), (5, 3, 2))[0]
    await asyncio.sleep(CHANCE.random() * longest)


def around(step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return *step* with a wait before its work and one after it."""

    async def waiting(
        runner: StepRunner[Any], name: str, work: Callable[..., Any], request_id: str
    ) -> Any:
        async def slow(request_id: str) -> Any:
            await wait()
            outcome = await work(request_id)
            await wait()
            return outcome

        return await step(runner, name, slow, request_id)

    return waiting


def after(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return *call* with a wait once it has its answer."""

    async def waiting(*args: Any) -> Any:
        answer = await call(*args)
        await wait()
        return answer

    return waiting


def pytest_configure() -> None:
    """Let steps and calls of this process take their time."""
    StepRunner.step = around(StepRunner.step)  # type: ignore[method-assign]
    SlackClient._call = after(SlackClient._call)  # type: ignore[method-assign]
