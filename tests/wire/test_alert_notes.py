"""What becomes of a restart from an incident's card is noted on the incident, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from bot.cli.check.alerts import note_lines, sender_lines
from bot.config import load
from bot.demo.alert_sender import free_port
from bot.demo.posts import Post
from bot.network import DIRECT
from bot.slack.messages.buttons import RESTART_DIALOG
from tests.support.alerts import SECRETS, Senders
from tests.support.bot_world import OPEN, Bench, benched
from tests.support.incidents import TOKEN, USER, LocalPagerDuty

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTES = """
note_from = "{sender}"
pagerduty_url = "{url}"
[[alerts.map]]
match = {{ service = "PSERVICE1" }}
project = "ml-prod"
instance = "trainer-7"
[[alerts.map]]
match = {{ service = "PFLAKY" }}
project = "ml-prod"
instance = "flaky-1"
"""
ENVIRON = {**SECRETS, "ALERTS_PAGERDUTY_TOKEN": TOKEN}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pagerduty() -> AsyncIterator[LocalPagerDuty]:
    """A local PagerDuty."""
    async with LocalPagerDuty() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    pagerduty: LocalPagerDuty, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Bench, Senders]]:
    """One bot for all cases, which looks often; each has an incident of its own."""
    senders = Senders(free_port())
    notes = NOTES.format(sender=USER, url=pagerduty.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.alerts.ALERTS_EVERY_S", 0.1)
        patch.setattr("bot.alerts.LEAST_S", 0.0)
        patch.setattr("bot.ledger.alert_notes.TRY_AGAIN_AFTER_S", 0.3)
        patch.setattr("bot.ledger.alerts.MOST_OF_INSTANCE", 9)
        async with benched(
            tmp_path_factory.mktemp("notes"),
            rules=senders.table(more=notes) + OPEN,
            environ=ENVIRON,
        ) as bench:
            yield bench, senders


async def restarted(
    world: tuple[Bench, Senders], incident: str, service: str = "PSERVICE1"
) -> str:
    """Restart an instance from an incident's card; return the request's id."""
    bench, senders = world
    before = bench.posts()
    assert await senders.pagerduty(incident=incident, service=service) == 202

    def cards() -> list[Post]:
        return [post for post in bench.posts()[len(before) :] if "Firing" in post.text]

    (card,) = await bench.wait_for(cards)
    await bench.slack.click("ann", card, RESTART_DIALOG)
    view = (await bench.wait_for(lambda: bench.slack.views("ann")))[0]
    delivery = await bench.slack.submit("ann", view)
    record = await bench.story(delivery)
    return record.request.id


async def until(true: Callable[[], object]) -> None:
    """Wait for what happens in neither Slack nor the cloud."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - PagerDuty tells nobody
            await asyncio.sleep(0.02)


async def test_the_outcome_is_noted_once(world, pagerduty: LocalPagerDuty) -> None:
    """With the request's id, whatever the restart came to."""
    request_id = await restarted(world, "PINC1")
    failed_id = await restarted(world, "PINC2", "PFLAKY")
    await until(lambda: pagerduty.notes["PINC1"] and pagerduty.notes["PINC2"])

    (note,), (failed,) = pagerduty.notes["PINC1"], pagerduty.notes["PINC2"]
    assert "restart of trainer-7 in ml-prod" in note
    assert "asked for in Slack by ann (U0ANN): ready after" in note
    assert request_id in note
    assert "failed with START_FAILED" in failed
    assert failed_id in failed


async def test_a_lost_answer_is_not_noted_twice(
    world, pagerduty: LocalPagerDuty
) -> None:
    """What may stand already is read before it is written again; a throttled one is
    written later.
    """
    pagerduty.calls.clear()
    pagerduty.troubles.extend([500])
    await restarted(world, "PINC3")
    await until(lambda: "GET /incidents/PINC3/notes" in pagerduty.calls)
    pagerduty.troubles.extend([429])
    await restarted(world, "PINC4")
    await until(lambda: pagerduty.notes["PINC4"])

    calls = [call for call in pagerduty.calls if "PINC3" in call]
    assert calls == ["POST /incidents/PINC3/notes", "GET /incidents/PINC3/notes"]
    assert len(pagerduty.notes["PINC3"]) == len(pagerduty.notes["PINC4"]) == 1


async def test_a_wrong_from_is_said(
    world, pagerduty: LocalPagerDuty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PagerDuty's 400 is said in the log, with the remedy, and not tried again."""
    monkeypatch.setattr("tests.support.incidents.USER", "another@example.com")
    said: list[object] = []
    monkeypatch.setattr(
        "bot.alerts.pagerduty.log.error", lambda *_, **how: said.append(how["error"])
    )
    await restarted(world, "PINC5")
    await until(lambda: said)

    assert "note_from" in str(said[0])
    assert pagerduty.notes["PINC5"] == []


@pytest.mark.parametrize(
    ("sender", "token", "ok", "said"),
    [
        (USER, TOKEN, True, "written by bot@example.com"),
        ("nobody@example.com", TOKEN, False, "note_from"),
        (USER, "wrong", False, "ALERTS_PAGERDUTY_TOKEN"),
    ],
)
async def test_check_says_whether_notes_can_be_written(
    world, pagerduty: LocalPagerDuty, sender: str, token: str, ok, said: str
) -> None:
    """A wrong address or token is found before the first incident."""
    bench, _ = world
    text = bench.path.read_text("utf-8").replace(f'"{USER}"', f'"{sender}"')
    path = bench.path.with_name("other.toml")
    path.write_text(text, "utf-8")
    login = {"OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_USER_DOMAIN_NAME": "d"}
    tokens = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    environ = {**login, **tokens, **ENVIRON, "ALERTS_PAGERDUTY_TOKEN": token}
    settings, secrets = load(path, environ)

    (line,) = await note_lines(settings, secrets, DIRECT)

    assert (line.ok, said in str(line)) == (ok, True)
    (line,) = sender_lines(settings, secrets)
    assert str(line) == "✓ alerts are taken from Alertmanager, Grafana, PagerDuty"
