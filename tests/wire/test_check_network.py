"""What ``check`` says of a network that is in the way, and what mends it."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from bot.cli.check import check_file
from bot.demo.alert_sender import free_port
from bot.demo.cloud_http import Fault, iam
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.seed_world import demo_world
from bot.demo.slack_server import LocalSlack
from tests.support.company_network import CompanyNetwork

SLACK, CLOUD = "slack.test", "cloud.test"


class Place:
    """A machine in a company's network, and what it asks over it."""

    def __init__(self, folder):
        self.folder = folder
        self.slack, self.cloud = LocalSlack(), LocalModelArts(demo_world())
        self.network = CompanyNetwork(folder)
        self.environ = {}
        self.slack_url = f"https://{SLACK}/api/"
        self.cloud_url = f"https://{CLOUD}"

    async def __aenter__(self):
        await self.cloud.start()
        await self.slack.start()
        self.slack_port = int(self.slack.url.rpartition(":")[2])
        await self.network.__aenter__()
        await self.network.publish(SLACK, self.slack_port)
        await self.network.publish(CLOUD, self.cloud.port)
        self.slack.url = f"https://{SLACK}"
        self.environ = {
            "HTTPS_PROXY": f"127.0.0.1:{self.network.port}",
            "SSL_CERT_FILE": str(self.network.authority.file),
        }
        return self

    async def __aexit__(self, *error):
        await self.network.__aexit__(*error)
        await self.slack.close()
        await self.cloud.close()

    async def check(self):
        """Return the lines of ``check``, without those that are about rules."""
        login = self.cloud.world.login
        path = self.folder / "bot.toml"
        path.write_text(
            f"""
database = "sqlite:///{self.folder}/bot.db"
[slack]
api_url = "{self.slack_url}"
[cloud]
iam_url = "{self.cloud_url}/v3"
modelarts_url = "{self.cloud_url}"
[projects.ml-prod]
id = "{self.cloud.world.projects[0].id}"
[[rules]]
name = "anybody"
who = ["*"]
""",
            "utf-8",
        )
        environ = {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "OS_USERNAME": login.user,
            "OS_PASSWORD": login.password,
            "OS_USER_DOMAIN_NAME": login.domain,
            **self.environ,
        }
        found = check_file(path, environ, offline=False)
        return [str(one) async for one in found]


@pytest.fixture
async def place(tmp_path):
    """Return a machine behind a proxy, before which all is well."""
    async with Place(tmp_path) as place:
        yield place


def line_of(lines, begin):
    """Return the one line that begins so."""
    (line,) = [line for line in lines if line.startswith(begin)]
    return line


async def test_all_is_well_behind_a_proxy(place):
    """Behind a proxy that lets all through, every line is a ✓."""
    lines = await place.check()

    assert not [line for line in lines if line.startswith("✗")], lines
    assert "✓ the socket opens, and Slack says hello on it" in lines
    await place.slack.wait_for(lambda: not place.slack.connections)


def _unknown_authority(place):
    place.environ.pop("SSL_CERT_FILE")


def _status(status):
    def plant(place):
        place.network.status = status

    return plant


def _wants_login(place):
    place.network.login = "Basic Ym90OnB3"


def _down(place):
    place.environ["HTTPS_PROXY"] = f"http://user:s3cret@127.0.0.1:{free_port()}"


def _nowhere(place):
    place.environ["HTTPS_PROXY"] = ""
    place.slack_url = "https://slack.invalid/api/"
    place.cloud_url = "https://cloud.invalid"


def _lost_proxy(place):
    place.environ["HTTPS_PROXY"] = "http://proxy.invalid:3128"


async def _other_name(place):
    for name, port in ((SLACK, place.slack_port), (CLOUD, place.cloud.port)):
        await place.network.publish(name, port, shown_as="other.test")


async def _plain(place):
    """Where TLS is asked for something answers that speaks none."""
    for name, port in ((SLACK, place.slack_port), (CLOUD, place.cloud.port)):
        place.network.ports[name] = port


FAULTS = {
    "unknown authority": (_unknown_authority, "is not trusted here", "SSL_CERT_FILE"),
    "wrong name": (_other_name, "its certificate is for another name", "the address"),
    "no TLS": (_plain, "does not speak TLS", "mend the address"),
    "407": (_wants_login, "the proxy answered 407", "user:password@host:port"),
    "403": (_status(403), "the proxy answered 403", "let CONNECT through"),
    "502": (_status(502), "the proxy answered 502", "ask who runs the proxy"),
    "hanging": (_status(0), "it timed out", "HTTPS_PROXY"),
    "down": (_down, "the connection was refused", "port are right"),
    "no such proxy": (_lost_proxy, "the name does not resolve", "DNS"),
    "no such name": (_nowhere, "the name does not resolve", "DNS"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_in_the_way_is_said(place, fault, monkeypatch):
    """Of Slack and of the cloud's login alike ``check`` says what was in the way, whom
    it asked through which proxy, and what mends it; the proxy's password is not shown.
    """
    soon = aiohttp.ClientTimeout(total=15, connect=1)
    monkeypatch.setattr("bot.cli.check.TIMEOUT", soon)
    monkeypatch.setattr("bot.cloud.token_auth._LOGIN_TIMEOUT", 1.0)
    plant, said, remedy = FAULTS[fault]
    waiting = plant(place)
    if asyncio.iscoroutine(waiting):
        await waiting

    lines = await place.check()

    for begin, host in (
        ("✗ the bot token: Slack cannot be reached; nothing was sent.", "slack."),
        ("✗ the app token: Slack cannot be reached; nothing was sent.", "slack."),
        ("✗ ml-prod: the login failed: IAM, ", "cloud."),
    ):
        what, _, mend = line_of(lines, begin).partition(" → ")
        assert said in what
        assert remedy in mend
        assert f"asked was {host}" in what
        proxy = place.environ["HTTPS_PROXY"].rpartition("@")[2].rpartition("/")[2]
        assert f"through the proxy {proxy} (HTTPS_PROXY)" in what or not proxy
    assert "s3cret" not in "".join(lines)


async def test_something_else_answers(place):
    """Where a page of the network answers in Slack's place ``check`` says so."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", _please_log_in)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await place.network.publish(SLACK, runner.addresses[0][1])

    line = line_of(await place.check(), "✗ the bot token: ")
    await runner.cleanup()

    assert f"asked was {SLACK} through the proxy" in line
    assert "what came is no answer of the Web API" in line
    assert "what answers in Slack's place" in line


async def _please_log_in(_):
    return web.Response(text="<h1>Please log in</h1>", content_type="text/html")


async def test_iam_speaks_for_itself(place):
    """IAM's own words are told to who runs ``check``, without any secret in them."""
    word = place.cloud.world.login.password
    message = f"The password is expired, {word}."
    place.cloud.faults.plant("login", Fault(reply=iam(401, message, "Unauthorized")))

    line = line_of(await place.check(), "✗ ml-prod: the login failed: IAM refused")

    assert "IAM says “The password is expired, (hidden).”" in line


async def test_a_modelarts_that_hangs(place, monkeypatch):
    """A ModelArts that does not answer in time is said to have timed out."""
    monkeypatch.setattr("bot.cloud.client._READ_S", 0.5)
    place.cloud.faults.plant("read", Fault(delay_s=5))

    line = line_of(await place.check(), "✗ ml-prod: ")

    assert "it timed out" in line
    assert f"asked was {CLOUD} through the proxy" in line


async def test_a_proxy_that_lets_no_socket_through(place):
    """Where the Web API gets through and the WebSocket does not, the socket's own line
    says so; its ticket is not shown.
    """
    app = web.Application()  # it knows no WebSocket
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await place.network.publish("wss.test", runner.addresses[0][1])
    opened = place.slack.sockets.open
    place.slack.sockets.open = lambda _: opened("https://wss.test")

    lines = await place.check()
    await runner.cleanup()

    assert line_of(lines, "✓ the app token opens a socket")
    line = line_of(lines, "✗ the socket, wss.test through the proxy ")
    assert "HTTP 404, not with a WebSocket → ask who runs the network" in line
    assert "ticket" not in line


async def test_a_socket_behind_what_the_proxy_refuses(place):
    """A proxy that does not know the socket's host is named with its status."""
    opened = place.slack.sockets.open
    place.slack.sockets.open = lambda _: opened("https://unknown.test")

    line = line_of(await place.check(), "✗ the socket, unknown.test through the proxy ")

    assert "does not open: the proxy answered 502 → ask who runs the proxy" in line
