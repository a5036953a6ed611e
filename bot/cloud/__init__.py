"""The cloud: IAM and ModelArts, over one httpx client that is given from outside."""

from bot.cloud.client import Cloud
from bot.cloud.last_seen import Seen
from bot.cloud.login import Login
from bot.cloud.names import Names
from bot.cloud.rate_limiter import Rank
from bot.config import Endpoint

__all__ = ["Cloud", "Endpoint", "Login", "Names", "Rank", "Seen"]
