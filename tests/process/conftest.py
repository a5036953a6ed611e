"""What tests of real processes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Return a running PostgreSQL; each test makes a database of its own in it."""
    with postgres() as running:
        yield running
