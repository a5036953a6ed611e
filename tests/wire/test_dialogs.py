"""What people do besides typing a restart: ask, use dialogs, buttons and the home page;
and how the bot is reached: by reload, by HTTP."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.demo.posts import View
from bot.demo.slack_server import LocalSlack
from bot.model import State
from bot.slack.messages import dialogs
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import (
    ANN,
    GATED,
    GATES,
    INCIDENTS,
    OPEN,
    TRAINER,
    Bench,
    buttons,
    text_of,
)

NEAR = [
    ("restrat ml-prod trainer-7", "restart"),
    ("staus ml-prod trainer-7", "status"),
    ("lst ml-prod", "list"),
    ("histroy", "history"),
    ("cancle ml-prod gated-1", "cancel"),
]
# What is filled in where a dialog was opened from no channel.
NOWHERE = {"project": "ml-prod", "instance": "trainer-7", "channel": "C0MLOPS"}


def fields(view: View) -> dict[str, dict[str, Any]]:
    """Return the inputs of a dialog by action id."""
    return {
        block["element"]["action_id"]: block
        for block in view.blocks
        if block["type"] == "input"
    }


def chosen(view: View, name: str) -> str:
    """Return what is filled in already."""
    option = fields(view)[name]["element"].get("initial_option") or {}
    return str(option.get("value", ""))


CLOSED = """
[[rules]]
name = "not this one"
instances = ["flaky-1"]
deny = true
"""

# --- questions ----------------------------------------------------------------------


async def test_status_says_how_it_stands_and_who_may(bench: Bench) -> None:
    """Who asks for the status reads it, the last restarts, and who may restart."""
    await bench.restart("ml-prod trainer-7 OOM")
    before = bench.seen()
    answer = await bench.ask("status ml-prod trainer-7", user="dave")
    for word in ("trainer-7, ACTIVE", TRAINER, ANN, "ready after", "OOM", "may not"):
        assert word in answer.text
    for group in ("<!subteam^S0ONCALL>", "<!subteam^S0LEADS>"):
        assert group in text_of(answer)
    assert bench.seen() == {**before, "dave": 1}


async def test_list_shows_each_instance_with_a_button(bench: Bench) -> None:
    """The list has every instance of a project with its status, in private."""
    answer = await bench.ask("list ml-prod")
    assert answer.shown is not None
    for word in ("trainer-7: ACTIVE", "notebook-2: STOPPED", "flaky-1", "gated-1"):
        assert word in answer.text
    shown = buttons(answer.shown)
    assert shown == ["restart_dialog", "start_it"] + ["restart_dialog"] * 3
    assert bench.seen() == {"ann": len(bench.slack.ephemerals("ann"))}


async def test_a_list_shows_what_cannot_be_read_too(bench: Bench) -> None:
    """One instance that cannot be read does not spoil the list."""
    bench.fail("read", cut=True)
    answer = await bench.ask("list ml-prod")
    assert "status could not be read" in answer.text
    assert "ACTIVE" in answer.text


async def test_history_tells_the_last_restarts(bench: Bench) -> None:
    """The history tells what was restarted, by whom and how long, of what was asked."""
    await bench.restart("ml-prod trainer-7 OOM")
    await bench.restart("ml-dev sandbox-1", user="gina")
    everything = await bench.ask("history", user="dave")
    assert "trainer-7" in everything.text
    assert "sandbox-1" in everything.text
    assert "ready after" in everything.text
    of_one = await bench.ask("history ml-prod", user="dave")
    assert ANN in of_one.text
    assert "sandbox-1" not in of_one.text
    nothing = await bench.ask("history ml-prod gated-1", user="dave")
    assert "No restarts on record" in nothing.text


async def test_can_names_the_rule_that_decides(bench: Bench) -> None:
    """Who asks whether somebody may restart reads yes or no, by which rule, and why."""
    mine = await bench.ask("can ml-prod trainer-7")
    assert f"{ANN} may restart" in mine.text
    assert "on call" in mine.text
    gated = await bench.ask("can @gina ml-prod gated-1")
    assert "once that is approved" in gated.text
    assert "<!subteam^S0LEADS>" in gated.text
    nobody = await bench.ask("can @dave ml-prod trainer-7")
    assert "<@U0DAVE> may not restart" in nobody.text
    assert bench.sent == 0


@pytest.mark.parametrize("text", ["", "help", "HELP", "xyzzy plugh"])
async def test_help_is_never_far(bench: Bench, text: str) -> None:
    """Nothing, help and an unknown word are answered privately with help."""
    answer = await bench.ask(text)
    assert "help" in answer.text
    assert bench.seen() == {"ann": 1}


@pytest.mark.parametrize(("text", "meant"), NEAR)
async def test_a_near_miss_is_guessed_and_not_carried_out(
    bench: Bench, text: str, meant: str
) -> None:
    """A misspelt command is answered with the one that was probably meant."""
    answer = await bench.ask(text)
    assert f"/mlstudio {meant}" in answer.text
    assert bench.sent == 0


async def test_a_question_that_takes_long_is_answered_later(bench: Bench) -> None:
    """A slow cloud delays the answer to a question, not its acknowledgement."""
    bench.fail("read", times=None, delay_s=3.2)
    answer = await bench.ask("status ml-prod trainer-7")
    assert answer.seconds < 3
    assert "reading it" in answer.text
    assert await bench.wait_for(lambda: bench.whispers("ann", "trainer-7, ACTIVE"))


# --- the dialog ---------------------------------------------------------------------


async def test_a_restart_can_be_asked_for_in_a_dialog(bench: Bench) -> None:
    """The dialog offers projects, searches instances, and restarts like the command."""
    view = await bench.open_dialog("restart")
    assert set(fields(view)) == {"project", "instance", "reason"}
    assert (await bench.slack.click("ann", view, "project", value="ml-prod")).ok
    await bench.wait_for(lambda: chosen(bench.slack.views("ann")[0], "project"))
    (view,) = bench.slack.views("ann")
    found = await bench.slack.suggest("ann", view, "instance", "TRAIN")
    assert [option["value"] for option in found.ack["options"]] == ["trainer-7"]
    values = {"instance": "trainer-7", "project": "ml-prod", "reason": "by dialog"}
    delivery = await bench.slack.submit("ann", view, values)
    assert delivery.ok
    assert delivery.seconds < 3
    assert bench.slack.views("ann") == []
    assert (await bench.story(delivery)).state is State.READY
    assert await bench.wait_for(lambda: bench.whispers("ann", "Recorded"))
    (told,) = bench.followups()
    assert told.channel_id == INCIDENTS
    assert "by dialog" in bench.root(told).text
    assert (await bench.slack.redeliver(delivery)).ok
    assert bench.sent == 1
    assert len(await bench.trail("asked")) == 1


async def test_what_was_typed_is_filled_in(bench: Bench) -> None:
    """A project that was typed stands in the dialog already."""
    view = await bench.open_dialog("restart ml-dev")
    assert chosen(view, "project") == "ml-dev"
    found = await bench.slack.suggest("ann", view, "instance", "")
    assert [option["value"] for option in found.ack["options"]] == ["sandbox-1"]


async def test_what_is_wrong_is_said_in_the_dialog(bench: Bench) -> None:
    """A missing reason or an unknown instance is said below its field."""
    view = await bench.open_dialog("restart ml-prod")
    values = {"project": "ml-prod", "instance": "gated-1"}
    delivery = await bench.slack.submit("ann", view, values)
    assert delivery.ok
    (view,) = bench.slack.views("ann")
    assert "requires a reason" in view.errors["reason"]
    values = {"project": "ml-prod", "instance": "no-such-thing", "reason": "x"}
    assert (await bench.slack.submit("ann", view, values)).ok
    (view,) = bench.slack.views("ann")
    assert "There is no instance" in "".join(view.errors.values())
    assert bench.sent == 0


async def test_a_refusal_of_a_dialog_is_private_and_on_record(bench: Bench) -> None:
    """Who may not restart is told so after the dialog, privately."""
    view = await bench.open_dialog("restart ml-prod", user="dave")
    values = {"project": "ml-prod", "instance": "trainer-7"}
    delivery = await bench.slack.submit("dave", view, values)
    assert await bench.wait_for(lambda: bench.whispers("dave", "No rule allows"))
    assert (await bench.record(delivery)).state is State.REFUSED
    assert bench.posts() == []


async def test_after_a_refusal_the_dialog_stays_as_it_was_filled_in(
    make_bench: MakeBench,
) -> None:
    """Why is said above; another instance can be chosen, and nothing typed is lost."""
    bench = await make_bench(rules=CLOSED + GATES + OPEN)
    view = await bench.open_dialog("restart ml-prod")
    values = {"project": "ml-prod", "instance": "flaky-1", "reason": "it hangs"}
    refused = await bench.slack.submit("ann", view, values)
    assert refused.ok
    (view,) = bench.slack.views("ann")
    assert text_of(view).startswith("⛔ Refused. I did not restart flaky-1")
    again = await bench.slack.redeliver(refused)
    assert again.ok
    assert len(await bench.trail("refused")) == 1

    (view,) = bench.slack.views("ann")
    await bench.slack.click("ann", view, "instance", value="trainer-7")
    await bench.wait_for(lambda: bench.slack.views("ann")[0].hash != view.hash)
    (view,) = bench.slack.views("ann")
    delivery = await bench.slack.submit("ann", view, values | {"instance": "trainer-7"})
    record = await bench.story(delivery)
    assert (record.state, record.request.reason) == (State.READY, "it hangs")


async def test_a_dialog_that_was_drawn_anew_and_sent_again_is_one_request(
    bench: Bench,
) -> None:
    """Whatever Slack shows meanwhile: only one that was refused is sent anew."""
    view = await bench.open_dialog("restart ml-prod")
    await bench.slack.click("ann", view, "instance", value="trainer-7")
    await bench.wait_for(lambda: bench.slack.views("ann")[0].hash != view.hash)
    (drawn,) = bench.slack.views("ann")
    values = {"project": "ml-prod", "instance": "trainer-7"}
    first = await bench.slack.submit("ann", drawn, values)
    first.payload["view"]["hash"] = "another"
    assert (await bench.slack.redeliver(first)).ok
    await bench.story(first)
    assert bench.sent == 1
    assert len(await bench.trail("asked")) == 1


async def test_a_dialog_that_nobody_can_decide_restarts_nothing(
    bench: Bench,
) -> None:
    """When Slack does not say who submits a dialog, the person reads that in time."""
    await bench.slack.shortcut("ann", "restart_instance")
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    bench.slack.fail("usergroups.list", count=None, status=503)
    delivery = await bench.slack.submit("ann", view, NOWHERE)
    assert delivery.ok
    assert delivery.seconds < 3
    assert await bench.wait_for(lambda: bench.whispers("ann", "did not restart"))
    assert bench.posts("ml-ops") == []
    assert bench.sent == 0


async def test_the_lists_button_opens_the_dialog_for_its_instance(
    bench: Bench,
) -> None:
    """The restart button of a list opens the dialog with the instance filled in."""
    answer = await bench.ask("list ml-prod")
    assert answer.shown is not None
    block = next(b for b in answer.shown.blocks if "gated-1" in str(b))
    clicked = await bench.slack.click(
        "ann", answer.shown, "restart_dialog", block_id=block["block_id"]
    )
    assert clicked.ok
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    assert chosen(view, "project") == "ml-prod"
    assert chosen(view, "instance") == "gated-1"
    assert "a lead agrees" in text_of(view)
    delivery = await bench.slack.submit("ann", view, {"reason": "from the list"})
    assert delivery.ok
    cards = await bench.wait_for(lambda: bench.posts(having="approve"))
    assert GATED in cards[0].text
    await bench.ask("cancel ml-prod gated-1")
    await bench.story(delivery)


async def test_a_message_shortcut_answers_in_the_messages_thread(
    bench: Bench,
) -> None:
    """A restart asked for on a message is shown and followed up in its thread."""
    alert = bench.slack.say("bob", "incidents", "trainer-7 hangs!")
    assert (await bench.slack.shortcut("ann", "restart_from_message", alert)).ok
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    values = {"project": "ml-prod", "instance": "trainer-7"}
    delivery = await bench.slack.submit("ann", view, values)
    assert (await bench.story(delivery)).state is State.READY
    assert {post.thread_ts for post in bench.posts()} == {alert.ts}
    assert bench.sent == 1


async def test_the_global_shortcut_asks_for_the_channel(bench: Bench) -> None:
    """A restart asked for from nowhere in particular asks where it is to be shown."""
    assert (await bench.slack.shortcut("ann", "restart_instance")).ok
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    delivery = await bench.slack.submit("ann", view, NOWHERE)
    assert delivery.ok
    assert (await bench.story(delivery)).state is State.READY
    assert len(bench.posts("ml-ops")) == 2


# --- the home page ------------------------------------------------------------------


async def test_the_home_page_shows_what_waits_and_can_decide_it(bench: Bench) -> None:
    """An approver finds what waits on the home page, and can approve it there."""
    card = await bench.card()
    assert (await bench.slack.open_home("bob")).ok
    home = await bench.wait_for(lambda: bench.slack.home("bob"))
    assert "gated-1" in text_of(home)
    assert {"approve", "deny"} <= set(buttons(home))
    assert (await bench.slack.click("bob", home, "approve")).ok
    assert (await bench.end_of_card(card)).state is State.READY
    await bench.slack.open_home("erin")
    guest = await bench.wait_for(lambda: bench.slack.home("erin"))
    assert "gated-1" not in text_of(guest)


async def test_a_restart_can_be_asked_for_on_the_home_page(bench: Bench) -> None:
    """The home page's restart button asks in which channel it is to be shown."""
    await bench.slack.open_home("ann")
    home = await bench.wait_for(lambda: bench.slack.home("ann"))
    block = next(b for b in home.blocks if "trainer-7" in str(b))
    await bench.slack.click("ann", home, "restart_dialog", block_id=block["block_id"])
    (view,) = await bench.wait_for(lambda: bench.slack.views("ann"))
    assert chosen(view, "instance") == "trainer-7"
    delivery = await bench.slack.submit("ann", view, {"channel": "C0MLOPS"})
    assert (await bench.story(delivery)).state is State.READY
    assert len(bench.posts("ml-ops")) == 2


# --- new rules ----------------------------------------------------------------------

ONLY_LEADS = OPEN.replace('"@ml-oncall", ', "")


async def test_a_reload_puts_new_rules_in_force(bench: Bench) -> None:
    """After a reload the new rules decide, and the trail says since when."""
    bench.write(ONLY_LEADS)
    bench.bot.reload()
    delivery = await bench.ask("restart ml-prod trainer-7")
    assert "No rule allows" in delivery.text
    versions = [e["rule_version"] for e in await bench.trail("configuration")]
    assert len(set(versions)) == 2


async def test_a_bad_file_leaves_the_old_rules_in_force(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with a mistake changes nothing, and the log names the mistake."""
    bench.write(ONLY_LEADS.replace("who", "hwo"))
    bench.bot.reload()
    assert "hwo" in capsys.readouterr().out
    _, _, told = await bench.restart()
    assert "is ready" in told.text


async def test_a_project_that_is_gone_is_not_restarted(bench: Bench) -> None:
    """A pending request of a project that was taken out of the file ends."""
    card = await bench.card()
    text = bench.path.read_text(encoding="utf-8")
    start, end = text.index("[projects.ml-prod]"), text.index("[projects.ml-dev]")
    bench.path.write_text(text[:start] + text[end:], encoding="utf-8")
    bench.bot.reload()
    await bench.slack.click("bob", card, "approve")
    record = await bench.end_of_card(card)
    assert record.state in (State.NOT_RESTARTED, State.VOIDED)
    assert bench.followups()
    assert bench.sent == 0


# --- HTTP mode ----------------------------------------------------------------------


async def test_over_http_the_whole_job_works(make_bench: MakeBench) -> None:
    """In HTTP mode commands and clicks come in signed, and do the same."""
    bench = await make_bench(http=True)
    _, shown, told = await bench.restart()
    assert "ACTIVE → REBOOTING" in shown.text
    assert "is ready" in told.text
    card = await bench.card()
    assert (await bench.slack.click("bob", card, "approve")).ok
    assert (await bench.end_of_card(card)).state is State.READY
    assert bench.sent == 2


async def test_during_rotation_both_secrets_are_good(make_bench: MakeBench) -> None:
    """While the signing secret is rotated, requests signed with either get in."""
    slack = LocalSlack()
    both = f"the-old-secret-of-the-app-0123, {slack.signing_secret}"
    environ = {"SLACK_SIGNING_SECRET": both}
    bench = await make_bench(http=True, slack=slack, environ=environ)
    assert "help" in (await bench.ask("help")).text
    slack.courier._secret = b"the-old-secret-of-the-app-0123"
    assert "help" in (await bench.ask("help")).text
    slack.courier._secret = b"another-secret-of-nobody-01234"
    refused = await slack.command("ann", "incidents", "/mlstudio help")
    assert refused.error == "dispatch_failed"


BODY = "command=%2Fmlstudio&text=restart+ml-prod+trainer-7&user_id=U0ANN"


@pytest.mark.parametrize("how", ["unsigned", "wrong", "old", "odd", "changed"])
async def test_what_slack_has_not_signed_just_now_is_turned_away(
    make_bench: MakeBench, how: str
) -> None:
    """A forged, an old or a changed request is refused, and nothing is done."""
    bench = await make_bench(http=True)
    slack = bench.slack
    if how == "old":
        slack.courier._clock = lambda: slack.workspace.clock() - 600
    headers = slack.courier.sign(BODY)
    if how == "unsigned":
        headers = {}
    if how == "wrong":
        headers["X-Slack-Signature"] = "v0=" + "0" * 64
    if how == "odd":
        headers["X-Slack-Request-Timestamp"] = "yesterday"
    body = BODY + "x" if how == "changed" else BODY
    async with (
        aiohttp.ClientSession() as session,
        session.post(slack.request_url, data=body, headers=headers) as answer,
    ):
        assert answer.status == 401
    assert bench.seen() == {}
    assert bench.sent == 0


async def test_the_gates_hold_for_dialogs_too(make_bench: MakeBench) -> None:
    """A dialog is no way around an approval."""
    bench = await make_bench(rules=GATES)
    view = await bench.open_dialog("restart ml-prod")
    values = {"project": "ml-prod", "instance": "gated-1", "reason": "stuck"}
    delivery = await bench.slack.submit("ann", view, values)
    await bench.wait_for(lambda: bench.posts(having="approve"))
    assert bench.sent == 0
    await bench.ask("cancel ml-prod gated-1")
    assert (await bench.story(delivery)).state is State.CANCELLED


# --- refused before and in the dialog -----------------------------------------------


@pytest.mark.parametrize("user", ["erin", "frank"])
async def test_a_shortcut_opens_nothing_for_an_outsider(
    bench: Bench, user: str
) -> None:
    """Guests and strangers see no dialog with our names; they read why, on record."""
    await bench.slack.shortcut(user, "restart_instance")
    assert await bench.wait_for(lambda: bench.whispers(user, "neither restart nor"))
    assert bench.slack.views(user) == []
    (entry,) = await bench.trail("refused")
    assert entry["user_id"] == bench.slack.directory.user(user).id


async def test_a_missing_reason_is_said_in_the_dialog_and_on_record(
    bench: Bench,
) -> None:
    """Every refusal is in the trail; the same dialog may come back with a reason."""
    view = await bench.open_dialog("restart ml-prod")
    values = {"project": "ml-prod", "instance": "gated-1"}
    await bench.slack.submit("ann", view, values)
    (view,) = bench.slack.views("ann")
    assert "requires a reason" in view.errors["reason"]
    (entry,) = await bench.trail("refused")
    assert (entry["user_id"], entry["instance"]) == ("U0ANN", "gated-1")
    await bench.slack.submit("ann", view, values | {"reason": "stuck"})
    assert await bench.wait_for(lambda: bench.posts(having="approve"))


@pytest.mark.parametrize(("user", "breaks"), [("gina", True), ("ann", False)])
async def test_break_glass_goes_on_in_the_dialog(
    bench: Bench,
    user: str,
    breaks: bool,  # noqa: FBT001
) -> None:
    """The flag counts where a name is missing, too, for those who are listed."""
    view = await bench.open_dialog("restart --break-glass ml-prod", user=user)
    assert "Break-glass" in text_of(view)
    values = {"project": "ml-prod", "instance": "gated-1", "reason": "it burns"}
    delivery = await bench.slack.submit(user, view, values)
    record = await bench.story(delivery) if breaks else await bench.record(delivery)
    assert record.state is (State.READY if breaks else State.REFUSED)
    assert bench.sent == breaks
    assert bench.posts(having="approve") == []


@pytest.mark.parametrize("how", [{"status": 503}, {"delay_s": 10.0}], ids=str)
async def test_a_search_while_slack_does_not_say_who_searches(
    bench: Bench, how: dict[str, Any]
) -> None:
    """Whoever cannot be told apart from an outsider finds nothing, and that in time."""
    view = await bench.open_dialog("restart ml-prod")
    bench.slack.fail("users.info", count=None, **how)
    found = await bench.slack.suggest("dave", view, "instance", "")
    assert found.ok
    assert found.ack.get("options", []) == []


@pytest.mark.parametrize("metadata", ["", "not JSON", "[1, 2]", "7", '{"channel": 1}'])
def test_whatever_comes_back_with_a_dialog_is_read(metadata: str) -> None:
    """A dialog that does not say where it was opened asks where to speak."""
    where = dialogs.opened({"private_metadata": metadata})
    assert where.break_glass is False
    assert where.channel in {"", "1"}


def test_where_a_dialog_was_opened_comes_back_with_it() -> None:
    """What goes out with a dialog is what comes back."""
    where = dialogs.Opened("C1", "1.5", break_glass=True)
    assert dialogs.opened({"private_metadata": where.metadata}) == where
