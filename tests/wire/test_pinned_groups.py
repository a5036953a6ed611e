"""Who may approve is the group that was asked, whatever becomes of its handle."""

from __future__ import annotations

import pytest

from bot.demo.slack_directory import Group
from bot.model import State
from tests.support.bot_world import Bench, buttons


async def taken_over(bench: Bench) -> None:
    """Rename the leads, and let others have their handle."""
    await bench.slack.change_group("ml-leads", handle="ml-leads-old")
    group = Group("S0THIEVES", "ml-leads", ("U0DAVE",))
    bench.slack.directory.groups[group.id] = group


async def test_others_who_took_the_handle_do_not_approve(bench: Bench) -> None:
    """After a rename the old members approve, and those of the new group do not."""
    card = await bench.card()
    await taken_over(bench)
    await bench.slack.click("dave", card, "approve")
    assert bench.whispers("dave", "does not count")
    assert buttons(bench.now(card)) == ["approve", "deny"]
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


@pytest.mark.parametrize("handle", ["ml-leads", "s0leads"])
async def test_a_group_that_was_removed_leaves_nobody(
    bench: Bench, handle: str
) -> None:
    """Where the group that was asked is gone, no other one stands in for it."""
    card = await bench.card()
    await bench.slack.change_group("ml-leads", handle="gone", disabled=True)
    group = Group("S0THIEVES", handle, ("U0DAVE",))
    bench.slack.directory.groups[group.id] = group
    for user in ("dave", "bob"):
        await bench.slack.click(user, card, "approve")
        assert bench.whispers(user, "does not count")
    assert bench.sent == 0
