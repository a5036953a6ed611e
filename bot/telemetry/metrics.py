"""The figures at /metrics; they count, they decide nothing.

Every bot object has its own registry, so that two bots in one process (the tests, the
demo) do not add to each other's figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

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
_SENT = (
    State.READY,
    State.FAILED,
    State.TIMED_OUT,
    State.UNKNOWN,
    State.DOWN,
    State.NOT_RESTARTED,
)


class Metrics:
    """The figures of one bot; labels must come from small fixed sets, never text."""

    def __init__(self) -> None:
        # The …_created series would double the page and say nothing new.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)

        self.requests = counter(
            "mlstudio_requests_total",
            "Requests that have ended, by how they ended.",
            ["outcome"],
        )
        self.restarts = counter(
            "mlstudio_restarts_total",
            "Restart calls that were made, by how the restart ended.",
            ["outcome"],
        )
        self.refusals = counter(
            "mlstudio_refusals_total",
            "Requests and clicks that policy refused, by the kind of rule that"
            " refused.",
            ["kind"],
        )
        self.break_glass = counter(
            "mlstudio_break_glass_total",
            "Restarts that went past an approval by break-glass.",
        )
        self.approval_wait = histogram(
            "mlstudio_approval_wait_seconds",
            "Time from a request for approval to its decision or expiry.",
            buckets=_MINUTES,
        )
        self.ack = histogram(
            "mlstudio_ack_seconds",
            "Time from a command's or click's arrival to its acknowledgement.",
            buckets=_QUICK,
        )
        self.restart = histogram(
            "mlstudio_restart_seconds",
            "Time from the restart call to the instance being ready.",
            buckets=_MINUTES,
        )
        self.told = histogram(
            "mlstudio_ready_to_told_seconds",
            "Time from the look that showed how a restart ended to its being said in"
            " Slack.",
            buckets=_SOON,
        )
        self.in_flight = gauge(
            "mlstudio_requests_in_flight",
            "Requests that were accepted and have not ended yet.",
        )
        self.freezes = gauge(
            "mlstudio_freezes_in_force",
            "Freezes that are in force: of a project, or of all.",
        )
        self.down = gauge(
            "mlstudio_instances_down",
            "Instances that were stopped for a restart and are not up again.",
        )
        self.alerts = counter(
            "mlstudio_alerts_total",
            "Alerts, and webhooks that held none, by sender and what came of them.",
            ["source", "result"],
        )
        self.cloud_calls = counter(
            "mlstudio_cloud_calls_total",
            "Calls to the cloud, by kind (login, read, restart) and result.",
            ["kind", "result"],
        )
        self.slack_calls = counter(
            "mlstudio_slack_calls_total",
            "Calls to Slack's Web API, by method and result.",
            ["method", "result"],
        )
        self.last_delivery = gauge(
            "mlstudio_last_delivery_timestamp_seconds",
            "When Slack last delivered a command, a click or an event (seconds since"
            " 1970).",
        )
        self.check_ok = gauge(
            "mlstudio_check_ok",
            "What each check behind /readyz said at the last look: 1 yes, 0 no.",
            ["check"],
        )
        self.audit_hash = gauge(
            "mlstudio_audit_hash_timestamp_seconds",
            "When the newest hash of the audit trail was written (seconds since 1970).",
        )
        self.loop_lag = gauge(
            "mlstudio_loop_lag_seconds",
            "How late the event loop woke at the last look; a busy loop is late.",
        )
        self.build = Info(
            "mlstudio_build", "The version that runs.", registry=self.registry
        )

        self.build.info({"version": __version__})
        _start_at_nought(self.requests, sorted(ENDS))
        _start_at_nought(self.restarts, sorted(_SENT))
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


def _start_at_nought(counter: Counter, outcomes: Iterable[State]) -> None:
    """Let every outcome be there before its first event.

    A rate over a series that appears with its first event would miss that event:
    https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
    """
    for outcome in outcomes:
        counter.labels(outcome)
