"""What is known to be wrong while the bot serves: logged, counted and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
import structlog

from bot.telemetry.metrics import Metrics

log = structlog.get_logger()

# Who finds them: a look at the configuration, a reload, Slack's count of our sockets.
Source = Literal["configuration", "reload", "sockets"]


@attrs.frozen
class Problems:
    """The problems of each source, as sentences with their remedy."""

    _metrics: Metrics
    _by: dict[Source, tuple[str, ...]] = attrs.field(factory=dict, init=False)

    def tell(self, source: Source, found: Sequence[str]) -> None:
        """Let *found* be all that *source* knows from now on; what is new is logged."""
        before = {_gist(one): one for one in self._by.get(source, ())}
        now = {_gist(one): one for one in found}
        self._by[source] = tuple(found)
        self._metrics.problems.labels(source).set(len(found))
        for gist in now.keys() - before.keys():
            log.warning("problem", source=source, problem=now[gist])
        for gist in before.keys() - now.keys():
            log.info("problem solved", source=source, problem=before[gist])

    def all(self) -> list[str]:
        """Return every problem that is known now."""
        return [problem for found in self._by.values() for problem in found]


def _gist(problem: str) -> str:
    """Return what the same problem says each time: the cloud's ids come after it."""
    return problem.partition(" (")[0]
