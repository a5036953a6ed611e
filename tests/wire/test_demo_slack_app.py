"""Commands, clicks and dialogs of the local Slack, with a real slack_bolt app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.demo import slack_payloads
from bot.demo.slack_directory import BOT_USER
from bot.demo.slack_error import Refusal
from bot.demo.slack_server import LocalSlack
from tests.support import slack_world
from tests.support.slack_world import (
    BUTTON,
    DIALOG,
    HOME,
    INCIDENTS,
    app_of,
    client_of,
    code_of,
    connected,
    dialog_app,
    opened_twice,
    options,
)

slack, web_session = slack_world.slack, slack_world.web_session


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


# --- commands over the socket -------------------------------------------------------


async def test_a_command_is_delivered_and_answered(slack) -> None:
    """What the app answers is shown to the one who typed, and to nobody else."""
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def handle(ack, body) -> None:
        seen.append(body)
        await ack("on it")

    async with connected(slack, app):
        delivery = await slack.command("ann", "#incidents", "/mlstudio status a & b")

    assert delivery.ok
    assert (delivery.text, delivery.shown.text) == ("on it", "on it")
    assert (slack.ephemerals("bob"), slack.messages()) == ([], [])
    assert [delivery.shown] == slack.ephemerals("ann")
    want = {
        "team_id": "T0HOME",
        "channel_id": INCIDENTS,
        "channel_name": "incidents",
        "user_id": "U0ANN",
        "user_name": "ann",
        "command": "/mlstudio",
        "text": "status a &amp; b",
        "is_enterprise_install": "false",
    }
    assert want.items() <= seen[0].items()
    assert {"team_domain", "api_app_id", "response_url", "trigger_id"} <= set(seen[0])


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("restart a b <now> & then", "restart a b &lt;now&gt; &amp; then"),
        ("can @ann x", "can <@U0ANN|ann> x"),
        ("can @nobody x", "can @nobody x"),
        ("see #incidents", "see <#C0INCIDENTS|incidents>"),
        ("see #leads-only", "see <#C0LEADS|>"),
        ("tell @ml-leads", "tell <!subteam^S0LEADS>"),
        ("hey @here.", "hey <!here>."),
        ("at https://a.b/c?d=1&e=2", "at <https://a.b/c?d=1&amp;e=2>"),
        (
            "at grafana.example.com",
            "at <http://grafana.example.com|grafana.example.com>",
        ),
        ("to ann@example.com", "to <mailto:ann@example.com|ann@example.com>"),
        ("<!channel>", "&lt;!channel&gt;"),
    ],
)
def test_typed_text_is_escaped_like_slack(typed, sent) -> None:
    """Mentions and links arrive as ids, and nothing typed can pretend to be one."""
    assert slack_payloads.escape(typed, LocalSlack().directory) == sent


async def test_an_unanswered_command_fails_visibly(slack) -> None:
    """Without an app, or without its answer in time, the person sees why."""
    slack.courier.ack_s = 0.05
    nobody = await slack.command("ann", "incidents", "help")
    app, late = app_of(slack), asyncio.Event()

    @app.command("/mlstudio")
    async def handle(ack) -> None:
        await late.wait()
        await ack()

    async with connected(slack, app):
        slow = await slack.command("ann", "incidents", "help")
        late.set()

    assert (nobody.error, slow.error) == ("dispatch_failed", "operation_timeout")
    said = [message.text for message in slack.ephemerals("ann")]
    assert 'failed with the error "dispatch_failed"' in said[0]
    assert 'failed with the error "operation_timeout"' in said[1]


async def test_a_command_needs_the_channel_and_a_known_name(slack) -> None:
    """Nobody types into a channel he is not in; an unknown command goes nowhere."""
    with pytest.raises(Refusal, match="not_in_channel"):
        await slack.command("frank", "incidents", "help")
    delivery = await slack.command("ann", "incidents", "/other help")

    assert delivery.error == "invalid_command"


async def test_invite_brings_the_bot_in(slack, client) -> None:
    """After /invite the bot can post where it could not."""
    await slack.command("ann", "random", "/invite @mlstudio")

    assert (await client.chat_postMessage(channel="C0RANDOM", text="hi"))["ok"]


async def test_the_same_payload_can_come_twice(slack) -> None:
    """A repeated delivery has the same trigger id."""
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def handle(ack, body) -> None:
        seen.append(body["trigger_id"])
        await ack()

    async with connected(slack, app):
        delivery = await slack.command("ann", "incidents", "help")
        await slack.redeliver(delivery)

    assert seen == [delivery.payload["trigger_id"]] * 2


# --- response_url -------------------------------------------------------------------


async def test_a_response_url_speaks_five_times(slack) -> None:
    """The sixth use of a response URL finds it gone."""
    app = app_of(slack)

    @app.command("/mlstudio")
    async def handle(ack) -> None:
        await ack("first")

    async with connected(slack, app):
        delivery = await slack.command("ann", "incidents", "help")
    webhook = AsyncWebhookClient(delivery.payload["response_url"], retry_handlers=[])
    answers = [
        await webhook.send(text=f"n{number}", replace_original=number == 0)
        for number in range(6)
    ]

    assert [answer.status_code for answer in answers] == [200] * 5 + [404]
    assert "used_url" in answers[5].body
    texts = [message.text for message in slack.ephemerals("ann")]
    assert texts == ["n0", "n1", "n2", "n3", "n4"]


async def test_a_response_url_can_speak_to_all(slack) -> None:
    """Said in the channel, an answer is a post; bad blocks are refused."""
    hook = slack.passes.hook(slack.passes.new_hook("U0ANN", "C0RANDOM"))
    webhook = AsyncWebhookClient(f"{slack.url}/hooks/{hook}", retry_handlers=[])
    await webhook.send(text="all", response_type="in_channel")
    answer = await webhook.send(text="x", blocks=[{"type": "sextion"}])

    assert [post.text for post in slack.messages("random")] == ["all"]
    assert (answer.status_code, "invalid_blocks" in answer.body) == (400, True)


async def test_a_response_url_ends_after_half_an_hour(web_session) -> None:
    """Thirty minutes after the command its URL is expired, the trigger long before."""
    now = 1_700_000_000.0
    async with LocalSlack(clock=lambda: now) as slack:
        app = app_of(slack)

        @app.command("/mlstudio")
        async def handle(ack) -> None:
            await ack()

        async with connected(slack, app):
            delivery = await slack.command("ann", "incidents", "help")
        now += 1801
        url = delivery.payload["response_url"]
        async with web_session.post(url, json={"text": "x"}) as response:
            assert response.status == 404
            assert (await response.json())["error"] == "expired_url"
        opened = client_of(slack).views_open(
            trigger_id=delivery.payload["trigger_id"], view=DIALOG
        )
        assert await code_of(opened) == "expired_trigger_id"


# --- clicks -------------------------------------------------------------------------


async def test_a_click_brings_message_and_answers(slack, client) -> None:
    """A click carries its message and value; its response URL can replace that one."""
    app, seen = app_of(slack), []

    @app.action("approve")
    async def handle(ack, body, respond) -> None:
        await ack()
        seen.append(body)
        await respond("approved", replace_original=True)

    await client.chat_postMessage(channel=INCIDENTS, text="?", blocks=[BUTTON])
    (message,) = slack.messages(INCIDENTS)
    async with connected(slack, app):
        delivery = await slack.click("bob", message, "approve")
        await slack.wait_for(lambda: slack.messages(INCIDENTS)[0].text == "approved")

    (body,) = seen
    assert delivery.ok
    assert body["type"] == "block_actions"
    assert (body["user"]["id"], body["user"]["team_id"]) == ("U0BOB", "T0HOME")
    assert body["container"]["message_ts"] == message.ts
    assert body["message"]["text"] == "?"
    assert (body["channel"]["id"], body["team"]["id"]) == (INCIDENTS, "T0HOME")
    action = body["actions"][0]
    assert (action["value"], action["block_id"]) == ("r1", "vote")
    assert slack.message(INCIDENTS, message.ts).blocks == []


async def test_a_private_message_can_be_clicked_and_taken_away(slack) -> None:
    """An ephemeral message's button works, and delete_original removes it."""
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def command(ack) -> None:
        await ack(text="sure?", blocks=[BUTTON])

    @app.action("approve")
    async def handle(ack, body, respond) -> None:
        await ack()
        seen.append(body)
        await respond(delete_original=True)

    async with connected(slack, app):
        delivery = await slack.command("ann", "incidents", "help")
        await slack.click("ann", delivery.shown, "approve")
        await slack.wait_for(lambda: not slack.ephemerals("ann"))

    assert seen[0]["container"]["is_ephemeral"] is True
    assert "message" not in seen[0]


async def test_a_stranger_is_delivered_with_his_own_team(slack, client) -> None:
    """A click from another workspace says so, for the app to refuse."""
    app, teams = app_of(slack), []

    @app.action("approve")
    async def handle(ack, body) -> None:
        await ack()
        teams.append(body["user"]["team_id"])

    await client.chat_postMessage(channel="C0PARTNERS", text="?", blocks=[BUTTON])
    async with connected(slack, app):
        await slack.click("frank", slack.messages("partners")[0], "approve")

    assert teams == ["T0PARTNER"]


async def test_a_late_click_is_delivered_with_the_message_of_now(slack, client) -> None:
    """Who clicks on an old sight is heard; a deleted message cannot be clicked."""
    app, texts = app_of(slack), []

    @app.action("approve")
    async def handle(ack, body) -> None:
        await ack()
        texts.append(body["message"]["text"])

    posted = await client.chat_postMessage(channel=INCIDENTS, text="?", blocks=[BUTTON])
    (old,) = slack.messages(INCIDENTS)
    await client.chat_update(channel=INCIDENTS, ts=old.ts, text="done", blocks=[])
    async with connected(slack, app):
        await slack.click("bob", old, "approve")
        await client.chat_delete(channel=INCIDENTS, ts=posted["ts"])
        with pytest.raises(Refusal, match="message_not_found"):
            await slack.click("bob", old, "approve")

    assert texts == ["done"]


# --- dialogs ------------------------------------------------------------------------


async def test_a_dialog_lives_from_trigger_to_submission(slack) -> None:
    """A dialog opens once per trigger, suggests, shows errors, changes and closes."""
    app, seen = dialog_app(slack)
    async with connected(slack, app):
        await slack.command("ann", "incidents", "restart")
        (view,) = await slack.wait_for(lambda: slack.views("ann"))
        await slack.wait_for(lambda: opened_twice(slack))
        offered = await slack.suggest("ann", view, "pick", "trainer-7")
        empty = await slack.submit("ann", view, {"why": "x"})
        wrong = await slack.submit("ann", view, {"pick": "trainer-7"})
        errors = slack.views("ann")[0].errors
        await slack.submit("ann", view, {"pick": "trainer-7", "why": "more"})
        changed = slack.views("ann")[0]
        slack.workspace.show("U0ANN", DIALOG, changed)
        done = await slack.submit("ann", view, {"pick": "trainer-7", "why": "hung"})

    assert seen[0] == "exchanged_trigger_id"
    assert offered.ack["options"][0]["value"] == "trainer-7"
    assert empty.error == "required_field_empty"
    assert (wrong.ok, errors) == (True, {"why": "say why"})
    assert (changed.id, changed.body["callback_id"]) == (view.id, "2")
    assert (done.ok, slack.views("ann")) == (True, [])
    picked = seen[-1]["instance"]["pick"]["selected_option"]["value"]
    assert (picked, seen[-1]["why"]["reason"]["value"]) == ("trainer-7", "hung")


async def test_closing_a_dialog_is_told_on_demand(slack) -> None:
    """An app that asked for it hears that a dialog was closed."""
    app, seen = dialog_app(slack)
    async with connected(slack, app):
        await slack.command("ann", "incidents", "restart")
        (view,) = await slack.wait_for(lambda: slack.views("ann"))
        await slack.wait_for(lambda: opened_twice(slack))
        await slack.close_view("ann", view)

    assert "closed" in seen
    with pytest.raises(Refusal, match="not_found"):
        await slack.submit("ann", view)


async def test_a_dialog_can_be_updated(slack, client) -> None:
    """An open dialog is changed by its id, unless somebody was faster."""
    trigger = slack.passes.trigger("U0ANN")
    view = (await client.views_open(trigger_id=trigger, view=DIALOG))["view"]
    body = {**DIALOG, "private_metadata": "r1"}
    new = (await client.views_update(view_id=view["id"], view=body))["view"]
    late = client.views_update(view_id=view["id"], view=body, hash=view["hash"])

    assert (new["id"], new["private_metadata"]) == (view["id"], "r1")
    assert await code_of(late) == "hash_conflict"
    bad = client.api_call("views.update", json={"view": HOME, "view_id": view["id"]})
    assert await code_of(bad) == "invalid_arguments"


BAD_ACKS = [
    {"response_action": "errors", "errors": {"nowhere": "x"}},
    {"response_action": "update", "view": {"type": "modal"}},
    {"response_action": "dance"},
]


@pytest.mark.parametrize("answer", BAD_ACKS)
async def test_a_dialog_stays_when_the_answer_makes_no_sense(slack, answer) -> None:
    """An answer that Slack cannot follow leaves the dialog open, with a word."""
    app = app_of(slack)

    @app.view("restart")
    async def submitted(ack) -> None:
        await ack(answer)

    view = slack.workspace.show("U0ANN", DIALOG)
    async with connected(slack, app):
        first = await slack.submit("ann", view, {"pick": "a"})
        again = await slack.redeliver(first)

    assert (first.ok, again.error) == (False, first.error)
    assert "trouble connecting" in str(slack.views("ann")[0].errors)


async def test_too_many_options_are_not_shown(slack) -> None:
    """More than a hundred suggestions are too many."""
    app = app_of(slack)

    @app.options("pick")
    async def offer(ack) -> None:
        await ack({"options": options(101)})

    view = slack.workspace.show("U0ANN", DIALOG)
    async with connected(slack, app):
        offered = await slack.suggest("ann", view, "pick", "a")

    assert offered.error == "invalid_options"


async def test_an_answer_for_all_shows_the_command_too(slack) -> None:
    """An acknowledgement in the channel shows what was typed, then the answer."""
    app = app_of(slack)

    @app.command("/mlstudio")
    async def handle(ack) -> None:
        await ack(text="here", response_type="in_channel")

    async with connected(slack, app):
        await slack.command("ann", "incidents", "help")

    said = [(post.user_id, post.text) for post in slack.messages("incidents")]
    assert said == [("U0ANN", "/mlstudio help"), (BOT_USER, "here")]


async def test_a_command_in_the_direct_messages(slack) -> None:
    """A command typed to the bot itself names no channel."""
    app, seen = app_of(slack), []

    @app.command("/mlstudio")
    async def handle(ack, body) -> None:
        await ack()
        seen.append(body["channel_name"])

    async with connected(slack, app):
        await slack.command("ann", BOT_USER, "help")

    assert seen == ["directmessage"]


async def test_a_trigger_lives_three_seconds(slack) -> None:
    """A dialog that is opened too late is refused."""
    now = 1_700_000_000.0
    async with LocalSlack(clock=lambda: now) as late:
        trigger = late.passes.trigger("U0ANN")
        now += 3.1
        opened = client_of(late).views_open(trigger_id=trigger, view=DIALOG)
        assert await code_of(opened) == "expired_trigger_id"


async def test_home_and_shortcuts(slack, client) -> None:
    """The Home tab is published when it is opened; shortcuts carry what they are on."""
    app, seen = app_of(slack), []

    @app.event("app_home_opened")
    async def opened(event, client) -> None:
        await client.views_publish(user_id=event["user"], view=HOME)

    @app.shortcut("again")
    async def shortcut(ack, body) -> None:
        await ack()
        seen.append(body)

    await client.chat_postMessage(channel=INCIDENTS, text="down")
    async with connected(slack, app):
        assert (await slack.open_home("ann")).ok
        home = await slack.wait_for(lambda: slack.home("ann"))
        await slack.shortcut("ann", "again")
        await slack.shortcut("ann", "again", slack.messages(INCIDENTS)[0])

    assert home.blocks[0]["type"] == "divider"
    assert [body["type"] for body in seen] == ["shortcut", "message_action"]
    assert (seen[1]["message"]["text"], seen[1]["channel"]["id"]) == ("down", INCIDENTS)


async def test_group_changes_are_told(slack) -> None:
    """An app hears who came into and went out of a user group."""
    app, heard = app_of(slack), asyncio.Queue()

    @app.event("subteam_members_changed")
    async def changed(event) -> None:
        heard.put_nowait((event["added_users"], event["removed_users"]))

    async with connected(slack, app):
        await slack.change_group("@ml-leads", users=("U0BOB", "U0DAVE"))
        told = await asyncio.wait_for(heard.get(), 5)

    assert told == (["U0DAVE"], ["U0CAROL"])
    assert slack.directory.group("@ml-leads").users == ("U0BOB", "U0DAVE")


# --- HTTP mode ----------------------------------------------------------------------


@asynccontextmanager
async def serving(app: AsyncApp) -> AsyncIterator[str]:
    async def events(request: web.Request) -> web.Response:
        raw = AsyncBoltRequest(
            body=await request.text(),
            headers={name: [value] for name, value in request.headers.items()},
        )
        answer = await app.async_dispatch(raw)
        kind = answer.first_headers_without_set_cookie().get("content-type", "")
        return web.Response(
            status=answer.status,
            text=answer.body,
            content_type=kind.split(";")[0] or "text/plain",
        )

    server = web.Application()
    server.router.add_post("/slack/events", events)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


async def test_http_mode_is_signed_and_answered(slack) -> None:
    """Over HTTP everything works as over the socket, with a true signature."""
    app, seen = dialog_app(slack)
    async with serving(app) as url:
        slack.request_url = url
        await slack.command("ann", "incidents", "restart")
        (view,) = await slack.wait_for(lambda: slack.views("ann"))
        wrong = await slack.submit("ann", view, {"pick": "a"})
        slack.courier._secret = b"wrong"
        forged = await slack.submit("ann", view, {"pick": "a"})
    nobody = await slack.command("ann", "incidents", "restart")

    assert wrong.ack["errors"] == {"why": "say why"}
    assert len([each for each in seen if isinstance(each, dict)]) == 1
    assert (forged.error, nobody.error) == ("dispatch_failed", "dispatch_failed")
