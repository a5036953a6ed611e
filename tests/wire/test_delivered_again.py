"""What is delivered a second time has no second effect, on nothing newer either."""

from __future__ import annotations

from bot.model import Person, State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, Bench, buttons

TWO = GATES.replace('by = ["@ml-leads"]', 'by = ["@ml-leads", "@sre"], needed = 2')


async def test_a_cancel_delivered_again_leaves_a_newer_request_alone(
    bench: Bench,
) -> None:
    """A cancel withdraws what waited when it was typed, and nothing after that."""
    first = await bench.card()
    cancel = await bench.ask("cancel ml-prod gated-1")
    assert (await bench.end_of_card(first)).state is State.CANCELLED
    await bench.ask("restart ml-prod gated-1 stuck again")
    newer, *_ = await bench.wait_for(lambda: bench.posts(having="approve"))
    repeated = await bench.slack.redeliver(cancel)
    assert repeated.ok
    assert "decided already" in str(repeated.ack)
    assert buttons(bench.now(newer)) == ["approve", "deny"]
    record = await bench.ledger.existing(bench.id_of(newer))
    assert record.state is State.PENDING
    await bench.ask("cancel ml-prod gated-1")
    assert (await bench.end_of_card(newer)).state is State.CANCELLED


async def test_an_approval_delivered_again_counts_once(make_bench: MakeBench) -> None:
    """A click that comes twice is one vote and one line of the trail."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    click = await bench.slack.click("bob", card, "approve")
    assert (await bench.slack.redeliver(click)).ok
    assert len(await bench.trail("approval")) == 1
    assert len((await bench.ledger.existing(bench.id_of(card))).votes) == 1
    await bench.slack.click("bob", card, "approve")  # his own second click is noted
    assert len(await bench.trail("approval")) == 2


async def test_the_same_move_twice_is_one(bench: Bench) -> None:
    """A delivery that took effect may come back for the same request: nothing new."""
    card = await bench.card()
    ann, story = Person("U0ANN", "T0HOME"), bench.id_of(card)
    for _ in range(2):
        record = await bench.ledger.move(
            story, State.CANCELLED, by=ann, delivery="cancel 1"
        )
        assert record.state is State.CANCELLED
    assert len(await bench.trail("cancelled")) == 1
