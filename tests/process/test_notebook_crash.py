"""Killed between a stop and a start, the bot goes on: nothing twice, never left down.

Real processes, really killed (``tests/support/crashing.py``), and then counted.
"""

from __future__ import annotations

import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.demo.modelarts_server import LocalModelArts
from bot.demo.notebooks import NO_CAPACITY, UNTIL_SEEN, ScriptedNotebook
from bot.demo.seed_world import Project, World
from bot.model import State
from tests.support.processes import PROJECT_ID, WATCH, Site, until

pytestmark = pytest.mark.process

NB, NB_ID = "nb-3", "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690"
WHOLE = "RUNNING → STOPPING → STOPPED → STARTING → RUNNING"
CRASHING = "tests.support.crashing"


@dataclass(frozen=True)
class Case:
    """One crash at *point*, and what may differ because of it."""

    point: str
    state: State = State.READY
    stops: int = 1
    starts: int = 1
    full: int = 0  # so many starts find no capacity
    doubled: int = 0  # words in between that stand twice

    def __str__(self) -> str:
        return self.point


CASES = (
    # Claimed and not sent: nobody can know, so it is never sent.
    Case("before:Cloud.act#1", state=State.UNKNOWN, stops=0, starts=0),
    # Stopped, and the answer died with the process: a look shows it, and it goes on.
    Case("after:Cloud.act#1"),
    # The start was claimed and not sent: what stays stopped is started again.
    Case("before:Cloud.act#2"),
    # Started, and the answer died with the process: it is followed.
    Case("after:Cloud.act#2"),
    # What is said in between, once or (where nobody knows whether it stands) twice.
    Case("before:interim", starts=2, full=1),
    Case("after:SlackClient.post#2", starts=2, full=1, doubled=1),
    Case("after:interim", starts=2, full=1),
)


def site_of(folder: Path, box: ScriptedNotebook) -> Site:
    """Return a site with one notebook, in a hurry to find out what was lost."""
    site = Site(folder, watch={**WATCH, "lost": "0.4s"})
    world = site.cloud.world
    project = Project("ml-prod", PROJECT_ID, notebooks=(box,))
    site.cloud = LocalModelArts(World(world.login, {}, (project,)))
    return site


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_crash_between_stop_and_start_leaves_nothing_down(case: Case):
    """Wherever it is killed: one stop at most, a start for each stop, one end told."""
    box = ScriptedNotebook(
        id=NB_ID,
        name=NB,
        owner="mia",
        stopping=UNTIL_SEEN,
        starting=UNTIL_SEEN,
        start_refusals=deque([NO_CAPACITY] * case.full),
    )
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        async with site_of(Path(folder), box) as site:
            first = await site.start(module=CRASHING, CRASH=case.point, HURRY="1")
            delivery = await site.ask(NB)
            assert await first.ended() == -9, first.words[-5:]

            await site.start(module=CRASHING, HURRY="1")

            record = await site.told(delivery)
            assert record.state is case.state, site.running[-1].words[-9:]
            kinds = [call.kind for call in site.cloud.calls]
            assert (kinds.count("stop"), kinds.count("start")) == (
                case.stops,
                case.starts,
            )
            said = [post for post in site.said() if NB in post.text]
            told = [post for post in said if post.reply_broadcast]
            assert len(told) == 1
            between = [post for post in said if "could not be started" in post.text]
            assert len(between) == min(case.full, 1) + case.doubled
            if case.state is State.READY:
                assert box.status == "RUNNING"
                assert "is ready" in told[0].text
                await until(lambda: any("RUNNING →" in post.text for post in said))
            else:
                assert "unknown" in told[0].text
