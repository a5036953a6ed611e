"""Whose instance it is knows who restarts it, why, and how it ended."""

from __future__ import annotations

from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench
from tests.support.notebook_world import NB, ended, notebooks, replies, sent

OWNED = '[owners]\nmia = "U0BOB"\n'
BOB = "<@U0BOB>"


def rules(more: str = "") -> str:
    """Return rules with the map of owners before them."""
    return OWNED + more + OPEN


def told_directly(bench: Bench, user: str = "bob") -> list[str]:
    """Return what the bot has said to somebody in direct messages."""
    who = bench.slack.directory.user(user)
    posts = bench.slack.messages(bench.slack.directory.im(who.id).id)
    return [post.text for post in posts if post.bot]


async def test_the_owner_is_told_before_and_after(make_bench: MakeBench):
    """He is mentioned on the transition, and told directly before it and at its end."""
    bench = await make_bench(world=notebooks(), rules=rules())
    at_the_stop: list[list[str]] = []
    bench.cloud.on_change.append(
        lambda change: (
            at_the_stop.append(told_directly(bench))
            if getattr(change, "current", "") == "STOPPING"
            else None
        )
    )

    _, shown = await ended(bench)

    assert f"Owner: {BOB}" in shown.text
    (before,) = at_the_stop[0]
    assert "which is yours. <@U0ANN> asked for it" in before
    assert "stuck" in before
    said = await bench.wait_for(
        lambda: said if len(said := told_directly(bench)) == 2 else None
    )
    assert "is ready" in said[1]


async def test_the_owner_is_on_the_card(make_bench: MakeBench):
    """Who is asked for approval sees whose work it is, and the owner sees it, too."""
    gates = GATES.replace("gated-*", "nb-*")
    bench = await make_bench(world=notebooks(), rules=rules(gates))
    card = await bench.card(f"ml-nb {NB} stuck")
    assert f"Owner: {BOB}" in card.text
    assert told_directly(bench) == []


async def test_an_owner_who_cannot_be_told_holds_nothing_up(make_bench: MakeBench):
    """A direct message that Slack does not take changes nothing for the restart."""
    bench = await make_bench(world=notebooks(), rules=rules())
    bench.slack.fail(
        "chat.postMessage",
        count=None,
        error="channel_not_found",
        only=lambda args: args.get("channel") == "U0BOB",
    )

    await ended(bench)

    assert sent(bench) == (1, 1)
    assert replies(bench, "is ready")
