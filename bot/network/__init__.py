"""The way out: which proxy, which certificates, and why a connection failed."""

from bot.network.failures import explained
from bot.network.routes import DIRECT, Network
from bot.network.transport import http_client

__all__ = ["DIRECT", "Network", "explained", "http_client"]
