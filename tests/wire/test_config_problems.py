"""What is wrong with the configuration of a bot that serves: logged, shown, counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bot.app import Bot
from bot.cli.check.serving import serving_lines
from bot.cli.check.slack import SCOPES
from bot.demo.alert_sender import free_port
from bot.demo.slack_server import LocalSlack
from tests.support import bot_world
from tests.support.bot_world import OPEN, Bench, benched

WRONG = """
[[rules]]
name = "old"
who = ["@ml-oncall", "@ghosts", "U0NOBODY"]
"""
RULES = f"{OPEN}{WRONG}"


class Served:
    """A bot whose pages are asked."""

    def __init__(self, bench: Bench, port: int) -> None:
        self.bench = bench
        self.url = f"http://127.0.0.1:{port}"

    async def page(self, path: str) -> tuple[int, str]:
        """Return status and text of a page."""
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def figure(self, name: str) -> float:
        """Return a figure."""
        _, text = await self.page("/metrics")
        lines = (line for line in text.splitlines() if line.startswith(name))
        return float(next(lines).split()[-1])

    async def problems(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """Return the problems as soon as they are as *wanted* and the bot is ready.

        It is not for the moment in which a socket that was dropped is opened again.
        """
        async with asyncio.timeout(30):
            while True:
                status, text = await self.page("/readyz")
                found = json.loads(text).get("problems", [])
                if status == 200 and wanted(found):
                    return found
                await asyncio.sleep(0.05)


@pytest.fixture
async def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """Return a bot that looks at itself, of whose configuration much is wrong."""
    monkeypatch.setattr(bot_world, "Bot", partial(Bot, look=serving_lines))
    port, slack = free_port(), LocalSlack(scopes=SCOPES)
    access = slack.api.access
    slack.api.access = replace(access, scopes=access.scopes - {"chat:write"})
    login = {"OS_PASSWORD": "wr0ng-word"}
    async with benched(
        tmp_path,
        rules=RULES,
        slack=slack,
        environ=login,
        head=f'server = {{ listen = "127.0.0.1:{port}" }}',
    ) as bench:
        yield Served(bench, port)


@asynccontextmanager
async def foreign_socket(slack: LocalSlack) -> AsyncIterator[None]:
    """Open a socket of the same app, as another bot with the same tokens does."""
    headers = {"Authorization": f"Bearer {slack.app_token}"}
    url = f"{slack.api_url}apps.connections.open"
    async with aiohttp.ClientSession() as http:
        async with http.post(url, headers=headers) as answer:
            link = (await answer.json())["url"]
        async with http.ws_connect(link):
            yield


async def test_a_bot_with_a_wrong_configuration(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """It serves, and says at once what ``check`` would: in the log, on /readyz, as a
    figure. After a reload it says what is new and what was solved; a bad file is told,
    and so is somebody else who has the same tokens.
    """
    bench = served.bench

    found = await served.problems(lambda found: len(found) >= 5)
    for part in (
        "scope chat:write is missing → add it",
        "user U0NOBODY",
        "user group @ghosts is unknown",
        "ml-prod: the login failed",
        "ml-dev: the login failed",
    ):
        assert [one for one in found if part in one], part
    assert "wr0ng-word" not in "".join(found)
    said = capsys.readouterr().out
    assert all(one.partition(" → ")[0] in said for one in found)
    kind = 'mlstudio_config_problems{source="configuration"}'
    assert await served.figure(kind) == len(found)
    assert await served.figure("mlstudio_config_reload_ok") == 1

    # A reload: one rule is mended, another names a group that does not exist.
    began = await served.figure("mlstudio_config_reload_timestamp_seconds")
    bench.write(RULES.replace("@ghosts", "@spooks"))
    bench.bot.reload()
    again = await served.problems(lambda found: "@spooks" in "".join(found))
    assert "@ghosts" not in "".join(again)
    assert await served.figure("mlstudio_config_reload_timestamp_seconds") > began

    # A bad file.
    bench.write(RULES.replace('who = ["@ml-oncall", "@ghosts"', "whom = ['"))
    bench.bot.reload()
    await served.problems(lambda found: "in force" in "".join(found))
    assert await served.figure("mlstudio_config_reload_ok") == 0
    bench.write(RULES)
    bench.bot.reload()
    await served.problems(lambda found: "in force" not in "".join(found))
    assert await served.figure("mlstudio_config_reload_ok") == 1


async def test_a_login_that_works_beside_a_cloud_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token comes from IAM: that ModelArts is somewhere else is seen all the same."""
    monkeypatch.setattr(bot_world, "Bot", partial(Bot, look=serving_lines))
    page, nobody = free_port(), f"http://127.0.0.1:{free_port()}"
    head = f'server = {{ listen = "127.0.0.1:{page}" }}'
    async with benched(tmp_path, rules=OPEN, head=head) as bench:
        text = bench.path.read_text("utf-8")
        own = f'[projects.ml-prod]\nmodelarts_url = "{nobody}"'
        bench.path.write_text(text.replace("[projects.ml-prod]", own), "utf-8")
        bench.bot.reload()

        wrong = f"ml-prod: The cloud cannot be reached at {nobody[7:]}"
        served = Served(bench, page)
        found = await served.problems(lambda found: wrong in "".join(found))

        assert "login failed" not in "".join(found)


async def test_another_bot_with_the_same_tokens(served: Served) -> None:
    """Slack's count of sockets gives it away: how many there are, how many are ours."""
    bench = served.bench
    assert await served.figure("mlstudio_slack_sockets ") == 1
    assert await served.figure("mlstudio_slack_sockets_expected") == 1

    async with foreign_socket(bench.slack):
        bench.slack.sockets.connections[0].drop()  # ours, which is opened again
        found = await served.problems(lambda found: "sockets" in "".join(found))
        (split,) = [one for one in found if "sockets" in one]
        assert split.startswith("Slack has 2 sockets of this app open and 1 expected")
        assert "this database knows 1 replica" in split
        assert await served.figure("mlstudio_slack_sockets ") == 2

    await bench.wait_for(lambda: len(bench.slack.sockets.connections) == 1)
    bench.slack.sockets.connections[0].drop()
    await served.problems(lambda found: "sockets" not in "".join(found))
