"""The cloud: IAM and ModelArts, over one httpx client that is given from outside."""

from bot.cloud.client import Cloud, http_client
from bot.cloud.login import Login
from bot.cloud.names import Names
from bot.config import Endpoint

__all__ = ["Cloud", "Endpoint", "Login", "Names", "http_client"]
