"""``demo --once`` plays one command in the terminal and exits as it has ended."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from bot.demo import cli
from bot.demo.supervisor import Stage
from tests.support.fork_server import ROOT, environment
from tests.support.processes import typed

pytestmark = pytest.mark.process

NOTHING = (
    ("/mlstudio restart ml-prod no-such-box", "There is no instance"),
    ("/mlstudio restrat ml-prod trainer-7", "Did you mean"),
    ("/mlstudio restart", "name project and instance"),
)


async def test_one_that_needs_approval_is_played_to_its_end():
    """The request stands before the click, behind whatever proxy, and it ends ready."""
    environ = {**environment(), "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    text = "/mlstudio restart ml-prod gated-1 stuck"
    code, said, wrong = await typed(ROOT, "demo", "--once", text, **environ)

    assert code == 0, said + wrong
    assert "ACTIVE → REBOOTING" in said
    asked, clicked = (
        said.index("Waits for approval: restart gated-1?"),
        said.index("clicks Approve"),
    )
    assert asked < clicked < said.index("is ready")


async def test_what_restarts_nothing_fails_without_waiting(monkeypatch, capsys):
    """What cannot end with a ready instance says so, and is exit 1 at once."""
    monkeypatch.setattr(cli, "APPEAR_WITHIN_S", 3600.0)  # who waits for it is late
    async with Stage() as stage:
        await stage.start_bot()
        for text, words in NOTHING:
            async with asyncio.timeout(60):
                assert await cli._Script(stage).play(text) == 1, text
            assert words in capsys.readouterr().out


async def test_who_is_early_waits_for_the_bot():
    """A command from the page that is sent while the bot still starts is taken."""
    said = {"user": "U0ANN", "channel": "C0INCIDENTS", "text": "/mlstudio help"}
    async with Stage() as stage, aiohttp.ClientSession() as http:
        early = asyncio.create_task(
            http.post(f"{stage.slack.url}/ui/command", json=said)
        )
        await stage.start_bot()
        async with await early as answer:
            assert await answer.json() == {"ok": True}
