"""Proofs of senders, and what is read of what they write."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts import proofs
from bot.alerts.parsers import OddBody, alertmanagers, pagerdutys
from bot.alerts.routes import target_of
from bot.cli.check.alerts import sender_lines
from bot.config import Secrets, Settings, validate
from bot.config.secrets import read
from bot.errors import ConfigError
from bot.model import Alert, Sender
from bot.slack.messages.alerts import address
from tests.support import alerts as sent

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
ID, OTHER = (
    "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
    "57cf4ff3-0c59-44fe-9821-2840a34c02a9",
)
URLS = {"iam_url": "https://i.example.com", "modelarts_url": "https://m.example.com"}


def document(**alerts: Any) -> dict[str, Any]:
    """Return a file with one project, and a table of alerts."""
    project = {"id": "a", "instances": {"trainer-7": ID}}
    table = {"channel": "C0INCIDENTS", **alerts}
    return {"cloud": URLS, "projects": {"ml-prod": project}, "alerts": table}


def settings(*maps: dict[str, Any]) -> Settings:
    """Return the settings of such a file with these *maps*."""
    return validate(document(map=list(maps)))


def entry(**changed: Any) -> dict[str, Any]:
    """Return one entry of the map."""
    match = {"service": "PSERVICE1", "urgency": "high"}
    return {"match": match, "project": "ml-prod", "instance": "trainer-7", **changed}


FIRST, MEANT = "alerts.map[0]", '; did you mean "trainer-7"?'
OPENLY = "must begin with https://, or everybody on the way can read the login"

# --- proofs ---------------------------------------------------------------------------


def test_either_secret_counts_during_a_rotation() -> None:
    """Whoever changes a secret has both for a while; neither is the text with both."""
    secrets = ("old-secret", "new-secret")
    body = b"{}"
    for one in secrets:
        assert proofs.is_authorized(f"Bearer {one}", secrets)
        assert proofs.is_authorized(sent.basic(one)["Authorization"], secrets)
        headers = sent.signed(body, one)
        now = float(headers[proofs.GRAFANA_TIMESTAMP])
        assert proofs.is_grafanas(headers, body, secrets, now + 300)
        assert not proofs.is_grafanas(headers, body, secrets, now + 301)
        assert not proofs.is_grafanas(headers, body + b" ", secrets, now)
        assert proofs.is_pagerdutys(sent.signatures(body, "x", one), body, secrets)
    assert not proofs.is_authorized("Bearer old-secret,new-secret", secrets)
    assert not proofs.is_pagerdutys(sent.signatures(body, "x"), body, secrets)


def test_hex_counts_in_capitals() -> None:
    """A proxy or a sender of one's own may write it so."""
    secrets, body = ("secret",), b"{}"
    grafana = {k: v.upper() for k, v in sent.signed(body, "secret").items()}
    now = float(grafana[proofs.GRAFANA_TIMESTAMP])
    assert proofs.is_grafanas(grafana, body, secrets, now)
    ((name, value),) = sent.signatures(body, "secret").items()
    capitals = f"v1={value.removeprefix('v1=').upper()}"
    assert proofs.is_pagerdutys({name: capitals}, body, secrets)


def test_a_signature_without_a_time_proves_nothing() -> None:
    """Else a webhook that somebody has overheard would count for ever."""
    signed = hmac.new(sent.GRAFANA.encode(), b":{}", hashlib.sha256).hexdigest()
    headers = {proofs.GRAFANA_SIGNATURE: signed}
    assert not proofs.is_grafanas(headers, b"{}", (sent.GRAFANA,), 0.0)


@given(st.text(), st.lists(st.text(min_size=1), max_size=2))
def test_no_header_raises(header: str, secrets: list[str]) -> None:
    """Whatever a header holds, it is a proof or none; without a secret it is none."""
    headers = {
        proofs.GRAFANA_SIGNATURE: header,
        proofs.GRAFANA_TIMESTAMP: header,
        proofs.PAGERDUTY_SIGNATURE: header,
    }
    assert proofs.is_authorized(f"Bearer {header}", ()) is False
    proofs.is_authorized(header, ["secret"])
    proofs.is_authorized(f"Basic {header}", ["secret"])
    assert not proofs.is_grafanas(headers, b"{}", ["secret"], 0.0)
    assert not proofs.is_pagerdutys(headers, b"{}", ["secret"])


# --- parsers --------------------------------------------------------------------------


KEYS = ["version", "alerts", "labels", "startsAt", "status", "event", "data", "id"]
PLAIN = st.none() | st.booleans() | st.integers() | st.sampled_from(["1", "4", "x"])
JSON = st.recursive(
    PLAIN, lambda one: st.lists(one) | st.dictionaries(st.sampled_from(KEYS), one)
)


@given(JSON)
def test_any_body_is_read_or_odd(body: Any) -> None:
    """No body makes the bot stumble."""
    raw = json.dumps(body).encode()
    for sender in (Sender.GRAFANA, Sender.PAGERDUTY):
        grafana = sender is Sender.GRAFANA
        with suppress(OddBody):
            found = alertmanagers(raw, sender, NOON) if grafana else pagerdutys(raw)
            assert isinstance(found, list)


def test_every_alert_goes_by_its_own_status() -> None:
    """A body holds what fires and what is resolved; only times with a zone count."""
    ended = NOON + timedelta(minutes=1)
    body = sent.body(
        sent.alert("A", began=NOON),
        sent.alert("B", began=NOON, ended=ended),
        {**sent.alert("C", began=NOON), "status": "resolved"},
    )
    a, b, c = alertmanagers(body, Sender.ALERTMANAGER, NOON + timedelta(hours=1))

    assert (a.name, a.ended, b.ended) == ("A", None, ended)
    assert c.ended == NOON + timedelta(hours=1)  # it says none of its own
    assert len({one.key for one in (a, b, c)}) == 3


@pytest.mark.parametrize(
    "time",
    [
        "2025-03-01T12:00:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999Z",  # a float rounds it to the year 10000
        sent.NO_TIME,
        "",
        7,
    ],
)
def test_a_time_that_is_none_is_odd(time) -> None:
    """Nothing is recorded that could not be shown later."""
    body = sent.body({**sent.alert(), "startsAt": time})
    with pytest.raises(OddBody):
        alertmanagers(body, Sender.ALERTMANAGER, NOON)


@pytest.mark.parametrize("word", [["firing"], {"firing": 1}, "FIRING", None, 1])
def test_a_word_of_the_wrong_type_is_odd_or_another_event(word: Any) -> None:
    """A list where a word belongs is bad input, and no fault of the bot's."""
    body = sent.body({**sent.alert(), "status": word})
    with pytest.raises(OddBody):
        alertmanagers(body, Sender.ALERTMANAGER, NOON)
    assert pagerdutys(json.dumps({"event": {"event_type": word}}).encode()) == []


def test_a_new_start_is_a_new_alert() -> None:
    """The same labels that fire anew are another alert; nanoseconds are understood."""
    first, again = (
        alertmanagers(
            sent.body({**sent.alert(), "startsAt": at}), Sender.ALERTMANAGER, NOON
        )[0]
        for at in ("2025-03-01T12:00:00.123456789Z", "2025-03-01T13:00:00Z")
    )
    assert first.key != again.key
    assert first.began.minute == 0


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://grafana.example.com/d/x?y=1&z=%20", True),
        ("http://127.0.0.1:9090/graph", True),
        ("javascript:alert(1)", False),
        ("https://x|<!channel>", False),
        ("https://x/ y", False),
        ("https://user:pass@x/", False),
        ("https:///nothing", False),
        ("https://[::1", False),
        ("https://x/" + "y" * 3000, False),
        ("ftp://x/", False),
        ("", False),
    ],
)
def test_only_an_address_becomes_a_link(text: str, is_one) -> None:
    """What could format, mention or run in a browser is no link at all."""
    assert bool(address(text)) is is_one


# --- which instance -------------------------------------------------------------------


def about(**labels: str) -> Alert:
    """Return an alert with *labels*."""
    return Alert(Sender.GRAFANA, "k", "Stuck", NOON, labels=labels)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"mlstudio_project": "ml-prod", "mlstudio_instance": "trainer-7"}, True),
        ({"mlstudio_project": "ML-PROD", "mlstudio_instance": ID.upper()}, True),
        ({"mlstudio_project": "ml-prod", "mlstudio_instance": OTHER}, False),
        ({"mlstudio_project": "ml-prod"}, False),
        ({"mlstudio_project": "*", "mlstudio_instance": "*"}, False),
        ({"service": "PSERVICE1", "urgency": "high", "more": "x"}, True),
        ({"service": "PSERVICE1", "urgency": "low"}, False),
        ({"service": "PSERVICE1"}, False),
    ],
)
def test_nothing_is_guessed(labels: dict[str, str], found) -> None:
    """Only what the configuration names; of an entry of the map all has to be equal."""
    target = target_of(about(**labels), settings(entry()))
    assert (target.instance if target else "") == ("trainer-7" if found else "")


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (
            {"map": [entry(project="ml-prd")]},
            f'{FIRST}.project: there is no project "ml-prd"; did you mean "ml-prod"?',
        ),
        (
            {"map": [entry(), entry(instance="trainer-8")]},
            f'alerts.map[1].instance: there is no instance "trainer-8"{MEANT}',
        ),
        (
            {"map": [entry(instance=OTHER)]},
            f'alerts.map[0].instance: there is no instance "{OTHER}"',
        ),
        ({"map": [entry(match={})]}, "alerts.map[0].match: must not be empty"),
        (
            {"channel": "#incidents"},
            'alerts.channel: must be the id of a channel, such as "C0INCIDENTS"',
        ),
        (
            {"note_from": "a\r\nX: y"},
            'alerts.note_from: must be an e-mail address, such as "bot@example.com"',
        ),
        ({"lisen": "x"}, 'alerts.lisen: there is no such key; did you mean "listen"?'),
        (
            {"pagerduty_url": "http://x.example.com"},
            f"alerts.pagerduty_url: {OPENLY}",
        ),
    ],
)
def test_a_mistake_of_the_table_is_said(table: dict[str, Any], line: str) -> None:
    """Each with its place, and what was probably meant."""
    with pytest.raises(ConfigError) as caught:
        validate(document(**table))
    assert caught.value.problems == (line,)


# --- secrets --------------------------------------------------------------------------


def secrets(**environ: str) -> Secrets:
    """Return what the environment tells of senders."""
    return read(environ, ())[0]


def test_secrets_of_senders_are_two_at_most_and_never_shown() -> None:
    """Two with a comma between them during a rotation; notes need a token."""
    both = secrets(ALERTS_TOKEN="one-token,other-token")
    assert both.of_senders[Sender.ALERTMANAGER] == ("one-token", "other-token")
    assert {"one-token", "other-token"} <= set(both.hidden)
    assert "one-token" not in repr(both)
    _, problems = read({"ALERTS_GRAFANA_SECRET": "a,b,c"}, {"notes"})
    said = {str(problem.path[0]): problem.text for problem in problems}
    assert "during a rotation" in said["ALERTS_GRAFANA_SECRET"]
    assert "is missing" in said["ALERTS_PAGERDUTY_TOKEN"]


def test_check_says_which_senders_are_on() -> None:
    """A sender without a secret is refused, and whoever runs check reads so."""
    (line,) = sender_lines(settings(), secrets(ALERTS_TOKEN="a"))
    assert str(line) == (
        "✓ alerts are taken from Alertmanager; refused: Grafana (ALERTS_GRAFANA_SECRET"
        " is not set), PagerDuty (ALERTS_PAGERDUTY_SECRET is not set)"
    )
    (line,) = sender_lines(settings(), secrets())
    assert line.ok is False
    (line,) = sender_lines(settings(), secrets(), offline=True)
    assert line.ok is None
