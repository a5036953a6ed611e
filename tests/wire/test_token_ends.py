"""Slack keeps the bot out in the middle: a token that ends, an app installed again."""

from __future__ import annotations

import asyncio

import pytest

from bot.model import State
from tests.support.bot_world import ANN, Bench
from tests.support.passing_time import second_life, stopped
from tests.support.processes import until

PASSING = (
    *("token_revoked", "invalid_auth", "account_inactive", "not_authed"),
    *("token_expired", "team_access_not_granted", "missing_scope", "accesslimited"),
)
FINAL = ("channel_not_found", "is_archived", "not_in_channel")
SOON_S = 30.0


async def shut_out(bench: Bench, error: str) -> str:
    """Return the id of a request that ends while Slack says *error* to all."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    bench.slack.fail("chat.postMessage", count=None, error=error)
    bench.slack.fail("chat.postEphemeral", count=None, error=error)
    bench.slack.fail("response_url", count=None, status=500)
    tries = len(bench.slack.called("chat.postMessage"))
    bench.go_on()
    await bench.wait_for(
        lambda: len(bench.slack.called("chat.postMessage")) > tries + 2
    )
    return (await bench.record(delivery)).request.id


@pytest.mark.parametrize("error", PASSING)
async def test_a_last_word_waits_until_slack_lets_the_bot_in(
    bench: Bench, error: str
) -> None:
    """Nothing is on record as told before it was said, and it is said in the end."""
    request_id = await shut_out(bench, error)
    record = await bench.ledger.existing(request_id)
    assert (record.state, record.told, record.unsaid) == (State.READY, False, "")
    bench.slack.heal()
    async with asyncio.timeout(SOON_S):
        assert (await bench.end_of(request_id)).told
    (told,) = bench.followups()
    assert f". {ANN}: " in told.text
    assert "is ready" in told.text


async def test_the_next_process_says_it_with_its_new_token(bench: Bench) -> None:
    """Whoever revokes a token and starts the bot with a new one loses no last word."""
    request_id = await shut_out(bench, "token_revoked")
    await stopped(bench)
    bench.slack.heal()
    async with second_life(bench), asyncio.timeout(SOON_S):
        assert (await bench.end_of(request_id)).told
    assert "is ready" in bench.followups()[-1].text


async def test_an_announcement_waits_for_the_token(bench: Bench) -> None:
    """What was acknowledged is restarted when the channel can be told, not before."""
    bench.slack.fail("chat.postMessage", count=None, error="token_revoked")
    delivery = await bench.ask("restart ml-prod trainer-7")
    await until(lambda: len(bench.slack.called("chat.postMessage")) > 3)
    assert bench.sent == 0
    bench.slack.heal()
    assert (await bench.story(delivery)).state is State.READY
    assert bench.sent == 1


async def test_a_card_waits_for_the_token(bench: Bench) -> None:
    """A request for approval is not voided because the bot's token has ended."""
    bench.slack.fail("chat.postMessage", count=4, error="account_inactive")
    card = await bench.card()
    await bench.slack.click("bob", card, "approve")
    assert (await bench.end_of_card(card)).state is State.READY


@pytest.mark.parametrize("error", FINAL)
async def test_a_channel_that_is_gone_is_final(bench: Bench, error: str) -> None:
    """What nobody can mend is kept as unsaid, with its words, and ends the story."""
    bench.hold()
    delivery = await bench.ask("restart ml-prod trainer-7")
    await bench.rebooting()
    bench.slack.fail("chat.postMessage", count=None, error=error)
    bench.slack.fail("chat.postEphemeral", count=None, error=error)
    bench.slack.fail("response_url", count=None, status=500)
    bench.go_on()
    record = await bench.story(delivery)
    assert record.told
    assert "is ready" in record.unsaid
