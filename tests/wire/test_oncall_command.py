"""Every full member may ask who is on call, and learns it in private."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.demo.rota import Rota, RotaPerson, Schedule, Shift
from bot.demo.rota_server import LocalRota
from bot.oncall.rotas import ROTA_WITHIN_S
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import ANN, CAROL, GATES, OPEN, Bench, text_of

ENDS = 4_102_444_800.0  # 2100-01-01 00:00 UTC
NASTY = "<!channel> *Hugo*"


def lines(rota: LocalRota) -> str:
    """Return the tables of the lines."""
    return f"""
[oncall.primary]
source = "pagerduty"
schedule = ["P1"]
url = "{rota.url}"
people = {{ PANN = "U0ANN" }}

[oncall.secondary]
source = "grafana"
schedule = "P2"
url = "{rota.grafana_url}"
stack = "{rota.stack}"
people = {{ PANN = "U0ANN" }}

[oncall.empty]
source = "pagerduty"
schedule = "P3"
url = "{rota.url}"

[oncall.gone]
source = "pagerduty"
schedule = "PNONE"
url = "{rota.url}"
"""


@pytest_asyncio.fixture
async def rota() -> AsyncIterator[LocalRota]:
    people = (
        RotaPerson("PANN", "Ann Okafor"),
        RotaPerson("PCAROL", "Carol Ferrante", ("U0CAROL", "T0HOME")),
        RotaPerson("PHUGO", NASTY),
    )
    schedules = (
        Schedule("P1", "one", [Shift("PANN", 0.0, ENDS), Shift("PHUGO", 0.0)]),
        Schedule("P2", "two", [Shift("PCAROL", 0.0)]),
        Schedule("P3", "three"),
    )
    server = LocalRota(
        Rota({one.id: one for one in people}, {one.id: one for one in schedules})
    )
    await server.start()
    yield server
    await server.close()


async def made(make_bench: MakeBench, rota: LocalRota) -> Bench:
    """Return a bench whose bot knows the lines of *rota*."""
    return await make_bench(
        rules=lines(rota) + GATES + OPEN,
        environ={
            "PAGERDUTY_TOKEN": rota.pagerduty_token,
            "GRAFANA_IRM_TOKEN": rota.grafana_token,
        },
    )


async def test_who_is_on_call_is_told_line_by_line(
    make_bench: MakeBench, rota: LocalRota
) -> None:
    """As mentions, with the end of the shift; whom the map does not know by a name
    that can do no harm; nobody, and what cannot be read, are said to be so.
    """
    bench = await made(make_bench, rota)

    answer = await bench.ask("oncall", user="dave")

    (primary, secondary, empty, gone) = answer.text.splitlines()[1:]
    until = "until <!date^4102444800^"
    assert primary.startswith(f"primary (PagerDuty): {ANN} {until}")
    assert "and &lt;!channel&gt; *Hugo* (not in the map of people)." in primary
    assert secondary.startswith(f"secondary (Grafana): {CAROL} at least until <!date^")
    assert empty == "empty (PagerDuty): nobody is on call."
    assert "PagerDuty (on-call line “gone”) knows no schedule PNONE" in gone
    assert NASTY not in text_of(answer)
    assert bench.posts() == []

    rota.rota.schedules["P1"].hand_over("PANN", 1.0)
    rota.forms = set()
    again = (await bench.ask("OnCall")).text
    assert "Hugo" not in again
    assert "Grafana (on-call line “secondary”) refused the bot's token" in again


async def test_it_is_answered_in_time_while_the_source_is_slow(
    make_bench: MakeBench, rota: LocalRota, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that does not answer is said to be so within Slack's 3 seconds."""
    monkeypatch.setattr("bot.oncall.rotas.ROTA_WITHIN_S", ROTA_WITHIN_S)
    bench = await made(make_bench, rota)
    rota.faults.delay_s = 60

    answer = await bench.ask("oncall")

    assert answer.text.count("did not answer within 1.1 s.") == 4


async def test_a_guest_learns_no_line(make_bench: MakeBench, rota: LocalRota) -> None:
    """Who is not a full member is refused, and nobody is asked for him; and without
    a line there is nothing to be asked.
    """
    bench = await made(make_bench, rota)

    refused = (await bench.ask("oncall", user="erin")).text
    odd = (await bench.ask("oncall primary")).text

    assert "Guests" in refused
    assert "primary" not in refused
    assert "one too many" in odd
    assert rota.calls == []


async def test_a_reload_brings_new_lines(
    make_bench: MakeBench, rota: LocalRota
) -> None:
    """Lines are read anew with the rules; without any there is a sentence."""
    bench = await make_bench(environ={"PAGERDUTY_TOKEN": rota.pagerduty_token})
    assert "no line of on-call" in (await bench.ask("oncall")).text
    table = lines(rota).partition("[oncall.secondary]")[0]
    bench.path.write_text(bench.path.read_text("utf-8") + table, "utf-8")

    bench.bot.reload()

    assert f"primary (PagerDuty): {ANN}" in (await bench.ask("oncall")).text
