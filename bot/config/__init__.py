"""The configuration: one TOML file and the secrets of the environment.

Everything is checked at once, and every mistake is said with its place. What each table
may hold stands in ``tables``, a rule in ``bot.model.rule``, what only the whole file
shows in ``cross_checks``; ``error_messages`` says it.
"""

from bot.config.load import Examined, examine, find, load, load_settings, validate
from bot.config.oncall import OnCallSettings
from bot.config.openstack import Credentials
from bot.config.secrets import Secrets
from bot.config.settings import Endpoint, Settings
from bot.config.tables import ProjectSettings, WatchSettings, host_port

__all__ = [
    "Credentials",
    "Endpoint",
    "Examined",
    "OnCallSettings",
    "ProjectSettings",
    "Secrets",
    "Settings",
    "WatchSettings",
    "examine",
    "find",
    "host_port",
    "load",
    "load_settings",
    "validate",
]
