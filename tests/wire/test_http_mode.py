"""What the bot keeps from whoever hammers on it, repeats what he overheard, or sends
what nobody could need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

from bot.demo.alert_sender import free_port
from bot.listeners import refusal_limit
from bot.model import State
from bot.slack import http_mode
from bot.slack.http_mode import LARGEST_BYTES, HttpMode, Received
from tests.support.bot_world import Bench

# --- refusals ------------------------------------------------------------------------

NOBODY = """
[[rules]]
name = "leads only"
who = ["@ml-leads"]
"""


WAIT = refusal_limit.TOO_OFTEN.why


async def too_often(
    bench: Bench, text: str, times: int = refusal_limit.MOST_REFUSALS + 1
) -> None:
    for _ in range(times):
        assert WAIT not in (await bench.ask(text)).text


async def test_who_is_refused_too_often_is_answered_at_once(make_bench) -> None:
    """After more than 20 refusals within a minute the answer is short, private, and
    costs neither Slack nor the cloud a question; the trail has each of them.
    """
    bench: Bench = await make_bench(rules=NOBODY)
    await too_often(bench, "restart ml-prod trainer-7")
    asked, looked = len(bench.slack.calls), len(bench.cloud.calls)

    answers = [await bench.ask("restart ml-prod trainer-7") for _ in range(5)]

    assert {WAIT in answer.text for answer in answers} == {True}
    assert (len(bench.slack.calls), len(bench.cloud.calls)) == (asked, looked)
    entries = await bench.trail("refused")
    assert len(entries) == refusal_limit.MOST_REFUSALS + 1 + 5
    assert [entry["detail"] for entry in entries[-5:]] == [WAIT] * 5
    assert bench.seen().keys() <= {"ann"}


async def test_nobody_else_is_kept_out(make_bench) -> None:
    """The limit is a person's own: others are served as ever."""
    bench: Bench = await make_bench(rules=NOBODY)
    await too_often(bench, "restart ml-prod trainer-7")

    done, _, follow = await bench.restart(user="bob")

    assert done.ok
    assert "is ready" in follow.text


async def test_who_is_kept_out_may_still_ask_questions(make_bench) -> None:
    """What changes nothing is answered as ever: what he may, too."""
    bench: Bench = await make_bench(rules=NOBODY)
    await too_often(bench, "restart ml-prod trainer-7")

    for question in ("help", "can ml-prod trainer-7", "status ml-prod trainer-7"):
        assert WAIT not in (await bench.ask(question)).text


async def test_it_passes_by_itself(make_bench, mocker: MockerFixture) -> None:
    """A minute later the same person is heard again."""
    bench: Bench = await make_bench(rules=NOBODY)
    mocker.patch.object(refusal_limit, "REFUSALS_WITHIN_S", 3600.0)
    await too_often(bench, "restart ml-prod trainer-7")
    assert WAIT in (await bench.ask("restart ml-prod trainer-7")).text

    mocker.patch.object(refusal_limit, "REFUSALS_WITHIN_S", 0.0)

    assert WAIT not in (await bench.ask("restart ml-prod trainer-7")).text


async def test_questions_and_mistakes_do_not_count(bench: Bench) -> None:
    """Who only mistypes, or asks, is never kept out."""
    for _ in range(refusal_limit.MOST_REFUSALS + 5):
        await bench.ask("restrat ml-prod trainer-7")
        await bench.ask("restart ml-prod no-such-box")

    done, _, _ = await bench.restart()

    assert WAIT not in done.text


async def test_clicks_count_too(bench: Bench) -> None:
    """Who hammers on a button that is not for him is told that it is enough, and the
    buttons go on working for those whom they are for.
    """
    card = await bench.card()
    for _ in range(refusal_limit.MOST_REFUSALS + 1):
        await bench.slack.click("ann", card, "approve")
    asked = len(bench.slack.called("usergroups.list"))

    for _ in range(4):
        await bench.slack.click("ann", card, "approve")

    assert len(await bench.wait_for(lambda: bench.whispers("ann", WAIT))) == 4
    assert len(bench.slack.called("usergroups.list")) == asked
    assert len(await bench.trail("click refused")) == refusal_limit.MOST_REFUSALS + 5
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY


# --- HTTP mode -----------------------------------------------------------------------


class Wire:
    """An HTTP front with a bot behind it that counts what gets through."""

    def __init__(self) -> None:
        self.got: list[str] = []
        who = AuthorizeResult(enterprise_id=None, team_id="T0HOME", bot_token="x")

        async def authorize(**_) -> AuthorizeResult:
            return who

        app = AsyncApp(authorize=authorize, request_verification_enabled=False)

        @app.command("/mlstudio")
        async def through(body, ack) -> None:
            self.got.append(str(body.get("trigger_id")))
            await ack("private words")

        listen = f"127.0.0.1:{free_port()}"
        self.front = HttpMode(app, ("new", "old"), listen)
        self.url = f"http://{listen}{http_mode.PATH}"

    async def post(
        self,
        body: str,
        *,
        secret: str = "new",  # noqa: S107
        age_s: int = 0,
        **headers: str,
    ) -> tuple[int, str]:
        at = str(int(time.time()) - age_s)
        signature = SignatureVerifier(secret).generate_signature(
            timestamp=at, body=body
        )
        sent = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signature,
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=body.encode(), headers=sent) as answer,
        ):
            return answer.status, await answer.text()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    await wire.front.start()
    yield wire
    await wire.front.close()


COMMAND = "command=%2Fmlstudio&text=status&user_id=U1&trigger_id=1.2.3"


async def test_a_replay_does_nothing_and_learns_nothing(wire: Wire) -> None:
    """Who sends a request again that he overheard gets no answer to it."""
    at = f"{time.time():.0f}"
    signature = SignatureVerifier("new").generate_signature(timestamp=at, body=COMMAND)
    same = {"X_Slack_Request_Timestamp": at, "X_Slack_Signature": str(signature)}

    first = await wire.post(COMMAND, **same)
    again = await asyncio.gather(*(wire.post(COMMAND, **same) for _ in range(3)))

    assert first == (200, "private words")
    assert again == [(200, http_mode.REPEATED)] * 3
    assert wire.got == ["1.2.3"]


async def test_either_secret_during_a_rotation(wire: Wire) -> None:
    """Both signing secrets count, any other does not."""
    assert (await wire.post(COMMAND, secret="new"))[0] == 200
    assert (await wire.post(COMMAND, secret="old"))[0] == 200
    assert (await wire.post(COMMAND, secret="guessed"))[0] == 401


async def test_an_old_request(wire: Wire) -> None:
    """What is older than five minutes is refused, however well it is signed."""
    assert (await wire.post(COMMAND, age_s=301))[0] == 401
    assert (await wire.post(COMMAND, age_s=290))[0] == 200


async def test_a_body_that_is_too_large(wire: Wire) -> None:
    """Nobody can fill the memory: a body over 512 kB is not read."""
    assert (await wire.post("x" * (LARGEST_BYTES + 1)))[0] == 413
    assert wire.got == []


@pytest.mark.parametrize("at", ["", "soon", "1e9", "9" * 5000, "-1", "１７", "1_0"])
async def test_a_timestamp_that_is_none(wire: Wire, at: str) -> None:
    """A timestamp that means nothing is a refusal, not a fault."""
    assert (await wire.post(COMMAND, X_Slack_Request_Timestamp=at))[0] in {400, 401}


@given(
    body=st.binary(max_size=64),
    at=st.text(max_size=20) | st.integers().map(str) | st.just(str(int(time.time()))),
    signature=st.text(max_size=80) | st.binary(max_size=64).map(lambda b: b.hex()),
)
def test_nothing_unsigned_passes(body: bytes, at: str, signature: str) -> None:
    """Whatever the headers and the body hold, the check says no and never fails."""
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": signature}

    assert not HttpMode._fits(SignatureVerifier("new"), body, headers)


def test_what_was_received_is_forgotten_in_time() -> None:
    """A signature is remembered for longer than it is good for, and no longer."""
    now = [0.0]
    received = Received(clock=lambda: now[0])
    assert received.is_new("v0=a")
    now[0] = 599.0
    assert received.is_new("v0=b")
    assert not received.is_new("v0=a")

    now[0] = 601.0

    assert received.is_new("v0=a")
    assert not received.is_new("v0=b")
    assert len(received._seen) == 2
