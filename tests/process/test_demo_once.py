"""``demo --once`` plays one command in the terminal and exits as it has ended."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.process


async def play(text: str) -> tuple[int, str, float]:
    """Play *text*; return the exit code, what was printed, and the seconds it took."""
    began = time.monotonic()
    environ = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--once", text),
        cwd=ROOT,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(), time.monotonic() - began


async def test_one_that_needs_approval_is_played_to_its_end():
    """The request stands before the click, behind whatever proxy, and it ends ready."""
    code, said, _ = await play("/mlstudio restart ml-prod gated-1 stuck")

    assert code == 0, said
    assert "ACTIVE → REBOOTING" in said
    asked, clicked = (
        said.index("May gated-1 be restarted?"),
        said.index("clicks Approve"),
    )
    assert asked < clicked < said.index("is ready")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/mlstudio restart ml-prod no-such-box", "There is no instance"),
        ("/mlstudio restrat ml-prod trainer-7", "Did you mean"),
        ("/mlstudio restart", "name project and instance"),
    ],
)
async def test_what_restarts_nothing_fails_without_waiting(text: str, words: str):
    """What cannot end with a ready instance says so, and exits 1 at once."""
    code, said, took_s = await play(text)

    assert code == 1, said
    assert words in said
    assert took_s < 12
