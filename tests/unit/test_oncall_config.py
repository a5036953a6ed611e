"""Whoever writes a line of on-call learns every mistake in it, with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.config import load, validate
from bot.config.redaction import redactor
from bot.config.secrets import read
from bot.errors import ConfigError
from bot.model.rule import line_of

LINE: dict[str, Any] = {
    "source": "pagerduty",
    "schedule": "PABC123",
    "people": {"PANN": "U0ANN"},
}
IRM: dict[str, Any] = {
    "source": "grafana",
    "schedule": ["SBGMK8JCIKF1Q"],
    "url": "https://oncall-prod-eu-west-0.grafana.net/oncall/api/v1/",
    "stack": "https://ml.grafana.net",
}
CLOUD = {"iam_url": "https://i/v3", "modelarts_url": "https://m"}


def document(**lines: Any) -> dict[str, Any]:
    """Return a file with these lines."""
    projects = {"ml-prod": {"id": "abc"}}
    return {"cloud": CLOUD, "projects": projects, "oncall": lines}


def wrong(whole: dict[str, Any]) -> tuple[str, ...]:
    """Return what is said of a file."""
    with pytest.raises(ConfigError) as caught:
        validate(whole)
    return caught.value.problems


def test_a_line_is_one_schedule_or_several_of_a_source() -> None:
    """One id stands for a list of one; where it is asked follows from source, region
    and url.
    """
    found = validate(
        document(primary=LINE, eu={**LINE, "region": "eu"}, irm=IRM)
    ).oncall

    assert found["primary"].schedule == ("PABC123",)
    assert found["primary"].api_url == "https://api.pagerduty.com"
    assert found["eu"].api_url == "https://api.eu.pagerduty.com"
    assert found["irm"].api_url == "https://oncall-prod-eu-west-0.grafana.net/oncall"
    assert [one.said for one in found.values()] == ["PagerDuty"] * 2 + ["Grafana"]


def test_the_version_follows_the_lines() -> None:
    """Who is whom decides about requests, so it is part of the version."""
    other = {**LINE, "people": {"PANN": "U0BOB"}}

    assert validate(document(a=LINE)).version != validate(document(a=other)).version


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": "opsgenie"}, 'oncall.x.source: must be "pagerduty" or "grafana"'),
        ({"source": None}, "oncall.x.source: must be"),
        ({"schedule": []}, "oncall.x.schedule: must not be empty; name a schedule"),
        ({"schedule": 7}, 'oncall.x.schedule: must be a list, such as ["…", "…"], not'),
        (
            {"schedule": "P 1"},
            'oncall.x.schedule[0]: "P 1" is not the id of a schedule',
        ),
        ({"schedule": ["../users"]}, 'oncall.x.schedule[0]: "../users" is not the id'),
        ({"people": {"PANN": "ann"}}, "oncall.x.people.PANN: must be the id of a"),
        ({"people": {" ": "U0ANN"}}, "is not the id of a person in the source"),
        ({"region": "mars"}, 'oncall.x.region: must be "us" or "eu"'),
        ({"stack": "https://s"}, "oncall.x.stack: has no meaning with source"),
        (
            {"url": "https://p", "region": "eu"},
            "oncall.x.region: says where, and url does, too; keep one",
        ),
        ({"url": "http://p"}, "oncall.x.url: must begin with https://"),
        ({"shedule": "P1"}, 'there is no such key; did you mean "schedule"?'),
        ({"token": "abcdefgh"}, "environment variable PAGERDUTY_TOKEN, or"),
        ({"url": "glsa_abcdefgh"}, "environment variable GRAFANA_IRM_TOKEN, or"),
        (
            {"people": {"PANN": "U0ANN", "PBOB": "U0ANN"}},
            "oncall.x.people.PBOB: is U0ANN, and so is PANN: a person is mapped once",
        ),
    ],
)
def test_every_mistake_has_its_place(change: dict[str, Any], said: str) -> None:
    """One clear sentence for each, and only one."""
    (line,) = wrong(document(x={**LINE, **change}))

    assert said in line


def test_grafana_has_to_be_found() -> None:
    """There is no address to guess; a region is PagerDuty's."""
    lacking = {key: IRM[key] for key in ("source", "schedule")}

    region, stack, url = wrong(document(x={**lacking, "region": "eu"}))

    assert "oncall.x.region: has no meaning" in region
    assert "oncall.x.url: is missing; it is where Grafana IRM answers" in url
    assert "oncall.x.stack: is missing" in stack


def test_one_person_is_the_same_in_every_line() -> None:
    """Two lines of a source that disagree about somebody are a mistake."""
    other = {**LINE, "people": {"PANN": "U0BOB"}}

    (line,) = wrong(document(a=LINE, b=other))

    assert "oncall.b.people.PANN: is U0BOB here and U0ANN in another line" in line
    assert validate(document(a=LINE, b=LINE, c={**IRM, "people": {"PANN": "U0X"}}))


@pytest.mark.parametrize(
    "path",
    [
        "freeze.by[1]",
        "rules[0].who[1]",
        "rules[0].approval.by[1]",
        "rules[0].approval.break_glass[1]",
    ],
)
def test_a_line_that_is_named_has_to_exist(path: str) -> None:
    """Wherever people are named, a line is; one that is not there is a mistake."""
    where = {
        "freeze.by[1]": {"freeze": ["U0ANN"]},
        "rules[0].who[1]": {"who": ["U0ANN"]},
        "rules[0].approval.by[1]": {"by": ["U0ANN"]},
        "rules[0].approval.break_glass[1]": {"break_glass": ["U0ANN"]},
    }[path]
    for name, lines in (("primary", ()), ("primry", wrong)):
        people = {key: [*named, f"oncall:{name}"] for key, named in where.items()}
        whole = document(primary=LINE) | {
            "freeze": {"by": people.get("freeze", [])},
            "rules": [
                {
                    "name": "x",
                    "who": people.get("who", ["*"]),
                    "approval": {
                        "by": people.get("by", ["*"]),
                        "break_glass": people.get("break_glass", []),
                    },
                }
            ],
        }
        if not lines:
            assert validate(whole)
            continue
        (said,) = wrong(whole)
        near = 'there is no [oncall.primry]; did you mean "primary"?'
        assert said == f"{path}: {near}"


def test_what_names_no_line_is_no_line() -> None:
    """A word that looks like one only means nobody."""
    assert [line_of(one) for one in ("oncall:a", "oncall:", "U0ANN", "@oncall")] == [
        *("a", "", "", "")
    ]
    odd = document() | {"rules": [{"name": "x", "who": ["oncall:"]}]}
    assert "names nobody" in wrong(odd)[0]


# --- tokens ---------------------------------------------------------------------------


def problems(uses: set[str], **environ: str) -> list[str]:
    """Return what is said of the tokens in *environ*."""
    found = read({"SLACK_BOT_TOKEN": "xoxb-1-1", **environ}, uses)[1]
    return [str(one) for one in found]


def test_a_token_is_needed_only_where_a_line_asks() -> None:
    """Without a line nobody has to set one."""
    assert problems(set()) == []
    (missing,) = problems({"pagerduty"})
    assert missing.startswith("PAGERDUTY_TOKEN: is missing; it is a read-only API key")
    (missing,) = problems({"grafana"})
    assert missing.startswith("GRAFANA_IRM_TOKEN: is missing; it is the token (glsa_…)")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PAGERDUTY_TOKEN", "glsa_abcd", "must be PagerDuty's token"),
        ("GRAFANA_IRM_TOKEN", "u+abcd", "must be Grafana's token"),
        ("GRAFANA_IRM_TOKEN", "xoxb-1-abcd", "begins like Slack's"),
        ("GRAFANA_IRM_TOKEN", "Bearer glsa_a", "without the word before it"),
        ("PAGERDUTY_TOKEN", "Token token=abc", "without the word before it"),
        ("PAGERDUTY_TOKEN", "x y", "holds a blank"),
    ],
)
def test_a_token_of_the_wrong_kind_is_explained(
    name: str, value: str, said: str
) -> None:
    """What cannot be the token says what it has to be, and does not show it."""
    (line,) = problems(set(), **{name: value})

    assert line.startswith(f"{name}: ")
    assert said in line
    assert value not in line


def test_tokens_are_hidden_wherever_they_show(tmp_path: Path) -> None:
    """By their values, by their looks, and in a header."""
    file = tmp_path / "token"
    file.write_text("y_NbAkKc66ryYTWUXYEu\n")
    secrets, _ = read(
        {"PAGERDUTY_TOKEN_FILE": str(file), "GRAFANA_IRM_TOKEN": "glsa_1_known"}, ()
    )
    clean = redactor(secrets.hidden)

    assert secrets.hidden == ("y_NbAkKc66ryYTWUXYEu", "glsa_1_known")
    for text in (
        "sent y_NbAkKc66ryYTWUXYEu",
        "glsa_1_known",
        "glsa_another_one",
        "Token token=somebody_else_s",
    ):
        assert "[hidden]" in clean(text)
    assert "somebody" not in clean("Token token=somebody_else_s")
    assert "NbAk" not in repr(secrets)


def test_the_tokens_come_with_the_file(tmp_path: Path) -> None:
    """A line makes its token a need of the whole configuration."""
    path = tmp_path / "bot.toml"
    path.write_text(
        f'[cloud]\niam_url = "{CLOUD["iam_url"]}"\nmodelarts_url = "https://m"\n'
        '[projects.x]\nid = "abc"\n'
        '[oncall.primary]\nsource = "pagerduty"\nschedule = "P1"\n'
    )

    with pytest.raises(ConfigError) as caught:
        load(path, {})

    assert any(one.startswith("PAGERDUTY_TOKEN") for one in caught.value.problems)
    assert not any(one.startswith("GRAFANA") for one in caught.value.problems)
