"""What all tests share. The process that hands them out imports it, so it is small."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import hypothesis
import pytest
import structlog

gc.disable()  # until everything is imported and collected: most of that stays for good

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


def pytest_collection_finish() -> None:
    """Let the collector pass by what imports have made: a tenth of all time."""
    from tests.support.compiled_sql import share_compiled_sql  # noqa: PLC0415

    share_compiled_sql()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no test log as another one, or the command line in it, has configured."""
    yield
    from bot.ledger.audit_line import LOGGER  # noqa: PLC0415 - of those who run tests

    structlog.reset_defaults()
    logging.getLogger(LOGGER).handlers = []


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
