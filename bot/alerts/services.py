"""What the alerts need of the bot, as far as they know it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from bot.cloud import Cloud, Names
from bot.config import Settings
from bot.ledger import Ledger
from bot.policy.authorizer import Authorizer
from bot.slack.client import SlackClient
from bot.telemetry.metrics import Metrics


class Services(Protocol):
    """One of each; *settings* returns those in force now, *now* the time in UTC."""

    @property
    def settings(self) -> Callable[[], Settings]: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def names(self) -> Names: ...
    @property
    def cloud(self) -> Cloud: ...
    @property
    def slack(self) -> SlackClient: ...
    @property
    def authorizer(self) -> Authorizer: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def now(self) -> Callable[[], datetime]: ...
