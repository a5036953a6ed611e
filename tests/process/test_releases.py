"""An upgrade in the middle of a story: this release tells on what others have begun.

The histories were recorded by earlier code (``tests/support/histories.py``), each one
the whole database of a bot that was killed at some step.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model import State
from bot.restarts.engine import WORKFLOW_VERSION
from tests.support.histories import GATED, POINTS, History, histories
from tests.support.processes import WATCH, Site, count, until

pytestmark = pytest.mark.process
HISTORIES = list(histories())


def test_every_point_was_recorded():
    """No place where a story can stand is left out."""
    name = f"histories-{WORKFLOW_VERSION}.json.gz"
    points = {(one.box, one.point) for file, one in HISTORIES if file == name}
    assert points == set(POINTS)


@pytest.mark.parametrize(
    "history", [pytest.param(one, id=f"{file} {one}") for file, one in HISTORIES]
)
async def test_an_upgrade_tells_on_what_was_begun(history: History, tmp_path: Path):
    """Whoever upgrades the bot loses no request: each is restarted once and told."""
    long = {**WATCH, "act_within": "3650d"}  # they were asked for when recorded
    async with Site(tmp_path, watch=long) as site:
        history.restore(site)
        bot = await site.start()
        if history.box == GATED and site.open_cards():
            await site.approve()
        if not history.ready:
            if history.calls:
                await until(
                    lambda: any(call.kind == "read" for call in site.cloud.calls)
                )
            else:
                await site.seen_rebooting(history.box)
            site.finish_reboot(history.box)
        counted = await count(site, history.request, history.box)
        assert counted.state is State.READY, bot.words[-5:]
        assert counted.posts + history.calls == 1
        assert (counted.followups, counted.early) == (1, 0)
        assert len(counted.ends) == 1
