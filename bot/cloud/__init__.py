"""The cloud: IAM and ModelArts, over one httpx client that is given from outside."""

from bot.cloud.client import Cloud
from bot.cloud.login import Login
from bot.config import Endpoint
from bot.network import http_client

__all__ = ["Cloud", "Endpoint", "Login", "http_client"]
