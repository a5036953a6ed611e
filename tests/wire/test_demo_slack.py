"""The local Slack's Web API, its limits and its faults, driven by the real SDK."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo import block_kit
from bot.demo.slack_directory import BOT_ID, BOT_USER, HOME_TEAM
from bot.demo.slack_error import Refusal
from bot.demo.slack_server import LocalSlack
from tests.support import slack_world
from tests.support.slack_world import (
    BUTTON,
    DIALOG,
    HOME,
    INCIDENTS,
    actions,
    button,
    client_of,
    code_of,
    options,
    section,
)

slack, web_session = slack_world.slack, slack_world.web_session


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


# --- the Web API --------------------------------------------------------------------


async def test_identity_and_scopes_are_told(slack, client) -> None:
    """A bot learns who it is, and every answer names the scopes it has."""
    answer = await client.auth_test()

    assert (answer["user_id"], answer["team_id"]) == (BOT_USER, HOME_TEAM)
    assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")


async def test_a_message_goes_through_its_life(slack, client) -> None:
    """A post can be changed, answered in its thread and deleted, as in Slack."""
    posted = await client.chat_postMessage(
        channel=INCIDENTS, text="one", blocks=[BUTTON]
    )
    ts = posted["ts"]
    await client.chat_update(channel=INCIDENTS, ts=ts, text="two")
    reply = await client.chat_postMessage(
        channel=INCIDENTS, text="three", thread_ts=ts, reply_broadcast=True
    )

    first, second = slack.messages("incidents")
    assert (first.text, first.history[0].text) == ("two", "one")
    assert first.blocks == posted["message"]["blocks"]
    assert (second.thread_ts, second.reply_broadcast) == (ts, True)
    await client.chat_delete(channel=INCIDENTS, ts=reply["ts"])
    assert [ts] == [post.ts for post in slack.messages(INCIDENTS)]
    gone = client.chat_update(channel=INCIDENTS, ts=reply["ts"], text="x")
    assert await code_of(gone) == "message_not_found"


async def test_an_update_without_blocks_keeps_them_and_an_empty_list_removes(
    slack, client
) -> None:
    """Only an empty list of blocks takes the buttons away."""
    ts = (await client.chat_postMessage(channel=INCIDENTS, text="a", blocks=[BUTTON]))[
        "ts"
    ]
    await client.chat_update(channel=INCIDENTS, ts=ts, text="b", blocks=[])

    assert slack.message(INCIDENTS, ts).blocks == []


async def test_a_post_to_a_person_is_a_direct_message(slack, client) -> None:
    """A message to a user id lands in that person's messages with the bot."""
    answer = await client.chat_postMessage(channel="U0ANN", text="psst")

    assert answer["channel"].startswith("D")
    assert [p.text for p in slack.messages(answer["channel"])] == ["psst"]
    info = client.conversations_info(channel=answer["channel"])
    assert await code_of(info) == "missing_scope"


async def test_arguments_come_as_form_json_or_query(slack, client, web_session) -> None:
    """However a client sends its arguments, they mean the same."""
    blocks = json.dumps([section("hi")])
    head = {"Authorization": f"Bearer {slack.bot_token}"}
    url = f"{slack.api_url}chat.postMessage"
    ways: list[dict[str, Any]] = [
        {"data": {"channel": INCIDENTS, "text": "hi", "blocks": blocks}},
        {"json": {"channel": INCIDENTS, "text": "hi", "blocks": json.loads(blocks)}},
        {"params": {"channel": INCIDENTS, "text": "hi", "blocks": blocks}},
    ]
    for way in ways:
        async with web_session.post(url, headers=head, **way) as response:
            assert (await response.json())["ok"] is True

    assert {p.blocks[0]["text"]["text"] for p in slack.messages()} == {"hi"}


REFUSED = [
    ("chat.postMessage", {"channel": "C0RANDOM", "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": "C0LEADS", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0MLOPS", "text": "x"}, "is_archived"),
    ("chat.postMessage", {"channel": INCIDENTS}, "no_text"),
    ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
    (
        "chat.postMessage",
        {"channel": INCIDENTS, "blocks": "{"},
        "invalid_blocks_format",
    ),
    (
        "chat.postEphemeral",
        {"channel": INCIDENTS, "user": "U0FRANK", "text": "x"},
        "user_not_in_channel",
    ),
    ("users.info", {"user": "ann"}, "user_not_found"),
    ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ("conversations.history", {"channel": INCIDENTS}, "missing_scope"),
    ("team.info", {}, "missing_scope"),
    ("views.open", {"view": DIALOG, "trigger_id": "1.2.x"}, "expired_trigger_id"),
    ("views.open", {"view": HOME, "trigger_id": "1.2.x"}, "invalid_arguments"),
    ("views.update", {"view": DIALOG, "view_id": "V1"}, "not_found"),
    ("files.upload", {}, "unknown_method"),
]


@pytest.mark.parametrize(("method", "args", "code"), REFUSED)
async def test_slack_refuses(slack, client, method, args, code) -> None:
    """What Slack refuses is refused with the same word, and nothing happens."""
    slack.change_channel("ml-ops", archived=True)

    assert await code_of(client.api_call(method, json=args)) == code
    assert slack.messages() == []
    assert slack.calls[-1].error == code


async def test_missing_scope_says_what_is_needed(slack, client) -> None:
    """A missing scope is named, with those that there are."""
    with pytest.raises(SlackApiError) as caught:
        await client.team_info()

    assert caught.value.response["needed"] == "team:read"
    assert "chat:write" in caught.value.response["provided"]


@pytest.mark.parametrize(
    ("token", "method", "code"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        ("app", "auth.test", "not_allowed_token_type"),
        ("bot", "apps.connections.open", "not_allowed_token_type"),
        ("xapp-wrong", "apps.connections.open", "invalid_auth"),
    ],
)
async def test_only_the_right_token_opens(slack, web_session, token, method, code):
    """A missing, wrong or misplaced token gets nowhere."""
    named = {"app": slack.app_token, "bot": slack.bot_token}
    head = {"Authorization": f"Bearer {named.get(token, token)}"}
    url = slack.api_url + method
    async with web_session.post(url, headers=head) as response:
        assert (await response.json())["error"] == code


async def test_somebody_elses_message_cannot_be_changed(slack, client) -> None:
    """The bot can neither change nor delete what a person said."""
    ts = slack.say("ann", "incidents", "mine").ts

    update = client.chat_update(channel=INCIDENTS, ts=ts, text="x")
    assert await code_of(update) == "cant_update_message"
    delete = client.chat_delete(channel=INCIDENTS, ts=ts)
    assert await code_of(delete) == "cant_delete_message"


async def test_long_texts_are_cut_in_posts_and_refused_in_updates(
    slack, client
) -> None:
    """A post is cut at 40,000 characters, an update refused above 4,000."""
    ts = (await client.chat_postMessage(channel=INCIDENTS, text="x" * 50_000))["ts"]

    assert len(slack.message(INCIDENTS, ts).text) == 40_000
    update = client.chat_update(channel=INCIDENTS, ts=ts, text="x" * 4_001)
    assert await code_of(update) == "msg_too_long"


async def test_groups_and_people_can_be_read(slack, client) -> None:
    """Groups come with their members, people with what makes them trustworthy."""
    await slack.change_group("@sre", tell=False, disabled=True)
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    every = (await client.usergroups_list(include_disabled=True))["usergroups"]
    users = (await client.usergroups_users_list(usergroup="S0ONCALL"))["users"]
    erin = (await client.users_info(user="U0ERIN"))["user"]
    frank = (await client.users_info(user="U0FRANK"))["user"]

    assert {"ml-oncall", "ml-leads"} == {group["handle"] for group in groups}
    assert groups[1]["users"] == ["U0BOB", "U0CAROL"]
    assert len(every) == 3
    assert "users" not in every[0]
    assert users == ["U0ANN", "U0GINA"]
    assert (erin["is_restricted"], frank["team_id"]) == (True, "T0PARTNER")
    gone = client.usergroups_users_list(usergroup="S0SRE")
    assert await code_of(gone) == "no_such_subteam"


async def test_lists_come_in_pages(slack, client) -> None:
    """A list longer than its limit goes on where the cursor points."""
    seen = []
    async for answer in await client.users_list(limit=3):
        seen += [user["id"] for user in answer["members"]]

    assert sorted(slack.directory.users) == sorted(seen)


async def test_history_needs_its_scope_and_shows_metadata_on_demand() -> None:
    """With the scope, a lost post can be found by its metadata."""
    metadata = {"event_type": "restart", "event_payload": {"request_id": "r1"}}
    async with LocalSlack(scopes=["chat:write", "channels:history"]) as slack:
        client = client_of(slack)
        root = (
            await client.chat_postMessage(
                channel=INCIDENTS, text="a", metadata=metadata
            )
        )["ts"]
        await client.chat_postMessage(channel=INCIDENTS, text="b", thread_ts=root)
        history = await client.conversations_history(
            channel=INCIDENTS, include_all_metadata=True
        )
        short = await client.conversations_history(channel=INCIDENTS)
        replies = await client.conversations_replies(channel=INCIDENTS, ts=root)

    assert [metadata] == [m["metadata"] for m in history["messages"]]
    assert short["messages"][0]["metadata"] == {"event_type": "restart"}
    assert [m["text"] for m in replies["messages"]] == ["a", "b"]


async def test_what_a_link_and_a_private_answer_need(slack, client) -> None:
    """A permalink leads to a message; a private answer reaches its person only."""
    root = (await client.chat_postMessage(channel=INCIDENTS, text="a"))["ts"]
    reply = (
        await client.chat_postMessage(channel=INCIDENTS, text="b", thread_ts=root)
    )["ts"]
    link = await client.chat_getPermalink(channel=INCIDENTS, message_ts=reply)
    await client.chat_postEphemeral(
        channel=INCIDENTS, user="U0ANN", text="c", thread_ts=root
    )

    assert link["permalink"].endswith(
        f"/archives/{INCIDENTS}/p{reply.replace('.', '')}"
        f"?thread_ts={root}&cid={INCIDENTS}"
    )
    (private,) = slack.ephemerals("@ann")
    assert (private.text, private.thread_ts) == ("c", root)


async def test_conversations_can_be_looked_at(slack, client) -> None:
    """A channel says whether the bot is in and whether it is shared."""
    partners = (await client.conversations_info(channel="C0PARTNERS"))["channel"]
    random = (await client.conversations_info(channel="C0RANDOM"))["channel"]
    members = (await client.conversations_members(channel="C0PARTNERS"))["members"]

    assert (partners["is_ext_shared"], partners["is_member"]) == (True, True)
    assert (random["is_ext_shared"], random["is_member"]) == (False, False)
    assert "U0FRANK" in members
    hidden = client.conversations_info(channel="C0LEADS")
    assert await code_of(hidden) == "channel_not_found"


async def test_history_needs_membership_and_keeps_to_its_time() -> None:
    """History ends at the channel's door, and shows only the time asked for."""
    scopes = ["chat:write", "channels:history", "im:write", "team:read", "users:read"]
    async with LocalSlack(scopes=scopes) as slack:
        client = client_of(slack)
        posts = [slack.say("ann", "incidents", text) for text in "abc"]
        found = await client.conversations_history(
            channel=INCIDENTS, oldest=posts[0].ts, latest=posts[2].ts
        )
        outside = client.conversations_history(channel="C0RANDOM")
        missing = client.conversations_replies(channel=INCIDENTS, ts="1.0")
        opened = await client.conversations_open(users="U0ANN")
        team = await client.team_info()
        app = (await client.bots_info(bot=BOT_ID))["bot"]

        assert [message["text"] for message in found["messages"]] == ["b"]
        assert await code_of(outside) == "not_in_channel"
        assert await code_of(missing) == "thread_not_found"
        assert opened["channel"]["id"] == slack.directory.im("U0ANN").id
        assert team["team"]["id"] == HOME_TEAM
        assert app["user_id"] == BOT_USER


async def test_metadata_is_checked_and_kept(slack, client) -> None:
    """Metadata without its two fields is refused; an update keeps what it had."""
    metadata = {"event_type": "restart", "event_payload": {"id": "r1"}}
    ts = (
        await client.chat_postMessage(channel=INCIDENTS, text="a", metadata=metadata)
    )["ts"]
    await client.chat_update(channel=INCIDENTS, ts=ts, text="b")

    assert slack.message(INCIDENTS, ts).metadata == metadata
    await client.chat_update(channel=INCIDENTS, ts=ts, text="c", metadata={})
    assert slack.message(INCIDENTS, ts).metadata == {}
    half = client.api_call(
        "chat.postMessage",
        json={"channel": INCIDENTS, "text": "a", "metadata": {"event_type": "x"}},
    )
    assert await code_of(half) == "invalid_metadata_schema"


async def test_a_home_tab_is_only_for_members(slack, client) -> None:
    """A Home tab is published for people of the workspace, by its newest hash."""
    first = (await client.views_publish(user_id="U0ANN", view=HOME))["view"]
    second = (await client.views_publish(user_id="U0ANN", view=HOME))["view"]

    assert (first["id"], slack.home("ann").hash) == (second["id"], second["hash"])
    stale = client.views_publish(user_id="U0ANN", view=HOME, hash=first["hash"])
    assert await code_of(stale) == "hash_conflict"
    stranger = client.views_publish(user_id="U0FRANK", view=HOME)
    assert await code_of(stranger) == "user_not_found"


# --- blocks -------------------------------------------------------------------------


BAD_BLOCKS = [
    [section("x" * 3001)],
    [section("")],
    [{"type": "section"}],
    [{"type": "sextion"}],
    [section("x", colour="red")],
    [section("x", fields=[{"type": "mrkdwn", "text": "x" * 2001}])],
    [section("x", fields=[{"type": "mrkdwn", "text": "x"}] * 11)],
    [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
    [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    [section("x", block_id="a"), section("y", block_id="a")],
    [actions(button(), button())],
    [actions(button(text={"type": "plain_text", "text": "x" * 76}))],
    [actions(button(value="x" * 2001))],
    [actions(button(action_id="x" * 256))],
    [actions(button(style="green"))],
    [actions(*(button(action_id=f"a{n}") for n in range(26)))],
    [actions({"type": "static_select", "options": options(101)})],
    [actions({"type": "static_select"})],
    [actions({"type": "plain_text_input"})],
    [{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}],
    [{"type": "image", "image_url": "https://x/y.png"}],
    [{"type": "alert", "text": {"type": "mrkdwn", "text": "x" * 201}}],
    [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
    [{"type": "markdown", "text": "x" * 7000}] * 2,
    [{"type": "divider"}] * 51,
    "section",
]


@pytest.mark.parametrize("blocks", BAD_BLOCKS)
async def test_bad_blocks_are_refused(slack, client, blocks) -> None:
    """Blocks beyond Slack's limits are refused, with the place of the mistake."""
    with pytest.raises(SlackApiError) as caught:
        await client.api_call(
            "chat.postMessage",
            json={"channel": INCIDENTS, "text": "x", "blocks": blocks},
        )

    answer = caught.value.response
    assert answer["error"].startswith("invalid_blocks")
    if isinstance(blocks, list):
        assert "[json-pointer:/blocks" in answer["response_metadata"]["messages"][0]


BAD_VIEWS = [
    {**DIALOG, "title": {"type": "plain_text", "text": "x" * 25}},
    {**DIALOG, "private_metadata": "x" * 3001},
    {name: value for name, value in DIALOG.items() if name != "submit"},
    {**DIALOG, "blocks": [{"type": "divider"}] * 101},
    {**DIALOG, "colour": "red"},
    {"type": "modal", "blocks": []},
]


@pytest.mark.parametrize("view", BAD_VIEWS)
def test_bad_views_are_refused(view) -> None:
    """A dialog beyond Slack's limits is refused as Slack refuses it."""
    with pytest.raises(Refusal, match="invalid_arguments"):
        block_kit.require_view(view, "modal")


def test_good_blocks_and_views_pass() -> None:
    """What Slack shows is not refused."""
    select = {"type": "static_select", "options": options(100)}
    blocks = [section("x" * 3000, accessory=button()), actions(button(), select)]

    assert block_kit.problems(blocks, "message") == []
    assert block_kit.view_problems(DIALOG) == []
    assert block_kit.view_problems(HOME) == []


# --- faults -------------------------------------------------------------------------


async def test_throttling_and_server_errors(slack, client) -> None:
    """A planted fault meets as many calls as it should, and nothing is done."""
    slack.fail("chat.postMessage", status=429, retry_after=7)
    slack.fail("chat.postMessage", status=503)
    slack.fail("chat.postMessage", error="fatal_error", skip=1)
    answers = []
    for _ in range(4):
        try:
            answer = await client.chat_postMessage(channel=INCIDENTS, text="x")
        except SlackApiError as error:
            answer = error.response
        answers.append((answer.status_code, answer["ok"], answer.get("error")))
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "7"

    assert answers == [
        (429, False, "ratelimited"),
        (503, False, "internal_error"),
        (200, True, None),
        (200, False, "fatal_error"),
    ]
    assert len(slack.messages()) == 1


@pytest.mark.parametrize("acts", [True, False])
async def test_a_cut_connection_before_or_after_acting(slack, client, acts) -> None:
    """A cut connection leaves the post there, or not: the caller cannot know."""
    slack.fail("chat.postMessage", cut=True, acts=acts)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.chat_postMessage(channel=INCIDENTS, text="x")

    assert len(slack.messages()) == acts
    (call,) = slack.called("chat.postMessage")
    assert (call.status, call.done) == (0, acts)


async def test_a_slow_call_can_outlast_its_caller(slack, web_session) -> None:
    """A delayed answer is delayed by as much as was asked for."""
    slack.fail("auth.test", delay_s=30.0)
    soon = aiohttp.ClientTimeout(total=0.05)
    with pytest.raises(TimeoutError):
        await web_session.post(f"{slack.api_url}auth.test", timeout=soon)


async def test_a_fault_can_be_for_some_calls_only(slack, client) -> None:
    """A fault meets only the calls that it is meant for, until it is healed."""
    slack.fail(
        "*", count=None, error="fatal_error", only=lambda a: a.get("text") == "bad"
    )
    post = client.chat_postMessage
    assert (await post(channel=INCIDENTS, text="good"))["ok"]
    assert await code_of(post(channel=INCIDENTS, text="bad")) == "fatal_error"
    slack.heal()
    assert (await post(channel=INCIDENTS, text="bad"))["ok"]


async def test_response_urls_fail_on_demand_too(slack, web_session) -> None:
    """A response URL can be throttled like any method."""
    slack.fail("response_url", status=429)
    async with web_session.post(f"{slack.url}/hooks/x", json={"text": "x"}) as answer:
        assert answer.status == 429


# --- the rest ---


async def test_only_the_last_messages_are_kept(slack) -> None:
    """A channel keeps its last 2,000 messages."""
    for number in range(2010):
        slack.say("ann", "incidents", str(number))

    kept = slack.messages("incidents")
    assert (len(kept), kept[0].text) == (2000, "10")


async def test_a_taken_port_is_an_error_that_leaves_nothing_behind(slack) -> None:
    """A second local Slack on the same port cannot start."""
    port = int(slack.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        await LocalSlack().start(port)


async def test_a_broken_body_is_refused(slack, web_session) -> None:
    """What is not JSON, or not an object, is refused in Slack's words."""
    codes = []
    for body in ("{", "[]"):
        head = {"Content-Type": "application/json"}
        url = f"{slack.api_url}auth.test"
        async with web_session.post(url, data=body, headers=head) as answer:
            codes.append((await answer.json())["error"])

    assert codes == ["invalid_json", "json_not_object"]


async def test_waiting_in_vain_says_what_was_seen(slack) -> None:
    """A wait that comes to nothing fails with the last messages."""
    slack.say("ann", "incidents", "hello")
    with pytest.raises(TimeoutError, match="hello"):
        await slack.wait_for(lambda: False, 0.01)
