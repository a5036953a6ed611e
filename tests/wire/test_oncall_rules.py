"""Rules that name who is on call: the source itself is asked, whenever it counts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.cli.explain import explain
from bot.config import load
from bot.demo.rota import Rota, RotaPerson, Schedule, Shift
from bot.demo.rota_server import LocalRota
from bot.model import State
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, BOB, CAROL, GINA, Bench, _secrets, text_of
from tests.support.passing_time import passed

DAVE = "<@U0DAVE>"
RULES = """
[[rules]]
name = "a second one agrees"
who = ["oncall:primary", "U0BOB"]
instances = ["gated-*"]
[rules.approval]
by = ["oncall:secondary"]
expires = "30m"
break_glass = ["U0GINA"]
then = [{ after = "5m", by = ["oncall:third"] }]

[[rules]]
name = "on call"
who = ["oncall:primary", "U0DAVE"]
"""


def lines(rota: LocalRota) -> str:
    """Return the tables of three lines, of both sources."""
    return f"""
[oncall.primary]
source = "pagerduty"
schedule = "P1"
url = "{rota.url}"
people = {{ PANN = "U0ANN", PBOB = "U0BOB", PCAROL = "U0CAROL" }}

[oncall.secondary]
source = "pagerduty"
schedule = "P2"
url = "{rota.url}"
people = {{ PANN = "U0ANN", PBOB = "U0BOB", PCAROL = "U0CAROL" }}

[oncall.third]
source = "grafana"
schedule = "P3"
url = "{rota.grafana_url}"
stack = "{rota.stack}"
people = {{ PCAROL = "U0CAROL" }}

[freeze]
by = ["oncall:primary"]
"""


@pytest_asyncio.fixture
async def rota() -> AsyncIterator[LocalRota]:
    """Return a rota: Ann on the first schedule, Bob, Carol on the others."""
    names = {"PANN": "Ann Okafor", "PBOB": "Bob L", "PCAROL": "Carol", "PHUGO": "Hugo"}
    people = {ref: RotaPerson(ref, name) for ref, name in names.items()}
    now = time.time()
    on_call = {"P1": "PANN", "P2": "PBOB", "P3": "PCAROL"}
    schedules = {
        each: Schedule(each, each, [Shift(who, now - 60, now + 7200)])
        for each, who in on_call.items()
    }
    server = LocalRota(Rota(people, schedules))
    await server.start()
    yield server
    await server.close()


@pytest_asyncio.fixture
async def night(
    make_bench: MakeBench, rota: LocalRota, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """Return a bench whose rules name the lines of *rota*."""
    monkeypatch.setattr("bot.restarts.escalation.ASK_AGAIN_AFTER_S", 0.1)
    return await make_bench(
        rules=lines(rota) + RULES,
        environ=tokens(rota),
    )


def tokens(rota: LocalRota) -> dict[str, str]:
    return {
        "PAGERDUTY_TOKEN": rota.pagerduty_token,
        "GRAFANA_IRM_TOKEN": rota.grafana_token,
    }


def on_duty(rota: LocalRota, schedule: str, person: str) -> None:
    rota.rota.schedules[schedule].hand_over(person, time.time())


def threads(bench: Bench, having: str) -> list[str]:
    """Return what the bot said in threads that has a word in it."""
    return [p.text for p in bench.posts() if p.thread_ts and having in p.text]


async def test_who_is_on_call_may_and_the_others_read_who_that_is(
    night: Bench, rota: LocalRota
) -> None:
    """Whoever it is now, and until when; the shift that follows counts at once."""
    await night.restart()
    assert night.sent == 1
    refused = (await night.ask("restart ml-prod trainer-7", user="carol")).text
    assert f"oncall:primary ({ANN} until " in refused
    assert "UTC" in refused
    for question in ("can ml-prod trainer-7", "status ml-prod trainer-7"):
        said = (await night.ask(question, user="carol")).text
        assert ANN in said
        assert "until " in said

    on_duty(rota, "P1", "PCAROL")
    refused = (await night.ask("restart ml-prod trainer-7")).text
    assert f"oncall:primary ({CAROL} until " in refused
    answer = await night.ask("restart ml-prod trainer-7", user="carol")
    assert (await night.story(answer)).state is State.READY

    known = {**_secrets(night.slack, night.cloud), **tokens(rota)}
    told = await explain(*load(night.path, known), "U0BOB", "ml-prod", "gated-1", None)
    assert "oncall:secondary (U0BOB until " in told.as_text()
    assert told.as_json()["approval"]["then"] == [
        {"after_s": 300.0, "by": ["oncall:third"]}
    ]


async def test_each_trouble_with_a_line_refuses_in_its_own_words(
    night: Bench, rota: LocalRota
) -> None:
    """They name the line, the source and who still can; who is named may go on."""

    async def refused(box: str = "trainer-7", user: str = "ann") -> str:
        said = (await night.ask(f"restart ml-prod {box} stuck", user=user)).text
        assert "primary" in said or "secondary" in said
        assert "PagerDuty" in said
        assert "Who still can" in said
        return said

    on_duty(rota, "P1", "")
    said = await refused()
    assert "Nobody is on call on the line “primary” now, says PagerDuty." in said
    assert DAVE in said
    on_duty(rota, "P1", "PHUGO")
    said = await refused()
    assert "says PagerDuty, is “Hugo”, and the configuration does not say who" in said
    rota.faults.every = 401
    assert "refused" in await refused()
    rota.faults.every = 500
    said = await refused("gated-1", user="bob")
    assert f"with --break-glass and a reason {GINA}" in said
    rota.faults.every, rota.faults.delay_s = 0, 60
    assert "did not answer" in await refused()
    may = await night.ask("restart ml-prod trainer-7", user="dave")
    assert (await night.story(may)).state is State.READY
    frozen = (await night.ask("freeze ml-prod 2h release")).text
    assert "did not answer" in frozen
    assert night.sent == 1


async def test_the_card_mentions_the_person_and_then_the_next_line(
    night: Bench, rota: LocalRota
) -> None:
    """At its time, once; a source that is away by then is said, and asked again."""
    card = await night.card()
    assert f"needed from {BOB} (on call until " in card.text
    await night.slack.click("carol", card, "approve")
    assert await night.wait_for(lambda: night.whispers("carol", "does not count"))
    rota.faults.every = 503
    passed(night, 301)
    await night.slack.click("dave", card, "approve")  # stirs it up
    await night.wait_for(lambda: threads(night, "I look again"))
    assert "Grafana (on-call line “third”)" in threads(night, "I look again")[0]
    rota.faults.every = 0
    (asked,) = await night.wait_for(lambda: threads(night, "nobody has decided"))
    assert f"{CAROL} (on call " in asked.partition("you may approve")[0]
    await night.slack.click("dave", card, "approve")
    await night.slack.click("carol", card, "approve")
    assert (await night.end_of_card(card)).state is State.READY
    assert len(threads(night, "nobody has decided")) == 1
    assert len(threads(night, "I look again")) == 1
    assert await night.ledger.verify() == []


async def test_the_dialogs_say_who_would_be_asked_now(night: Bench) -> None:
    """Before anything is sent: the rule, and the person on call as a mention."""
    await night.ask("restart ml-prod gated-1,trainer-7 stuck")
    (view,) = await night.wait_for(lambda: night.slack.views("ann"))
    assert "a second one agrees" in text_of(view)
    assert f"I would ask now: {BOB} (on call until " in text_of(view)
    listed = (await night.ask("list ml-prod", user="bob")).shown
    assert listed is not None
    row = next(each for each in listed.blocks if "gated-1" in str(each))
    await night.slack.click("bob", listed, "restart_dialog", block_id=row["block_id"])
    (view,) = await night.wait_for(lambda: night.slack.views("bob"))
    assert "“a second one agrees”" in text_of(view)
    assert "I would ask now: the line `secondary` (nobody else on call now)" in text_of(
        view
    )
