"""Who hammers on the buttons of what is decided keeps nobody and nothing busy."""

from __future__ import annotations

import pytest

from bot.listeners import approval_buttons
from bot.model import State
from tests.support.bot_world import Bench

CLICKS = 40


@pytest.mark.parametrize("user", ["erin", "ann", "bob"])
async def test_forty_late_clicks_are_one_edit_and_one_entry(bench: Bench, user) -> None:
    """Whoever clicks, a guest or an approver: the card is closed once, the trail says
    it once, and after 20 clicks not even the record is looked at.
    """
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    await bench.end_of_card(card)
    edits = len(bench.slack.called("chat.update"))
    entries = len(await bench.trail())

    for _ in range(CLICKS):
        await bench.slack.click(user, card, "approve")
    told = await bench.wait_for(
        lambda: len(said := bench.whispers(user)) >= CLICKS and said
    )

    assert len(bench.slack.called("chat.update")) - edits <= 1
    assert len(await bench.trail()) - entries == 1
    too_often = [text for text in told if approval_buttons.TOO_MANY in text]
    assert len(too_often) == CLICKS - approval_buttons.IN_VAIN


async def test_late_clicks_of_one_person_are_no_bar_to_others(bench: Bench) -> None:
    """While somebody hammers on what is over, another approves what waits."""
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    await bench.end_of_card(card)
    for _ in range(CLICKS):
        await bench.slack.click("erin", card, "approve")

    other = await bench.card()
    await bench.slack.click("bob", other, "approve")

    assert (await bench.end_of_card(other)).state is State.READY
