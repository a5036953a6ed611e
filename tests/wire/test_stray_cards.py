"""Cards that stand where they should not: late, left over, or copied elsewhere."""

from __future__ import annotations

from dataclasses import replace

from bot.demo.posts import Post
from bot.model import State
from tests.support.bot_world import CAROL, INCIDENTS, Bench, buttons
from tests.support.processes import until


async def test_a_late_click_takes_the_buttons_off_a_card_that_kept_them(
    bench: Bench,
) -> None:
    """A card that could not be edited at its end is closed by the next who clicks."""
    card = await bench.card()
    bench.slack.fail("chat.update", count=None, error="cant_update_message")
    await bench.slack.click("carol", card, "deny")
    assert (await bench.end_of_card(card)).state is State.DENIED
    assert buttons(bench.now(card)) == ["approve", "deny"]
    bench.slack.heal()
    await bench.slack.click("bob", card, "approve")
    await bench.wait_for(lambda: not buttons(bench.now(card)))
    assert CAROL in bench.now(card).text
    await bench.wait_for(lambda: bench.whispers("bob", "decided already"))
    assert bench.sent == 0


async def test_a_click_on_a_card_in_another_channel_edits_nothing_in_ours(
    bench: Bench,
) -> None:
    """A message's number is its channel's own: elsewhere it means another message."""
    _, shown, told = await bench.restart()
    card = await bench.card()
    copy = replace(card, channel_id="C0MLOPS", ts=shown.ts, history=[])
    bench.slack.workspace.posts[copy.channel_id][copy.ts] = copy
    assert (await bench.slack.click("dave", copy, "approve")).ok
    await bench.wait_for(lambda: bench.whispers("dave", "@ml-leads"))
    await bench.ask("cancel ml-prod gated-1")
    assert (await bench.end_of_card(card)).state is State.CANCELLED
    assert "ACTIVE → REBOOTING" in bench.now(shown).text
    assert bench.now(told).text == told.text


async def test_a_copy_in_another_channel_never_becomes_the_card(bench: Bench) -> None:
    """Not even while Slack has not said yet which message the card is."""
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    bench.slack.fail("chat.postMessage", delay_s=1.5)
    await bench.ask("restart ml-prod gated-1 stuck")
    await bench.wait_for(lambda: len(bench.slack.called("chat.postMessage")) == 2)
    (first,) = bench.posts(having="approve")
    copy = replace(first, channel_id="C0MLOPS", history=[])
    bench.slack.workspace.posts[copy.channel_id][copy.ts] = copy
    assert (await bench.slack.click("dave", copy, "approve")).ok
    await bench.wait_for(lambda: bench.whispers("dave", "@ml-leads"))
    await bench.wait_for(lambda: len(bench.posts(INCIDENTS, having="approve")) == 2)
    card = bench.posts(INCIDENTS, having="approve")[-1]
    await until(lambda: card_ts(bench, card))
    await bench.ask("cancel ml-prod gated-1")
    assert (await bench.end_of_card(card)).state is State.CANCELLED
    assert buttons(bench.now(card)) == []
    assert buttons(bench.now(copy)) == ["approve", "deny"]


async def card_ts(bench: Bench, card: Post) -> bool:
    """Say whether the bot knows that this message is the card."""
    return (await bench.ledger.existing(bench.id_of(card))).card_ts == card.ts
