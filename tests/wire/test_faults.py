"""When the cloud or Slack fails: one restart at most, and a true last word."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.demo.cloud_http import Reply, gateway, html, modelarts
from bot.demo.instances import Reboot
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, GATES, OPEN, Bench, quick
from tests.support.processes import until

NEVER_SEEN = Reboot(phases=(), frozen=True)
NOT_JSON = Reply(200, '{"current_status": "REBOO')
REBOOTED = ("is ready",)
LOST = ("unknown", "lost")


# --- the answer to the restart call -------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A restart call whose answer is lost, and how that ends."""

    about: str
    how: dict[str, Any]
    state: State
    told: tuple[str, ...]
    reboot: Reboot = field(default_factory=quick)


ROWS = (
    Lost(
        about="cut after acting",
        how={"cut": True, "acts": True},
        state=State.READY,
        told=REBOOTED,
    ),
    Lost(about="cut before acting", how={"cut": True}, state=State.UNKNOWN, told=LOST),
    Lost(
        about="502 of a gateway that had passed it on",
        how={"reply": html(502, "Bad Gateway"), "acts": True},
        state=State.READY,
        told=REBOOTED,
    ),
    Lost(
        about="504 of a gateway that had not",
        how={"reply": gateway(504, "APIGW.0201", "Backend timeout.")},
        state=State.UNKNOWN,
        told=LOST,
    ),
    Lost(
        about="500 in ModelArts' own words",
        how={"reply": modelarts(500, "ModelArts.6200", "Internal.")},
        state=State.UNKNOWN,
        told=LOST,
    ),
    Lost(
        about="an empty 200",
        how={"reply": Reply(200, ""), "acts": True},
        state=State.READY,
        told=REBOOTED,
    ),
    Lost(
        about="broken JSON",
        how={"reply": NOT_JSON, "acts": True},
        state=State.READY,
        told=REBOOTED,
    ),
    Lost(
        about="broken JSON and nothing to be seen",
        how={"reply": NOT_JSON},
        state=State.UNKNOWN,
        told=LOST,
    ),
    Lost(
        about="a login page with status 200",
        how={"reply": html(200, "Sign in")},
        state=State.UNKNOWN,
        told=LOST,
    ),
    Lost(
        about="carried out, but never to be seen",
        how={"cut": True, "acts": True},
        reboot=NEVER_SEEN,
        state=State.UNKNOWN,
        told=LOST,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
async def test_a_lost_answer_is_resolved_by_looking_never_by_sending(
    bench: Bench, row: Lost
) -> None:
    """What nobody knows to have happened is looked at, and never sent again."""
    bench.behave(row.reboot)
    bench.fail("restart", **row.how)
    delivery, shown, told = await bench.restart()
    assert (await bench.record(delivery)).state is row.state
    assert f". {ANN}: " in told.text
    for word in row.told:
        assert word in told.text
    assert ("is ready" in told.text) == (row.state is State.READY)
    assert bench.sent == 1
    if row.state is State.READY:
        assert "ACTIVE → REBOOTING" in shown.text
    else:  # a reboot that is seen at once leaves no time to say so
        assert any("answer was lost" in edit.text for edit in shown.history)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (modelarts(400, "ModelArts.6360", "No GPUs."), "no capacity"),
        (modelarts(403, "ModelArts.0112", "Denied."), "lacks the permission"),
        (html(403, "Forbidden"), "The cloud refused"),
        (gateway(404, "APIG.0101", "Gone."), "no longer offers"),
        (Reply(302, "", {"Location": "https://evil.example"}), "endpoint setting"),
        (Reply(200, {"error_code": "ModelArts.6360"}), "no capacity"),
    ],
    ids=["capacity", "permission", "HTML", "withdrawn", "redirect", "error in a 200"],
)
async def test_a_refusal_of_the_cloud_is_final_and_said(
    bench: Bench, reply: Reply, said: str
) -> None:
    """What the cloud refuses is not tried again, and its reason is said."""
    bench.fail("restart", reply=reply)
    delivery, shown, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.NOT_RESTARTED
    assert "was not restarted" in told.text
    assert said in told.text
    assert "Not restarted" in shown.text
    assert "<html" not in told.text + shown.text
    assert bench.sent == 1


async def test_one_that_the_cloud_calls_busy_is_followed(bench: Bench) -> None:
    """A restart that comes too late by a moment is followed to its end."""
    busy = modelarts(400, "ModelArts.6357", "The instance is being operated.")
    bench.cloud.instance("trainer-7").status = "ACTIVE"
    bench.fail("read", times=2, adds={"status": "ACTIVE"})
    bench.fail("restart", reply=busy)
    bench.cloud.put("trainer-7", "REBOOTING")
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.wait_for(lambda: bench.sent)
    await bench.wait_for(lambda: len(bench.looks()) > 3)
    bench.cloud.put("trainer-7", "ACTIVE")
    assert (await bench.story(delivery)).state is State.READY
    assert "no restart was sent" in bench.followups()[-1].text
    assert bench.sent == 1


@pytest.mark.parametrize(
    "reply",
    [
        gateway(429, "APIGW.0308", "Throttled.", Retry_After="1"),
        modelarts(429, "ModelArts.6101", "The system is busy."),
    ],
    ids=["Retry-After", "none"],
)
async def test_what_was_throttled_is_sent_again(bench: Bench, reply: Reply) -> None:
    """A restart that was surely not carried out is tried again, and told once."""
    bench.fail("restart", reply=reply)
    delivery, shown, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "ACTIVE → REBOOTING" in shown.text
    assert "is ready" in told.text
    assert [call.status for call in bench.looks("restart")] == [429, 200]
    assert len(bench.cloud.restarts[bench.cloud.instance("trainer-7").id]) == 1
    assert len(await bench.trail("not sent")) == 1


async def test_throttled_for_good_ends_without_a_restart(bench: Bench) -> None:
    """A cloud that always says 429 is given up, and the person is told."""
    reply = modelarts(429, "ModelArts.6101", "The system is busy.")
    bench.fail("restart", times=None, reply=reply)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.NOT_RESTARTED
    assert "was not restarted" in told.text
    assert bench.sent <= 5


async def test_an_unreachable_cloud_is_said_before_anything_is_posted(
    bench: Bench,
) -> None:
    """Where nobody answers at the cloud's address nothing is announced."""
    port = bench.cloud.port
    await bench.cloud.close()
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    assert bench.whispers("ann", "cannot be reached")
    assert bench.posts() == []
    await bench.cloud.start(port)
    again = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(again)).state is State.READY
    assert bench.sent == 1


async def test_a_restart_call_that_finds_nobody_is_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call whose connection was refused was not carried out, so it is repeated."""
    monkeypatch.setattr("bot.restarts.send.WAITS_S", (0.2,) * 100)
    monkeypatch.setattr("bot.restarts.send.CHECK_HOLDS_S", 60.0)  # no look before it
    bench.slack.fail("chat.postMessage", delay_s=1.0)
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.wait_for(lambda: bench.slack.called("chat.postMessage"))
    port = bench.cloud.port
    await bench.cloud.close()
    await until(lambda: bench.trail("not sent"))
    await bench.cloud.start(port)
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


async def test_a_cloud_that_is_down_for_a_while_loses_no_request(
    bench: Bench,
) -> None:
    """A cloud that goes away during a restart is waited for, and the end is told."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    port = bench.cloud.port
    await bench.cloud.close()
    await bench.cloud.start(port)
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


@pytest.mark.parametrize(
    "how",
    [
        {"reply": html(503, "Unavailable")},
        {"reply": Reply(200, "")},
        {"cut": True},
        {"reply": modelarts(429, "ModelArts.6101", "Busy.")},
        {"reply": Reply(200, {"id": "another", "status": "ACTIVE"})},
    ],
    ids=["HTML", "empty", "cut", "429", "of another instance"],
)
async def test_looks_that_fail_end_nothing(bench: Bench, how: dict[str, Any]) -> None:
    """A few looks that fail while it reboots neither end the watch nor the story."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    bench.fail("read", times=3, **how)
    await bench.wait_for(lambda: not bench.cloud.faults.planted)
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


async def test_a_slow_cloud_does_not_delay_the_acknowledgement(bench: Bench) -> None:
    """The acknowledgement comes in time however slow the cloud is."""
    bench.fail("read", times=2, delay_s=1.5)
    bench.fail("restart", delay_s=0.5)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert delivery.seconds < 3
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


# --- the login ----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_a_token_that_is_refused_is_renewed_without_a_second_restart(
    bench: Bench, how: str
) -> None:
    """A token that ended is replaced by itself; the restart still happens once."""
    if how == "expired":
        bench.cloud.iam.token_life_s = -1.0
    await bench.ask("status ml-prod trainer-7")
    bench.cloud.iam.token_life_s = 86_400.0
    bench.cloud.iam.revoke_all()
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "is ready" in told.text
    assert len(bench.cloud.restarts[bench.cloud.instance("trainer-7").id]) == 1
    assert len(bench.looks("login")) <= 4


async def test_a_token_revoked_right_before_the_restart_is_renewed(
    bench: Bench,
) -> None:
    """A restart refused for its token alone is sent anew with another token."""
    refused = gateway(401, "APIGW.0301", "Incorrect IAM authentication information")
    bench.fail("restart", reply=refused)
    delivery, _, _ = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert len(bench.cloud.restarts[bench.cloud.instance("trainer-7").id]) == 1
    assert len(bench.looks("login")) == 2


async def test_a_refused_login_is_said_and_rests(make_bench: MakeBench) -> None:
    """A wrong password is named as such, and not tried again and again."""
    bench = await make_bench(environ={"OS_PASSWORD": "another-password"})
    for _ in range(3):
        delivery = await bench.ask("restart ml-prod trainer-7")
        assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    said = bench.whispers("ann", "IAM refused the login")
    assert len(said) == 3
    assert all("another-password" not in text for text in said)
    assert len(bench.looks("login")) == 1
    assert bench.sent == 0


# --- Slack --------------------------------------------------------------------------

FAULTS: dict[str, dict[str, Any]] = {
    "429": {"status": 429, "retry_after": 1},
    "503": {"status": 503},
    "cut before": {"cut": True},
    "cut after": {"cut": True, "acts": True},
    "internal_error": {"error": "internal_error"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("skip", [0, 1], ids=["announcement", "follow-up"])
async def test_a_post_that_fails_is_said_again(
    bench: Bench, fault: str, skip: int
) -> None:
    """A fault of Slack at a post delays it; at most one message stands twice."""
    bench.slack.fail("chat.postMessage", skip=skip, **FAULTS[fault])
    delivery, shown, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "ACTIVE → REBOOTING" in shown.text
    assert "is ready" in told.text
    assert bench.sent == 1
    assert len(bench.posts()) == 2 + (fault == "cut after")


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_edit_that_fails_is_made_up_for(bench: Bench, fault: str) -> None:
    """A fault of Slack at edits leaves no message that is out of date."""
    bench.slack.fail("chat.update", count=2, **FAULTS[fault])
    delivery, shown, told = await bench.restart()
    assert (await bench.record(delivery)).state is State.READY
    assert "✅ Ready: " in bench.now(shown).text
    assert "is ready" in told.text
    assert len(bench.posts()) == 2


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in ("429", "cut after")])
async def test_who_somebody_is_is_asked_again(
    bench: Bench, method: str, fault: str
) -> None:
    """A passing fault at the question who somebody is refuses nobody."""
    bench.slack.fail(method, **FAULTS[fault])
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert delivery.seconds < 3
    if fault == "internal_error":  # an HTTP 200 is not repeated within a command
        assert bench.sent == 0
        delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_when_slack_does_not_say_who_asks_nothing_is_restarted(
    bench: Bench, method: str
) -> None:
    """A Slack that is down, or slow, lets nobody past; the person is told in time."""
    bench.slack.fail(method, count=None, delay_s=5.0)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert delivery.seconds < 3
    assert "Slack did not tell me" in delivery.text
    assert bench.sent == 0
    assert bench.posts() == []


async def test_a_channel_that_cannot_be_posted_to_for_long_restarts_nothing(
    make_bench: MakeBench,
) -> None:
    """While the announcement cannot be posted nothing is sent to the cloud."""
    bench = await make_bench(watch={"act_within": "1s"})
    bench.slack.fail("chat.postMessage", count=None, status=503)
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert (await bench.story(delivery)).state is State.NOT_RESTARTED
    assert bench.whispers("ann", "Nothing was sent")
    assert bench.sent == 0


async def test_a_follow_up_outlasts_an_outage_of_slack(bench: Bench) -> None:
    """The last word is said however often Slack fails at it."""
    bench.slack.fail("chat.postMessage", skip=1, count=5, status=503)
    delivery, _, told = await bench.restart()
    assert (await bench.record(delivery)).told
    assert "is ready" in told.text


async def test_an_approval_card_outlasts_a_fault_of_slack(
    make_bench: MakeBench,
) -> None:
    """A card whose post failed is posted again, and its buttons work."""
    bench = await make_bench(rules=GATES + OPEN)
    bench.slack.fail("chat.postMessage", status=503)
    bench.slack.fail("chat.update", status=503)
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 1


@pytest.mark.parametrize("fault", ["kicked", "archived"])
async def test_a_channel_lost_meanwhile_does_not_lose_the_last_word(
    bench: Bench, fault: str
) -> None:
    """When the bot loses the channel during a restart the person is told privately."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    if fault == "kicked":
        bench.slack.kick_bot("incidents")
    else:
        bench.slack.change_channel("incidents", archived=True)
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
    assert bench.whispers("ann", "is ready")


async def test_a_private_word_finds_another_way(bench: Bench) -> None:
    """Where the usual way of a private answer fails, a direct message is sent."""
    bench.slack.fail("response_url", count=None, status=500)
    delivery = await bench.ask("restart ml-prod trainer-7", channel="random")
    await bench.story(delivery)
    (said,) = bench.posts(bench.slack.directory.im("U0ANN").id)
    assert "/invite @mlstudio" in said.text


@pytest.mark.parametrize("politely", [True, False])
async def test_a_lost_socket_loses_nothing(bench: Bench, *, politely: bool) -> None:
    """A socket that goes down during a restart comes back, and all goes on."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    old = list(bench.slack.sockets.connections)
    if politely:
        await bench.slack.refresh_sockets()
    else:
        await bench.slack.drop_sockets()
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
    await bench.wait_for(lambda: set(bench.slack.sockets.connections) - set(old))
    _, _, told = await bench.restart()
    assert "is ready" in told.text
    assert bench.sent == 2


# --- who waits together with others ---------------------------------------------------


async def test_where_nothing_can_be_posted_all_who_asked_are_told(bench: Bench) -> None:
    """Two who asked at once in a channel without the bot both read why not, and how."""
    bench.fail("read", times=2, delay_s=0.3)
    bench.slack.fail("chat.postMessage", count=None, error="not_in_channel")
    await asyncio.gather(
        bench.ask("restart ml-prod trainer-7"),
        bench.ask("restart ml-prod trainer-7", user="bob"),
    )
    for user in ("ann", "bob"):
        assert await bench.wait_for(lambda u=user: bench.whispers(u, "/invite"))
    assert bench.sent == 0


async def test_whoever_joined_is_told_where_the_channel_is_lost(bench: Bench) -> None:
    """A follow-up that the channel takes no more reaches each of them in private."""
    bench.hold()
    await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    await bench.ask("restart ml-prod trainer-7", user="bob")
    bench.slack.fail("chat.postMessage", count=None, error="not_in_channel")
    bench.go_on()
    for user in ("ann", "bob"):
        assert await bench.wait_for(lambda u=user: bench.whispers(u, "is ready"))
    assert bench.sent == 1


# --- what cannot be read --------------------------------------------------------------


async def test_what_cannot_be_read_at_the_limit_is_unknown(
    make_bench: MakeBench,
) -> None:
    """Nobody says that a status still stands which nobody could read."""
    bench = await make_bench(watch={"timeout": "1s"})
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    bench.fail("read", times=None, reply=html(500, "Down"))
    assert (await bench.story(delivery)).state is State.UNKNOWN
    (told,) = bench.followups()
    assert "unknown" in told.text
    assert "could not be read" in told.text
    assert "still stands" not in told.text


async def test_a_look_comes_no_sooner_than_the_cloud_asks_for(bench: Bench) -> None:
    """A cloud that says when to come again is left in peace until then."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    before = len(bench.looks())
    busy = gateway(429, "APIGW.0308", "Throttled.", Retry_After="2")
    bench.fail("read", reply=busy)
    await bench.wait_for(lambda: len(bench.looks()) > before + 1)
    throttled = next(c for c in bench.looks()[before:] if c.status == 429)
    after = bench.looks()[bench.looks().index(throttled) + 1]
    assert after.at - throttled.at >= 1.9
    bench.go_on()
    assert (await bench.story(delivery)).state is State.READY
