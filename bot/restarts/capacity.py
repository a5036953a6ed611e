"""Whether a notebook's machine could be had again, once it is given back.

That there are some is a hint, no reservation; so this warns, and refuses only where the
cloud says that there are none.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import attrs
import structlog

from bot.errors import CloudError
from bot.model import Instance, Request, StatusClass, class_of, gives_back
from bot.restarts.services import Services

log = structlog.get_logger()

CAPACITY_WITHIN_S = 10.0
_UNASKED = "The cloud did not say whether its machine type is sold out."
_QUEUE = "Jobs that wait for its pool may take its place."


@attrs.frozen
class Capacity:
    """Asks the cloud's list of machine types."""

    _services: Services

    async def warned(self, request: Request, instance: Instance) -> Instance:
        """Return *instance* with a warning, if its machine may not be had again."""
        running = class_of(instance.status) is StatusClass.READY
        if not gives_back(request.plan) or not running:
            return instance
        if instance.pool:
            return replace(instance, warning=_QUEUE)
        try:
            async with asyncio.timeout(CAPACITY_WITHIN_S):
                gone = await self._services.cloud.is_sold_out(request.target, instance)
        except (CloudError, TimeoutError) as error:
            log.info("machine types not read", error=str(error))
            return replace(instance, warning=_UNASKED)
        if gone is None:
            return replace(instance, warning=_UNASKED)
        warning = f"Its machine type {instance.flavor} is sold out."
        return replace(instance, warning=warning, sold_out=True) if gone else instance


def refusal(request: Request, instance: Instance) -> str:
    """Return why its machine is not given back, or nothing."""
    if request.anyway or not instance.sold_out:
        return ""
    return (
        f"The machine type {instance.flavor} of {request.target.instance} is sold out:"
        " stopped now, it would give its machine back and may stay down."
    )
