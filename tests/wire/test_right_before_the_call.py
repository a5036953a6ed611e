"""What is asked anew right before the restart call, and what is kept of its answer."""

from __future__ import annotations

import pytest

from bot.demo.cloud_http import Call, Fault, Reply, html, modelarts
from bot.demo.instances import Change
from bot.model import State
from tests.support.bot_world import GATES, Bench
from tests.support.passing_time import at_the_next_post, left_alone_with, passed

THROTTLED = modelarts(429, "ModelArts.6101", "The system is busy.")
NO_SUCH = modelarts(400, "ModelArts.6309", "The instance does not exist.")


async def test_who_lost_the_right_during_a_throttled_call_gets_no_second_one(
    bench: Bench,
) -> None:
    """Rights are read again between a 429 of the cloud and the next try."""
    card = await bench.card()
    bench.fail("restart", reply=THROTTLED)

    def leave(event: Call | Change) -> None:
        if isinstance(event, Call) and event.kind == "restart":
            left_alone_with(bench, "ml-oncall", "U0CAROL")

    bench.cloud.on_change.append(leave)
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.NOT_RESTARTED
    assert bench.sent == 1
    assert not bench.cloud.restarts[bench.cloud.instance("gated-1").id]


@pytest.mark.parametrize("seconds", [60, -60], ids=["later", "clock put back"])
async def test_what_was_decided_a_while_ago_is_decided_anew(
    bench: Bench, seconds: int
) -> None:
    """Who left the group since is not restarted for, though Slack sent no event."""

    def meanwhile() -> None:
        passed(bench, seconds)
        left_alone_with(bench, "ml-oncall", "U0CAROL")

    at_the_next_post(bench, meanwhile)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    assert "No rule allows" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_the_status_before_is_known_where_the_answer_leaves_it_out(
    bench: Bench,
) -> None:
    """The transition holds both statuses even if the cloud names only the new one."""
    bench.fail("restart", acts=True, reply=Reply(200, {"current_status": "REBOOTING"}))
    delivery, shown, _ = await bench.restart()
    assert (await bench.record(delivery)).previous == "ACTIVE"
    assert "ACTIVE → REBOOTING" in shown.text


async def test_what_now_needs_approval_is_not_sent_without(bench: Bench) -> None:
    """A rule that came to ask for approval since holds for what was allowed before."""

    def meanwhile() -> None:
        passed(bench, 60)
        rules = GATES.replace("gated-*", "trainer-*")
        bench.write(rules.replace("required", "optional"))
        bench.bot.reload()

    at_the_next_post(bench, meanwhile)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    assert "now asks for approval" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_one_that_fails_while_it_is_announced_is_not_what_was_approved(
    bench: Bench,
) -> None:
    """Approval for one that ran does not hold for one that has failed since."""

    def meanwhile() -> None:
        passed(bench, 10)
        bench.cloud.put("gated-1", "ERROR")

    card = await bench.card()
    at_the_next_post(bench, meanwhile)
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.NOT_RESTARTED
    assert "from ACTIVE to ERROR" in bench.followups()[-1].text
    assert bench.sent == 0


async def test_who_was_deactivated_since_approves_nothing(bench: Bench) -> None:
    """Who somebody is is read at the click, however well he was known before."""
    card = await bench.card()
    await bench.ask("can ml-prod gated-1", user="bob")
    bench.slack.change_user("bob", deleted=True)
    await bench.slack.click("bob", card, "approve")
    await bench.wait_for(lambda: bench.whispers("bob", "Deactivated"))
    await bench.slack.click("carol", card, "deny")
    assert (await bench.end_of_card(card)).state is State.DENIED


@pytest.mark.parametrize(
    "between",
    [Fault(), Fault(reply=html(503, "Unavailable")), Fault(reply=THROTTLED)],
    ids=["a look", "503", "429"],
)
async def test_no_such_instance_counts_only_in_a_row(
    bench: Bench, between: Fault
) -> None:
    """An instance is given up after three looks in a row that find none, not before."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    for fault, times in ((NO_SUCH, 2), (None, 1), (NO_SUCH, 2)):
        met = Fault(reply=fault) if fault else between
        bench.cloud.faults.plant("read", met, times=times)
    await bench.wait_for(lambda: not bench.cloud.faults.planted)
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
