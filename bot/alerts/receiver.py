"""The listener for senders: proven, read, recorded, and only then acknowledged.

What a sender repeats depends on the answer: 5xx is tried again by all of them, other
4xx by none; PagerDuty drops a webhook that it had to give up on three times, so odd
events get 202 (https://support.pagerduty.com/main/docs/webhooks).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import attrs
import structlog
from aiohttp import web

from bot.alerts import proofs
from bot.alerts.intake import Intake
from bot.alerts.parsers import OddBody, alertmanagers, pagerdutys
from bot.alerts.routes import projects_of, target_of
from bot.alerts.services import Services
from bot.errors import LedgerError
from bot.model import Alert, Sender
from bot.web import GuardedServer, Limits

log = structlog.get_logger()

LARGEST_ALERT_BYTES = 64 * 1024
ALERT_NAMES_WITHIN_S = 0.3
ALERT_RECORD_WITHIN_S = 0.9  # a sender has its answer within a second
_PROOFS = {  # the header without which nothing has to be read
    Sender.ALERTMANAGER: proofs.AUTHORIZATION,
    Sender.GRAFANA: proofs.GRAFANA_SIGNATURE,
    Sender.PAGERDUTY: proofs.PAGERDUTY_SIGNATURE,
}
_SAID = {
    HTTPStatus.ACCEPTED: "recorded",
    HTTPStatus.BAD_REQUEST: "the body makes no sense",
    HTTPStatus.UNAUTHORIZED: "the proof does not fit",
    HTTPStatus.SERVICE_UNAVAILABLE: "the database does not answer; send it again",
}


@attrs.define
class Receiver:
    """Takes what senders POST; *secrets* are those of each, none refuses all of it.

    *heard* is called after something was recorded.
    """

    _services: Services
    _secrets: Mapping[Sender, Sequence[str]]
    _heard: Callable[[], None]
    _server: GuardedServer = attrs.field(
        factory=lambda: GuardedServer(Limits(body=LARGEST_ALERT_BYTES)), init=False
    )
    _intake: Intake = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: Intake(self._services), takes_self=True),
    )

    async def start(self, listen: str) -> str:
        """Listen, and return the address; OSError when it is taken."""
        for sender in Sender:
            self._server.add("POST", f"/alerts/{sender}", self._receive, self._look)
        return await self._server.start(listen)

    async def close(self) -> None:
        """Stop listening once the requests in hand are answered."""
        await self._server.close()
        await self._intake.close()

    def _look(self, request: web.Request) -> web.Response | None:
        """Refuse, before its body is read, what cannot be proven."""
        sender = _sender(request)
        proven = request.headers.get(_PROOFS[sender])
        if self._secrets.get(sender) and proven:
            return None
        return self._answer(sender, HTTPStatus.UNAUTHORIZED, "refused")

    async def _receive(self, request: web.Request) -> web.Response:
        sender, body = _sender(request), await request.read()
        if not self._is_proven(sender, request.headers, body):
            return self._answer(sender, HTTPStatus.UNAUTHORIZED, "refused")
        try:
            alerts = self._parsed(sender, body)
        except OddBody as error:
            log.warning("odd alert", sender=sender, why=str(error))
            pagerduty = sender is Sender.PAGERDUTY
            status = HTTPStatus.ACCEPTED if pagerduty else HTTPStatus.BAD_REQUEST
            return self._answer(sender, status, "odd")
        try:
            async with asyncio.timeout(ALERT_RECORD_WITHIN_S):
                await self._record(sender, alerts)
        except (LedgerError, TimeoutError) as error:
            log.error("alerts not recorded", sender=sender, error=str(error))
            return self._answer(sender, HTTPStatus.SERVICE_UNAVAILABLE, "failed")
        return self._answer(sender, HTTPStatus.ACCEPTED, "" if alerts else "ignored")

    def _is_proven(
        self, sender: Sender, headers: Mapping[str, str], body: bytes
    ) -> bool:
        secrets = self._secrets.get(sender, ())
        if sender is Sender.ALERTMANAGER:
            header = headers.get(proofs.AUTHORIZATION, "")
            return proofs.is_authorized(header, secrets)
        if sender is Sender.GRAFANA:
            return proofs.is_grafanas(headers, body, secrets, time.time())
        return proofs.is_pagerdutys(headers, body, secrets)

    def _parsed(self, sender: Sender, body: bytes) -> list[Alert]:
        if sender is Sender.PAGERDUTY:
            return pagerdutys(body)
        return alertmanagers(body, sender, self._services.now())

    async def _record(self, sender: Sender, alerts: Sequence[Alert]) -> None:
        """Record those about instances that the configuration names; count all."""
        await self._learn_names(alerts)
        settings = self._services.settings()
        targets = [(alert, target_of(alert, settings)) for alert in alerts]
        about = [(alert, target) for alert, target in targets if target is not None]
        if about:
            await self._intake.record(about)
            self._heard()
        if unknown := len(alerts) - len(about):
            self._services.metrics.alerts.labels(sender, "unknown").inc(unknown)
            log.info("alerts about nothing that is configured", sender=sender)

    async def _learn_names(self, alerts: Sequence[Alert]) -> None:
        """Have the names at hand that the cloud has, where the projects take those."""
        projects = projects_of(alerts, self._services.settings())
        fresh = self._services.names.fresh
        await asyncio.gather(
            *(fresh(one, within_s=ALERT_NAMES_WITHIN_S) for one in projects)
        )

    def _answer(self, sender: Sender, status: HTTPStatus, result: str) -> web.Response:
        """Answer, and count what was not an alert."""
        if result:
            self._services.metrics.alerts.labels(sender, result).inc()
        return web.json_response({"said": _SAID[status]}, status=status)


def _sender(request: web.Request) -> Sender:
    return Sender(request.path.rpartition("/")[2])
