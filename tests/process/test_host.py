"""What the host does to the bot: its clock jumps, its disk can only be read."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from bot.demo.alert_sender import free_port
from bot.model import State
from tests.process.test_crash import BOX, GATED, Case
from tests.support.processes import Site, count, until
from tests.support.troubled import AHEAD, BACK, READ_ONLY, WRITABLE

pytestmark = pytest.mark.process

JUMPS = pytest.mark.parametrize("jump", [AHEAD, BACK], ids=["ahead", "back"])


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Return both far sides with a database; no bot runs yet."""
    async with Site(tmp_path) as ready:
        yield ready


# --- the clock ------------------------------------------------------------------------


@JUMPS
async def test_a_clock_that_jumps_while_it_reboots(site: Site, jump: signal.Signals):
    """The end is told once and not early, with the time that really passed."""
    bot = await site.start(module="tests.support.troubled")
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)

    bot.send(jump)
    site.finish_reboot(BOX)

    assert await count(site, delivery, BOX) == Case("").expected()
    record = await site.record(delivery)
    assert record is not None
    assert record.duration_s is not None
    assert 0 < record.duration_s < 60
    assert await site.ledger.verify() == []


async def test_a_clock_put_back_while_a_lead_is_awaited(site: Site):
    """A request goes on waiting; who approves it then restarts it once."""
    bot = await site.start(module="tests.support.troubled")
    delivery = await site.ask(GATED)
    await until(site.open_cards)

    bot.send(BACK)
    await site.approve()
    await site.seen_rebooting(GATED)
    site.finish_reboot(GATED)

    assert await count(site, delivery, GATED) == Case("", GATED).expected()


async def test_a_clock_put_ahead_of_an_approvals_end(site: Site):
    """An approval that comes after its time by the clock counts for nothing."""
    bot = await site.start(module="tests.support.troubled")
    delivery = await site.ask(GATED)
    await until(site.open_cards)

    bot.send(AHEAD)
    await site.approve()

    record = await site.told(delivery)
    assert record.state is State.EXPIRED
    assert site.posts(GATED) == 0
    assert site.open_cards() == []


@JUMPS
async def test_a_clock_that_jumped_while_nobody_ran(site: Site, jump: signal.Signals):
    """A bot that comes back at another time sends nothing again and tells an end."""
    first = await site.start(module="tests.support.troubled")
    first.send(jump)
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    await first.kill()

    site.finish_reboot(BOX)
    await site.start()

    assert await count(site, delivery, BOX) == Case("").expected()


async def test_a_clock_that_jumped_does_not_end_a_restart(site: Site):
    """A bot that thinks the time is long over looks for a while before it gives up."""
    first = await site.start(module="tests.support.troubled")
    first.send(BACK)
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    await first.kill()

    begun = time.time()
    await site.start()
    await site.seen_rebooting(BOX, begun)
    site.finish_reboot(BOX)

    assert await count(site, delivery, BOX) == Case("").expected()


# --- the disk -------------------------------------------------------------------------


async def test_a_database_that_becomes_read_only(site: Site):
    """Meanwhile nothing is taken on or sent; afterwards it all goes on as it was."""
    bot = await site.start(module="tests.support.troubled")
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)

    bot.send(READ_ONLY)
    refused = await site.ask("other")
    assert "could not record" in refused.text
    site.finish_reboot(BOX)
    waits = "waiting for the database"
    await until(lambda: any(waits in word for word in bot.words), what=waits)
    assert site.posts("other") == 0
    bot.send(WRITABLE)

    assert await count(site, delivery, BOX) == Case("").expected()
    assert await site.record(refused) is None
    again = await site.ask("other")
    await site.seen_rebooting("other")
    site.finish_reboot("other")
    assert await count(site, again, "other") == Case("", "other").expected()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of our own, which can be mounted anew."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = _mount("-t", "tmpfs", "tmpfs", str(folder))
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _mount(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mount", *words], check=False, capture_output=True, text=True
    )


async def test_a_bot_on_a_read_only_disk_does_not_start(disk: Path, tmp_path: Path):
    """It says in one sentence what cannot be written, and leaves."""
    async with Site(tmp_path, database=f"sqlite:///{disk}/bot.db") as site:
        first = await site.start()
        await first.kill()
        assert _mount("-o", "remount,ro", str(disk)).returncode == 0

        second = await site.start(wait=False)

        assert await second.ended() == 2
        (sentence,) = second.words
        assert "cannot be written" in sentence


# --- the start ------------------------------------------------------------------------


async def test_health_is_served_while_slack_is_waited_for(site: Site):
    """A bot that starts while Slack is down lives, and is not ready."""
    port = free_port()
    told = site.config.read_text(encoding="utf-8")
    server = f'[server]\nlisten = "127.0.0.1:{port}"\n[slack]\n'
    site.config.write_text(told.replace("[slack]\n", server), encoding="utf-8")
    site.slack.fail("auth.test", count=4, status=503)
    bot = await site.start(wait=False)

    async def asked(path: str) -> int:
        async with httpx.AsyncClient() as http:
            try:
                answer = await http.get(f"http://127.0.0.1:{port}{path}")
            except httpx.TransportError:
                return 0
        return answer.status_code

    async def answers(path: str, status: int) -> bool:
        return await asked(path) == status

    await until(lambda: answers("/livez", 200))
    assert await asked("/readyz") == 503
    await bot.up()
    await until(lambda: answers("/readyz", 200))


async def test_a_port_that_slack_cannot_have_is_one_sentence(site: Site):
    """Whoever gives the bot an address that is taken reads so, without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = site.config.read_text(encoding="utf-8")
        listen = f'mode = "http"\nlisten = "127.0.0.1:{taken.getsockname()[1]}"\n'
        site.config.write_text(told.replace("[slack]\n", f"[slack]\n{listen}"), "utf-8")
        bot = await site.start(wait=False, SLACK_SIGNING_SECRET="0123456789abcdef")

        assert await bot.ended() == 1

    assert not any("Traceback" in word for word in bot.words)
    assert "choose another address in [slack] listen" in bot.words[-1]


async def test_a_reload_asks_for_the_secrets_that_it_needs(site: Site):
    """A file that would need another login than the bot has changes nothing."""
    bot = await site.start()
    told = site.config.read_text(encoding="utf-8")
    key = '[projects.ml-prod]\nauth = "aksk"\n'
    site.config.write_text(told.replace("[projects.ml-prod]\n", key), encoding="utf-8")

    bot.send(signal.SIGHUP)

    await until(lambda: any("HUAWEICLOUD_SDK_AK" in word for word in bot.words))
    delivery = await site.ask(BOX)
    await site.seen_rebooting(BOX)
    site.finish_reboot(BOX)
    assert await count(site, delivery, BOX) == Case("").expected()
