"""What somebody may rely on whose clouds.yaml is as the provider's README has it."""

from pathlib import Path

import pytest

from bot.cloud import Cloud, Login
from bot.config import load
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.seed_world import demo_world
from bot.errors import ConfigError
from bot.network import http_client

ID = "a4a5d4098fb4474fa22cd05f897d6b99"
SLACK = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_APP_TOKEN": "xapp-1-a"}
MODELARTS = "modelarts_endpoint_override: https://ml.test"
LOGIN = {"OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_USER_DOMAIN_NAME": "d"}
AUTH = "{username: u, password: p, user_domain_name: d}"
TOML = f"""
[cloud]
cloud = "mine"
[projects.ml-prod]
id = "{ID}"
"""


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that loads a TOML beside this clouds.yaml."""
    monkeypatch.chdir(tmp_path)

    def read(clouds: str, toml: str = TOML, **environ: str):
        (tmp_path / "clouds.yaml").write_text(clouds, "utf-8")
        (tmp_path / "bot.toml").write_text(toml, "utf-8")
        return load(tmp_path / "bot.toml", {**SLACK, **environ})

    return read


def refused(read, *args: str, **environ: str) -> str:
    """Return the one sentence that a clouds.yaml ends in."""
    with pytest.raises(ConfigError) as caught:
        read(*args, **environ)
    (problem,) = caught.value.problems
    return problem


async def test_the_domain_may_be_named_by_its_id(read):
    """An entry with ``user_domain_id``, as in the provider's README, logs in with it;
    so does the entry of a project's own cloud.
    """
    cloud = LocalModelArts(demo_world())
    await cloud.start()
    known = cloud.world.login
    clouds = f"""
clouds:
  mine:
    auth:
      auth_url: {cloud.iam_url}
      username: {known.user}
      password: {known.password}
      user_domain_id: {known.domain_id}
"""
    own = f"""
[cloud]
iam_url = "{cloud.iam_url}"
modelarts_url = "{cloud.url}"
[projects.ml-prod]
id = "{ID}"
cloud = "mine"
"""
    own_line = 'cloud = "mine"'
    common = own.replace(own_line, "").replace("iam_url =", f"{own_line}  #")

    for toml in (own, common):
        async with http_client() as http:
            await Cloud.of(*read(clouds, toml), http).log_in("ml-prod")
    await cloud.close()


def test_the_domain_of_the_environment_counts_more(read):
    """OS_USER_DOMAIN_NAME stands over the id of an entry, OS_USER_DOMAIN_ID over its
    name; one of them is enough.
    """
    entry = "clouds: {mine: {profile: otc, auth: {username: u, password: p, %s}}}"

    _, by_name = read(entry % "user_domain_id: i", OS_USER_DOMAIN_NAME="env")
    _, by_id = read(entry % "user_domain_name: n", OS_USER_DOMAIN_ID="env")

    assert Login.of(by_name).user_domain_name == "env"
    assert Login.of(by_name).user_domain_id == ""
    assert Login.of(by_id).user_domain_id == "env"
    assert "OS_USER_DOMAIN_NAME" in refused(read, entry % "domain: d")


def test_merge_keys(read):
    """What entries have in common may stand once; what an entry says counts more, and
    text stays as it is written.
    """
    settings, secrets = read(
        f"""
common: &common
  profile: otc
  region_name: eu-nl
  auth: &login {{username: u, password: 0123, user_domain_name: d, project_id: "0"}}
clouds:
  mine:
    <<: *common
    region_name: eu-de
    auth:
      <<: [*login, {{username: not-me}}]
      project_id: {ID}
""",
        TOML.replace("id =", "# id ="),
    )

    point = settings.endpoint("ml-prod")
    assert point.iam_url == "https://iam.eu-de.otc.t-systems.com/v3"
    assert point.project_id == ID
    login = Login.of(secrets)
    assert (login.username, login.password.get_secret_value()) == ("u", "0123")


@pytest.mark.parametrize(
    ("place", "iam_url", "modelarts_url"),
    [
        (
            "profile: otc, regions: [eu-nl, eu-de]",
            "iam.eu-nl.otc",
            "arts.eu-nl.otc",
        ),
        (
            f"profile: otc, regions: [{{name: eu-nl, values: {{{MODELARTS}}}}}, eu-de]",
            "iam.eu-nl.otc",
            "ml.test",
        ),
        (
            "profile: otc, region_name: eu-de, regions: [eu-nl]",
            "iam.eu-de.otc",
            "modelarts.eu-de.otc",
        ),
        ("cloud: otc", "iam.eu-de.otc", "modelarts.eu-de.otc"),
        (
            f"cloud: otc-swiss, {MODELARTS}",
            "https://iam-pub.eu-ch2.sc.otc.t-systems.com/v3",
            "ml.test",
        ),
    ],
)
def test_profiles_and_regions(read, place, iam_url, modelarts_url):
    """The first of several regions counts where none is named, with what is said of it
    alone; a profile may stand under its older name; the Swiss cloud is asked by TLS.
    """
    settings, _ = read(f"clouds: {{mine: {{{place}, auth: {AUTH}}}}}")

    point = settings.endpoint("ml-prod")
    assert point.iam_url.startswith("https://")
    assert iam_url in point.iam_url
    assert modelarts_url in point.modelarts_url


def test_the_swiss_cloud_has_no_known_modelarts(read):
    """Where no ModelArts is known beside the login service its address is asked for."""
    said = refused(read, f"clouds: {{mine: {{profile: otc-swiss, auth: {AUTH}}}}}")

    assert "modelarts_url" in said


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("verify: false", "switches off the check of certificates"),
        ("verify: No", "switches off the check of certificates"),
        ("insecure: true", "switches off the check of certificates"),
        ("cacert: /etc/ca.pem", "let that name the same file"),
        ("cert: /etc/me.pem", "a certificate of its own"),
    ],
)
def test_certificates_are_heeded_or_refused(read, key, said):
    """What the bot would have to pass over about certificates is refused in a sentence
    that names the entry, for the common cloud and a project's own.
    """
    clouds = f"clouds: {{mine: {{profile: otc, {key}, auth: {AUTH}}}}}"

    for toml in (TOML, f'[projects.ml-prod]\nid = "{ID}"\ncloud = "mine"'):
        sentence = refused(read, clouds, toml, **LOGIN)
        assert 'the entry "mine" of clouds.yaml ' in sentence
        assert said in sentence


def test_what_changes_nothing_is_fine(read):
    """An entry may say what holds anyway: checked, and by the file of SSL_CERT_FILE."""
    keys = "verify: true, insecure: false, cacert: /etc/ca.pem"

    settings, _ = read(
        f"clouds: {{mine: {{profile: otc, {keys}, auth: {AUTH}}}}}",
        SSL_CERT_FILE="/etc/ca.pem",
    )

    assert settings.endpoint("ml-prod").project_id == ID


@pytest.mark.parametrize("variable", ["OS_INSECURE=true", "OS_CACERT=/etc/ca.pem"])
def test_the_same_from_the_environment(read, variable):
    """An .ostackrc that says so of certificates is not passed over, either."""
    name, _, value = variable.partition("=")
    clouds = f"clouds: {{mine: {{profile: otc, auth: {AUTH}}}}}"

    assert refused(read, clouds, **{name: value}).startswith(f"{name}: ")
