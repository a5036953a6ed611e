"""What one interaction entitles the app to: one dialog, and five private answers."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot.demo.posts import Ephemeral, Post
from bot.demo.slack_error import Refusal

MOST_KEPT = 2000  # of either kind; what is older is unknown, as if it had expired
RESPONSE_URL_S = 1800.0  # 5 uses within 30 minutes of the payload
RESPONSE_URL_USES = 5
TRIGGER_S = 3.0


@dataclass(slots=True)
class Trigger:
    """What a trigger id stands for."""

    user_id: str
    made_at: float
    spent: bool = False


@dataclass(slots=True)
class Hook:
    """What a response_url stands for.

    *origin* is the message that was clicked, or what this URL has said last: that is
    what ``replace_original`` and ``delete_original`` mean.
    """

    user_id: str
    channel_id: str
    made_at: float
    origin: Post | Ephemeral | None = None
    thread_ts: str = ""
    uses: int = 0


class Passes:
    """All trigger ids and response URLs there are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._triggers: OrderedDict[str, Trigger] = OrderedDict()
        self._hooks: OrderedDict[str, Hook] = OrderedDict()

    def trigger(self, user_id: str) -> str:
        """Return a new trigger id."""
        number = secrets.randbelow(10**12)
        key = f"{number}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self._triggers[key] = Trigger(user_id, self._clock())
        _trim(self._triggers)
        return key

    def exchange(self, trigger_id: str) -> str:
        """Return whose trigger it is, once and in time, or refuse."""
        if trigger_id.count(".") < 2:  # noqa: PLR2004 - three parts
            raise Refusal("invalid_trigger_id")
        trigger = self._triggers.get(trigger_id)
        if trigger is None or self._clock() - trigger.made_at > TRIGGER_S:
            raise Refusal("expired_trigger_id")
        if trigger.spent:
            raise Refusal("exchanged_trigger_id")
        trigger.spent = True
        return trigger.user_id

    def hook(self, hook: Hook) -> str:
        """Return the secret part of a new response URL."""
        key = secrets.token_urlsafe(18)
        self._hooks[key] = hook
        _trim(self._hooks)
        return key

    def new_hook(self, user_id: str, channel_id: str) -> Hook:
        """Return what a response URL of now stands for."""
        return Hook(user_id, channel_id, self._clock())

    def use(self, key: str) -> Hook:
        """Return what a response URL stands for and count its use, or refuse."""
        hook = self._hooks.get(key)
        if hook is None or self._clock() - hook.made_at > RESPONSE_URL_S:
            raise Refusal("expired_url")
        if hook.uses >= RESPONSE_URL_USES:
            raise Refusal("used_url")
        hook.uses += 1
        return hook


def _trim(kept: OrderedDict[str, Trigger] | OrderedDict[str, Hook]) -> None:
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
