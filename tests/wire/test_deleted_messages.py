"""A card or a transition that an admin, a retention rule or another bot has deleted."""

from __future__ import annotations

import pytest

from bot.demo.posts import Post
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, GATES, OPEN, Bench, buttons
from tests.support.passing_time import passed, second_life, stopped

LONG = GATES.replace("30s", "1h") + OPEN
TWO = LONG.replace("expires", "needed = 2, expires").replace(
    'by = ["@ml-leads"]', 'by = ["@ml-leads", "@ml-oncall"]'
)


def standing(bench: Bench, having: str) -> list[Post]:
    """Return the posts that were not deleted and have a button."""
    return [post for post in bench.posts(having=having) if not post.deleted]


async def another(bench: Bench, card: Post) -> Post:
    """Return the card that stands in for a deleted one."""
    (new,) = await bench.wait_for(
        lambda: [one for one in standing(bench, "approve") if one.ts != card.ts]
    )
    return new


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the card be looked after often."""
    monkeypatch.setattr("bot.restarts.approval.PROVE_EVERY_S", 0.2)
    monkeypatch.setattr("bot.restarts.approval.PROVE_APART_S", 0.0)


@pytest.mark.usefixtures("soon")
async def test_a_deleted_card_is_posted_anew(make_bench: MakeBench) -> None:
    """Nothing has to happen for it: the card is missed, posted once, and decides."""
    bench = await make_bench(rules=LONG)
    card = await bench.card()
    bench.slack.workspace.delete(card)
    new = await another(bench, card)
    tries = len(bench.slack.called("chat.update"))
    await bench.wait_for(lambda: len(bench.slack.called("chat.update")) > tries + 3)
    assert len(standing(bench, "approve")) == 1
    await bench.slack.click("bob", new, "approve")
    assert (await bench.end_of_card(new)).state is State.READY
    assert not buttons(bench.now(new))
    assert bench.sent == 1


async def test_who_asks_again_gets_a_card_to_be_approved(
    make_bench: MakeBench,
) -> None:
    """He joins the one that waits, and its card is there again at once."""
    bench = await make_bench(rules=LONG)
    card = await bench.card()
    bench.slack.workspace.delete(card)
    await bench.ask("restart ml-prod gated-1 still stuck", user="carol")
    new = await another(bench, card)
    await bench.slack.click("bob", new, "approve")
    assert (await bench.end_of_card(new)).state is State.READY


async def test_a_vote_that_does_not_decide_brings_the_card_back(
    make_bench: MakeBench,
) -> None:
    """A click on the old card counts, and the second approver sees the new one."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    # For Slack it is gone, and somebody's window still shows it.
    bench.slack.fail(
        "chat.update",
        count=None,
        error="message_not_found",
        only=lambda args: args["ts"] == card.ts,
    )
    assert (await bench.slack.click("bob", card, "approve")).ok
    new = await another(bench, card)
    await bench.slack.click("carol", new, "approve")
    assert (await bench.end_of_card(new)).state is State.READY
    assert bench.sent == 1


@pytest.mark.usefixtures("soon")
async def test_the_next_process_knows_which_card_it_is(make_bench: MakeBench) -> None:
    """The new card is on record: it is not posted a second time after a restart."""
    bench = await make_bench(rules=LONG)
    card = await bench.card()
    bench.slack.workspace.delete(card)
    new = await another(bench, card)
    await bench.wait_for(lambda: len(bench.slack.called("chat.update")) > 3)
    await stopped(bench)
    async with second_life(bench):
        tries = len(bench.slack.called("chat.update"))
        await bench.wait_for(lambda: len(bench.slack.called("chat.update")) > tries + 2)
        assert [one.ts for one in standing(bench, "approve")] == [new.ts]


async def test_a_reminder_stands_below_the_card_that_stands(
    make_bench: MakeBench,
) -> None:
    """At half of the time the card is there, and the reminder in its thread."""
    bench = await make_bench(rules=LONG)
    card = await bench.card()
    bench.slack.workspace.delete(card)
    passed(bench, 1801)
    await bench.ask("restart ml-prod gated-1 still stuck", user="carol")
    new = await another(bench, card)
    await bench.wait_for(
        lambda: [post for post in bench.posts() if post.thread_ts == new.ts]
    )


async def test_a_deleted_transition_is_posted_anew(bench: Bench) -> None:
    """The channel keeps its record of the restart, and the end is told below it."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    shown = await bench.rebooting()
    bench.slack.workspace.delete(shown)

    def stands() -> list[Post]:
        return [one for one in bench.posts() if "→" in one.text and not one.deleted]

    (new,) = await bench.wait_for(stands)
    assert ANN in new.text
    bench.go_on()
    record = await bench.story(delivery)
    assert record.message_ts == new.ts
    assert "✅ Ready: " in bench.now(new).text
    assert bench.followups()[-1].thread_ts == new.ts
    assert len(stands()) == 1
