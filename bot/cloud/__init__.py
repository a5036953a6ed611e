"""The cloud: IAM and ModelArts, over one httpx client that is given from outside."""

from bot.cloud.endpoint import Endpoint, Login
from bot.cloud.http import http_client
from bot.cloud.modelarts import Cloud

__all__ = ["Cloud", "Endpoint", "Login", "http_client"]
