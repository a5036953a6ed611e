"""Restarts that somebody else has to agree to, and the glass that can be broken."""

from __future__ import annotations

import asyncio
import re

import pytest

from bot.demo.posts import Post
from bot.demo.slack_directory import Channel, User, demo_people
from bot.demo.slack_server import LocalSlack
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import (
    ANN,
    BOB,
    CAROL,
    GATED,
    GATES,
    GINA,
    OPEN,
    Bench,
    buttons,
    text_of,
)

LEADS = "<!subteam^S0LEADS>"
TWO = GATES.replace('by = ["@ml-leads"]', 'by = ["@ml-leads", "@sre"], needed = 2')
SOON = GATES.replace('"30s"', '"3s"')  # time for a card and a reminder


def closed(bench: Bench, card: object) -> str:
    """Return the words of a card that has ended: it has no buttons any more."""
    now = bench.now(card)
    assert buttons(now) == []
    return now.text


async def test_an_approved_request_restarts_and_says_who_approved(bench: Bench) -> None:
    """A lead's click on Approve restarts the instance, and both messages say so."""
    card = await bench.card("ml-prod gated-1 stuck kernel")
    for word in (ANN, LEADS, "gated-1", "ml-prod", GATED, "ACTIVE", "stuck kernel"):
        assert word in text_of(card)
    assert "What a restart loses" in card.text
    assert "expires" in card.text
    assert buttons(card) == ["approve", "deny"]
    assert bench.sent == 0
    assert (await bench.slack.click("bob", card, "approve")).ok
    assert (await bench.end_of_card(card)).state is State.READY
    assert BOB in closed(bench, card)
    assert "approved" in closed(bench, card)
    (told,) = bench.followups()
    assert "is ready" in told.text
    shown = bench.root(told)
    assert "ACTIVE → REBOOTING" in shown.text
    assert f"approved by {BOB}" in shown.text
    assert bench.sent == 1
    assert [entry["user_id"] for entry in await bench.trail("approval")] == ["U0BOB"]


async def test_a_denied_request_restarts_nothing_and_says_why(bench: Bench) -> None:
    """A lead's click on Deny ends it at once; the reason given later is shown."""
    card = await bench.card()
    assert (await bench.slack.click("carol", card, "deny")).ok
    (view,) = await bench.wait_for(lambda: bench.slack.views("carol"))
    assert (await bench.slack.submit("carol", view, {"note": "demo at <noon>"})).ok
    assert (await bench.end_of_card(card)).state is State.DENIED
    await bench.wait_for(lambda: "demo at" in bench.now(card).text)
    assert "denied" in closed(bench, card)
    assert CAROL in closed(bench, card)
    assert "demo at &lt;noon&gt;" in closed(bench, card)
    (told,) = bench.followups()
    assert f". {ANN}, about" in told.text
    assert "denied" in told.text
    assert bench.sent == 0
    assert [e["user_id"] for e in await bench.trail("denial explained")] == ["U0CAROL"]


async def test_a_denial_stands_without_a_reason(bench: Bench) -> None:
    """Whoever closes the dialog for the reason has denied all the same."""
    card = await bench.card()
    await bench.slack.click("carol", card, "deny")
    (view,) = await bench.wait_for(lambda: bench.slack.views("carol"))
    await bench.slack.close_view("carol", view)
    assert (await bench.end_of_card(card)).state is State.DENIED
    assert bench.sent == 0


async def test_without_a_decision_it_expires_after_one_reminder(
    make_bench: MakeBench,
) -> None:
    """At half of its time approvers are reminded once; at its end nothing happens."""
    bench = await make_bench(rules=SOON)
    card = await bench.card()
    assert (await bench.end_of_card(card)).state is State.EXPIRED
    assert "expired" in closed(bench, card)
    (reminder,) = [p for p in bench.posts() if "still waits" in p.text]
    assert LEADS in reminder.text
    assert reminder.thread_ts == card.ts
    (told,) = bench.followups()
    assert ANN in told.text
    assert "expired" in told.text
    assert bench.sent == 0
    late = await bench.slack.click("bob", card, "approve")
    assert late.ok
    assert await bench.wait_for(lambda: bench.whispers("bob", "expired"))
    assert bench.sent == 0


# --- who may click ------------------------------------------------------------------


def with_outsiders() -> LocalSlack:
    """Return a local Slack whose channel holds all kinds of people who may not act."""
    cast = demo_people()
    robo = User("U0ROBO", "robo", "Robo", is_bot=True)
    channels = [
        Channel(c.id, c.name, c.members | {"U0FRANK", "U0ROBO"}, private=c.private)
        for c in cast.channels
    ]
    return LocalSlack((*cast.people, robo), cast.groups, channels)


async def test_who_may_not_approve_cannot_by_clicking(make_bench: MakeBench) -> None:
    """A click counts for nothing, privately, unless the clicker is an approver."""
    rules = GATES.replace('by = ["@ml-leads"]', 'by = ["*"]')
    bench = await make_bench(rules=rules, slack=with_outsiders())
    card = await bench.card()
    for user, why in (
        ("ann", "requester never counts"),
        ("erin", "Guests"),
        ("frank", "another workspace"),
        ("robo", "Bots"),
    ):
        for action in ("approve", "deny"):
            assert (await bench.slack.click(user, card, action)).ok
        assert len(bench.whispers(user, why)) == 2
    assert buttons(bench.now(card)) == ["approve", "deny"]
    assert len(await bench.trail("click refused")) == 8
    assert bench.followups() == []
    await bench.slack.click("dave", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


async def test_who_is_on_no_list_of_approvers_is_told_who_is(bench: Bench) -> None:
    """Somebody who may restart but not approve is told who may."""
    card = await bench.card()
    for user in ("gina", "dave"):
        await bench.slack.click(user, card, "approve")
        assert bench.whispers(user, "@ml-leads")
    assert bench.sent == 0
    await bench.slack.click("bob", card, "deny")
    await bench.end_of_card(card)


async def test_who_left_the_group_can_no_longer_approve(bench: Bench) -> None:
    """Membership counts as it is at the click, even if Slack sends no event."""
    card = await bench.card()
    await bench.slack.change_group("ml-leads", tell=False, users=("U0CAROL",))
    await bench.slack.click("bob", card, "approve")
    assert bench.whispers("bob", "does not count")
    await bench.slack.click("carol", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY


async def test_two_approvals_need_two_people(make_bench: MakeBench) -> None:
    """One person counts once, however often he clicks; the card counts along."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    for _ in range(2):
        await bench.slack.click("bob", card, "approve")
    assert len(bench.whispers("bob", "1 of 2")) == 2
    await bench.wait_for(lambda: "Approved so far (1 of 2)" in bench.now(card).text)
    assert bench.sent == 0
    await bench.slack.click("gina", bench.now(card), "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert {BOB, GINA} <= set(re.findall(r"<@\w+>", closed(bench, card)))
    assert bench.sent == 1


async def test_one_denial_outweighs_an_approval(make_bench: MakeBench) -> None:
    """Where two have to approve, one who denies ends it."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    await bench.slack.click("gina", card, "deny")
    assert (await bench.end_of_card(card)).state is State.DENIED
    assert bench.sent == 0


async def test_of_two_clicks_at_once_the_first_decides(bench: Bench) -> None:
    """When two decide at the same moment one of them wins, and the other reads that."""
    card = await bench.card()
    await asyncio.gather(
        bench.slack.click("bob", card, "approve"),
        bench.slack.click("carol", card, "deny"),
    )
    record = await bench.end_of_card(card)
    assert record.state in (State.READY, State.DENIED)
    loser = "carol" if record.state is State.READY else "bob"
    await bench.wait_for(lambda: bench.whispers(loser, "decided already"))
    assert bench.sent == (record.state is State.READY)


async def test_the_same_click_delivered_twice_counts_once(
    make_bench: MakeBench,
) -> None:
    """Slack's repeat of a click is not a second approval."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    delivery = await bench.slack.click("bob", card, "approve")
    assert (await bench.slack.redeliver(delivery)).ok
    assert bench.sent == 0
    await bench.slack.click("gina", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


async def test_a_late_or_unknown_click_is_answered(bench: Bench) -> None:
    """A click on a card that has ended says who decided; on a forgotten one, so."""
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    await bench.end_of_card(card)
    await bench.slack.click("carol", card, "deny")
    assert await bench.wait_for(lambda: bench.whispers("carol", "decided already"))
    assert len(await bench.trail("late click")) == 1
    for block in card.blocks:
        for element in block.get("elements", []):
            element["value"] = "f" * 32
    await bench.slack.click("carol", card, "approve")
    assert await bench.wait_for(lambda: bench.whispers("carol", "not known any more"))
    assert bench.sent == 1


# --- read anew right before the restart ---------------------------------------------


async def test_an_approver_who_lost_the_right_does_not_carry_it(
    make_bench: MakeBench,
) -> None:
    """Who approved but left the group is taken off; another one has to approve."""
    bench = await make_bench(rules=TWO)
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    await bench.slack.change_group("ml-leads", tell=False, users=("U0CAROL",))
    await bench.slack.click("gina", card, "approve")
    await bench.wait_for(lambda: f"the approval of {BOB}" in bench.now(card).text)
    await bench.wait_for(lambda: "approve" in buttons(bench.now(card)))
    assert f"1 of 2): {GINA}" in bench.now(card).text
    assert bench.sent == 0
    await bench.slack.click("carol", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    kinds = [entry["kind"] for entry in await bench.trail()]
    assert kinds.count("approval taken off") == 1
    assert await bench.ledger.verify() == []
    assert bench.sent == 1


async def test_a_changed_rule_voids_the_request(bench: Bench) -> None:
    """What was approved under one rule is not restarted under another."""
    card = await bench.card()
    bench.write(GATES.replace('"30s"', '"40s"') + OPEN)
    bench.bot.reload()
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert "was changed" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_a_changed_status_voids_the_request(bench: Bench) -> None:
    """Approval for an instance that ran does not hold for one that has failed."""
    card = await bench.card()
    bench.cloud.put("gated-1", "ERROR")
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert "from ACTIVE to ERROR" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_one_that_stopped_meanwhile_is_not_restarted(bench: Bench) -> None:
    """Approval for an instance that was stopped meanwhile restarts nothing."""
    card = await bench.card()
    bench.cloud.put("gated-1", "STOPPED")
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.NOT_RESTARTED
    assert "started, not restarted" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_nobody_is_asked_to_approve_what_is_busy_already(bench: Bench) -> None:
    """What reboots already is followed; no lead is bothered for that."""
    bench.cloud.put("gated-1", "REBOOTING")
    delivery = await bench.ask("restart ml-prod gated-1 stuck")
    await bench.wait_for(lambda: any("already" in p.text for p in bench.posts()))
    bench.cloud.put("gated-1", "ACTIVE")
    assert (await bench.story(delivery)).state is State.READY
    assert bench.posts(having="approve") == []
    assert bench.sent == 0


async def test_where_nobody_could_approve_it_is_refused_at_once(
    bench: Bench,
) -> None:
    """A request that nobody could ever approve is not left to expire."""
    await bench.slack.change_group("ml-leads", users=("U0BOB",))
    delivery = await bench.ask("restart ml-prod gated-1 stuck", user="bob")
    assert "only 0 besides the requester" in delivery.text
    assert (await bench.record(delivery)).state is State.REFUSED
    assert bench.posts() == []


# --- withdrawing --------------------------------------------------------------------


@pytest.mark.parametrize("user", ["ann", "carol"])
async def test_requester_and_approvers_can_cancel(bench: Bench, user: str) -> None:
    """A pending request is withdrawn by who asked, or by who could approve it."""
    card = await bench.card()
    answer = await bench.ask("cancel ml-prod gated-1", user=user)
    assert "Cancelled" in answer.text
    assert (await bench.end_of_card(card)).state is State.CANCELLED
    assert "cancelled" in closed(bench, card)
    assert f"<@{bench.slack.directory.user(user).id}>" in closed(bench, card)
    assert "cancelled" in bench.followups()[-1].text
    again = await bench.ask("cancel ml-prod gated-1", user=user)
    assert "nothing to cancel" in again.text
    assert bench.sent == 0


async def test_nobody_else_can_cancel(bench: Bench) -> None:
    """Who neither asked nor could approve cannot withdraw a request."""
    card = await bench.card()
    answer = await bench.ask("cancel ml-prod gated-1", user="dave")
    assert "@ml-leads" in answer.text
    assert buttons(bench.now(card)) == ["approve", "deny"]
    assert [e["user_id"] for e in await bench.trail("cancel refused")] == ["U0DAVE"]
    await bench.ask("cancel ml-prod gated-1")
    await bench.end_of_card(card)


async def test_who_asks_for_the_same_joins_the_pending_request(bench: Bench) -> None:
    """Two who want the same are served by one card and one restart."""
    card = await bench.card()
    second = await bench.ask("restart ml-prod gated-1 me too", user="gina")
    assert "Waits for approval already" in second.text
    assert len(bench.posts(having="approve")) == 1
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    (told,) = bench.followups()
    assert {ANN, GINA} <= set(re.findall(r"<@\w+>", told.text))
    assert bench.sent == 1


# --- break-glass --------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "ml-prod gated-1 --break-glass it burns",
        "--break-glass ml-prod gated-1 it burns",
        "ml-prod gated-1 it burns —break-glass",
    ],
)
async def test_who_is_listed_may_break_the_glass(bench: Bench, typed: str) -> None:
    """Break-glass restarts at once, loudly, and is marked in the trail."""
    delivery, shown, told = await bench.restart(typed, user="gina")
    assert "break-glass" in shown.text
    assert "break-glass" in shown.history[0].text
    assert LEADS in shown.text
    assert "it burns" in shown.text
    assert "is ready" in told.text
    assert bench.posts(having="approve") == []
    assert bench.sent == 1
    assert (await bench.record(delivery)).request.break_glass
    marked = [e for e in await bench.trail() if "break-glass" in str(e.values())]
    assert marked


@pytest.mark.parametrize(
    ("user", "typed", "said"),
    [
        ("ann", "ml-prod gated-1 it burns --break-glass", "break-glass list"),
        ("gina", "ml-prod gated-1 --break-glass", "reason"),
        ("dave", "ml-prod gated-1 it burns --break-glass", "No rule allows"),
    ],
)
async def test_the_glass_is_broken_by_nobody_else(
    bench: Bench, user: str, typed: str, said: str
) -> None:
    """Without a place on the list, or without a reason, break-glass is refused."""
    delivery = await bench.ask(f"restart {typed}", user=user)
    assert said in delivery.text
    assert (await bench.record(delivery)).state is State.REFUSED
    assert bench.posts() == []
    assert bench.sent == 0


async def test_break_glass_overtakes_a_pending_request(bench: Bench) -> None:
    """What waits for approval is voided once somebody has broken the glass for it."""
    card = await bench.card()
    await bench.restart("ml-prod gated-1 it burns --break-glass", user="gina")
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert "restarted meanwhile" in bench.now(card).text
    assert bench.sent == 1


# --- at the same moment, or right before --------------------------------------------


async def test_two_who_ask_at_once_get_one_card(bench: Bench) -> None:
    """Two who ask for the same in one moment are served by one card and one restart."""
    bench.fail("read", times=2, delay_s=0.4)
    await asyncio.gather(
        bench.ask("restart ml-prod gated-1 stuck"),
        bench.ask("restart ml-prod gated-1 me too", user="gina"),
    )
    (card,) = await bench.wait_for(lambda: bench.posts(having="approve"))
    await bench.wait_for(
        lambda: [
            said
            for user in ("ann", "gina")
            for said in bench.whispers(user, "joins that one")
        ]
    )
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    (told,) = bench.followups()
    assert {ANN, GINA} <= set(re.findall(r"<@\w+>", told.text))
    assert len([post for post in bench.posts() if "May gated-1" in post.text]) == 0
    assert bench.sent == 1


async def test_who_joined_from_elsewhere_reads_who_denied(bench: Bench) -> None:
    """Somebody who joined from another channel reads how and by whom it was decided."""
    card = await bench.card()
    await bench.ask("restart ml-prod gated-1 me too", user="gina", channel="ml-ops")
    await bench.slack.click("carol", card, "deny")
    assert (await bench.end_of_card(card)).state is State.DENIED
    (told,) = await bench.wait_for(
        lambda: [post for post in bench.posts("ml-ops") if GINA in post.text]
    )
    assert f"denied by {CAROL}" in told.text


async def during_a_slow_announcement(bench: Bench, card: Post) -> None:
    """Let a lead approve, and return while Slack takes its time with what follows."""
    bench.slack.fail("chat.postMessage", delay_s=2.5)
    posted = len(bench.slack.called("chat.postMessage"))
    await bench.slack.click("bob", card, "approve")
    await bench.wait_for(lambda: len(bench.slack.called("chat.postMessage")) > posted)


@pytest.mark.parametrize("group", ["ml-leads", "ml-oncall"])
async def test_who_leaves_while_it_is_announced_restarts_nothing(
    bench: Bench, group: str
) -> None:
    """Rights are those right before the restart call, however slow Slack was."""
    card = await bench.card()
    await during_a_slow_announcement(bench, card)
    await bench.slack.change_group(group, tell=False, users=("U0CAROL",))
    assert (await bench.end_of_card(card)).state is State.NOT_RESTARTED
    (told,) = bench.followups()
    assert "was not restarted" in told.text
    assert bench.sent == 0


async def test_one_that_stops_while_it_is_announced_is_left_alone(
    bench: Bench,
) -> None:
    """The status is the one right before the restart call, too."""
    card = await bench.card()
    await during_a_slow_announcement(bench, card)
    bench.cloud.put("gated-1", "STOPPED")
    assert (await bench.end_of_card(card)).state is State.NOT_RESTARTED
    assert "stopped" in bench.followups()[0].text
    assert bench.sent == 0


async def test_a_voided_card_names_who_had_approved(bench: Bench) -> None:
    """Where what was approved no longer holds, the card still says who decided."""
    card = await bench.card()
    bench.fail("read", delay_s=0.5)
    await bench.slack.click("bob", card, "approve")
    await bench.slack.change_group("ml-oncall", tell=False, users=("U0CAROL",))
    assert (await bench.end_of_card(card)).state is State.VOIDED
    assert BOB in closed(bench, card)
    assert bench.sent == 0


@pytest.mark.parametrize("action", ["approve", "deny"])
async def test_a_card_that_was_posted_twice_loses_all_its_buttons(
    bench: Bench, action: str
) -> None:
    """Whichever copy somebody clicks: it counts, and no buttons stay behind."""
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    await bench.ask("restart ml-prod gated-1 stuck")
    await bench.wait_for(lambda: len(bench.posts(having="approve")) == 2)
    copy, card = bench.posts(having="approve")
    await bench.slack.click("carol", copy, action)
    ended = State.READY if action == "approve" else State.DENIED
    assert (await bench.end_of_card(card)).state is ended
    await bench.wait_for(lambda: not bench.posts(having="approve"))
    assert CAROL in closed(bench, copy)
    assert CAROL in closed(bench, card)


async def test_a_card_decided_on_before_the_bot_knows_it_loses_its_buttons(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack's answer to the card got lost, and a click comes before it is posted again:
    it counts, and that message is the card from then on."""
    monkeypatch.setattr("bot.restarts.engine.steps.STEP_WAITS_S", (1.0, 1.0))
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    await bench.ask("restart ml-prod gated-1 stuck")
    (card,) = await bench.wait_for(lambda: bench.posts(having="approve"))
    await bench.slack.click("carol", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    await bench.wait_for(lambda: not bench.posts(having="approve"))
    assert CAROL in closed(bench, card)


@pytest.mark.parametrize(("who", "words"), [("carol", CAROL), ("dave", "decide there")])
async def test_a_card_clicked_while_it_is_posted_again(
    bench: Bench, who: str, words: str
) -> None:
    """The one that was clicked is the card, whether that decided or not; the one that
    comes after it loses its buttons."""
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    bench.slack.fail("chat.postMessage", delay_s=1.5)
    await bench.ask("restart ml-prod gated-1 stuck")
    await bench.wait_for(lambda: len(bench.slack.called("chat.postMessage")) == 2)
    (card,) = bench.posts(having="approve")
    await bench.slack.click(who, card, "approve")

    def beside() -> list[Post]:
        others = (post for post in bench.posts() if post.ts != card.ts)
        return [post for post in others if words in post.text and not buttons(post)]

    await bench.wait_for(beside)
    if who == "dave":
        assert bench.posts(having="approve") == [card]
        assert (await bench.slack.click("carol", card, "approve")).ok
    assert (await bench.end_of_card(card)).state is State.READY
    assert CAROL in closed(bench, card)
    await bench.wait_for(lambda: not bench.posts(having="approve"))


async def test_a_click_on_a_copy_that_decides_nothing(bench: Bench) -> None:
    """Of two whose request is still open, one says that the other is to be used."""
    bench.slack.fail("chat.postMessage", cut=True, acts=True)
    await bench.ask("restart ml-prod gated-1 stuck")
    await bench.wait_for(lambda: len(bench.posts(having="approve")) == 2)
    both = bench.posts(having="approve")
    await bench.slack.click("dave", both[0], "approve")

    def decided_elsewhere() -> list[Post]:
        return [p for p in both if "decide there" in bench.now(p).text]

    (copy,) = await bench.wait_for(decided_elsewhere)
    (card,) = (p for p in both if p is not copy)
    assert buttons(bench.now(copy)) == []
    assert buttons(bench.now(card)) == ["approve", "deny"]
