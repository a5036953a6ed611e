"""The families of figures that the bot declares, as the tests compare them."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase

from bot.telemetry.metrics import Metrics

_SUFFIXES = {"counter": "_total", "info": "_info"}  # of the name in /metrics


@dataclass(frozen=True)
class Family:
    """One family: its full name in /metrics, what it means, its labels.

    *known* are the values of its only label that exist from the start.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    known: tuple[str, ...]
    buckets: tuple[float, ...]


def _family(declared: MetricWrapperBase) -> Family:
    kind = declared._type
    known = getattr(declared, "_metrics", {})
    return Family(
        declared._name + _SUFFIXES.get(kind, ""),
        kind,
        declared._documentation,
        tuple(declared._labelnames),
        tuple(values[0] for values in known),
        tuple(getattr(declared, "_upper_bounds", ())[:-1]),  # without +Inf
    )


FAMILIES = tuple(
    _family(figure)
    for figure in vars(Metrics()).values()
    if isinstance(figure, MetricWrapperBase)
)
