"""What senders write, turned into alerts. Pure; foreign words come out on one line.

A body that is none of theirs raises ``OddBody``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.model import Alert, Sender
from bot.slack.messages.alerts import address, foreign

VERSIONS = {Sender.ALERTMANAGER: "4", Sender.GRAFANA: "1"}
_LONGEST_NAME, _LABEL, _KEY = 200, 1000, 300  # characters
MISSING_SERIES = "MissingSeries"
_FIRES = ("incident.triggered", "incident.reopened")
_ENDED = "incident.resolved"
_LAST_YEAR = 9998  # what is later is rounded, in a database, to what is no time


class OddBody(ValueError):
    """The body is not what this sender writes; the text says what is odd."""


def parsed(body: bytes) -> Any:
    """Return *body* as JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise OddBody("it is not JSON") from error


def alertmanagers(body: bytes, sender: Sender, now: datetime) -> list[Alert]:
    """Return the alerts of Alertmanager, or of Grafana, which writes the same.

    One that has ended without an end of its own has ended by *now*.
    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    document = _mapping(parsed(body), "it is no object")
    if document.get("version") != VERSIONS[sender]:
        raise OddBody(f"its version is not {VERSIONS[sender]}: is its payload custom?")
    listed = document.get("alerts")
    if not isinstance(listed, list):
        raise OddBody("it has no list of alerts")
    every = [_mapping(each, "an alert is no object") for each in listed]
    alerts = [_alert(each, sender, document.get("externalURL")) for each in every]
    return [
        replace(alert, ended=alert.ended or now)
        if each["status"] == "resolved"
        else alert
        for each, alert in zip(every, alerts, strict=True)
    ]


def _alert(written: Mapping[str, Any], sender: Sender, otherwise: object) -> Alert:
    labels = _texts(written.get("labels"))
    told = _texts(written.get("annotations") or {})
    status = written.get("status")
    if status not in ("firing", "resolved"):  # which may be anything, even a list
        raise OddBody("the status of an alert is neither firing nor resolved")
    began = _time(written.get("startsAt"))
    if began is None:
        raise OddBody("an alert has no startsAt")
    over = status == "resolved"
    mark = written.get("fingerprint") or json.dumps(labels, sort_keys=True)
    summary = told.get("summary") or told.get("description") or told.get("message")
    return Alert(
        sender=sender,
        key=f"{mark}"[:_KEY] + f" {began.isoformat()}",
        name=foreign(
            labels.get("alertname") or "An alert without a name", _LONGEST_NAME
        ),
        began=began,
        ended=_time(written.get("endsAt")) if over else None,
        summary=foreign(summary or "", _LABEL),
        link=_link(written, otherwise),
        labels=labels,
        no_data=over and told.get("grafana_state_reason") == MISSING_SERIES,
    )


def _link(written: Mapping[str, Any], otherwise: object) -> str:
    """Return the first of its addresses that is one."""
    names = ("panelURL", "dashboardURL", "generatorURL")
    every = [*(written.get(name) for name in names), otherwise]
    return next(
        filter(None, (address(one) for one in every if isinstance(one, str))), ""
    )


def pagerdutys(body: bytes) -> list[Alert]:
    """Return the alert of PagerDuty's event; none for an event about something else.

    https://developer.pagerduty.com/docs/webhooks-overview
    """
    event = _mapping(_mapping(parsed(body), "it is no object").get("event"), "no event")
    kind = event.get("event_type")
    if kind not in _FIRES and kind != _ENDED:
        return []
    incident = _mapping(event.get("data"), "the event is about nothing")
    said_at, key = _time(event.get("occurred_at")), incident.get("id")
    if said_at is None or not isinstance(key, str) or not key:
        raise OddBody("the event has no time, or its incident no id")
    link = incident.get("html_url")
    return [
        Alert(
            sender=Sender.PAGERDUTY,
            key=key[:_KEY],
            name=foreign(str(incident.get("title") or "An incident"), _LONGEST_NAME),
            began=_time(incident.get("created_at")) or said_at,
            ended=said_at if kind == _ENDED else None,
            summary=_urgency(incident),
            link=address(link) if isinstance(link, str) else "",
            labels=dict(_labels(incident)),
            said_at=said_at,
            incident=key if key.isalnum() else "",
        )
    ]


def _labels(incident: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what an entry of the map can match: it has no labels of its own."""
    service = incident.get("service")
    for name, value in (
        ("service", service.get("id") if isinstance(service, Mapping) else None),
        ("urgency", incident.get("urgency")),
    ):
        if isinstance(value, str):
            yield name, value


def _urgency(incident: Mapping[str, Any]) -> str:
    number, urgency = incident.get("number"), incident.get("urgency")
    named = f"Incident {number}" if isinstance(number, int) else "Incident"
    return foreign(f"{named}, urgency {urgency}" if isinstance(urgency, str) else named)


def _mapping(value: Any, otherwise: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OddBody(otherwise)
    return value


def _texts(value: Any) -> dict[str, str]:
    """Return a table of texts."""
    if not isinstance(value, dict) or not all(
        isinstance(v, str) for v in value.values()
    ):
        raise OddBody("labels or annotations are no table of texts")
    return {foreign(k, _LABEL): foreign(v, _LABEL) for k, v in value.items()}


def _time(value: Any) -> datetime | None:
    """Return a time with its zone; None for no time, which the years 1 and 9999 are."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
        known = when.tzinfo is not None and when.timestamp() > 0
        known = known and when.year <= _LAST_YEAR
        return when.astimezone(UTC) if known else None
    except (ValueError, OverflowError):
        raise OddBody("a time cannot be read") from None
