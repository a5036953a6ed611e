"""The cloud: IAM and ModelArts, over one httpx client that is given from outside."""

from bot.cloud.endpoint import Endpoint, Login
from bot.cloud.modelarts import Cloud

__all__ = ["Cloud", "Endpoint", "Login"]
