"""User groups that Slack does not tell now: waited for, and never taken for a no."""

from __future__ import annotations

import asyncio
import re

import pytest

from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import GATES, OPEN, Bench, buttons

LIST = "usergroups.list"
TOO_MANY = 429
MANY = 3
LONG = 1  # seconds, longer than a call here waits by itself


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call give up sooner, so that nobody has to wait for longer than that."""
    monkeypatch.setattr("bot.slack.client.RETRY_AFTER_WITHIN_S", LONG / 2)


async def test_throttled_groups_are_waited_for_right_before_the_restart(
    bench: Bench,
) -> None:
    """An approved restart waits for as long as Slack says, and is then carried out."""
    card = await bench.card()
    bench.slack.fail(LIST, skip=1, status=429, retry_after=LONG)
    await bench.slack.click("bob", card, "approve")
    record = await bench.end_of_card(card)
    assert record.state is State.READY
    asked = bench.slack.called(LIST)
    throttled = next(n for n, call in enumerate(asked) if call.status == TOO_MANY)
    assert asked[throttled + 1].at - asked[throttled].at >= LONG
    assert bench.sent == 1


async def test_three_failures_of_slack_are_no_verdict(bench: Bench) -> None:
    """However often Slack fails, an approved restart is neither voided nor lost."""
    card = await bench.card()
    bench.slack.fail(LIST, skip=1, count=5, status=500)
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


async def test_one_reading_does_for_all_that_need_it_now(
    make_bench: MakeBench,
) -> None:
    """Several that wait for throttled groups ask once for all of them."""
    rules = GATES.replace('instances = ["gated-*"]\n', "")
    # Approved by somebody by name: no click asks for groups, only what comes after.
    rules = rules.replace('by = ["@ml-leads"]', 'by = ["U0BOB"]')
    bench = await make_bench(rules=rules)
    for name in ("gated-1", "trainer-7", "flaky-1"):
        await bench.ask(f"restart ml-prod {name} hot")
    await bench.wait_for(lambda: len(bench.posts(having="approve")) == MANY)
    cards = bench.posts(having="approve")
    bench.slack.fail(LIST, status=429, retry_after=LONG)
    before = len(bench.slack.called(LIST))
    for card in cards:
        await bench.slack.click("bob", card, "approve")
    ends = await asyncio.gather(*map(bench.end_of_card, cards))
    assert {one.state for one in ends} == {State.READY, State.FAILED}
    # The refused one for all of them, and what each reads that was left.
    assert len(bench.slack.called(LIST)) - before <= 1 + MANY
    assert bench.sent == MANY


async def test_the_approver_at_the_click_is_told_when_to_click_again(
    bench: Bench,
) -> None:
    """A click that cannot be decided now counts for nothing, and says until when."""
    card = await bench.card()
    bench.slack.fail(LIST, status=429, retry_after=40)
    await bench.slack.click("bob", card, "approve")
    (said,) = await bench.wait_for(lambda: bench.whispers("bob", "does not count"))
    assert "throttling" in said
    wait = re.search(r"Click again in (\d+) s", said)
    assert wait
    assert 38 <= int(wait[1]) <= 40
    assert buttons(bench.now(card)) == ["approve", "deny"]
    assert (await bench.ledger.existing(bench.id_of(card))).votes == ()


async def test_a_command_is_refused_with_the_true_reason(
    make_bench: MakeBench,
) -> None:
    """What cannot wait says what was in the way, and when to try again."""
    bench = await make_bench(rules=OPEN)
    bench.slack.fail(LIST, count=None, status=429, retry_after=40)
    refused = await bench.ask("restart ml-prod trainer-7")
    assert "throttling" in refused.text
    assert re.search(r"Try again in (3[89]|40) s", refused.text)
    assert bench.sent == 0


async def test_whom_a_rule_names_by_id_needs_no_group_now(
    make_bench: MakeBench,
) -> None:
    """What does not hang on a group is decided without it."""
    rules = '[[rules]]\nname = "ann"\nwho = ["@ghosts", "U0ANN"]\n'
    bench = await make_bench(rules=rules)
    bench.slack.fail(LIST, count=None, status=429, retry_after=40)
    await bench.restart()
    assert bench.sent == 1


@pytest.mark.parametrize("how", [{"disabled": True}, {"users": ()}, {"handle": "x"}])
async def test_a_group_that_is_gone_still_refuses(bench: Bench, how: dict) -> None:
    """Empty, disabled or renamed away: that does not pass, and nothing waits for it."""
    card = await bench.card()
    bench.slack.fail(LIST, skip=1, status=429, retry_after=LONG)
    await bench.slack.click("bob", card, "approve")
    await bench.slack.change_group("ml-oncall", tell=False, **how)
    record = await bench.end_of_card(card)
    assert record.state is State.VOIDED
    assert bench.sent == 0
