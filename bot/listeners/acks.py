"""What a listener needs of Bolt."""

from __future__ import annotations

from typing import Any, Protocol


class Ack(Protocol):
    """Bolt's acknowledgement, as far as it is used here."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Acknowledge, with an answer or without."""
