"""What the properties share: one real ledger, in which each example has its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from bot.ledger import Ledger

# Each example has its own instance and its own requests, in the one file of the module.
SETTINGS = settings(
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class InTurn(Executor):
    """Runs what it is given at once, so that an example always goes the same way."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is given to who waits
            done.set_exception(error)
        return done


class Time:
    """The clock of the one ledger: that of the world that plays now."""

    now: Callable[[], datetime]

    def __call__(self) -> datetime:
        return self.now()


@pytest.fixture(scope="module")
def time() -> Time:
    """Return the clock of the ledger."""
    return Time()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory, time: Time) -> Iterator[Ledger]:
    """Return one real ledger for all examples."""
    path = tmp_path_factory.mktemp("properties")
    one = Ledger(f"sqlite:///{path}/bot.db", now=time)
    one.open()
    one.database.threads.shutdown()
    one.database.threads = InTurn()  # type: ignore[assignment]
    yield one
    one.close()
