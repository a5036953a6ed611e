"""An upgrade in the middle of a story: this release tells on what others have begun.

The histories were recorded by earlier code (``tests/support/histories.py``), each one
the whole database of a bot that was killed at some step.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model import State
from bot.restarts.engine import WORKFLOW_VERSION
from tests.support.histories import (
    GATED,
    NOTEBOOK,
    POINTS,
    History,
    calls,
    histories,
    site_of,
)
from tests.support.processes import WATCH, Site, count, until

pytestmark = pytest.mark.process
HISTORIES = list(histories())
LONG = {**WATCH, "act_within": "3650d"}  # they were asked for when recorded


def of(*, notebooks: bool) -> list[object]:
    """Return the histories of notebooks, or all others."""
    return [
        pytest.param(one, id=f"{file} {one}")
        for file, one in HISTORIES
        if (one.box == NOTEBOOK) is notebooks
    ]


def test_every_point_was_recorded():
    """No place where a story can stand is left out."""
    name = f"histories-{WORKFLOW_VERSION}.json.gz"
    points = {(one.box, one.point) for file, one in HISTORIES if file == name}
    assert points == set(POINTS)


@pytest.mark.parametrize("history", of(notebooks=False))
async def test_an_upgrade_tells_on_what_was_begun(history: History, tmp_path: Path):
    """Whoever upgrades the bot loses no request: each is restarted once and told."""
    async with Site(tmp_path, watch=LONG) as site:
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


@pytest.mark.parametrize("history", of(notebooks=True))
async def test_an_upgrade_starts_what_was_stopped(history: History, tmp_path: Path):
    """A notebook that the release before has stopped is started, and never left down.

    It was stopped once, and is not stopped again.
    """
    async with site_of(tmp_path, watch=LONG) as site:
        history.restore(site)
        bot = await site.start()
        record = await site.told(history.request)
        assert record.state is State.READY, bot.words[-5:]
        assert (history.calls, calls(site, history.box)) == (1, 0)
        assert sum(call.kind == "start" for call in site.cloud.calls) == 1
        told = [post for post in site.said() if post.reply_broadcast]
        assert ["is ready" in post.text for post in told] == [True]
