"""What an orchestrator that probes the bot, and a scraper, may rely on."""

import asyncio
import socket
import time

import aiohttp
import pytest

from bot.telemetry.health import Health
from bot.telemetry.metrics import CONTENT_TYPE, Metrics


async def _yes():
    return True


async def _no():
    return False


async def _broken():
    raise ConnectionError("gone")


async def _hangs():
    await asyncio.Event().wait()


@pytest.fixture
async def served():
    """Return a function that serves a Health and gives it with a client for it."""
    started = []

    async def start(checks=None, **how):
        health = Health(checks or {}, Metrics(), **how)
        address = await health.start("127.0.0.1:0")
        client = aiohttp.ClientSession(f"http://{address}")
        started.append((health, client))
        return health, client

    yield start
    for health, client in started:
        await client.close()
        await health.close()


async def _get(client, path):
    async with client.get(path) as answer:
        return answer.status, await answer.json()


async def test_ready_when_every_check_says_so(served):
    """The bot is ready while all its checks are good, and names them."""
    _, client = await served({"slack": _yes, "database": _yes})

    assert await _get(client, "/readyz") == (
        200,
        {
            "ready": True,
            "stopping": False,
            "checks": {"slack": True, "database": True},
        },
    )


@pytest.mark.parametrize("bad", [_no, _broken, _hangs])
async def test_not_ready_when_one_check_fails(served, bad):
    """One check that says no, raises or hangs ends readiness and is named."""
    _, client = await served({"slack": _yes, "database": bad}, limit_s=0.05)

    status, body = await _get(client, "/readyz")

    assert (status, body["ready"]) == (503, False)
    assert body["checks"] == {"slack": True, "database": False}


async def test_not_ready_while_stopping(served):
    """A bot that is stopping lives, but gets nothing new, whatever its checks say."""
    health, client = await served({"slack": _yes})

    health.stopping = True

    assert (await _get(client, "/readyz"))[0] == 503
    assert (await _get(client, "/livez"))[0] == 200


async def test_lives_until_the_watchdog_gives_up(served):
    """A bot that is not ready lives; one that only a restart can help does not."""
    health, client = await served({"slack": _no})

    assert await _get(client, "/livez") == (200, {"live": True})

    health.watchdog_gave_up = True

    assert await _get(client, "/livez") == (503, {"live": False})


async def test_many_probes_cost_one_look(served):
    """Probes that come together or soon after each other share one look."""
    looks, now = [], [0.0]

    async def counted():
        looks.append(now[0])
        return True

    _, client = await served({"database": counted}, clock=lambda: now[0])
    await asyncio.gather(*(_get(client, "/readyz") for _ in range(5)))
    now[0] = 0.9
    await _get(client, "/readyz")
    assert looks == [0.0]

    now[0] = 2.0
    await _get(client, "/readyz")

    assert looks == [0.0, 2.0]


async def test_a_recovered_check_is_seen(served):
    """Readiness comes back by itself when what failed works again."""
    state = {"up": False}

    async def up():
        return state["up"]

    _, client = await served({"slack": up}, fresh_s=0.0)
    assert (await _get(client, "/readyz"))[0] == 503

    state["up"] = True

    assert (await _get(client, "/readyz"))[0] == 200


async def test_figures_are_served(served):
    """/metrics is what the bot counted, in Prometheus' text format."""
    health, client = await served()
    health._metrics.break_glass.inc()

    async with client.get("/metrics") as answer:
        text = await answer.text()
        assert (answer.status, answer.headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert "mlstudio_break_glass_total 1.0" in text


async def test_a_busy_loop_shows(served):
    """Somebody who blocks the event loop can be seen in the figures."""
    health, _ = await served(lag_every_s=0.01)
    gauge = health._metrics.loop_lag
    seen, set_ = asyncio.Event(), gauge.set

    def note(value):
        set_(value)
        if value > 0.1:
            seen.set()

    gauge.set = note
    await asyncio.sleep(0)  # let the monitor begin its wait
    time.sleep(0.2)  # noqa: ASYNC251 blocking the loop is the point

    async with asyncio.timeout(5):
        await seen.wait()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/readyz", 405),
        ("HEAD", "/livez", 200),
        ("GET", "/", 404),
        ("POST", "/slack/events", 404),
        ("GET", "/livez?" + "x" * 3000, 400),
    ],
)
async def test_nothing_else_is_served(served, method, path, status):
    """Only GET, only three pages, only small requests; nothing of Slack's."""
    _, client = await served()

    async with client.request(method, path) as answer:
        assert answer.status == status


async def test_a_taken_port_is_an_error():
    """A second listener on the same address is refused, not silently missing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        health = Health({}, Metrics())

        with pytest.raises(OSError, match="in use"):
            await health.start(f"127.0.0.1:{taken.getsockname()[1]}")
        await health.close()


async def test_closed_means_closed(served):
    """After close nobody is answered, and closing again does no harm."""
    health, client = await served()

    await health.close()
    await health.close()

    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get("/livez")


async def test_other_checks_count_from_the_next_look_on(served):
    """A bot that waits for Slack at its start is unready until Slack is there."""

    async def no() -> bool:
        return False

    async def yes() -> bool:
        return True

    health, client = await served({"slack": no})
    async with client.get("/readyz") as answer:
        assert answer.status == 503
    async with client.get("/livez") as answer:
        assert answer.status == 200

    health.look_at({"slack": yes})

    async with client.get("/readyz") as answer:
        assert answer.status == 200
