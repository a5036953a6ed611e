"""What somebody may rely on who reaches the world through a company's proxy."""

import asyncio
import os
from urllib.parse import quote

import pytest
from aiohttp import web

from bot.demo.modelarts_server import LocalModelArts
from bot.demo.slack_server import LocalSlack
from bot.errors import ConfigError
from bot.network import Network
from bot.telemetry.traces import SentTraces, traces_of
from tests.support.bot_world import benched
from tests.support.company_network import CompanyNetwork

SLACK, CLOUD = "slack.test", "cloud.test"


@pytest.fixture
async def network(tmp_path_factory):
    """Return a network whose proxy knows the names of tests."""
    async with CompanyNetwork(tmp_path_factory.mktemp("network")) as network:
        yield network


class NamedSlack(LocalSlack):
    """A Slack that its network knows by a name, and by TLS."""

    def __init__(self, network):
        super().__init__()
        self._network = network

    async def start(self, port=0):
        await super().start(port)
        await self._network.publish(SLACK, int(self.url.rpartition(":")[2]))
        self.url = f"https://{SLACK}"


@pytest.fixture
async def named_cloud(network, monkeypatch):
    """Let each local cloud have a name that the network leads to."""
    start = LocalModelArts.start

    async def named(self, port=0):
        await start(self, port)
        await network.publish(CLOUD, self.port)

    monkeypatch.setattr(LocalModelArts, "start", named)
    monkeypatch.setattr(LocalModelArts, "url", f"https://{CLOUD}")


@pytest.fixture
def inside(network, monkeypatch):
    """Return a function that sets what a machine in that network has set."""

    def inside(proxy="", **more):
        others = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
        for name in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", *others):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy or f"http://127.0.0.1:{network.port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(network.authority.file))
        for name, value in more.items():
            monkeypatch.setenv(name, value)

    return inside


@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_all_that_leaves_goes_through_the_proxy(
    network, inside, named_cloud, tmp_path, scheme
):
    """Calls of Slack, its socket, private answers by response_url, the login and
    ModelArts go through the proxy, and trust the company's authority; the proxy's
    address may be without a scheme, and its login goes along.
    """
    network.login = "Basic Ym90OnBAc3M="  # bot:p@ss
    inside(f"{scheme}bot:{quote('p@ss')}@127.0.0.1:{network.port}")

    async with benched(tmp_path, slack=NamedSlack(network)) as bench:
        await bench.restart()
        await bench.slack.click("ann", await bench.card(), "approve")  # may not
        hooks = await bench.wait_for(lambda: bench.slack.called("response_url"))

    assert set(network.asked) == {SLACK, CLOUD}
    assert {call.error for call in hooks} == {""}


async def test_traces_go_the_same_way(network, inside):
    """Spans reach a collector behind the proxy that the company's authority signed."""
    came = asyncio.Event()

    async def collect(_):
        came.set()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", collect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await network.publish("otel.test", runner.addresses[0][1])
    inside(OTEL_EXPORTER_OTLP_ENDPOINT="https://otel.test")

    traces = traces_of(os.environ)
    assert type(traces) is SentTraces  # else the extra is missing
    with traces.step("send", "377e0cbc06fa326413834e8ed5b875c5"):
        pass
    await traces.close()

    await asyncio.wait_for(came.wait(), 10)
    assert network.asked == ["otel.test"]
    await runner.cleanup()


def test_this_machine_needs_no_proxy():
    """This machine is never asked for through a proxy, whatever is set."""
    network = Network.of({"HTTPS_PROXY": "http://proxy.invalid:3128"})

    for url in ("http://127.0.0.1:1/", "ws://localhost:1/x", "https://[::1]:1/"):
        assert network.proxy_for(url) is None


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("slack.com", "https://slack.com/api/"),
        ("slack.com", "wss://wss-primary.slack.com/link"),
        (".slack.com", "https://hooks.slack.com/x"),
        ("*.slack.com", "https://hooks.slack.com/x"),
        ("a.example, slack.com:443", "https://slack.com/"),
        ("10.0.0.0/8 b.example", "https://10.1.2.3:8443/v3"),
        ("10.1.2.3", "https://10.1.2.3/"),
        ("*", "https://slack.com/"),
        ("SLACK.com", "https://Slack.com./"),
    ],
)
def test_no_proxy_is_heeded(exempt, url):
    """A host that NO_PROXY names, by itself, by its domain or by its network, is asked
    without the proxy.
    """
    found = {"https_proxy": "proxy.invalid:3128", "NO_PROXY": exempt}

    assert Network.of(found).proxy_for(url) is None


@pytest.mark.parametrize("exempt", ["", "lack.com", "slack.com:80", "10.0.0.0/8"])
def test_what_no_proxy_does_not_name(exempt):
    """Another host, or the same at another port, goes through the proxy."""
    found = {"HTTPS_PROXY": "proxy.invalid:3128", "NO_PROXY": exempt}
    there = Network.of(found).proxy_for("https://slack.com/")

    assert there == "http://proxy.invalid:3128"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"ALL_PROXY": "socks5h://u:s3cret@proxy:1"}, "ALL_PROXY: names a socks5h"),
        ({"HTTPS_PROXY": "http://127.0.0.1:port"}, "HTTPS_PROXY: must be the address"),
        ({"https_proxy": "http://:s3cret@"}, "https_proxy: must be the address"),
        ({"HTTPS_PROXY": "http://s3cret@host:0"}, "HTTPS_PROXY: must be the address"),
        ({"SSL_CERT_FILE": "/nope"}, "SSL_CERT_FILE: .*No such file"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE: .*cannot be used"),
        ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE: .*holds no certificate"),
        ({"SSL_CERT_DIR": "/nope"}, "SSL_CERT_DIR: must name a folder"),
    ],
)
def test_what_cannot_be_used_is_said(environ, said):
    """A proxy or a file of certificates that cannot be used is one sentence that names
    the variable and nothing that may be secret.
    """
    with pytest.raises(ConfigError, match=said) as caught:
        Network.of(environ)

    assert "s3cret" not in str(caught.value)


def test_a_proxy_that_does_not_count():
    """ALL_PROXY is not looked at where HTTPS_PROXY says what counts."""
    both = {"ALL_PROXY": "socks5h://x:1", "HTTPS_PROXY": "https://proxy.invalid"}

    assert Network.of(both).proxy_for("https://slack.com") == "https://proxy.invalid"
