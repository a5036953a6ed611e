"""Who is on call on the lines that rules name, read for one decision; fails closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import attrs

from bot.errors import RotaError
from bot.model import Duty
from bot.model.rule import line_of
from bot.oncall import Rotas

# A command has to be answered within 3 s: https://docs.slack.dev/interactivity/
COMMAND_WITHIN_S = 1.2
CLICK_WITHIN_S = 1.8
STEP_WITHIN_S = 8.0
FAILURE_SHOWN_S = 15.0  # a failure is shown for so long

Lines = dict[str, Duty | RotaError]


@attrs.frozen
class Duties:
    """Reads lines side by side; what cannot be read is the error itself."""

    _rotas: Rotas
    # What is only shown asks no more for a while where it could not be read.
    _failed: dict[str, tuple[float, RotaError]] = attrs.field(factory=dict, init=False)

    async def read(
        self, entries: Iterable[str], *, live: bool, within_s: float
    ) -> Lines:
        """Return who is on call by each of *entries* that is a line.

        *live*: as the source says it now, else at most a minute ago, to show it.
        """
        wanted = [entry for entry in dict.fromkeys(entries) if line_of(entry)]
        found = await asyncio.gather(
            *(
                self._read(line_of(entry), live=live, within_s=within_s)
                for entry in wanted
            )
        )
        return dict(zip(wanted, found, strict=True))

    async def _read(
        self, line: str, *, live: bool, within_s: float
    ) -> Duty | RotaError:
        rotas = self._rotas
        since, failed = self._failed.pop(line, (0.0, None))
        if (
            failed is not None
            and not live
            and time.monotonic() - since < FAILURE_SHOWN_S
        ):
            self._failed[line] = since, failed
            return failed
        try:
            return await (rotas.now if live else rotas.shown)(line, within_s)
        except RotaError as error:
            self._failed[line] = time.monotonic(), error
            return error
