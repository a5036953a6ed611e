"""Approvers are reminded once, at half of the time, whatever happens meanwhile."""

from __future__ import annotations

from bot.demo.posts import Post
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, Bench
from tests.support.passing_time import passed

TWO = GATES.replace('by = ["@ml-leads"]', 'by = ["@ml-leads", "@sre"], needed = 2')
LONG = TWO.replace('"30s"', '"600s"')
MORE_THAN_HALF_S = 400


def reminders(bench: Bench) -> list[Post]:
    """Return the reminders that stand in the channel."""
    return [post for post in bench.posts() if "still waits" in post.text]


async def half_of_the_time_later(bench: Bench) -> Post:
    """Return a card whose time is more than half over; somebody stirs it up."""
    card = await bench.card()
    passed(bench, MORE_THAN_HALF_S)
    await bench.slack.click("dave", card, "approve")  # who may not: nothing comes of it
    return card


async def withdrawn(bench: Bench, card: Post) -> None:
    await bench.ask("cancel ml-prod gated-1")
    assert (await bench.end_of_card(card)).state is State.CANCELLED


async def test_approvers_are_reminded_once_however_often_it_is_looked_at(
    make_bench: MakeBench,
) -> None:
    """News of a request that waits, such as a vote, brings no second reminder."""
    bench = await make_bench(rules=LONG)
    card = await half_of_the_time_later(bench)
    await bench.wait_for(lambda: reminders(bench))
    await bench.slack.click("dave", card, "approve")
    await bench.slack.click("bob", card, "approve")
    await bench.wait_for(lambda: "Approved so far (1 of 2)" in bench.now(card).text)
    await withdrawn(bench, card)
    assert len(reminders(bench)) == 1


async def test_a_reminder_is_on_record_before_it_is_posted(
    make_bench: MakeBench,
) -> None:
    """A bot that dies while it reminds does not remind again: a mention too many."""
    bench = await make_bench(rules=LONG)
    before = len(bench.slack.called("chat.postMessage"))
    bench.slack.fail("chat.postMessage", skip=1, delay_s=0.3)
    card = await half_of_the_time_later(bench)
    await bench.wait_for(
        lambda: len(bench.slack.called("chat.postMessage")) > before + 1
    )
    assert (await bench.ledger.existing(bench.id_of(card))).reminded
    await withdrawn(bench, card)
