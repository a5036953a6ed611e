"""Fixtures of the whole bot: a bench with it between the demo's two far sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.bot_world import Bench, benched

MakeBench = Callable[..., Awaitable[Bench]]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the bot's waits between two tries; what is tried stays the same."""
    monkeypatch.setattr("bot.restarts.engine.steps.STEP_WAITS_S", (0.05, 0.05))
    monkeypatch.setattr("bot.restarts.send.WAITS_S", (0.2,) * 4)
    monkeypatch.setattr("bot.restarts.retry.AGAIN_AFTER_S", 0.05)
    # A busy machine is no source that does not answer.
    monkeypatch.setattr("bot.oncall.rotas.ROTA_WITHIN_S", 20.0)
    monkeypatch.setattr("bot.oncall.grafana.SHIFTS_WITHIN_S", 20.0)


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
