"""One call of a source, and which error each of its answers means.

PagerDuty's: https://developer.pagerduty.com/docs/errors, and Grafana's are alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs
import httpx
from pydantic import BaseModel, ValidationError

from bot.config import OnCallSettings
from bot.errors import (
    RotaDenied,
    RotaError,
    RotaOdd,
    RotaUnknownLine,
    RotaUnreachable,
)
from bot.network import explained

Answer = TypeVar("Answer", bound=BaseModel)
Params = Sequence[tuple[str, str]]

TOO_MANY = 429
_DENIED = {401, 402, 403}
_UNKNOWN = {400, 404}
_TIMEOUT = httpx.Timeout(10.0, connect=2.0)  # whoever asks waits less
# A 429 that does not say how long it will last. PagerDuty's is a whole window of a
# minute; Grafana also says so for a moment at the first call, while it syncs a stack:
# https://developer.pagerduty.com/docs/rest-api-rate-limits
_PAUSE_S = {"pagerduty": 60.0, "grafana": 0.3}
_SOON_S = 0.5  # a wait that is worth it while somebody waits for the answer
_LONGEST_S = 300.0
_WHOSE = {
    "pagerduty": "PAGERDUTY_TOKEN is wrong, or belongs to an account of another region",
    "grafana": "GRAFANA_IRM_TOKEN is wrong, belongs to another stack, or may not read"
    " schedules",
}
_RIGHT = {
    "pagerduty": "set PAGERDUTY_TOKEN to an API key of that account; an account of the"
    ' EU is asked with region = "eu", one of the US without',
    "grafana": "set GRAFANA_IRM_TOKEN to the token (glsa_…) of a service account that"
    " may read schedules and users of IRM, and stack to the address of its stack",
}


@attrs.frozen
class Caller:
    """Makes the calls about one *line*.

    *not_before* is when a source that was asked too often may be asked again
    (``time.monotonic``), by its address; all callers share it.
    """

    line: str
    settings: OnCallSettings
    _http: httpx.AsyncClient
    _not_before: dict[str, float]

    @property
    def named(self) -> str:
        """The source and the line, as a sentence begins."""
        return f"{self.settings.said} (on-call line “{self.line}”)"

    async def get(
        self,
        kind: type[Answer],
        path: str,
        headers: Mapping[str, str],
        params: Params = (),
    ) -> Answer:
        """Return the answer to a GET below the source's address.

        A 429 that is over soon is asked once more. Raises RotaError.
        """
        response = await self._send(path, headers, params)
        if response.status_code == TOO_MANY and self._pause(response) <= _SOON_S:
            await asyncio.sleep(self._pause(response))
            response = await self._send(path, headers, params)
        if response.status_code == TOO_MANY:
            pause_s = self._pause(response)
            self._not_before[self.settings.api_url] = time.monotonic() + pause_s
        if not response.is_success:
            raise self._failure(response)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:  # which quotes the answer
            raise self.odd() from None

    def odd(self) -> RotaOdd:
        """Return the error of an answer without sense."""
        return RotaOdd(f"{self.named} answered something that makes no sense.")

    async def _send(
        self, path: str, headers: Mapping[str, str], params: Params
    ) -> httpx.Response:
        url = self.settings.api_url
        left_s = self._not_before.get(url, 0.0) - time.monotonic()
        if left_s > 0:
            raise self._too_many(left_s)
        try:
            return await self._http.get(
                url + path,
                params=list(params),
                headers=dict(headers),
                timeout=_TIMEOUT,
            )
        except (httpx.RequestError, httpx.InvalidURL) as error:
            found = explained(error)
            failed = RotaUnreachable(f"{self.named} does not answer: {found.what}.")
            failed.why, failed.remedy = found.what, found.remedy
            raise failed from error

    def _pause(self, response: httpx.Response) -> float:
        """Return for how many seconds the source wants not to be asked."""
        for header in ("ratelimit-reset", "retry-after"):
            given = response.headers.get(header, "")
            if given.isascii() and given.isdecimal():
                return min(float(given), _LONGEST_S)
        return _PAUSE_S[self.settings.source]

    def _failure(self, response: httpx.Response) -> RotaError:
        """Return the error that a failed answer means."""
        status, settings = response.status_code, self.settings
        error: RotaError
        if status in _DENIED:
            whose = _WHOSE[settings.source]
            region = f' (asked was region "{settings.region or "us"}")'
            asked = (
                region if settings.source == "pagerduty" and not settings.url else ""
            )
            error = RotaDenied(
                f"{self.named} refused the bot's token ({status}): {whose}{asked}."
            )
            error.remedy = _RIGHT[settings.source]
        elif status in _UNKNOWN:
            ids = ", ".join(settings.schedule)
            error = RotaUnknownLine(f"{self.named} knows no schedule {ids} ({status}).")
            error.remedy = (
                f"mend schedule in [oncall.{self.line}]: the id stands at the end of"
                " the schedule's address"
            )
        elif status == TOO_MANY:
            error = self._too_many(self._pause(response))
        elif status == httpx.codes.REQUEST_TIMEOUT or response.is_server_error:
            error = RotaUnreachable(f"{self.named} cannot tell now ({status}).")
        else:
            error = self.odd()
            error.remedy = f"mend url in [oncall.{self.line}]"
        error.why = f"{settings.said} answered {status}"
        return error

    def _too_many(self, pause_s: float) -> RotaUnreachable:
        return RotaUnreachable(
            f"{self.named} was asked too often and cannot be asked again for"
            f" {max(1, round(pause_s))} s."
        )
