"""What a reload says that it changes, and what it says needs a restart."""

from typing import Any

import pytest
from pydantic import SecretStr

from bot.app.reload import compared
from bot.config import Secrets, Settings, validate

BOX, OTHER = (
    "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
    "f7a1c6d0-3e84-4b29-a5c7-9d0b8e2f4163",
)
RULES = [{"name": "a", "who": ["U1"]}, {"name": "b", "who": ["U2"]}]


def settings(**more: Any) -> Settings:
    """Return the settings of a small file with *more* in it."""
    return validate(
        {
            "cloud": {"iam_url": "https://i/v3", "modelarts_url": "https://m"},
            "projects": {"ml-prod": {"id": "1", "instances": {"box": BOX}}},
            "rules": RULES,
            **more,
        }
    )


PROJECT = settings().projects["ml-prod"]


@pytest.mark.parametrize(
    ("more", "applied", "waiting"),
    [
        ({}, (), ()),
        ({"rules": RULES[::-1]}, ("rules in another order",), ()),
        ({"rules": RULES[:1]}, ("rule “b” removed",), ()),
        (
            {"rules": [*RULES, {"name": "c", "who": ["*"]}]},
            ("rule “c” added",),
            (),
        ),
        (
            {"rules": [RULES[0], {"name": "b", "who": ["*"]}]},
            ("rule “b” changed",),
            (),
        ),
        (
            {"projects": {"ml-prod": {"id": "1", "instances": {"box": OTHER}}}},
            ("projects.ml-prod.instances.box.id changed",),
            (),
        ),
        (
            {"projects": {"ml-prod": {"id": "1"}, "ml-dev": {"id": "2"}}},
            (
                "projects.ml-prod.instances.box.id removed",
                "projects.ml-dev added",
            ),
            (),
        ),
        ({"freeze": {"by": ["U1"]}}, ("freeze.by changed",), ()),
        ({"owners": {"ann": "U1"}}, ("owners.ann added",), ()),
        ({"database": "sqlite:///other.db"}, (), ("database",)),
        (
            {"slack": {"mode": "http"}, "server": {"listen": "127.0.0.1:1"}},
            (),
            ("slack.mode", "server.listen"),
        ),
        ({"watch": {"poll": "1s"}}, (), ("watch.poll",)),
    ],
)
def test_what_was_changed_is_named_by_its_key(more, applied, waiting):
    """Rules, projects, owners and who may freeze count at once, the rest is named."""
    before, after = settings(), settings(**more)

    reload = compared((before, Secrets()), (after, Secrets()))

    assert set(reload.applied) == set(applied)
    assert set(reload.waiting) == set(waiting)
    assert reload.settings.rules == after.rules
    assert reload.settings.projects == after.projects
    assert reload.settings.database == before.database
    assert reload.settings.slack == before.slack


def alerts(**more: Any) -> Settings:
    """Return settings that take alerts."""
    return settings(alerts={"channel": "C1", **more})


def test_where_alerts_go_counts_at_once_and_where_they_come_to_does_not():
    """Whoever listens, listens where he does; channel and map are those of the file."""
    entry = {"match": {"service": "P1"}, "project": "ml-prod", "instance": "box"}
    after = alerts(channel="C2", listen="127.0.0.1:9", map=[entry])

    reload = compared((alerts(), Secrets()), (after, Secrets()))

    assert set(reload.applied) == {"alerts.channel changed", "alerts.map changed"}
    assert reload.waiting == ("alerts.listen",)
    now, old, new = reload.settings.alerts, alerts().alerts, after.alerts
    assert now is not None
    assert old is not None
    assert new is not None
    assert (now.channel, now.map, now.listen) == (new.channel, new.map, old.listen)


@pytest.mark.parametrize(("before", "after"), [(settings, alerts), (alerts, settings)])
def test_to_take_alerts_or_none_needs_a_restart(before, after):
    """A listener is neither opened nor closed by a reload."""
    old, new = before(), after()

    reload = compared((old, Secrets()), (new, Secrets()))

    assert reload.applied == ()
    assert {key.split(".")[0] for key in reload.waiting} == {"alerts"}
    assert reload.settings.alerts == old.alerts


def test_a_line_of_on_call_counts_at_once():
    """A schedule that was changed is asked from now on."""
    line = {"source": "pagerduty", "schedule": "P1", "people": {"PU": "U1"}}
    before = settings(oncall={"one": line})
    after = settings(oncall={"one": {**line, "schedule": "P2"}})

    reload = compared((before, Secrets()), (after, Secrets()))

    assert reload.waiting == ()
    assert reload.applied == ("oncall.one.schedule changed",)
    assert reload.settings.oncall == after.oncall


def test_a_secret_with_another_value_needs_a_restart():
    """A token that was changed in its file is named, and neither value shown."""
    before = Secrets(slack_bot_token=SecretStr("xoxb-1"), ak=SecretStr("k"))
    after = Secrets(
        slack_bot_token=SecretStr("xoxb-2"),
        ak=SecretStr("k"),
        slack_signing_secrets=(SecretStr("s3cret"),),
    )

    reload = compared((settings(), before), (settings(), after))

    assert set(reload.waiting) == {"SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"}
