"""A server that a flood does not starve: what listens for others is built on it."""

from bot.web.connections import Connections, Limits
from bot.web.guarded_server import GuardedServer

__all__ = ["Connections", "GuardedServer", "Limits"]
