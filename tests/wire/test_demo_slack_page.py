"""What the page of the local Slack is told and may do."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.slack_directory import BOT_USER
from bot.demo.slack_server import LocalSlack
from tests.support import slack_world
from tests.support.slack_world import (
    BUTTON,
    DIALOG,
    INCIDENTS,
    actions,
    app_of,
    client_of,
    connected,
    dialog_app,
    options,
)

slack, web_session = slack_world.slack, slack_world.web_session


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


# --- the page -----------------------------------------------------------------------


async def test_the_page_sees_everything_happen(slack, client, web_session) -> None:
    """The page gets the state once, then every message, ephemeral and dialog."""
    app, _ = dialog_app(slack)
    events = await web_session.ws_connect(f"{slack.url}/ui/events")
    await client.chat_postMessage(channel=INCIDENTS, text="hello")
    message = await events.receive_json()
    await client.chat_postEphemeral(channel=INCIDENTS, user="U0ANN", text="psst")
    private = await events.receive_json()
    async with connected(slack, app):
        body = {"user": "U0ANN", "channel": INCIDENTS, "text": "/mlstudio restart"}
        async with web_session.post(f"{slack.url}/ui/command", json=body) as answer:
            assert await answer.json() == {"ok": True}
        view = await events.receive_json()
        submit = {
            "user": "U0ANN",
            "view_id": view["view"]["id"],
            "values": {"instance": {"pick": None}, "why": {"reason": None}},
        }
        url = f"{slack.url}/ui/view_submit"
        async with web_session.post(url, json=submit) as answer:
            refused = await answer.json()
    slack.publish({"type": "outside", "instances": []})
    seen = [await events.receive_json() for _ in range(2)]
    async with web_session.get(f"{slack.url}/ui/state") as answer:
        state = await answer.json()
    await events.close()

    assert (message["type"], message["message"]["text"]) == ("message", "hello")
    assert (private["user"], private["message"]["text"]) == ("U0ANN", "psst")
    assert (view["type"], view["view"]["callback_id"]) == ("view", "restart")
    assert (refused["ok"], list(refused["errors"])) == (False, ["instance"])
    assert [event["type"] for event in seen] == ["view", "outside"]
    assert state["messages"][INCIDENTS][0]["text"] == "hello"
    assert state["bot"]["user_id"] == BOT_USER
    assert {"guest": True, "stranger": False}.items() <= next(
        person for person in state["people"] if person["id"] == "U0ERIN"
    ).items()


async def test_the_page_clicks_and_talks(slack, client, web_session) -> None:
    """A click on the page is the same click, with the value picked there."""
    app, picked = app_of(slack), []

    @app.action("choose")
    async def handle(ack, action) -> None:
        await ack()
        picked.append(action["selected_option"]["value"])

    select = {"type": "static_select", "action_id": "choose", "options": options(3)}
    answer = await client.chat_postMessage(
        channel=INCIDENTS, text="?", blocks=[actions(select)]
    )
    block_id = answer["message"]["blocks"][0]["block_id"]
    act = {**select, "block_id": block_id, "selected_option": options(3)[2]}
    act.pop("options")
    where = {"user": "U0ANN", "channel": INCIDENTS}
    async with connected(slack, app):
        body = {**where, "message_ts": answer["ts"], "action": act}
        async with web_session.post(f"{slack.url}/ui/action", json=body) as done:
            assert await done.json() == {"ok": True}
    say = {**where, "text": "thanks @bob"}
    async with web_session.post(f"{slack.url}/ui/say", json=say) as done:
        assert (await done.json())["ok"] is True

    assert picked == ["2"]
    assert slack.messages(INCIDENTS)[-1].text == "thanks <@U0BOB|bob>"


async def test_the_page_does_everything_a_person_can(slack, web_session) -> None:
    """Dialogs, suggestions, Home and shortcuts work from the page."""
    app, seen = dialog_app(slack)

    @app.event("app_home_opened")
    async def opened(client, event) -> None:
        await client.views_publish(
            user_id=event["user"], view={"type": "home", "blocks": [BUTTON]}
        )

    @app.action("approve")
    async def approve(ack, body) -> None:
        await ack()
        seen.append(body["container"]["type"])

    @app.shortcut("again")
    async def again(ack, body) -> None:
        await ack()
        seen.append(body["type"])

    async def do(what: str, **body: Any) -> Any:
        url = f"{slack.url}/ui/{what}"
        async with web_session.post(url, json={"user": "U0ANN", **body}) as answer:
            return await answer.json(content_type=None)

    post = slack.say("ann", "incidents", "down")
    view = slack.workspace.show("U0ANN", DIALOG)
    private = slack.workspace.whisper(
        slack.directory.channel("incidents"), slack.directory.user("ann"), "?", [BUTTON]
    )
    async with connected(slack, app):
        offered = await do("options", view_id=view.id, action_id="pick", value="a")
        closed = await do("view_close", view_id=view.id)
        await do("home")
        await slack.wait_for(lambda: slack.home("ann"))
        action = {"type": "button", "action_id": "approve", "block_id": "vote"}
        on_home = await do("action", home=True, action=action)
        on_private = await do("action", ephemeral_id=private.id, action=action)
        used = [
            await do("shortcut", callback_id="again"),
            await do(
                "shortcut", callback_id="again", channel=INCIDENTS, message_ts=post.ts
            ),
        ]
    gone = await do("view_close", view_id=view.id)
    nowhere = await do("action", ephemeral_id="1.0", action=action)
    homeless = await do("action", user="U0BOB", home=True, action=action)

    assert offered["options"][0]["value"] == "a"
    assert [each["ok"] for each in (closed, on_home, on_private, *used)] == [True] * 5
    assert seen == ["closed", "view", "message", "shortcut", "message_action"]
    refused = [each["error"] for each in (gone, nowhere, homeless)]
    assert refused == ["not_found", "message_not_found", "not_found"]


@pytest.mark.parametrize("what", ["view_submit", "view_close", "options"])
async def test_nobody_touches_somebody_elses_dialog(slack, web_session, what) -> None:
    """A dialog belongs to the one before whom it opened."""
    view = slack.workspace.show("U0ANN", DIALOG)
    body = {"view_id": view.id, "values": {}, "action_id": "pick", "value": "a"}
    url = f"{slack.url}/ui/{what}"
    async with web_session.post(url, json={"user": "U0BOB", **body}) as answer:
        assert await answer.json() == {"ok": False, "error": "not_found"}

    assert slack.views("ann") == [view]


async def test_a_senseless_request_of_the_page_is_refused(slack, web_session) -> None:
    """A request without what it needs is an error of HTTP, not of the server."""
    async with web_session.post(f"{slack.url}/ui/say", json={"user": "x"}) as answer:
        assert answer.status == 400


async def test_the_page_itself_is_served(slack, web_session) -> None:
    """The page comes with a policy that keeps foreign scripts out."""
    async with web_session.get(f"{slack.url}/") as answer:
        assert answer.status == 200
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    async with web_session.get(f"{slack.url}/no.js") as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_a_foreign_page_cannot_drive_it(slack, web_session, headers) -> None:
    """A request of another page, or under another name, does nothing."""
    body = json.dumps({"user": "U0ANN", "channel": INCIDENTS, "text": "x"})
    headers = {"Content-Type": "application/json", **headers}
    url = f"{slack.url}/ui/say"
    async with web_session.post(url, data=body, headers=headers) as answer:
        assert answer.status in (403, 415)

    assert slack.messages() == []


async def test_a_foreign_page_cannot_listen(slack, web_session) -> None:
    """Another page's WebSocket is refused."""
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await web_session.ws_connect(
            f"{slack.url}/ui/events", origin="https://evil.example"
        )
