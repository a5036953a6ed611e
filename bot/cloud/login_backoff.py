"""A rest after a refused login, so that trying again locks no account and no key."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TypeVar

from bot.errors import CloudError

E = TypeVar("E", bound=CloudError)


class LoginBackoff:
    """Raises the error that started it, again and at once, for *length_s* seconds."""

    def __init__(self, length_s: float, clock: Callable[[], float]) -> None:
        self._length_s = length_s
        self._clock = clock
        self._error: CloudError | None = None
        self._until = 0.0

    def start(self, error: E, length_s: float | None = None) -> E:
        """Begin, and return *error* for the caller to raise.

        *length_s* is how long this time, in seconds, if not as long as ever.
        """
        self._error = error
        self._until = self._clock() + (self._length_s if length_s is None else length_s)
        return error

    def check(self) -> None:
        """Raise the error that started the pause while the pause lasts."""
        if self._error is None or self._clock() >= self._until:
            return
        raise copy(self._error)  # a fresh one: tracebacks add up on a shared one
