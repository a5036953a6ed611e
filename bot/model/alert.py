"""Alerts: what senders say is wrong with an instance, and what is known of it here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Sender(StrEnum):
    """Who sends alerts; the value is the last part of the path that it sends to."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    PAGERDUTY = "pagerduty"

    @property
    def label(self) -> str:
        """Its name as people write it."""
        return {"pagerduty": "PagerDuty"}.get(self.value, self.value.capitalize())


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as its sender tells it; its words are foreign, on one line each.

    *key* is what the sender knows it by. *began* and *ended* (None: it fires) are the
    sender's times, in UTC. *no_data*: it ended because nothing is measured any more.
    *said_at* is when the sender said so, where it tells that. *incident* is the id to
    write a note to.
    """

    sender: Sender
    key: str
    name: str
    began: datetime
    ended: datetime | None = None
    summary: str = ""
    link: str = ""  # an http(s) URL, or nothing
    labels: Mapping[str, str] = field(default_factory=dict)
    no_data: bool = False
    said_at: datetime | None = None
    incident: str = ""


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """An alert about an instance as it stands in the record; times are in UTC.

    *times* is how often it was heard of, *heard_at* when for the last time.
    """

    id: str
    sender: Sender
    project: str
    instance_id: str
    name: str
    summary: str
    link: str
    began: datetime
    ended: datetime | None
    no_data: bool
    heard_at: datetime
    times: int
    incident: str = ""


@dataclass(frozen=True, slots=True)
class AlertCard:
    """A message about alerts: one of its own, or the *more* of a sender.

    *count* is how many alerts it is about, *over* how many of them have ended;
    *alerts* are the newest of them. *version* says which state of them this is.
    """

    id: str
    sender: Sender
    channel_id: str
    ts: str
    version: int
    more: bool
    count: int
    over: int
    alerts: Sequence[KnownAlert]


class Aftermath(StrEnum):
    """What is known of an alert after its instance was restarted."""

    CLEARED = "cleared"
    BEFORE = "before"  # it had cleared before the restart
    NO_DATA = "no data"
    FIRING = "firing"  # still, when the time to watch it was over
    SILENT = "silent"  # the sender has said nothing since the restart


WATCHED_S = 1800.0  # an alert is watched for so long after a restart


def aftermath(
    alert: KnownAlert, restarted: datetime, now: datetime
) -> Aftermath | None:
    """Return what can be said of *alert* after a restart, None as long as nothing can.

    *restarted* is when the restart was sent. Nothing here says that it has cured it.
    """
    if alert.ended is not None:
        if alert.no_data:
            return Aftermath.NO_DATA
        return Aftermath.BEFORE if alert.ended < restarted else Aftermath.CLEARED
    if (now - restarted).total_seconds() < WATCHED_S:
        return None
    return Aftermath.FIRING if alert.heard_at > restarted else Aftermath.SILENT
