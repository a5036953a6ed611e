"""What tests of the whole bot share: a bench with the bot between its far sides."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import certifi
import hypothesis
import pytest
import pytest_asyncio
import structlog

from bot.ledger.audit_line import LOGGER as AUDIT
from tests.support.bot_world import Bench, benched
from tests.support.compiled_sql import share_compiled_sql

# How quick a machine is says nothing about the code. ``--hypothesis-profile=full``
# tries more, and takes minutes.
for profile, examples in (("quick", 10), ("full", 200)):
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.load_profile("quick")

# In memory, if there is room: databases wait for the disk at each commit.
MEMORY, ROOM = Path("/dev/shm"), 2 * 2**30  # noqa: S108 - each has a folder in it
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("TMPDIR", str(MEMORY))
    tempfile.tempdir = None  # pytest has asked for it already: it is found anew

MakeBench = Callable[..., Awaitable[Bench]]

share_compiled_sql()


def pytest_collection_finish() -> None:
    """Let the garbage collector pass by what imports have made: a tenth of all time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no test log as another one, or the command line in it, has configured."""
    yield
    structlog.reset_defaults()
    logging.getLogger(AUDIT).handlers = []


@pytest.fixture(autouse=True, scope="session")
def one_root_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust one authority only: to read all of them takes 30 ms a start of the bot.

    Both far sides speak plain HTTP on loopback.
    """
    first, end, _ = Path(certifi.where()).read_text("ascii").partition("-----END CERT")
    file = tmp_path_factory.mktemp("trusted") / "one.pem"
    file.write_text(f"{first}{end}IFICATE-----\n", "ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the bot's waits between two tries; what is tried stays the same."""
    monkeypatch.setattr("bot.restarts.engine.steps.STEP_WAITS_S", (0.05, 0.05))
    monkeypatch.setattr("bot.restarts.send.WAITS_S", (0.2,) * 4)
    monkeypatch.setattr("bot.restarts.retry.AGAIN_AFTER_S", 0.05)
    # A busy machine is no source that does not answer.
    monkeypatch.setattr("bot.oncall.rotas.WITHIN_S", 20.0)
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
