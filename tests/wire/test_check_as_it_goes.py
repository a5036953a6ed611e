"""What somebody who waits for ``mlstudio-bot check`` may rely on."""

import asyncio
import socket
import time

import pytest

from bot.cli.check import check_file, instances
from bot.demo.cloud_http import Fault, gateway
from bot.demo.seed_world import demo_world
from bot.telemetry.health import Health
from bot.telemetry.metrics import Metrics
from tests.wire.test_check import ENVIRON, GOOD_RULE, cloud, run, slack

__all__ = ["cloud", "run", "slack"]  # the fixtures

NOTEBOOKS = next(one for one in demo_world().projects if one.discover)
NONE = "{:08}-1111-2222-3333-444444444444"  # the id of no instance


def whats(lines, *, ok):
    """Return what was looked at and came out so."""
    return [line.what for line in lines if line.ok is ok]


def aliases(number):
    """Return as many aliases of nothing."""
    return "\n".join(f'a{n} = "{NONE.format(n)}"' for n in range(number))


@pytest.fixture
async def file(run, tmp_path):
    """Return a function that checks the usual file with something replaced."""
    await run()
    path = tmp_path / "mlstudio-bot.toml"
    usual = path.read_text("utf-8")

    def check(old="", new="", environ=ENVIRON, limit=60, **how):
        text = usual.replace("[cloud]\n", f"[cloud]\ncalls_per_minute = {limit}\n")
        path.write_text(text.replace(old, new, 1) if old else text, "utf-8")
        return check_file(path, environ, offline=False, **how)

    return check


async def test_each_line_comes_when_it_is_known(file, monkeypatch):
    """Nobody waits for an instance that answers late to read of the others, and what is
    waited for is told.
    """
    heard, held, read = [], asyncio.Event(), instances.Instances._read

    async def late(self, target):
        if target.instance == "trainer-7":
            await held.wait()
        return await read(self, target)

    monkeypatch.setattr(instances.Instances, "_read", late)
    said = []

    async with asyncio.timeout(30):
        more = f"{aliases(3)}\n{GOOD_RULE}"
        async for line in file(GOOD_RULE, more, asking=heard.append):
            said.append(line.what)
            if len([one for one in said if one.startswith("ml-prod/a")]) == 3:
                held.set()

    (place,) = [n for n, one in enumerate(said) if one.startswith("ml-prod/trainer-7")]
    assert len([one for one in said[:place] if one.startswith("ml-prod/a")]) == 3
    assert {"Slack", "the database", "ml-prod: the login"} <= set(heard)
    assert "ml-prod: 3 of 4 instances" in heard


async def test_many_aliases_wait_for_no_limit_of_the_bots(file):
    """However few calls a minute the bot may make, the check is through in seconds."""
    began = time.monotonic()
    named = "[projects.ml-prod.instances]\n"

    lines = [one async for one in file(named, f"{named}{aliases(50)}\n", limit=1)]

    assert len([w for w in whats(lines, ok=False) if w.startswith("ml-prod/a")]) == 50
    assert time.monotonic() - began < 30


async def test_a_cloud_that_asks_to_wait_is_waited_for(file, cloud, monkeypatch):
    """Where the cloud has a limit of its own, an instance is asked for again."""
    monkeypatch.setattr(instances, "READ_WAITS_S", (0.01, 0.01))
    throttled = Fault(reply=gateway(429, "APIGW.0308", "Throttled."))
    await anext(file())
    heard = []

    def plant(what):
        heard.append(what)
        if what == "ml-prod: 0 of 1 instance":
            cloud.faults.plant("read", throttled, times=2)

    lines = [one async for one in file(asking=plant)]

    assert "ml-prod/trainer-7 is ACTIVE (kind studio)" in whats(lines, ok=True)
    assert len([one for one in heard if "asks us to wait" in one]) == 2


async def test_notebooks_are_looked_up_in_their_list(file, cloud):
    """Many notebooks cost one list, not a read each; what it lacks is read."""
    project = f"""
[projects.ml-nb]
id = "{NOTEBOOKS.id}"
kind = "notebook"
[projects.ml-nb.instances]
"""
    boxes = [f'n{n} = "{one.id}"\n' for n, one in enumerate(NOTEBOOKS.notebooks)]
    text = f'{project}{"".join(boxes)}gone = "{NONE.format(1)}"\n{GOOD_RULE}'
    before = len(cloud.calls)

    lines = [one async for one in file(GOOD_RULE, text)]

    seen = [what for what in whats(lines, ok=True) if "(kind notebook)" in what]
    assert len(seen) == len(boxes)
    (gone,) = whats(lines, ok=False)
    assert gone.startswith("ml-nb/gone: ")
    kinds = [call.kind for call in cloud.calls][before:]
    assert kinds.count("list") == 1
    # Each of two projects is proven; trainer-7; what the list lacks, as both kinds.
    assert kinds.count("read") == 2 + 1 + 2


async def test_behind_a_refused_token_all_is_listed(file):
    """What could not be asked because of it is not passed over in silence."""
    environ = ENVIRON | {"SLACK_BOT_TOKEN": "xoxb-0", "SLACK_APP_TOKEN": "xapp-0"}

    lines = [one async for one in file(environ=environ)]

    assert set(whats(lines, ok=None)) >= {
        "scope users:read was not asked",
        "the socket to Slack was not asked",
        "user U0ANN was not asked",
        "user group @ml-leads was not asked",
        "rule “on call”: who could approve was not looked up",
    }
    assert all(
        one.remedy.startswith("not checked: ") for one in lines if one.ok is None
    )


async def test_behind_a_refused_login_all_is_listed(file):
    """No instance was looked at, so nothing is said of whose they are, either."""
    owners = f'[owners]\nann = "U0LEE"\n{GOOD_RULE}'
    environ = ENVIRON | {"OS_PASSWORD": "wr0ng-word"}

    lines = [one async for one in file(GOOD_RULE, owners, environ)]

    assert whats(lines, ok=None) == [
        "ml-prod: ModelArts was not asked",
        "ml-prod/trainer-7 was not asked",
        "whose the instances are was not asked",
    ]
    assert not [what for what in whats(lines, ok=True) if "[owners]" in what]


async def test_behind_a_missing_scope_its_people_are_listed(file, slack):
    """The scope is the ✗, not each of those who cannot be looked up without it."""
    slack.scopes = "commands,chat:write"

    lines = [one async for one in file()]

    assert whats(lines, ok=False) == [
        "scope usergroups:read is missing",
        "scope users:read is missing",
    ]
    assert {"user U0ANN was not asked", "user group @ml-oncall was not asked"} <= set(
        whats(lines, ok=None)
    )


# --- where the bot listens -----------------------------------------------------------

SERVED = '[server]\nlisten = "127.0.0.1:{}"\n[slack]\n'


async def test_a_port_that_is_free(file):
    """An address that the bot can have is a ✓, and stays free."""
    for _ in range(2):
        lines = [one async for one in file("[slack]\n", SERVED.format(0))]
        assert "[server] listen: 127.0.0.1:0 is free" in whats(lines, ok=True)


async def test_a_port_that_somebody_has(file):
    """The ✗ names the address, and the usual reason for which all is well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lines = [one async for one in file("[slack]\n", SERVED.format(port))]

    (line,) = [one for one in lines if one.what.startswith("[server] listen")]
    assert line.ok is False
    assert f"cannot listen on 127.0.0.1:{port} (address already in use)" in line.what
    assert "if it is the bot with this very file" in line.remedy


async def test_a_port_that_a_running_bot_has(file):
    """A bot that answers there is no fault."""
    health = Health({}, Metrics())
    address = await health.start("127.0.0.1:0")
    port = address.rpartition(":")[2]

    lines = [one async for one in file("[slack]\n", SERVED.format(port))]
    await health.close()

    (line,) = [one for one in lines if one.what.startswith("[server] listen")]
    assert line.ok is None
    assert line.what.endswith(f"a bot that runs already listens on {address}")


async def test_an_address_of_another_host(file):
    """An address that this host does not have is said to be none of its own."""
    text = SERVED.replace("127.0.0.1", "203.0.113.9").format(8080)

    lines = [one async for one in file("[slack]\n", text)]

    (wrong,) = whats(lines, ok=False)
    assert "203.0.113.9:8080 (cannot assign requested address)" in wrong
