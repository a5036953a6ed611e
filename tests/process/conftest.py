"""What tests of real processes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bench_fixtures import hurried, make_bench
from tests.support.postgres import Postgres, postgres

__all__ = ["hurried", "make_bench"]


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Return a running PostgreSQL; each test makes a database of its own in it."""
    with postgres() as running:
        yield running
