"""The token login against a real Keystone; run it with ``pytest -m keystone``.

It builds an environment of its own, because Keystone's 98 packages must not meet ours:
a minute and 200 MB, from PyPI (reference: docs.openstack.org/keystone).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import httpx
import pytest
from pydantic import SecretStr

from bot.cloud import Endpoint, Login
from bot.cloud.clocks import Clocks
from bot.cloud.login import LoginBackoff
from bot.cloud.token_auth import Account, TokenAuth
from bot.demo.alert_sender import free_port
from bot.errors import CloudBusy, CloudMisfit

pytestmark = pytest.mark.keystone

PACKAGES = ("keystone==30.0.0", "gunicorn")
DOMAIN, PROJECT = "OTC00000000001000000001", "eu-de_mlstudio"
USER, PASSWORD, ADMIN = "mlstudio-bot", "not-a-real-password", "not-a-real-one-either"
LIFE_S = 120
CONFIG = """
[DEFAULT]
log_file = {folder}/keystone.log
[database]
connection = sqlite:///{folder}/keystone.db
[token]
provider = fernet
expiration = {life}
[fernet_tokens]
key_repository = {folder}/fernet
[fernet_receipts]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
[auth]
methods = password,token,application_credential
"""
# Keystone reads the command line when it is imported, and would take gunicorn's.
WSGI = """
import sys
sys.argv = sys.argv[:1]
from keystone.server.wsgi import initialize_public_application
application = initialize_public_application()
"""


@dataclass(frozen=True)
class Keystone:
    """A Keystone that serves at *url* (with ``/v3``), and what was put into it."""

    url: str
    project_id: str


@pytest.fixture(scope="module")
def keystone(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Keystone]:
    """Return a seeded Keystone."""
    if "keystone" not in (request.config.getoption("-m") or ""):
        pytest.skip("only with -m keystone: it installs a Keystone first")
    folder = tmp_path_factory.mktemp("keystone")
    folder.chmod(0o700)
    python = folder / "venv/bin/python"
    _run(sys.executable, "-m", "venv", str(folder / "venv"))
    _run(str(python), "-m", "pip", "install", "-q", *PACKAGES)
    _configure(folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}/v3"
    _manage(folder, url)
    with (folder / "gunicorn.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"),
                *("--chdir", folder, "mlstudio_keystone:application"),
            ],
            env=_environment(folder),
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(url, server, folder)
        yield Keystone(url, _seed(url))
    finally:
        server.terminate()
        server.wait(20)


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "OS_KEYSTONE_CONFIG_DIR": str(folder)}


def _run(*words: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=600, env=env
    )
    assert done.returncode == 0, f"{words}: {done.stderr[-2000:]}"


def _configure(folder: Path) -> None:
    text = CONFIG.format(folder=folder, life=LIFE_S)
    (folder / "keystone.conf").write_text(text, "utf-8")
    (folder / "mlstudio_keystone.py").write_text(dedent(WSGI), "utf-8")
    for name in ("fernet", "credential"):
        (folder / name).mkdir(mode=0o700)


def _manage(folder: Path, url: str) -> None:
    """Make the tables, the keys and the administrator."""
    who = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
    for words in (
        ("db_sync",),
        ("fernet_setup", *who),
        ("credential_setup", *who),
        ("bootstrap", "--bootstrap-password", ADMIN, "--bootstrap-public-url", url),
    ):
        manage = str(folder / "venv/bin/keystone-manage")
        config = ("--config-file", str(folder / "keystone.conf"))
        _run(manage, *config, *words, env=_environment(folder))


def _wait_for(url: str, server: subprocess.Popen[bytes], folder: Path) -> None:
    """Return once it answers; say its last words if it does not."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    log = (folder / "gunicorn.log").read_text("utf-8", "replace")
    pytest.fail(f"Keystone did not start: {log[-2000:]}")


def _seed(url: str) -> str:
    """Put a domain, a project and a user in, named as in OTC; return the project."""
    with httpx.Client(trust_env=False) as http:
        user = {"name": "admin", "domain": {"id": "default"}, "password": ADMIN}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = http.post(
            f"{url}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}
        )
        http.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]

        def make(kind: str, **fields: str) -> str:
            made = http.post(f"{url}/{kind}s", json={kind: fields})
            made.raise_for_status()
            return str(made.json()[kind]["id"])

        domain_id = make("domain", name=DOMAIN)
        project_id = make("project", name=PROJECT, domain_id=domain_id)
        user_id = make("user", name=USER, password=PASSWORD, domain_id=domain_id)
        roles = http.get(f"{url}/roles", params={"name": "member"}).json()["roles"]
        place = f"projects/{project_id}/users/{user_id}/roles/{roles[0]['id']}"
        http.put(f"{url}/{place}").raise_for_status()
    return project_id


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Return the client over which the bot reaches the cloud."""
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
def auth_of(keystone: Keystone, http: httpx.AsyncClient) -> Callable[..., TokenAuth]:
    """Return a function that makes the bot's login with these deviations."""

    def make(
        *,
        password: str = PASSWORD,
        username: str = USER,
        domain: str = DOMAIN,
        project_id: str = keystone.project_id,
        url: str = keystone.url,
    ) -> TokenAuth:
        login = Login(
            username=username,
            password=SecretStr(password),
            user_domain_name=domain,
        )
        return TokenAuth(
            Endpoint("ml-prod", project_id, "token", url, "https://modelarts"),
            Account(login, LoginBackoff(60.0, time.monotonic)),
            http,
            Clocks(),
            lambda *_: None,
        )

    return make


async def test_the_login_works(keystone, http, auth_of) -> None:
    """The bot's login gives a token of the right project and user."""
    auth = auth_of()

    token = await auth.token()

    answer = await http.get(
        f"{keystone.url}/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token},
    )
    told = answer.json()["token"]
    assert told["project"]["id"] == keystone.project_id
    assert (told["user"]["name"], told["user"]["domain"]["name"]) == (USER, DOMAIN)
    assert abs(auth.skew_s) < 5


async def test_the_token_is_kept_for_as_long_as_it_lives(auth_of) -> None:
    """A token is renewed at half its life where that is short, and kept until then."""
    auth, before = auth_of(), time.monotonic()

    first = await auth.token()

    assert await auth.token() == first
    # Keystone cuts the end of a life to whole seconds.
    assert LIFE_S - 2 <= auth._ends_at - before <= LIFE_S + 5
    assert LIFE_S / 2 - 2 <= auth._renew_at - before <= LIFE_S / 2 + 5


async def test_a_revoked_token_is_replaced(keystone, http, auth_of) -> None:
    """A token that was revoked is refused once; the bot logs in anew by itself."""
    auth = auth_of()
    mine = f"{keystone.url}/auth/projects"
    assert (await http.get(mine, auth=auth)).status_code == 200
    old = await auth.token()
    gone = await http.delete(
        f"{keystone.url}/auth/tokens",
        headers={"X-Auth-Token": old, "X-Subject-Token": old},
    )
    assert gone.status_code == 204

    answer = await http.get(mine, auth=auth)

    assert [one["name"] for one in answer.json()["projects"]] == [PROJECT]
    assert await auth.token() != old


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"domain": "no-such-domain"},
        {"project_id": "0" * 32},
    ],
)
async def test_a_login_that_is_refused(auth_of, wrong) -> None:
    """Whatever is wrong with a login, the sentence names what to check, no secret."""
    with pytest.raises(CloudMisfit, match="wrong user name, password or project") as it:
        await auth_of(**wrong).token()

    assert it.value.status == 401
    assert "wrong" not in str(it.value).replace("wrong user name", "")
    assert PASSWORD not in str(it.value)


async def test_another_address(keystone, auth_of) -> None:
    """An address that is no login service, or that nobody answers, is told apart."""
    with pytest.raises(CloudMisfit, match="wrong iam_url"):
        await auth_of(url=keystone.url.removesuffix("/v3")).token()
    with pytest.raises(CloudBusy, match="cannot be reached"):
        await auth_of(url="http://127.0.0.1:1/v3").token()
