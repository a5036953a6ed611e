"""What an operator learns of the lines of on-call before a deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
import pytest_asyncio

from bot.cli.check import check_file
from bot.cli.check.line import Line, unheard
from bot.cli.check.oncall import on_call_lines
from bot.config import Secrets, validate
from bot.demo.rota import Rota, RotaPerson, Schedule, Shift
from bot.demo.rota_server import LocalRota
from bot.demo.slack_server import LocalSlack
from bot.network import DIRECT

ENDS = 4_102_444_800.0  # 2100-01-01 00:00 UTC
PRIMARY = "on-call line primary (PagerDuty)"
CLOUD = {"iam_url": "https://i/v3", "modelarts_url": "https://m"}


@attrs.define
class World:
    """Slack, a rota and the lines that are checked."""

    slack: LocalSlack
    rota: LocalRota
    lines: dict[str, dict[str, Any]]

    async def check(self, **secrets: str) -> list[str]:
        """Return what is said of the lines, as it is printed."""
        tokens = {
            "slack_bot_token": self.slack.bot_token,
            "pagerduty_token": self.rota.pagerduty_token,
            "grafana_irm_token": self.rota.grafana_token,
        }
        settings = validate(
            {
                "slack": {"api_url": self.slack.api_url},
                "cloud": CLOUD,
                "projects": {"x": {"id": "abc"}},
                "oncall": self.lines,
            }
        )
        known = Secrets.model_validate({**tokens, **secrets})
        lines: list[Line] = [
            line async for line in on_call_lines(settings, known, DIRECT, unheard)
        ]
        assert all(line.remedy for line in lines if not line.ok)
        return list(map(str, lines))


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    people = (
        RotaPerson("PANN", "Ann Okafor"),
        RotaPerson("PGINA", "gina SATO"),
        RotaPerson("PHUGO", "Hugo Stein"),
    )
    shifts = [Shift("PANN", 0.0, ENDS), Shift("PGINA", ENDS), Shift("PHUGO", ENDS)]
    rota = LocalRota(
        Rota(
            {one.id: one for one in people},
            {"P1": Schedule("P1", "one", shifts), "P2": Schedule("P2", "two")},
        )
    )
    slack = LocalSlack()
    await rota.start()
    await slack.start()
    pagerduty = {
        "source": "pagerduty",
        "schedule": "P1",
        "url": rota.url,
        "people": {"PANN": "U0ANN", "PGINA": "U0GINA", "PHUGO": "U0CAROL"},
    }
    yield World(slack, rota, {"primary": pagerduty})
    await slack.close()
    await rota.close()


async def test_a_line_that_is_well_says_who_is_on_call(world: World) -> None:
    """One ✓ with the person, his id in Slack and the end of his shift, by either."""
    world.lines["irm"] = {
        "source": "grafana",
        "schedule": "P2",
        "url": world.rota.grafana_url,
        "stack": world.rota.stack,
    }

    assert await world.check() == [
        f"✓ {PRIMARY}: now Ann Okafor (U0ANN) until 2100-01-01 00:00 UTC",
        "✓ on-call line irm (Grafana): now nobody",
    ]
    world.rota.rota.schedules["P1"].upgraded = True
    assert (await world.check())[0].startswith("✓ on-call line primary")


async def test_whom_the_map_does_not_know_is_proposed_by_equal_name(
    world: World,
) -> None:
    """Who is on call and unknown is ✗, who will be is a warning; the name in Slack
    is a proposal, for a person to judge.
    """
    world.lines["primary"]["people"] = {}

    lines = await world.check()

    people = "[oncall.primary.people]"
    same = "in Slack is the same person"
    ann, gina, hugo = lines[1:]
    assert ann.startswith(f"✗ {PRIMARY}: Ann Okafor (PANN) is on call, and is not in")
    assert ann.endswith(f'→ add PANN = "U0ANN" to {people}, if Ann Okafor {same}')
    assert gina.startswith(f"– {PRIMARY}: gina SATO (PGINA) will be on call, and is")
    assert gina.endswith(f'→ add PGINA = "U0GINA" to {people}, if gina SATO {same}')
    assert hugo.endswith(f'→ add PHUGO = "U…", the id in Slack, to {people}')


async def test_a_schedule_that_no_policy_uses_is_a_warning(world: World) -> None:
    """PagerDuty names nobody on such a schedule, which looks like a gap."""
    world.rota.rota.schedules["P1"].policies = ()

    nobody, loose = await world.check()

    assert nobody.endswith("now nobody")
    assert loose.startswith("– on-call line primary (PagerDuty): no escalation policy")
    assert "schedule P1" in loose


async def test_somebody_in_the_map_who_may_not_act_is_found(world: World) -> None:
    """A guest, or an id that is nobody's, gets past no rule by being on call."""
    people = {"PANN": "U0ANN", "PGINA": "U0ERIN", "PHUGO": "U0NOBODY"}
    world.lines["primary"]["people"] = people

    _, erin, nobody = await world.check()

    assert "U0ERIN (erin) is a guest" in erin
    assert "oncall.primary.people" in erin
    assert nobody.startswith("✗ user U0NOBODY")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": ["P1", "PNONE"]}, "knows no schedule P1, PNONE (404)"),
        ({"url": "http://127.0.0.1:1"}, "the connection was refused"),
    ],
)
async def test_a_line_that_cannot_be_read_is_one_cross(
    world: World, change: dict[str, Any], said: str
) -> None:
    """What is wrong with it, whom it asked, and what to do."""
    world.lines["primary"] |= change

    (line,) = await world.check()

    assert line.startswith("✗ on-call line primary (PagerDuty): ")
    assert said in line
    assert "asked was 127.0.0.1" in line


async def test_a_refused_token_names_its_remedy(world: World) -> None:
    """Whose token is wrong, and that another region may be its own."""
    (line,) = await world.check(pagerduty_token="another-key")

    assert "refused the bot's token (401)" in line
    assert 'region = "eu"' in line
    assert "another-key" not in line


async def test_what_cannot_be_asked_is_listed(world: World) -> None:
    """Without its token a line is not asked; without Slack's, it still is."""
    assert await world.check(pagerduty_token="") == [
        "– on-call line primary was not asked → not checked: set PAGERDUTY_TOKEN first"
    ]
    world.lines["primary"]["people"] = {}

    irm = {"source": "grafana", "schedule": "P1", "url": world.rota.grafana_url}
    world.lines["irm"] = {**irm, "stack": world.rota.stack}

    lines = await world.check(slack_bot_token="xoxb-wrong")

    assert lines[0].startswith("✓")
    assert 'add PANN = "U…", the id in Slack' in lines[1]
    assert lines[-1].startswith("✓ on-call line irm (Grafana): now Ann Okafor (unknown")


async def test_offline_every_line_is_listed_as_not_asked(
    world: World, tmp_path: Any
) -> None:
    """``--offline`` asks nobody, and says so of each line."""
    path = tmp_path / "bot.toml"
    path.write_text(
        '[cloud]\niam_url = "https://i/v3"\nmodelarts_url = "https://m"\n'
        '[projects.x]\nid = "abc"\n'
        f'[oncall.primary]\nsource = "pagerduty"\nschedule = "P1"\n'
        f'url = "{world.rota.url}"\n'
    )

    lines = [line async for line in check_file(path, {}, offline=True)]

    assert [str(line) for line in lines if "on-call" in line.what] == [
        "– on-call line primary was not asked → run the check without --offline"
    ]
    assert world.rota.calls == []
