"""Files for operators: alert rules and a dashboard, which only use figures that
``bot.telemetry.metrics`` declares, the manual, and the configuration to start from.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from bot.errors import UsageError

# What ``mlstudio-bot assets`` prints, each with what it is for.
ASSETS: Mapping[str, str] = MappingProxyType(
    {
        "alerts.yaml": "Prometheus alert rules (rule_files: in prometheus.yml)",
        "dashboard.json": "a Grafana dashboard (Dashboards > New > Import)",
        "operations.md": "the operator's manual (install, alerts, restore, rotate)",
    }
)


def text_of(name: str) -> str:
    """Return the content of an asset; raise UsageError for one that there is not."""
    found = [one for one in ASSETS if name in {one, one.partition(".")[0]}]
    if not found:
        known = " and ".join(f'"{one}"' for one in ASSETS)
        raise UsageError(f'there is no asset "{name[:40]}"; there are {known}')
    return _read(found[0])


def starter() -> str:
    """Return the commented configuration that ``init`` writes."""
    return _read("starter.toml")


def _read(file: str) -> str:
    """Return the content of a *file* beside this module."""
    return files(__name__).joinpath(file).read_text(encoding="utf-8")
