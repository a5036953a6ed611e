"""What the bot asks of Slack, and what each of Slack's answers means."""

import os
import traceback
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from slack_sdk.errors import SlackObjectFormationError

from bot.demo.alert_sender import free_port
from bot.errors import SlackBusy, SlackError, SlackRefused, SlackShut, SlackUnknown
from bot.model import Message
from bot.network import Network
from bot.slack import errors
from bot.slack.client import RETRY_AFTER_WITHIN_S, SlackClient, clients
from bot.slack.errors import THROTTLED_S, meaning, retry_after
from tests.support.tiny_slack import (
    TOKEN,
    TinySlack,
    connected,
    cut,
    ok,
    refused,
    reply,
    silent,
    tiny_slack,
)

HELLO = Message("hello", [{"type": "divider"}])
POSTED = ok(ts="1.2")


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[TinySlack]:
    """A far side that takes every message."""
    async with tiny_slack() as far:
        far.play("chat.postMessage", POSTED)
        yield far


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    """What the hook for the figures was told."""
    return []


@pytest_asyncio.fixture
async def chat(
    slack: TinySlack, seen: list[tuple[str, str]]
) -> AsyncIterator[SlackClient]:
    """The bot's chat, connected to the far side."""
    async with connected(slack.url) as (poster, idem, session):
        yield SlackClient(
            poster, idem, session, on_call=lambda *call: seen.append(call)
        )


# --- messages ---------------------------------------------------------------------


async def test_post(chat: SlackClient, slack: TinySlack, seen: list[object]) -> None:
    """A post carries text and blocks, formats nothing by itself, and gives its ts."""
    ts = await chat.post("C1", HELLO)

    assert ts == "1.2"
    assert slack.asked("chat.postMessage") == [
        {
            "channel": "C1",
            "text": "hello",
            "blocks": [{"type": "divider"}],
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    ]
    assert seen == [("chat.postMessage", "ok")]


async def test_reply(chat: SlackClient, slack: TinySlack) -> None:
    """A reply goes into its thread and, if wanted, also into the channel."""
    await chat.post("C1", HELLO, thread_ts="1.0", broadcast=True)

    (body,) = slack.asked("chat.postMessage")
    assert (body["thread_ts"], body["reply_broadcast"]) == ("1.0", True)


async def test_update(chat: SlackClient, slack: TinySlack) -> None:
    """An edit replaces text and blocks."""
    await chat.update("C1", "1.2", HELLO)

    assert slack.asked("chat.update") == [
        {"channel": "C1", "ts": "1.2", "text": "hello", "blocks": HELLO.blocks}
    ]


async def test_update_without_blocks_removes_the_old_ones(
    chat: SlackClient, slack: TinySlack
) -> None:
    """An edit to plain text leaves no old button behind."""
    await chat.update("C1", "1.2", Message("done"))

    (body,) = slack.asked("chat.update")
    assert body["blocks"] == []


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_blocks_format"])
async def test_refused_blocks_are_left_out(
    chat: SlackClient, slack: TinySlack, code: str
) -> None:
    """Blocks that Slack does not take cost the layout, never the message."""
    slack.play("chat.postMessage", refused(code), POSTED)

    assert await chat.post("C1", HELLO) == "1.2"

    first, second = slack.asked("chat.postMessage")
    assert first["blocks"]
    assert "blocks" not in second


async def test_refused_text_is_an_error(chat: SlackClient, slack: TinySlack) -> None:
    """A message without blocks is not sent twice."""
    slack.play("chat.postMessage", refused("invalid_blocks"))

    with pytest.raises(SlackRefused):
        await chat.post("C1", Message("hello"))

    assert len(slack.calls) == 1


# --- dialogs and the home page -------------------------------------------------------


async def test_dialog(chat: SlackClient, slack: TinySlack) -> None:
    """A dialog is opened by its trigger and replaced by its id."""
    await chat.open_view("trigger", {"type": "modal"})
    await chat.update_view("V1", {"type": "modal", "blocks": []})

    assert slack.asked("views.open")[0]["trigger_id"] == "trigger"
    assert slack.asked("views.update")[0]["view_id"] == "V1"


async def test_home_page(chat: SlackClient, slack: TinySlack) -> None:
    """The home page is published for one person."""
    await chat.publish_home("U1", {"type": "home"})

    assert slack.asked("views.publish")[0]["user_id"] == "U1"


async def test_permalink(chat: SlackClient, slack: TinySlack) -> None:
    """A message can be linked to."""
    slack.play("chat.getPermalink", ok(permalink="https://x.slack.com/p1"))

    assert await chat.permalink("C1", "1.2") == "https://x.slack.com/p1"


# --- private answers -----------------------------------------------------------------


async def test_whisper_by_response_url(chat: SlackClient, slack: TinySlack) -> None:
    """A private answer goes where the command came from, and replaces nothing."""
    url = f"{slack.url}hook"

    await chat.whisper(HELLO, user_id="U1", channel="C1", response_url=url)

    ((method, body),) = slack.calls
    assert method == "hook"
    assert body["response_type"] == "ephemeral"
    assert body["replace_original"] is False
    assert (body["text"], body["blocks"], body["mrkdwn"]) == (
        "hello",
        HELLO.blocks,
        False,
    )


@pytest.mark.parametrize(
    "answer",
    [
        reply(404, {"ok": False, "error": "expired_url"}),
        reply(200, {"ok": False, "error": "used_url"}),
        reply(500, "oops"),
        reply(302, "moved", Location="/api/elsewhere"),
        cut,
    ],
    ids=["expired", "spent", "failure", "redirect", "cut"],
)
async def test_whisper_finds_another_way(
    chat: SlackClient, slack: TinySlack, answer: object
) -> None:
    """A private answer whose response_url fails is said in the channel, once."""
    slack.play("hook", answer)  # type: ignore[arg-type]

    await chat.whisper(
        HELLO, user_id="U1", channel="C1", response_url=f"{slack.url}hook"
    )

    assert [method for method, _ in slack.calls] == ["hook", "chat.postEphemeral"]
    (body,) = slack.asked("chat.postEphemeral")
    assert (body["channel"], body["user"], body["text"]) == ("C1", "U1", "hello")


@pytest.mark.parametrize(
    "answer", [refused("user_not_in_channel"), reply(503, "x"), cut]
)
async def test_whisper_ends_as_a_direct_message(
    chat: SlackClient, slack: TinySlack, answer: object
) -> None:
    """Where the channel does not take a private answer it comes as a message."""
    slack.play("chat.postEphemeral", answer)  # type: ignore[arg-type]

    await chat.whisper(HELLO, user_id="U1", channel="C1")

    (body,) = slack.asked("chat.postMessage")
    assert body["channel"] == "U1"


async def test_whisper_that_fails_every_way(
    chat: SlackClient, slack: TinySlack
) -> None:
    """A private answer that nobody took is an error, never silence."""
    slack.play("chat.postMessage", refused("messages_tab_disabled"))

    with pytest.raises(SlackRefused, match="private message"):
        await chat.whisper(HELLO, user_id="U1")


async def test_response_url_stays_secret(
    chat: SlackClient, slack: TinySlack, capsys: pytest.CaptureFixture[str]
) -> None:
    """A response_url, with which anybody could answer, is in no log line."""
    slack.play("hook/secret", cut)

    await chat.whisper(HELLO, user_id="U1", response_url=f"{slack.url}hook/secret")

    logged = capsys.readouterr()
    assert "whisper_failed" in logged.out + logged.err
    assert "hook/secret" not in logged.out + logged.err


# --- what failures mean ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("not_in_channel", "/invite @mlstudio"),
        ("channel_not_found", "/invite @mlstudio"),
        ("is_archived", "archived"),
        ("restricted_action", "does not let me post"),
        ("restricted_action_read_only_channel", "does not let me post"),
        ("user_not_found", "not known"),
        ("expired_trigger_id", "3 seconds"),
        ("message_not_found", "no longer be changed"),
        ("a_word_of_tomorrow", "Slack refused: a_word_of_tomorrow."),
    ],
)
async def test_refusals(
    chat: SlackClient, slack: TinySlack, seen: list[object], code: str, words: str
) -> None:
    """A refusal of Slack's is final and says what it means and what to do."""
    slack.play("chat.postMessage", refused(code))

    with pytest.raises(SlackRefused, match=words) as caught:
        await chat.post("C1", Message("hello"))

    assert caught.value.code == code
    assert len(slack.calls) == 1
    assert seen == [("chat.postMessage", "refused")]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("invalid_auth", "SLACK_BOT_TOKEN"),
        ("not_authed", "SLACK_BOT_TOKEN"),
        ("token_revoked", "SLACK_BOT_TOKEN"),
        ("token_expired", "SLACK_BOT_TOKEN"),
        ("account_inactive", "SLACK_BOT_TOKEN"),
        ("team_access_not_granted", "administrator"),
        ("accesslimited", "network"),
        ("team_added_to_org", "moving"),
        ("message_limit_exceeded", "at the moment"),
    ],
)
async def test_what_somebody_can_mend_is_not_final(
    chat: SlackClient, slack: TinySlack, seen: list[object], code: str, words: str
) -> None:
    """It is said what to do, and that nothing was sent; later it may be."""
    slack.play("chat.postMessage", refused(code))

    with pytest.raises(SlackShut, match=words) as caught:
        await chat.post("C1", Message("hello"))

    assert caught.value.code == code
    assert len(slack.calls) == 1
    assert seen == [("chat.postMessage", "refused")]


async def test_missing_scope_is_named(chat: SlackClient, slack: TinySlack) -> None:
    """A missing scope is named, so that it can be added."""
    slack.play("chat.postMessage", refused("missing_scope", needed="chat:write"))

    with pytest.raises(SlackShut, match="lacks the scope chat:write"):
        await chat.post("C1", HELLO)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="30"), 30.0),
        (reply(429, {"ok": False, "error": "ratelimited"}), THROTTLED_S),
        (reply(429, "slow down", Retry_After="soon"), THROTTLED_S),
        (refused("rate_limited"), THROTTLED_S),
    ],
    ids=["long", "without a time", "without a number", "by word"],
)
async def test_throttled(
    chat: SlackClient, slack: TinySlack, seen: list[object], answer: object, wait: float
) -> None:
    """A long throttling is handed on with its wait, so that it can be waited for."""
    slack.play("chat.postMessage", answer)  # type: ignore[arg-type]

    with pytest.raises(SlackBusy) as caught:
        await chat.post("C1", HELLO)

    assert caught.value.retry_after == wait
    assert seen == [("chat.postMessage", "busy")]


async def test_short_throttling_is_waited_out(
    chat: SlackClient, slack: TinySlack
) -> None:
    """A short throttling is not noticed by anybody."""
    slow = reply(429, {"ok": False, "error": "ratelimited"}, Retry_After="0")
    slack.play("chat.postMessage", slow, POSTED)

    assert await chat.post("C1", HELLO) == "1.2"
    assert len(slack.calls) == 2


def test_patience_is_shorter_than_a_shutdown() -> None:
    """A wait inside a call ends before the bot has to have stopped (10 s)."""
    assert RETRY_AFTER_WITHIN_S + 1 < 10


AMBIGUOUS = {
    "500": reply(500, {"ok": False, "error": "internal_error"}),
    "502": reply(502, "bad gateway"),
    "503": reply(503, {"ok": False, "error": "not_in_channel"}),
    "its own word": refused("fatal_error"),
    "no word": reply(200, {"ok": False}),
    "html": reply(200, "<html>"),
    "text": reply(200, "ok", Content_Type="text/plain"),
    "not an object": reply(200, [1]),
    "broken json": reply(200, '{"ok": tr', Content_Type="application/json"),
    "cut": cut,
}


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_a_post_is_never_repeated_blindly(
    chat: SlackClient, slack: TinySlack, seen: list[object], answer: object
) -> None:
    """A post that may stand already is sent once, and said to be unknown."""
    slack.play("chat.postMessage", answer)  # type: ignore[arg-type]

    with pytest.raises(SlackUnknown):
        await chat.post("C1", HELLO)

    assert len(slack.calls) == 1
    assert seen == [("chat.postMessage", "unknown")]


async def test_a_post_without_an_answer_is_unknown(slack: TinySlack) -> None:
    """A post that Slack does not answer in time is unknown."""
    slack.play("chat.postMessage", silent)
    async with connected(slack.url, timeout_s=0.1) as all_three:
        with pytest.raises(SlackUnknown, match="in time"):
            await SlackClient(*all_three).post("C1", HELLO)

    assert len(slack.calls) == 1


async def test_a_refused_connection_is_surely_nothing() -> None:
    """Where nobody listens nothing was sent: the post may be tried again."""
    async with connected(f"http://127.0.0.1:{free_port()}/api/") as all_three:
        with pytest.raises(SlackBusy, match="nothing was sent") as caught:
            await SlackClient(*all_three).post("C1", HELLO)

    assert caught.value.retry_after is None  # Slack has named no wait


@pytest.mark.parametrize("answer", [cut, reply(503, {"ok": False})])
async def test_an_edit_is_repeated(
    chat: SlackClient, slack: TinySlack, answer: object
) -> None:
    """An edit, which cannot be doubled, gets through two failures of Slack's."""
    slack.play("chat.update", answer, answer, ok())  # type: ignore[arg-type]

    await chat.update("C1", "1.2", HELLO)

    assert len(slack.calls) == 3


def test_what_the_library_refuses_is_final() -> None:
    """A message that slack_sdk finds malformed is not tried again."""
    assert isinstance(meaning(SlackObjectFormationError("too long")), SlackRefused)


@pytest.mark.parametrize("answer", [refused("invalid_auth"), cut, reply(200, "<b>")])
async def test_errors_hold_no_token(
    chat: SlackClient, slack: TinySlack, answer: object
) -> None:
    """The bot's token is in no error, not even in its traceback."""
    slack.play("chat.postMessage", answer)  # type: ignore[arg-type]

    with pytest.raises(SlackError) as caught:
        await chat.post("C1", HELLO)

    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert TOKEN not in repr(caught.value)
    # what slack_sdk raised holds the request, and with it the token
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"retry-after": "7"}, 7.0), ({"Retry-After": ["8"]}, 8.0), ({"A": "1"}, None)],
)
def test_retry_after(headers: dict[str, object], wait: float | None) -> None:
    """The wait that Slack asks for is read however the header is written."""
    assert retry_after(headers) == wait


async def test_loopback_is_not_sent_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The demo works behind a company's proxy, and NO_PROXY is heeded."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "slack.internal")
    network = Network.of(os.environ)
    async with connected("http://127.0.0.1:1/api/") as (poster, _, session):
        local, _ = clients(TOKEN, "http://127.0.0.1:1/api/", session, network=network)
        inside, _ = clients(
            TOKEN, "https://slack.internal/api/", session, network=network
        )
        outside, _ = clients(TOKEN, "https://slack.com/api/", session, network=network)

    assert poster.proxy is None
    assert local.proxy is None
    assert inside.proxy is None
    assert outside.proxy == "http://proxy.invalid:3128"


def test_what_is_no_error_word_of_slacks_is_not_repeated():
    """A server that puts a token where its error word belongs does not get it shown."""
    assert "xoxb" not in errors._sentence("bad_token xoxb-111-SECRET", {})
    assert "not_in_a_list" in errors._sentence("not_in_a_list", {})
