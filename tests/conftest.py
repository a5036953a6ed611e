"""What tests of the whole bot share: a bench with the bot between its far sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
import structlog

from tests.support.bot_world import Bench, benched

# How quick a machine is says nothing about the code.
hypothesis.settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")

MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no test log as another one, or the command line in it, has configured."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the bot's waits between two tries; what is tried stays the same."""
    monkeypatch.setattr("bot.restarts.engine.steps.STEP_WAITS_S", (0.05, 0.05))
    monkeypatch.setattr("bot.restarts.send.WAITS_S", (0.2,) * 4)
    monkeypatch.setattr("bot.restarts.retry.AGAIN_AFTER_S", 0.05)


@pytest_asyncio.fixture
async def make_bench(tmp_path: Path, hurried: None) -> AsyncIterator[MakeBench]:
    """Return a function that makes a bench with settings of its own."""
    async with AsyncExitStack() as stack:

        async def make(**settings: object) -> Bench:
            return await stack.enter_async_context(benched(tmp_path, **settings))

        yield make


@pytest_asyncio.fixture
async def bench(make_bench: MakeBench) -> Bench:
    """Return a bench with the usual rules; see ``bot_world``."""
    return await make_bench()
