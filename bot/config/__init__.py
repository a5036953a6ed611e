"""The configuration: one TOML file and the secrets of the environment.

Everything is checked at once, and every mistake is said with its place. The parts:
``kinds`` of text, ``tables`` of them, ``settings`` as a whole, ``naming`` of projects
and instances, ``problems`` in words, ``relations`` between values, ``leaks`` of secrets
into the file, ``clouds`` as users have them already and ``cloudfiles`` that hold them,
``secrets`` of the environment, ``files``.
"""

from bot.config.load import examine, find, load, load_settings, validate
from bot.config.openstack import Credentials
from bot.config.secrets import Secrets
from bot.config.settings import Endpoint, Settings
from bot.config.tables import ProjectSettings, WatchSettings
from bot.config.types import host_port

__all__ = [
    "Credentials",
    "Endpoint",
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
