"""The configuration: what is accepted, and what is said of what is not."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.cli.assets import starter
from bot.config import (
    Endpoint,
    ProjectSettings,
    Secrets,
    Settings,
    find,
    host_port,
    load,
    load_settings,
    validate,
)
from bot.config.openstack import Credentials
from bot.errors import ConfigError, UsageError
from bot.model import Target

UUID = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
OTHER = "57cf4ff3-0c59-44fe-9821-2840a34c02a9"
PROJECT = "a4a5d4098fb4474fa22cd05f897d6b99"

# A file as people have it: every table that operators rely on, with its meaning.
EXAMPLE = r"""
database = "sqlite:///mlstudio-bot.db"
[slack]
mode = "socket"
api_url = "https://slack.com/api/"
listen = "127.0.0.1:3000"
[server]
listen = "127.0.0.1:8080"
[cloud]
auth = "token"
iam_url = "https://iam.eu-de.otc.t-systems.com/v3"
modelarts_url = "https://modelarts.eu-de.otc.t-systems.com"
[watch]
poll = "10s"
settle = "0.3s"
timeout = "30m"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
[projects.ml-prod.instances]
trainer-7 = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
[[rules]]
name = "gated boxes need a lead"
who = ["@ml-oncall", "U024BE7LH"]
projects = ["ml-prod"]
instances = ["gated-*"]
channels = ["C0INCIDENTS"]
reason = "required"
reason_pattern = "INC-\\d+"
cooldown = "10m"
deny = false
approval = { by = ["@ml-leads"], needed = 1, expires = "30m", break_glass = ["@sre"] }
"""
TOKEN_LOGIN = {
    "OS_USERNAME": "mlbot",
    "OS_PASSWORD": "hunter2",
    "OS_USER_DOMAIN_NAME": "OTC-77",
}
ENVIRON = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_APP_TOKEN": "xapp-1-a"} | TOKEN_LOGIN


@pytest.fixture
def document() -> dict[str, Any]:
    """Return the example as it is parsed."""
    return tomllib.loads(EXAMPLE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file that holds the example."""
    path = tmp_path / "bot.toml"
    path.write_text(EXAMPLE)
    return path


def problems(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is said of *document*."""
    with pytest.raises(ConfigError) as caught:
        validate(dict(document))
    return caught.value.problems


def problems_of_environ(file: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is said of *environ* beside a good file."""
    with pytest.raises(ConfigError) as caught:
        load(file, environ)
    return caught.value.problems


def put(
    document: dict[str, Any], path: tuple[str | int, ...], value: object
) -> dict[str, Any]:
    """Return *document* with *value* at *path*."""
    changed: Any = copy.deepcopy(document)
    place = changed
    for part in path[:-1]:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    place[path[-1]] = value
    return changed


# --- what is accepted -----------------------------------------------


def test_the_example_of_the_contract_loads(file: Path):
    """The documented file is taken, every value where it belongs."""
    loaded, secrets = load(file, ENVIRON)

    assert (
        loaded.watch.poll,
        loaded.watch.settle,
        loaded.watch.timeout,
    ) == (10.0, 0.3, 1800.0)
    assert loaded.rules[0].approval is not None
    assert loaded.rules[0].approval.break_glass == ("@sre",)
    assert secrets.slack_bot_token.get_secret_value() == "xoxb-1-a"
    assert secrets.os_password.get_secret_value() == "hunter2"


def test_what_is_left_out_has_the_documented_default(document: dict[str, Any]):
    """A file with only the cloud and a project has the documented defaults."""
    least = {"cloud": document["cloud"], "projects": {"p": {"id": PROJECT}}}

    loaded = validate(least)

    assert loaded.database == "sqlite:///mlstudio-bot.db"
    assert (
        loaded.slack.mode,
        loaded.slack.api_url,
    ) == ("socket", "https://slack.com/api/")
    assert loaded.server is None
    assert (loaded.watch.lost, loaded.watch.unchanged) == (60.0, 120.0)
    assert (
        loaded.max_parallel,
        loaded.canary,
        loaded.retention,
    ) == (3, None, 90 * 86400.0)
    assert (
        loaded.cloud.signature,
        loaded.cloud.region,
        loaded.cloud.service,
        loaded.cloud.calls_per_minute,
    ) == ("access", "", "", 60)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("database",), "postgresql://user@host:5432/db"),
        (("database",), "postgresql://user:@host/db"),
        (("database",), "sqlite:////var/lib/bot.db"),
        (("cloud", "modelarts_url"), "http://127.0.0.1:8001"),
        (("cloud", "modelarts_url"), "http://[::1]:8001/"),
        (("slack", "api_url"), "http://localhost:1/api"),
        (("server", "listen"), "[::]:0"),
        (("projects", "ml-prod", "instances", "token-classifier"), OTHER),
        (("projects", "ml-prod", "instances", "größe.2_x"), "DE-" + OTHER),
        (("rules", 0, "who"), ["*", "W012", "S0LEADS", "@ml.leads-2"]),
        (("rules", 0, "projects"), ["*", "ml-[p]rod", "ML-Prod"]),
        (("rules", 0, "approval", "break_glass"), []),
        (("rules",), []),
        (("watch", "poll"), "500ms"),
    ],
)
def test_what_may_be_written(document: dict[str, Any], path, value: object):
    """Everything that is documented, here or by the cloud, is taken."""
    assert isinstance(validate(put(document, path, value)), Settings)


def test_a_project_has_its_own_way(document: dict[str, Any]):
    """Addresses and login of one project override those of the cloud."""
    own = {"id": "abc", "auth": "aksk", "modelarts_url": "https://m.example.com/"}
    loaded = validate(put(document, ("projects", "other"), own))

    assert loaded.endpoint("other") == Endpoint(
        project="other",
        project_id="abc",
        auth="aksk",
        iam_url="https://iam.eu-de.otc.t-systems.com/v3",
        modelarts_url="https://m.example.com",
        signature="access",
        region="",
        service="",
    )
    assert loaded.endpoint("ml-prod").auth == "token"


def test_the_version_follows_rules_projects_and_names(document: dict[str, Any]):
    """The version changes with what decides about requests, and with nothing else."""
    base = validate(document).version

    assert validate(put(document, ("watch", "poll"), "9s")).version == base
    assert validate(put(document, ("rules", 0, "deny"), True)).version != base  # noqa: FBT003
    alias = ("projects", "ml-prod", "instances", "x")
    assert validate(put(document, alias, OTHER)).version != base


def test_the_starter_loads(tmp_path: Path):
    """What ``init`` writes is a configuration that works once the secrets are set."""
    path = tmp_path / "mlstudio-bot.toml"
    path.write_text(starter())

    loaded, _ = load(path, ENVIRON)

    assert loaded.target("ml-prod", "trainer-7").instance == "trainer-7"


def test_the_starter_shows_every_key(tmp_path: Path):
    """Who removes every "#" before a key has all keys there are, with the defaults."""
    path = tmp_path / "mlstudio-bot.toml"
    shown = r"(?m)^# (?=[a-z_]+ = |\[+(rules|oncall|alerts))"
    path.write_text(re.sub(shown, "", starter()))

    loaded = load_settings(path)

    assert _unset(loaded) == []
    plain = validate({"cloud": {}, "projects": {"x": {"id": "a", **_URLS}}})
    assert (plain.watch, plain.slack) == (loaded.watch, loaded.slack)


_URLS = {"iam_url": "https://i", "modelarts_url": "https://m"}
_PER_PROJECT = {"auth", "cloud", "iam_url", "modelarts_url"}


def _unset(table: BaseModel) -> list[str]:
    """Return the keys of *table* and of the tables in it that are not set."""
    inner = [value for _, value in table if isinstance(value, BaseModel)]
    if isinstance(table, Settings):
        inner += [*table.projects.values(), table.rules[0]]
    optional = _PER_PROJECT if isinstance(table, ProjectSettings) else set()
    unset = set(type(table).model_fields) - table.model_fields_set - optional
    return sorted(unset) + [key for below in inner for key in _unset(below)]


def test_the_file_is_found_where_the_contract_says():
    """The option comes before the variable, the variable before the default."""
    environ = {"MLSTUDIO_BOT_CONFIG": "/etc/bot.toml"}

    assert Path("a.toml") == find(Path("a.toml"), environ)
    assert Path("/etc/bot.toml") == find(None, environ)
    assert Path("mlstudio-bot.toml") == find(None, {"MLSTUDIO_BOT_CONFIG": ""})


def test_an_address_to_listen_on_is_taken_apart():
    """Host and port can be used for a server, IPv6 included."""
    assert host_port("[::1]:8080") == ("::1", 8080)


# --- mistakes in the file -----------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("databse",), "x", 'databse: there is no such key; did you mean "database"?'),
        (
            ("slack", "mod"),
            "x",
            'slack.mod: there is no such key; did you mean "mode"?',
        ),
        (
            ("watch", "retention"),
            "1d",
            (
                "watch.retention: there is no such key here; it belongs above the first"
                " [table]"
            ),
        ),
        (("slack", "mode"), "https", 'slack.mode: must be "socket" or "http"'),
        (("slack",), "x", "slack: must be a table, not text"),
        (
            ("slack", "listen"),
            3000,
            "slack.listen: must be text in quotes, not a number",
        ),
        (("max_parallel",), 0, "max_parallel: must be at least 1"),
        (
            ("max_parallel",),
            True,
            "max_parallel: must be a whole number, not true or false",
        ),
        (("retention",), "99999d", 'retention: is too long; the longest is "3650d"'),
        (("rules", 0, "name"), "", "rules[0].name: must not be empty"),
        (("rules", 0, "projects"), [], "rules[0].projects: must not be empty"),
        (
            ("rules", 0, "who"),
            [],
            'rules[0].who: names nobody; name somebody, or "*" for every full member',
        ),
        (
            ("rules", 0, "who"),
            "@x",
            'rules[0].who: must be a list, such as ["…", "…"], not text',
        ),
        (
            ("rules", 0, "projects"),
            ["*", "ml-prd"],
            (
                'rules[0].projects[1]: there is no project "ml-prd";'
                ' did you mean "ml-prod"?'
            ),
        ),
        (
            ("rules", 0, "projects"),
            ["x*"],
            'rules[0].projects[0]: no project matches "x*"',
        ),
        (("rules", 0, "deny"), 1, "rules[0].deny: must be true or false, not a number"),
        (
            ("rules", 0, "reason"),
            "no",
            'rules[0].reason: must be "required" or "optional"',
        ),
        (("rules", 0, "cooldown"), "0s", "rules[0].cooldown: must be more than 0"),
        (
            ("rules", 0, "cooldown"),
            "99999d",
            'rules[0].cooldown: is too long; the longest is "3650d"',
        ),
        (
            ("rules", 0, "reason_pattern"),
            "(",
            (
                "rules[0].reason_pattern: is not a regular expression: missing ),"
                " unterminated subpattern at position 0"
            ),
        ),
        (("rules", 0, "approval", "by"), [], "rules[0].approval.by: must not be empty"),
        (
            ("rules", 0, "approval"),
            {"by": ["U1", "U2", "U1"], "needed": 3},
            "rules[0].approval.needed: is 3, but approval.by names only 2",
        ),
        (
            ("projects", "ml-prod", "id"),
            "a/b",
            "projects.ml-prod.id: is not an id: 1 to 64 letters, digits and hyphens",
        ),
        (
            ("projects", "ml-prod", "instances", OTHER),
            UUID,
            (
                f"projects.ml-prod.instances.{OTHER}: the name is an id itself; choose"
                " another"
            ),
        ),
        (
            ("projects", "ml-prod"),
            {},
            "projects.ml-prod.id: is missing; it is the id of the project in the cloud",
        ),
        (("projects",), {}, "projects: must not be empty"),
        (
            ("cloud",),
            {"modelarts_url": "https://m.example.com"},
            "cloud.iam_url: is missing; it is where a token is fetched",
        ),
        (
            ("cloud",),
            {"auth": "aksk"},
            "cloud.modelarts_url: is missing; it is where ModelArts answers",
        ),
    ],
)
def test_a_mistake_is_said_in_words_with_its_place(
    document: dict[str, Any], path, value: object, line: str
):
    """One mistake gives one line: the key's path, what is wrong, what was meant."""
    changed = put(document, path, value)
    changed.pop("rules") if path == ("projects",) else None

    assert (line,) == problems(changed)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rules", 0, "who"), ["ml-oncall"]),
        (("rules", 0, "who"), ["u024be7lh"]),
        (("rules", 0, "who"), ["<@U1>"]),
        (("rules", 0, "who"), ["ann@example.com"]),
        (("rules", 0, "approval", "by"), [""]),
        (("rules", 0, "approval", "break_glass"), ["@"]),
        (("rules", 0, "channels"), ["#incidents"]),
        (("rules", 0, "channels"), ["*"]),
        (("rules", 0, "instances"), [" "]),
        (("rules", 0, "reason_pattern"), "a{99999999999999999999}"),
        (("rules", 0, "reason_pattern"), "[[a]"),
        (("projects", "ml prod"), {"id": "a"}),
        (("projects", "<x>"), {"id": "a"}),
        (("projects", "-x"), {"id": "a"}),
        (("projects", "x" * 65), {"id": "a"}),
        (("projects", "ml-prod", "instances", "a,b"), UUID),
        (("projects", "ml-prod", "instances", "a`b"), UUID),
        (("projects", "ml-prod", "instances", "a"), "../x"),
        (("projects", "ml-prod", "instances", "a"), "x" * 65),
        (("projects", "ml-prod", "instances", "a"), UUID + "\n"),
        (("slack", "api_url"), "http://slack.com/api/"),
        (("slack", "api_url"), "slack.com"),
        (("cloud", "iam_url"), "https://[oops"),
        (("cloud", "iam_url"), "https://host:99999"),
        (("cloud", "iam_url"), "https://host/?a=b"),
        (("cloud", "iam_url"), "http://127.0.0.1.example.com/"),
        (("cloud", "iam_url"), "https://a b"),
        (("server", "listen"), ":8080"),
        (("server", "listen"), "127.0.0.1:65536"),
        (("server", "listen"), "8080"),
        (("database",), "mysql://h/db"),
        (("database",), "postgres://h/db"),
        (("database",), "sqlite:///"),
        (("database",), "sqlite:///:memory:"),
        (("database",), "sqlite://bot.db"),
        (("database",), "postgresql://h:port/db"),
        (("database",), "sqlite:///bot\n.db"),
        (("rules", 0, "cooldown"), "soon"),
        (("rules", 0, "approval", "expires"), "1e3"),
        (("watch", "poll"), "10"),
        (("watch", "poll"), 10),
        (("watch", "poll"), "1 s"),
        (("watch", "poll"), "9" * 400 + "d"),
        (("cloud", "calls_per_minute"), 0),
        (("cloud", "signature"), "both"),
    ],
)
def test_what_may_not_be_written(document: dict[str, Any], path, value: object):
    """What cannot work or could be misused is refused, in one line at its place."""
    said = problems(put(document, path, value))

    assert len(said) == 1
    assert said[0].replace('"', "").startswith(str(path[0]))
    assert said[0].isprintable()


LONG = "x" * 300


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ((), ""),
        (("slack",), "slack."),
        (("rules", 0), "rules[0]."),
        (("rules", 0, "approval"), "rules[0].approval."),
        (("projects", "ml-prod"), "projects.ml-prod."),
    ],
)
@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("[key]", '"[key]"'),
        ("", '""'),
        ("a.b", '"a.b"'),
        ('a"b', '"a?b"'),
        ("[[rules]]", '"[[rules]]"'),
        (LONG, f'"{LONG[:39]}…"'),
    ],
)
def test_an_odd_key_is_one_clear_line(
    document: dict[str, Any], table, place, key, shown
):
    """However a key is spelled, it is said to be unknown at its own place."""
    (said,) = problems(put(document, (*table, key), 1))

    assert said.startswith(f"{place}{shown}: there is no such key")


@pytest.mark.parametrize("key", ["[key]", "", 'a"b', LONG])
@pytest.mark.parametrize("table", [("projects",), ("projects", "ml-prod", "instances")])
def test_an_odd_name_is_said_with_the_whole_place(document: dict[str, Any], table, key):
    """A name that nobody can type is named itself, not the table that it is in."""
    value = {"id": PROJECT[::-1]} if table == ("projects",) else UUID

    (said,) = problems(put(document, (*table, key), value))

    shown = '"[key]"' if key == "[key]" else '"'
    assert said.startswith(f"{'.'.join(table)}.{shown}")
    assert "cannot be typed as a name" in said


def test_every_mistake_of_one_rule_is_said_at_once(document: dict[str, Any]):
    """A rule with a mistake in each key tells all of them, each at its place."""
    rule = {
        "who": [],
        "projects": [" "],
        "instances": [],
        "channels": ["#x"],
        "reason": 1,
        "reason_pattern": "(",
        "cooldown": "soon",
        "deny": "no",
        "approval": {"by": ["ann"], "needed": 0, "expires": "0s", "break_glass": [1]},
    }

    said = problems(put(document, ("rules",), [rule]))

    assert [line.split(": ")[0].removeprefix("rules[0].") for line in said] == [
        "approval.break_glass[0]",
        "approval.by[0]",
        "approval.expires",
        "approval.needed",
        "channels[0]",
        "cooldown",
        "deny",
        "instances",
        "name",
        "projects[0]",
        "reason",
        "reason_pattern",
        "who",
    ]


def test_a_near_miss_of_a_group_is_guessed(document: dict[str, Any]):
    """Who forgets the @ of a handle is reminded of it."""
    said = problems(put(document, ("rules", 0, "who"), ["ml-oncall"]))

    assert said[0].startswith('rules[0].who[0]: "ml-oncall" names nobody;')
    assert said[0].endswith('did you mean "@ml-oncall"?')


def test_an_empty_rule_is_a_mistake(document: dict[str, Any]):
    """A rule without anything in it does not silently match everybody."""
    said = problems(put(document, ("rules",), [{}]))

    assert said == (
        "rules[0].name: is missing",
        'rules[0].who: names nobody; name somebody, or "*" for every full member',
    )


def test_tables_that_are_no_tables_hide_no_other_mistake(document: dict[str, Any]):
    """A value where a table belongs is one mistake among the others, all told."""
    rules = [3, {"name": "x", "who": ["ann"]}]
    changed = document | {"rules": rules, "projects": {"a": 1, "b": {"id": "_"}}}

    assert [line.split(":")[0] for line in problems(changed)] == [
        "projects.a",
        "projects.b.id",
        "rules[0]",
        "rules[1].who[0]",
    ]


def test_a_rule_that_refuses_need_not_name_anybody(document: dict[str, Any]):
    """``deny`` refuses whoever it is, so it needs no *who*."""
    rules = [{"name": "never", "instances": ["gated-*"], "deny": True}]

    assert validate(put(document, ("rules",), rules)).rules[0].deny


def test_two_rules_have_two_names(document: dict[str, Any]):
    """A refusal names its rule, so a name belongs to one rule only."""
    said = problems(put(document, ("rules",), document["rules"] * 2))

    assert said == ("rules[1].name: is the name of rules[0] already",)


def test_a_number_with_a_fraction_is_no_duration(tmp_path: Path):
    """``poll = 10.0`` has no unit and is refused like every bare number."""
    path = tmp_path / "bot.toml"
    path.write_text(EXAMPLE.replace('"10s"', "10.0").replace('"10m"', "10"))

    with pytest.raises(ConfigError) as caught:
        load_settings(path)

    wanted = "write a duration as a number and a unit"
    assert [line.split(",")[0] for line in caught.value.problems] == [
        f"rules[0].cooldown: {wanted}",
        f"watch.poll: {wanted}",
    ]


def test_every_mistake_is_said_at_once(file: Path):
    """File and environment are mended in one go, not one error at a time."""
    file.write_text(
        EXAMPLE.replace('mode = "socket"', 'mode = "http"\nfoo = 1')
        .replace('projects = ["ml-prod"]', 'projects = ["ml-prd"]')
        .replace('reason = "required"', "reason = 1")
        .replace('poll = "10s"', "poll = 10")
    )

    said = problems_of_environ(file, {"SLACK_CLIENT_ID": "x"} | TOKEN_LOGIN)

    assert [line.split(":")[0] for line in said] == [
        "rules[0].projects[0]",
        "rules[0].reason",
        "slack.foo",
        "watch.poll",
        "SLACK_BOT_TOKEN",
        "SLACK_CLIENT_ID",
        "SLACK_SIGNING_SECRET",
    ]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"a = 1\nb = = 2\n", "this is not TOML, line 2, column 5: Invalid value"),
        (b"a = 1\nb = '\xff'\n", "line 2 is not UTF-8 text"),
        (b"a = " + b"[" * 20000, "it is nested too deeply"),
        (b"a = " + b"1" * 5000, "this is not TOML, "),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_the_line(
    tmp_path: Path, content: bytes, wanted: str
):
    """A file that cannot be read as TOML is named, with the line at fault."""
    path = tmp_path / "bot.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_settings(path)

    assert caught.value.problems[0].startswith(f"{path}: {wanted}")


def test_a_byte_order_mark_is_no_mistake(file: Path):
    """A file saved by an editor that begins it with a mark loads like any other."""
    file.write_text(EXAMPLE, encoding="utf-8-sig")

    assert load_settings(file).cloud.auth == "token"


def test_a_missing_file_leads_to_init(tmp_path: Path):
    """Who has no file yet is told how to get one."""
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        load_settings(tmp_path / "bot.toml")

    assert f'"mlstudio-bot init {tmp_path / "bot.toml"}"' in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path):
    """A path that cannot be read says why."""
    with pytest.raises(ConfigError, match="the file cannot be read: Is a directory"):
        load_settings(tmp_path)


# --- secrets in the file -----------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "remedy"),
    [
        (("password",), "hunter2", "OS_PASSWORD"),
        (("cloud", "password"), "hunter2", "OS_PASSWORD"),
        (("cloud", "sk"), "hunter2", "HUAWEICLOUD_SDK_SK"),
        (("cloud", "access_key"), "hunter2", "HUAWEICLOUD_SDK_AK"),
        (("slack", "bot_token"), "hunter2", "SLACK_BOT_TOKEN"),
        (("slack", "signing_secret"), "hunter2", "SLACK_SIGNING_SECRET"),
        (("slack", "api_url"), "xoxb-hunter2", "SLACK_BOT_TOKEN"),
        (("rules", 0, "who"), ["xapp-hunter2"], "SLACK_APP_TOKEN"),
        (("projects", "ml-prod", "instances", "token"), "hunter2", "TOKEN"),
        (("projects", "ml-prod", "instances", "a"), "xoxp-hunter2", "SLACK_BOT_TOKEN"),
        (("xoxb-hunter2",), 1, "SLACK_BOT_TOKEN"),
        (("database",), "postgresql://u:hunter2@h/db", "PGPASSWORD"),
        (("database",), "postgresql://u:a/hunter2@h/db", "PGPASSFILE"),
        (("database",), "postgresql://h/db?password=hunter2", "PGPASSWORD"),
        (("cloud", "iam_url"), "https://u:hunter2@h/v3", "remove it from the address"),
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(
    document: dict[str, Any], path, value: object, remedy: str
):
    """A secret in the file is one error that says where it belongs, and not what."""
    said = problems(put(document, path, value))

    assert len(said) == 1
    assert remedy in said[0]
    assert "hunter2" not in said[0]


# --- the environment -----------------------------------------------


@pytest.mark.parametrize("name", sorted(ENVIRON))
@pytest.mark.parametrize("empty", [True, False])
def test_what_is_needed_must_be_set(file: Path, name: str, *, empty: bool):
    """A missing or empty secret is named, with what it is."""
    environ = {k: v for k, v in ENVIRON.items() if k != name} | (
        {name: ""} if empty else {}
    )

    said = problems_of_environ(file, environ)

    assert len(said) == 1
    assert said[0].startswith(f"{name}: is missing; it is ")


def test_only_what_is_used_is_needed(file: Path):
    """Http mode with keys needs neither an app token nor a password."""
    content = EXAMPLE.replace('"socket"', '"http"').replace('"token"', '"aksk"')
    file.write_text(content)
    environ = {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "old, new",
        "HUAWEICLOUD_SDK_AK": "AK",
        "HUAWEICLOUD_SDK_SK": "SK",
    }

    _, secrets = load(file, environ)

    signing = [secret.get_secret_value() for secret in secrets.slack_signing_secrets]
    assert signing == ["old", "new"]
    assert (
        secrets.ak.get_secret_value(),
        secrets.sk.get_secret_value(),
    ) == ("AK", "SK")
    assert not secrets.security_token


def test_one_project_with_keys_needs_the_keys_too(file: Path):
    """Each login that some project uses has to be complete."""
    file.write_text(EXAMPLE + '[projects.other]\nid = "a"\nauth = "aksk"\n')

    said = problems_of_environ(file, ENVIRON)

    names = [line.split(":")[0] for line in said]
    assert names == ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-hunter2"),
        ("SLACK_BOT_TOKEN", "xapp-hunter2"),
        ("SLACK_BOT_TOKEN", "hunter2"),
        ("SLACK_BOT_TOKEN", "xoxb-hunter2 x"),
        ("SLACK_APP_TOKEN", "xoxb-hunter2"),
        ("SLACK_SIGNING_SECRET", "hunter2,hunter2,hunter2"),
        ("SLACK_SIGNING_SECRET", "hunter2,"),
        ("HUAWEICLOUD_SDK_SK", "hunter2\nx"),
        ("OS_PASSWORD", "hunter2\udcff"),
        ("SLACK_CLIENT_ID", "hunter2"),
        ("SLACK_CLIENT_SECRET", "hunter2"),
    ],
)
def test_a_wrong_secret_is_named_and_never_shown(file: Path, name: str, value: str):
    """A secret that cannot be right is refused by its name, without its value."""
    said = problems_of_environ(file, ENVIRON | {name: value})

    assert len(said) == 1
    assert said[0].startswith(f"{name}: ")
    assert "hunter2" not in said[0]


def test_a_secret_may_be_read_from_a_file(file: Path, tmp_path: Path):
    """``NAME_FILE`` gives the value without the line end that editors add."""
    (tmp_path / "password").write_text("s3cret \n")
    environ = {k: v for k, v in ENVIRON.items() if k != "OS_PASSWORD"}

    _, secrets = load(file, environ | {"OS_PASSWORD_FILE": str(tmp_path / "password")})

    assert secrets.os_password.get_secret_value() == "s3cret "


def test_a_secret_and_its_file_cannot_both_be_set(file: Path):
    """Nobody has to guess which of the two counts."""
    said = problems_of_environ(file, ENVIRON | {"OS_PASSWORD_FILE": "/x"})

    assert said == ("OS_PASSWORD: is set, and OS_PASSWORD_FILE too; keep one of them",)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (
            None,
            "cannot be read from the file {} that OS_PASSWORD_FILE names: No such file",
        ),
        (
            b"\xff",
            "cannot be read from the file {} that OS_PASSWORD_FILE names: it is not",
        ),
        (b"\n", "is empty in the file that OS_PASSWORD_FILE names"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named(
    file: Path, tmp_path: Path, content: bytes | None, wanted: str
):
    """The error names the file, never what is in it."""
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    environ = {k: v for k, v in ENVIRON.items() if k != "OS_PASSWORD"}

    said = problems_of_environ(file, environ | {"OS_PASSWORD_FILE": str(path)})

    assert said[0].startswith("OS_PASSWORD: " + wanted.format(path))


@pytest.mark.parametrize(
    "value", ["hunter2", "xoxb-hunter2", "/xoxb-hunter2", "\0hunter2"]
)
def test_a_secret_in_place_of_its_file_is_not_shown(file: Path, value: str):
    """Who puts the secret itself into ``NAME_FILE`` does not find it in a log."""
    environ = {k: v for k, v in ENVIRON.items() if k != "OS_PASSWORD"}

    said = problems_of_environ(file, environ | {"OS_PASSWORD_FILE": value})

    assert said[0].startswith("OS_PASSWORD: cannot be read from the file that")
    assert "hunter2" not in said[0]


def test_no_secret_shows_in_a_repr(file: Path):
    """Whoever logs the secrets logs stars."""
    _, secrets = load(file, ENVIRON)

    shown = repr(secrets) + str(secrets) + secrets.model_dump_json()
    assert [value for value in ENVIRON.values() if value in shown] == []


def _filled(name: str, field: FieldInfo) -> object:
    """Return a value for a *field* of the secrets that says its own *name*."""
    secret = SecretStr(f"value-of-{name}")
    if field.annotation is SecretStr:
        return secret
    if name == "clouds":
        own = {key: SecretStr(f"value-of-{key}") for key in Credentials.model_fields}
        return {"elsewhere": Credentials(**own)}
    return (secret,)


def test_the_log_is_told_every_secret():
    """Every field is hidden from the log but the names of users: a new one, too."""
    fields = Secrets.model_fields
    names = {*fields, *Credentials.model_fields} - {"clouds"}
    users = {"username", "user_domain_name", "user_domain_id"}
    visible = users | {f"os_{name}" for name in users}

    secrets = Secrets(**{name: _filled(name, fields[name]) for name in fields})

    assert {f"value-of-{name}" for name in names - visible} == set(secrets.hidden)
    assert Secrets().hidden == ()


# --- what a typed name means -----------------------------------------------


@pytest.fixture
def named(document: dict[str, Any]) -> Settings:
    """Return settings with some names."""
    instances = {
        "Trainer-7": UUID,
        "gated-1": UUID.upper(),
        "box": "DE-x",
        "Box": "DE-y",
    }
    return validate(put(document, ("projects", "ml-prod", "instances"), instances))


@pytest.mark.parametrize(
    ("typed", "instance", "instance_id"),
    [
        ("Trainer-7", "Trainer-7", UUID),
        ("trainer-7", "Trainer-7", UUID),
        ("gated-1", "gated-1", UUID.upper()),
        (UUID, "Trainer-7", UUID),
        (UUID.upper(), "Trainer-7", UUID),
        ("box", "box", "DE-x"),
        ("de-X", "box", "DE-x"),
    ],
)
def test_a_name_or_an_id_is_the_instance(
    named: Settings, typed: str, instance: str, instance_id: str
):
    """However an instance is typed, it is the one whose names the rules know."""
    target = named.target("ML-prod", typed)

    assert ("ml-prod", PROJECT, instance, instance_id) == (
        target.project,
        target.project_id,
        target.instance,
        target.instance_id,
    )
    same = [
        a
        for a, i in named.projects["ml-prod"].instances.items()
        if i.id.lower() == instance_id.lower()
    ]
    assert tuple(same) == target.aliases


@pytest.mark.parametrize(
    "typed", [OTHER, OTHER.upper(), f"DE-{OTHER}", f"de-{OTHER.upper()}"]
)
def test_an_id_without_a_name_works(named: Settings, typed: str):
    """An id needs no entry, and its case cannot make it another instance."""
    wanted = ("DE-" if typed.lower().startswith("de-") else "") + OTHER

    assert named.target("ml-prod", typed) == Target("ml-prod", PROJECT, wanted, wanted)


def test_every_named_instance_is_listed_once(named: Settings):
    """Two names of one instance make one row, under the name that stands first."""
    listed = [target.instance for target in named.targets("ML-PROD")]

    assert listed == ["Trainer-7", "box", "Box"]
    with pytest.raises(UsageError, match='Did you mean "ml-prod"'):
        named.targets("ml-prd")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["Trainer-7", "box"], ["Trainer-7", "box"]),
        (["box", "trainer-7", "gated-1"], ["box", "trainer-7"]),
        (["TRAINER-*"], ["Trainer-7"]),
        (["*-[17]", OTHER], ["Trainer-7", OTHER]),
        (["box", "*"], ["box", "Trainer-7", "Box"]),
    ],
)
def test_names_and_patterns_mean_each_instance_once(
    named: Settings, typed: list[str], meant: list[str]
):
    """Several names of one instance are that one, in the order in which they came."""
    found = [target.instance for target in named.several("ML-PROD", typed)]

    assert [name.casefold() for name in found] == [name.casefold() for name in meant]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["box", "trainer-8"], 'Did you mean "Trainer-7"?'),
        (["gpu-*"], 'is called "gpu-*". Known here: "Trainer-7"'),
        (["<!here>*"], 'is called "?!here?*"'),
        ([f"{n:08x}{OTHER[8:]}" for n in range(21)], "21 instances, and at most 20"),
    ],
)
def test_names_that_mean_none_or_too_many_are_refused(
    named: Settings, typed: list[str], sentence: str
):
    """A pattern without a match, an unknown name and too many are one sentence."""
    with pytest.raises(UsageError) as raised:
        named.several("ml-prod", typed)

    assert sentence in str(raised.value)


def test_a_project_may_be_typed_by_its_id(named: Settings):
    """The id of a project stands for its name, so the same rules apply."""
    assert named.target(PROJECT.upper(), UUID).project == "ml-prod"


@pytest.mark.parametrize(
    ("project", "instance", "sentence"),
    [
        ("ml-prd", "x", 'There is no project "ml-prd". Did you mean "ml-prod"?'),
        ("zzz", "x", 'There is no project "zzz". Known here: "ml-prod".'),
        (
            "ml-prod",
            "trainr-7",
            'There is no instance "trainr-7" in ml-prod. Did you mean "Trainer-7"?',
        ),
        ("ml-prod", "BOX", '"BOX" may mean "box", "Box": type one of them exactly.'),
        ("", "x", "The name of the project is missing."),
        ("ml-prod", "", "The name of the instance is missing."),
    ],
)
def test_an_unknown_name_is_guessed(
    named: Settings, project: str, instance: str, sentence: str
):
    """Who misspells a name is told which there are."""
    with pytest.raises(UsageError) as caught:
        named.target(project, instance)

    assert sentence == str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "../x",
        "%2e%2e",
        "x" * 300,
        "<!channel>",
        f"{UUID}\n",
        f"{UUID}/..",
        "a b",
        "*",
        "-x",
        "xoxb-1",
    ],
)
def test_a_hostile_name_never_reaches_the_cloud(named: Settings, typed: str):
    """What cannot be a name is refused in one line that repeats nothing harmful."""
    with pytest.raises(UsageError) as caught:
        named.target("ml-prod", typed)

    sentence = str(caught.value)
    assert sentence.startswith('There is no instance "')
    assert len(sentence.split('"')[1]) <= 40
    assert not set(sentence) & set("<>&*%\n/")


def test_many_names_are_not_listed(document: dict[str, Any]):
    """A project with many instances does not answer a mistake with all of them."""
    many = {f"box-{i}": f"{i}" for i in range(9)}
    loaded = validate(put(document, ("projects", "ml-prod", "instances"), many))

    with pytest.raises(UsageError, match=r'^There is no instance "zzz" in ml-prod\.$'):
        loaded.target("ml-prod", "zzz")


def test_without_names_the_id_is_asked_for(document: dict[str, Any]):
    """Where no instance has a name, the mistake says that the id is wanted."""
    loaded = validate(put(document, ("projects", "ml-prod", "instances"), {}))

    with pytest.raises(UsageError, match="type its id"):
        loaded.target("ml-prod", "trainer-7")


# --- anything -----------------------------------------------

KEYS = st.one_of(
    st.sampled_from(
        [
            *Settings.model_fields,
            *("id", "instances", "auth", "mode", "listen", "who", "name", "deny"),
            *("approval", "by", "needed", "expires", "cooldown", "password", "ml-prod"),
            *("[key]", "", "a.b", "]", LONG),
        ]
    ),
    st.text(max_size=5),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            ["*", "U1", "10s", "https://h", "https://[", "ml-*", "((", "token"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


def _answer(ask: Callable[[], object]) -> tuple[str, ...]:
    """Return the lines of the error that *ask* raises; none if it raises none."""
    try:
        ask()
    except (ConfigError, UsageError) as error:
        return tuple(str(error).split("\n"))
    return ()


QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_document_is_settings_or_a_config_error(changes: dict[str, Any]):
    """Whatever stands in the file, the answer is settings or lines for a person."""
    said = _answer(lambda: validate(tomllib.loads(EXAMPLE) | changes))

    assert [line for line in said if line != " ".join(line.split())] == []


@QUICK
@given(
    st.one_of(st.binary(), st.text().map(str.encode)),
    st.dictionaries(
        st.sampled_from([*ENVIRON, "OS_PASSWORD_FILE", "SLACK_CLIENT_ID"]), st.text()
    ),
)
def test_any_file_and_environment_is_settings_or_a_config_error(
    tmp_path: Path, content: bytes, environ: dict[str, str]
):
    """Whatever the file and the environment hold, the only error is ConfigError."""
    path = tmp_path / "bot.toml"
    for wanted in (content, EXAMPLE.encode()):
        path.write_bytes(wanted)

        assert "" not in _answer(lambda: load(path, environ))


@given(st.text(), st.text())
def test_any_typed_name_is_a_target_or_a_usage_error(project: str, instance: str):
    """Whatever is typed, only ids that are safe in an address come out."""
    loaded = validate(tomllib.loads(EXAMPLE))
    for typed in (project, "ml-prod"):
        ids: list[str] = []
        said = _answer(lambda: ids.append(loaded.target(typed, instance).instance_id))  # noqa: B023

        assert "".join(said).isprintable()
        assert set("".join(ids)) <= set("0123456789abcdefDE-")


def test_the_configuration_is_imported_quickly():
    """Commands that only read the configuration start at once: no heavy library."""
    code = "import sys, bot.config; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    heavy = {"dbos", "sqlalchemy", "slack_bolt", "aiohttp", "httpx", "yaml"}
    assert heavy & set(done.stdout.split()) == set()
