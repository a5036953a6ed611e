"""The figures at /metrics, each declared once as data; it counts, it decides nothing.

Every bot object has its own registry, so that two bots in one process (the tests, the
demo) do not add to each other's figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from bot import __version__
from bot.model import ENDS, State

CONTENT_TYPE = CONTENT_TYPE_LATEST

_QUICK = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0)  # Slack waits 3 s
_SOON = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_MINUTES = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One family of figures: its full *name* in /metrics and what it means.

    *known* are the values of the only label that exist from the start: a rate over a
    series that appears with its first event would miss that event.
    """

    name: str
    kind: str  # counter, gauge, histogram or info
    help: str
    labels: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SENT = (
    State.READY,
    State.FAILED,
    State.TIMED_OUT,
    State.UNKNOWN,
    State.NOT_RESTARTED,
)

REQUESTS = Family(
    "mlstudio_requests_total",
    "counter",
    "Requests that have ended, by how they ended.",
    ("outcome",),
    known=tuple(sorted(ENDS)),
)
RESTARTS = Family(
    "mlstudio_restarts_total",
    "counter",
    "Restart calls that were made, by how the restart ended.",
    ("outcome",),
    known=tuple(sorted(_SENT)),
)
REFUSALS = Family(
    "mlstudio_refusals_total",
    "counter",
    "Requests and clicks that policy refused, by the kind of rule that refused.",
    ("kind",),
)
BREAK_GLASS = Family(
    "mlstudio_break_glass_total",
    "counter",
    "Restarts that went past an approval by break-glass.",
)
APPROVAL_WAIT = Family(
    "mlstudio_approval_wait_seconds",
    "histogram",
    "Time from a request for approval to its decision or expiry.",
    buckets=_MINUTES,
)
ACK = Family(
    "mlstudio_ack_seconds",
    "histogram",
    "Time from a command's or click's arrival to its acknowledgement.",
    buckets=_QUICK,
)
RESTART = Family(
    "mlstudio_restart_seconds",
    "histogram",
    "Time from the restart call to the instance being ready.",
    buckets=_MINUTES,
)
TOLD = Family(
    "mlstudio_ready_to_told_seconds",
    "histogram",
    "Time from the look that showed how a restart ended to its being said in Slack.",
    buckets=_SOON,
)
IN_FLIGHT = Family(
    "mlstudio_requests_in_flight",
    "gauge",
    "Requests that were accepted and have not ended yet.",
)
CLOUD_CALLS = Family(
    "mlstudio_cloud_calls_total",
    "counter",
    "Calls to the cloud, by kind (login, read, restart) and result.",
    ("kind", "result"),
)
SLACK_CALLS = Family(
    "mlstudio_slack_calls_total",
    "counter",
    "Calls to Slack's Web API, by method and result.",
    ("method", "result"),
)
LAST_DELIVERY = Family(
    "mlstudio_last_delivery_timestamp_seconds",
    "gauge",
    "When Slack last delivered a command, a click or an event (seconds since 1970).",
)
CHECK_OK = Family(
    "mlstudio_check_ok",
    "gauge",
    "What each check behind /readyz said at the last look: 1 yes, 0 no.",
    ("check",),
)
AUDIT_HASH = Family(
    "mlstudio_audit_hash_timestamp_seconds",
    "gauge",
    "When the newest hash of the audit trail was written (seconds since 1970).",
)
LOOP_LAG = Family(
    "mlstudio_loop_lag_seconds",
    "gauge",
    "How late the event loop woke at the last look; a busy loop is late.",
)
BUILD = Family("mlstudio_build_info", "info", "The version that runs.")

FAMILIES: tuple[Family, ...] = (
    REQUESTS,
    RESTARTS,
    REFUSALS,
    BREAK_GLASS,
    APPROVAL_WAIT,
    ACK,
    RESTART,
    TOLD,
    IN_FLIGHT,
    CLOUD_CALLS,
    SLACK_CALLS,
    LAST_DELIVERY,
    CHECK_OK,
    AUDIT_HASH,
    LOOP_LAG,
    BUILD,
)


class Metrics:
    """The figures of one bot; labels must come from small fixed sets, never text."""

    def __init__(self) -> None:
        # The …_created series would double the page and say nothing new.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.requests = self._counter(REQUESTS)
        self.restarts = self._counter(RESTARTS)
        self.refusals = self._counter(REFUSALS)
        self.break_glass = self._counter(BREAK_GLASS)
        self.approval_wait = self._histogram(APPROVAL_WAIT)
        self.ack = self._histogram(ACK)
        self.restart = self._histogram(RESTART)
        self.told = self._histogram(TOLD)
        self.in_flight = self._gauge(IN_FLIGHT)
        self.cloud_calls = self._counter(CLOUD_CALLS)
        self.slack_calls = self._counter(SLACK_CALLS)
        self.last_delivery = self._gauge(LAST_DELIVERY)
        self.check_ok = self._gauge(CHECK_OK)
        self.audit_hash = self._gauge(AUDIT_HASH)
        self.loop_lag = self._gauge(LOOP_LAG)
        self._build()
        ProcessCollector(registry=self.registry)

    def cloud_called(self, kind: str, result: str) -> None:
        """Count a call to the cloud."""
        self.cloud_calls.labels(kind, result).inc()

    def slack_called(self, method: str, result: str) -> None:
        """Count a call to Slack's Web API."""
        self.slack_calls.labels(method, result).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    def _counter(self, family: Family) -> Counter:
        counter = Counter(
            family.name, family.help, family.labels, registry=self.registry
        )
        for value in family.known:
            counter.labels(value)
        return counter

    def _gauge(self, family: Family) -> Gauge:
        return Gauge(family.name, family.help, family.labels, registry=self.registry)

    def _histogram(self, family: Family) -> Histogram:
        return Histogram(
            family.name,
            family.help,
            family.labels,
            buckets=family.buckets,
            registry=self.registry,
        )

    def _build(self) -> None:
        info = Info(
            BUILD.name.removesuffix("_info"), BUILD.help, registry=self.registry
        )
        info.info({"version": __version__})
