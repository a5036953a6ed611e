"""Enterprise Grid: a person may have two ids and come from a sister workspace."""

from __future__ import annotations

from bot.demo.slack_directory import (
    HOME_TEAM,
    PARTNER_TEAM,
    SISTER_TEAM,
    Channel,
    Enterprise,
    Group,
    User,
    demo_people,
)
from bot.demo.slack_server import LocalSlack
from bot.model import Person, State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, buttons

HERE = Enterprise("W0GRETA", (SISTER_TEAM, HOME_TEAM), shows_team=False)
ELSEWHERE = Enterprise("W0ELSA", (SISTER_TEAM, PARTNER_TEAM))
ANYBODY = """
[[rules]]
name = "all but one"
who = ["W0GRETA"]
instances = ["flaky-*"]
deny = true

[[rules]]
name = "by the id of the enterprise"
who = ["W0GRETA"]
instances = ["trainer-*"]
"""
TWO = GATES.replace('by = ["@ml-leads"]', 'by = ["@grid"], needed = 2')


def grid() -> LocalSlack:
    """Return a local Slack with Greta, who has two ids, and a stranger."""
    cast = demo_people()
    more = (
        User("U0GRETA", "greta", "Greta", team_id=SISTER_TEAM, enterprise=HERE),
        User("W0GRETA", "greta-w", "Greta", team_id=SISTER_TEAM, enterprise=HERE),
        User("U0ELSA", "elsa", "Elsa", team_id=SISTER_TEAM, enterprise=ELSEWHERE),
    )
    ids = {user.id for user in more}
    channels = [
        Channel(c.id, c.name, c.members | ids, private=c.private) for c in cast.channels
    ]
    groups = (
        *(g for g in cast.groups if g.handle != "ml-oncall"),
        Group("S0ONCALL", "ml-oncall", ("U0ANN", "U0GRETA")),
        Group("S0GRID", "grid", ("U0GRETA", "W0GRETA", "U0BOB")),
    )
    return LocalSlack((*cast.people, *more), groups, channels)


async def test_a_member_of_ours_may_come_from_a_sister_workspace(
    make_bench: MakeBench,
) -> None:
    """Who belongs to our workspace may act, wherever he clicks; others may not."""
    bench = await make_bench(rules=ANYBODY, slack=grid())
    _, shown, told = await bench.restart("ml-prod trainer-7", user="greta")
    assert "is ready" in told.text
    assert "<@U0GRETA>" in shown.text
    refused = await bench.ask("restart ml-prod trainer-7", user="elsa")
    assert "another workspace" in refused.text
    assert bench.sent == 1


async def test_a_deny_by_id_holds_for_both_ids(make_bench: MakeBench) -> None:
    """Whom a rule names by one id is meant under the other one, too."""
    bench = await make_bench(rules=ANYBODY, slack=grid())
    for user in ("greta", "greta-w"):
        refused = await bench.ask("restart ml-prod flaky-1", user=user)
        assert "forbids" in refused.text
    assert bench.sent == 0


async def test_nobody_approves_himself_by_his_other_id(make_bench: MakeBench) -> None:
    """The requester never counts, under whichever id he clicks."""
    rules = TWO.replace("needed = 2", "needed = 1")
    bench = await make_bench(rules=rules, slack=grid())
    card = await bench.card(user="greta")
    for user in ("greta-w", "greta"):
        await bench.slack.click(user, card, "approve")
        assert bench.whispers(user, "requester never counts")
    assert buttons(bench.now(card)) == ["approve", "deny"]
    assert bench.sent == 0


async def test_one_person_under_two_ids_counts_once(make_bench: MakeBench) -> None:
    """Two clicks of one person are one approval, and another person is needed."""
    bench = await make_bench(rules=TWO, slack=grid())
    card = await bench.card()
    await bench.slack.click("greta", card, "approve")
    await bench.slack.click("greta-w", card, "approve")
    assert bench.whispers("greta-w", "one person counts once")
    record = await bench.ledger.existing(bench.id_of(card))
    assert record.state is State.PENDING
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


async def test_two_ids_that_slipped_in_at_once_are_one_right_before_the_act(
    make_bench: MakeBench,
) -> None:
    """Votes under two ids that no click saw together are counted as one person's."""
    bench = await make_bench(rules=TWO, slack=grid())
    card = await bench.card()
    for user_id in ("U0GRETA", "W0GRETA"):  # as two replicas would, side by side
        person = Person(user_id, HOME_TEAM)
        await bench.ledger.vote(bench.id_of(card), person, approve=True)
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert bench.sent == 0
