"""What is forked for the tests is like a process that ``python -m`` starts."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.support.fork_server import Forked, environment, fork_server
from tests.support.processes import Running

pytestmark = pytest.mark.process

FACTS = """
import asyncio, json, os, random, sys, threading
loop = asyncio.get_event_loop_policy()._local._loop
print(json.dumps({
    "environ": dict(os.environ), "threads": threading.active_count(), "loop": str(loop),
    "leads": os.getsid(0) == os.getpid(), "files": os.listdir("/proc/self/fd"),
    "random": random.random(), "imported": "bot.app" in sys.modules,
}), file=sys.stderr)
"""


async def forked(*words: str, **environ: str) -> Running:
    """Fork what ``python -m words`` would start."""
    started: Forked = await fork_server().start(*words, environ=environ)
    return Running(started)


async def facts(**environ: str) -> dict[str, Any]:
    """Return what a forked process knows of itself."""
    running = await forked("timeit", "-n1", "-r1", FACTS, **environ)
    assert await running.ended() == 0, running.words
    return dict(json.loads(running.words[0]))


async def test_nothing_is_handed_down_but_imports() -> None:
    """It has no thread, loop, file, variable or random number of another one."""
    first, second = await facts(ONE="1"), await facts(TWO="2")
    assert (first["environ"], second["environ"]) == ({"ONE": "1"}, {"TWO": "2"})
    for one in (first, second):
        assert one["imported"]
        assert one["leads"]
        assert (one["threads"], one["loop"]) == (1, "None")
        # Its three streams, and the folder that it reads to find this out.
        assert len(one["files"]) == 4
    assert first["random"] != second["random"]


async def test_exit_codes_and_words_come_through() -> None:
    """How it ended is told as for a process of one's own, and so is why."""
    wrong = await forked("bot", "run", "--config", "/nowhere.toml", **environment())
    assert await wrong.ended() == 2
    assert wrong.words[-1].startswith("mlstudio-bot: ")
    waiting = await forked("timeit", "import time; time.sleep(60)")
    assert waiting.lives
    waiting.send(signal.SIGSTOP)
    await waiting.kill()
    assert await waiting.ended() == -signal.SIGKILL
