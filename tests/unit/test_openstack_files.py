"""What somebody may rely on who has a clouds.yaml or an .ostackrc already."""

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cloud import Cloud, Login
from bot.config import load, load_settings
from bot.config.openstack import Place
from bot.config.redaction import HIDDEN, redactor
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.seed_world import demo_world
from bot.errors import ConfigError

ID = "a4a5d4098fb4474fa22cd05f897d6b99"
OTHER_ID = "0c7f35ad6d0b4c5b8f6e5d1c2b3a4958"
SLACK = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_APP_TOKEN": "xapp-1-a"}
CLOUDS = f"""
clouds:
  otc:
    profile: otc
    region_name: eu-de
    auth:
      username: file-user
      password: 0123
      user_domain_name: OTC00000000001000000001
      project_id: {ID}
      project_name: eu-de_mlstudio
  huawei:
    region_name: ap-southeast-3
    ak: belongs-to-obs
    sk: belongs-to-obs
    auth:
      auth_url: https://iam.myhuaweicloud.com
      username: other-user
      password: other-password
      domain_name: other-domain
      project_id: {OTHER_ID}
  token:
    auth_type: v3token
    auth:
      auth_url: https://iam.eu-de.otc.t-systems.com:443/v3
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one and holds the home folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home/.config/openstack").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def read(home: Path):
    """Return a function that loads this TOML with this environment."""

    def read(toml: str, **environ: str):
        path = home / "mlstudio-bot.toml"
        path.write_text(dedent(toml), "utf-8")
        return load(path, {"HOME": str(home / "home"), **SLACK, **environ})

    return read


def _login(secrets) -> tuple[str, str, str]:
    return (
        secrets.os_username.get_secret_value(),
        secrets.os_password.get_secret_value(),
        secrets.os_user_domain_name.get_secret_value(),
    )


NAMED = """
[cloud]
cloud = "otc"
[projects.ml-prod]
"""


def test_a_cloud_by_its_name(read, home):
    """The name of a cloud is all that the file has to say of addresses, id and login;
    a password of digits stays as it is written.
    """
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")

    settings, secrets = read(NAMED)

    point = settings.endpoint("ml-prod")
    assert point.iam_url == "https://iam.eu-de.otc.t-systems.com/v3"
    assert point.modelarts_url == "https://modelarts.eu-de.otc.t-systems.com"
    assert point.project_id == ID
    assert _login(secrets) == ("file-user", "0123", "OTC00000000001000000001")


@pytest.mark.parametrize(
    "place", ["clouds.yaml", "home/.config/openstack/clouds.yaml", "elsewhere.yml"]
)
def test_the_usual_places(read, home, place):
    """The file is found here, in the home folder, or where the variable says."""
    (home / place).write_text(CLOUDS, "utf-8")
    named = {"OS_CLIENT_CONFIG_FILE": str(home / place)}

    settings, _ = read(NAMED, **(named if "elsewhere" in place else {}))

    assert settings.endpoint("ml-prod").project_id == ID


def test_secure_yaml_over_it(read, home):
    """What secure.yaml says counts more: that is where passwords belong."""
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")
    (home / "secure.yaml").write_text(
        "clouds: {otc: {auth: {password: better-kept}}}", "utf-8"
    )

    _, secrets = read(NAMED)

    assert _login(secrets)[:2] == ("file-user", "better-kept")
    assert "better-kept" not in repr(secrets)


def test_the_environment_wins(read, home):
    """A variable counts more than clouds.yaml, what the TOML says more than both."""
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")
    secret = home / "password"
    secret.write_text("from-a-file\n")

    settings, secrets = read(
        NAMED + f'id = "{OTHER_ID}"',
        OS_USERNAME="env-user",
        OS_PASSWORD_FILE=str(secret),
        OS_AUTH_URL="https://iam.eu-nl.otc.t-systems.com/v3",
        OS_REGION_NAME="eu-nl",
        OS_PROJECT_ID=ID,
    )

    assert _login(secrets) == ("env-user", "from-a-file", "OTC00000000001000000001")
    point = settings.endpoint("ml-prod")
    assert point.iam_url == "https://iam.eu-nl.otc.t-systems.com/v3"
    assert point.modelarts_url == "https://modelarts.eu-nl.otc.t-systems.com"
    assert point.project_id == OTHER_ID


def test_an_ostackrc_alone(read):
    """Who has sourced an .ostackrc needs no address and no id in the file."""
    settings, _ = read(
        "[projects.ml-prod]",
        OS_AUTH_URL="https://iam.eu-de.otc.t-systems.com:443/v3",
        OS_USERNAME="ann",
        OS_PASSWORD="secret-word",
        OS_USER_DOMAIN_NAME="OTC1",
        OS_PROJECT_ID=ID,
    )

    point = settings.endpoint("ml-prod")
    assert point.iam_url == "https://iam.eu-de.otc.t-systems.com:443/v3"
    assert point.modelarts_url == "https://modelarts.eu-de.otc.t-systems.com"
    assert point.project_id == ID


def test_os_cloud(read, home):
    """OS_CLOUD names the cloud where the file says neither cloud nor iam_url."""
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")

    settings, _ = read("[projects.ml-prod]", OS_CLOUD="otc")
    assert settings.endpoint("ml-prod").project_id == ID

    with pytest.raises(ConfigError) as caught:
        read('[cloud]\niam_url = "https://i"\n[projects.p]\nid = "1"', OS_CLOUD="otc")
    assert "OS_PASSWORD" in str(caught.value)


def test_a_project_with_a_cloud_of_its_own(read, home):
    """A project in another cloud has its own user there; the environment's is not his,
    and nothing else is asked for.
    """
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")

    settings, secrets = read(
        f"""
        [cloud]
        iam_url = "https://iam.example.com/v3"
        modelarts_url = "https://modelarts.example.com"
        [projects.ml-prod]
        id = "{ID}"
        [projects.abroad]
        cloud = "huawei"
        """,
        OS_USERNAME="env-user",
        OS_PASSWORD="env-password",
        OS_USER_DOMAIN_NAME="env-domain",
    )

    here, abroad = settings.endpoint("ml-prod"), settings.endpoint("abroad")
    assert abroad.project_id == OTHER_ID
    assert abroad.iam_url == "https://iam.myhuaweicloud.com/v3"
    assert abroad.modelarts_url == "https://modelarts.ap-southeast-3.myhuaweicloud.com"
    login = Login.of(secrets)
    assert login.at(here.cloud).username == "env-user"
    assert login.at(abroad.cloud).username == "other-user"
    assert login.at(abroad.cloud).user_domain_name == "other-domain"
    only_abroad, _ = read('[projects.abroad]\ncloud = "huawei"')
    assert only_abroad.endpoint("abroad").cloud == "huawei"


async def test_the_limit_holds_for_whoever_asks_the_cloud(read, home):
    """The bot, the check and an explanation keep to the calls that the file allows."""
    import httpx  # noqa: PLC0415

    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")
    settings, secrets = read(
        NAMED.replace("[projects", "calls_per_minute = 30\n[projects")
    )

    async with httpx.AsyncClient() as http:
        cloud = Cloud.of(settings, secrets, http)

    assert cloud._limiter._all._per_s == 0.5


def test_the_password_of_an_own_cloud_is_not_logged(read, home):
    """What a project's entry of clouds.yaml holds is as secret as the common login."""
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")
    _, secrets = read('[projects.abroad]\ncloud = "huawei"')

    shown = redactor(secrets.hidden)("other-user came with other-password")

    assert shown == f"other-user came with {HIDDEN}"


async def test_each_cloud_gets_its_own_user(read, home):
    """Two projects log in as two users, each at its own cloud."""
    import httpx  # noqa: PLC0415

    async with httpx.AsyncClient() as http:
        cloud = LocalModelArts(demo_world())
        await cloud.start()
        known = cloud.world.login
        (home / "clouds.yaml").write_text(
            f"""
clouds:
  good:
    modelarts_endpoint_override: {cloud.url}
    auth: {{auth_url: {cloud.iam_url}, username: {known.user},
           password: {known.password}, user_domain_name: {known.domain},
           project_id: {OTHER_ID}}}
""",
            "utf-8",
        )
        settings, secrets = read(
            f"""
            [cloud]
            iam_url = "{cloud.iam_url}"
            modelarts_url = "{cloud.url}"
            [projects.ml-prod]
            id = "{ID}"
            [projects.ml-dev]
            cloud = "good"
            """,
            OS_USERNAME=known.user,
            OS_PASSWORD="wrong",
            OS_USER_DOMAIN_NAME=known.domain,
        )
        client = Cloud.of(settings, secrets, http)

        await client.prove("ml-dev")
        with pytest.raises(Exception, match="IAM refused the login"):
            await client.prove("ml-prod")
        await client.prove("ml-dev")  # one user's refusal rests only that user
        await cloud.close()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (
            NAMED.replace('"otc"', '"otv"'),
            'cloud.cloud: clouds.yaml has no cloud "otv"; did you mean "otc"?',
        ),
        (
            NAMED.replace('"otc"', '"token"'),
            (
                'cloud.cloud: the entry "token" of clouds.yaml has auth_type "v3token";'
                " the bot logs in by user name and password"
            ),
        ),
    ],
)
def test_a_cloud_that_cannot_be_used(read, home, toml, said):
    """A wrong name, or another kind of login, is one sentence, and the only one."""
    (home / "clouds.yaml").write_text(CLOUDS, "utf-8")

    with pytest.raises(ConfigError) as caught:
        read(toml, OS_USERNAME="u", OS_PASSWORD="p", OS_USER_DOMAIN_NAME="d")

    assert caught.value.problems == (said,)


def test_no_clouds_yaml_anywhere(read):
    """Who names a cloud and has no file is told where it is looked for."""
    with pytest.raises(ConfigError, match=r"no clouds\.yaml here.*OS_CLIENT_CONFIG_F"):
        read(NAMED)


def test_a_login_that_is_not_whole(read, home):
    """What an entry lacks is named, and where it may stand."""
    (home / "clouds.yaml").write_text("clouds: {x: {profile: otc}}", "utf-8")

    with pytest.raises(ConfigError) as caught:
        read('[projects.p]\nid = "1"\ncloud = "x"')

    (problem,) = caught.value.problems
    assert "username and password and user_domain_name" in problem
    assert "secure.yaml" in problem


def test_the_file_of_huaweis_sdks(read, home):
    """HUAWEICLOUD_SDK_CREDENTIALS_FILE brings the key, unless a variable does."""
    file = home / "credentials"
    file.write_text("[basic]\nak = filekey\nsk = file%secret\n")
    toml = f"""
        [cloud]
        auth = "aksk"
        modelarts_url = "https://modelarts.example.com"
        [projects.p]
        id = "{ID}"
        """

    _, secrets = read(toml, HUAWEICLOUD_SDK_CREDENTIALS_FILE=str(file))
    assert secrets.ak.get_secret_value() == "filekey"
    assert secrets.sk.get_secret_value() == "file%secret"

    _, secrets = read(
        toml,
        HUAWEICLOUD_SDK_CREDENTIALS_FILE=str(file),
        HUAWEICLOUD_SDK_AK="envkey",
        HUAWEICLOUD_SDK_SK="envsecret",
    )
    assert secrets.ak.get_secret_value() == "envkey"
    with pytest.raises(ConfigError, match="HUAWEICLOUD_SDK_CREDENTIALS_FILE: names"):
        read(toml, HUAWEICLOUD_SDK_CREDENTIALS_FILE=str(home))


@pytest.mark.parametrize(
    ("auth_url", "region", "iam_url", "modelarts_url"),
    [
        ("iam.eu-de.otc.t-systems.com", "", "https://iam.eu-de.otc.t-systems.com/v3",
         "https://modelarts.eu-de.otc.t-systems.com"),
        ("https://iam.x.myhuaweicloud.eu/v2.0/", "", "https://iam.x.myhuaweicloud.eu/v3",
         "https://modelarts.x.myhuaweicloud.eu"),
        ("https://iam.myhuaweicloud.com", "", "https://iam.myhuaweicloud.com/v3", ""),
        ("https://keystone.example.com:5000", "r", "https://keystone.example.com:5000/v3",
         ""),
        ("https://[", "r", "https://[/v3", ""),
        ("", "eu-de", "", ""),
    ],
)  # fmt: skip
def test_where_a_cloud_is(auth_url, region, iam_url, modelarts_url):
    """ModelArts is found beside a known login service, and guessed nowhere else."""
    place = Place(auth_url=auth_url, region=region)

    assert (place.iam_url, place.modelarts_url) == (iam_url, modelarts_url)


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_whatever_the_file_holds(tmp_path_factory, content):
    """No file, however broken, ends in anything but settings or a sentence, and none of
    its content is repeated.
    """
    folder = tmp_path_factory.mktemp("clouds")
    file, toml = folder / "clouds.yaml", folder / "bot.toml"
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    file.write_bytes(data)
    toml.write_text(NAMED)

    with pytest.raises(ConfigError) as caught:
        load_settings(toml, {"OS_CLIENT_CONFIG_FILE": str(file)})

    assert all(len(problem) < 300 for problem in caught.value.problems)
