"""What is nearly right in a configuration is named, with what would be right."""

import pytest

from bot.config import validate
from bot.config.secrets import read
from bot.errors import ConfigError

ID = "a4a5d4098fb4474fa22cd05f897d6b99"
IAM = "https://iam.eu-de.otc.t-systems.com"
RIGHT = {
    "slack": {"api_url": "https://slack.com/api/"},
    "cloud": {"iam_url": f"{IAM}/v3", "modelarts_url": "https://m.example"},
    "projects": {"ml-prod": {"id": ID}},
}


def said(document):
    """Return what is said of RIGHT with *document* in its place."""
    with pytest.raises(ConfigError) as caught:
        validate({**RIGHT, **document})
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("api_url", "right"),
    [
        ("https://slack.com", "https://slack.com/api/"),
        ("https://slack.com/api/auth.test", "https://slack.com/api/"),
        ("https://api.slack.com/api/", "https://slack.com/api/"),
        ("https://acme.slack.com/", "https://slack.com/api/"),
        ("https://slack-gov.com/", "https://slack-gov.com/api/"),
    ],
)
def test_an_address_of_slack_that_is_not_its_web_api(api_url, right):
    """The address that was meant is said."""
    assert said({"slack": {"api_url": api_url}}) == (
        f'slack.api_url: is not where Slack\'s Web API answers; write "{right}"'
    )


@pytest.mark.parametrize(
    "api_url",
    [
        "https://slack.com/api",
        "https://slack-gov.com/api/",
        "https://acme.slack.com/api/",
        "https://slack.proxy.example/relay/",
        "http://127.0.0.1:8765/",
    ],
)
def test_an_address_that_may_be_meant(api_url):
    """Somebody's own relay, and every host of Slack's with the right path, pass."""
    validate({**RIGHT, "slack": {"api_url": api_url}})


@pytest.mark.parametrize("written", [IAM, f"{IAM}/", f"{IAM}/v2.0", f"{IAM}/v3.0"])
def test_a_login_service_without_its_version(written):
    """The cloud's own login service needs /v3, in [cloud] and in a project."""
    cloud = {**RIGHT["cloud"], "iam_url": written}
    right = f'lacks its version; write "{IAM}/v3"'

    assert said({"cloud": cloud}) == f"cloud.iam_url: {right}"
    project = {"ml-prod": {"id": ID, "iam_url": written}}
    assert said({"projects": project}) == f"projects.ml-prod.iam_url: {right}"


def test_a_project_id_with_dashes():
    """The id without them is said."""
    dashed = "a4a5d409-8fb4-474f-a22c-d05f897d6b99"

    assert said({"projects": {"ml-prod": {"id": dashed}}}) == (
        f'projects.ml-prod.id: has dashes, and ids of projects have none: "{ID}"'
    )


QUOTED = ('"{}"', "'{}'", "“{}”")


@pytest.mark.parametrize("form", QUOTED)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxb-1-2"),
        ("SLACK_APP_TOKEN", "xapp-1-2"),
        ("SLACK_SIGNING_SECRET", "0123456789abcdef"),
        ("OS_USERNAME", "bot"),
        ("HUAWEICLOUD_SDK_SK", "abc"),
    ],
)
def test_a_secret_in_quotes(name, value, form):
    """A file of variables for Docker keeps quotes; the value is not shown."""
    _, problems = read({name: form.format(value)}, ())

    told = [str(one) for one in problems if one.path == (name,)]
    assert told == [
        f"{name}: stands in quotes, which count as part of it here; remove them"
    ]


def test_a_password_may_begin_and_end_with_quotes():
    """Nobody else knows what a password is made of."""
    secrets, problems = read({"OS_PASSWORD": '"x"'}, ())

    assert secrets.os_password.get_secret_value() == '"x"'
    assert "OS_PASSWORD" not in "".join(map(str, problems))


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "OS_PASSWORD"])
def test_a_secret_with_a_byte_order_mark(tmp_path, name):
    """An editor's mark in a secret's file is named, the secret is not shown."""
    file = tmp_path / "secret"
    file.write_text("xoxb-1-hunter2\n", encoding="utf-8-sig")

    _, problems = read({f"{name}_FILE": str(file)}, ())

    (told,) = [str(one) for one in problems if one.path == (name,)]
    assert told.startswith(f"{name}: begins with a byte order mark")
    assert "without one" in told
    assert "hunter2" not in told
