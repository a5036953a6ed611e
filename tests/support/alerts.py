"""Senders of alerts for tests: bodies as they write them, with proofs of their own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import attrs

TOKEN, GRAFANA, PAGERDUTY = "alerts-token-1", "grafana-secret-1", "pagerduty-secret-1"
SECRETS = {
    "ALERTS_TOKEN": TOKEN,
    "ALERTS_GRAFANA_SECRET": GRAFANA,
    "ALERTS_PAGERDUTY_SECRET": PAGERDUTY,
}
LABELS = {"mlstudio_project": "ml-prod", "mlstudio_instance": "trainer-7"}
NO_TIME = "0001-01-01T00:00:00Z"


def ago(**by: float) -> datetime:
    """Return a time so long ago."""
    return datetime.now(UTC) - timedelta(**by)


def alert(
    name: str = "GPUStuck",
    *,
    instance: str = "trainer-7",
    began: datetime | None = None,
    ended: datetime | None = None,
    mark: str = "",
    **more: Any,
) -> dict[str, Any]:
    """Return one alert as Alertmanager writes it; *ended*: it is resolved."""
    labels = {**LABELS, "alertname": name, "mlstudio_instance": instance}
    began = began or ago(minutes=5)
    return {
        "status": "resolved" if ended else "firing",
        "labels": labels,
        "annotations": {"summary": "No step for 10 min"},
        "startsAt": began.isoformat(),
        "endsAt": ended.isoformat() if ended else NO_TIME,
        "generatorURL": "https://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": mark or hashlib.sha256(str(labels).encode()).hexdigest()[:16],
        **more,
    }


def body(*alerts: Mapping[str, Any], version: str = "4") -> bytes:
    """Return what Alertmanager (or, in version 1, Grafana) POSTs."""
    document = {
        "version": version,
        "groupKey": "{}:{}",
        "status": "firing",
        "receiver": "bot",
        "externalURL": "https://alertmanager.example.com",
        "alerts": list(alerts),
    }
    return json.dumps(document).encode()


def event(
    kind: str = "incident.triggered",
    *,
    incident: str = "PINC1",
    service: str = "PSERVICE1",
    at: datetime | None = None,
) -> bytes:
    """Return what PagerDuty POSTs of an event."""
    data = {
        "id": incident,
        "number": 7,
        "title": "The trainer is stuck",
        "service": {"id": service, "type": "service_reference"},
        "urgency": "high",
        "html_url": f"https://acme.pagerduty.com/incidents/{incident}",
    }
    when = (at or datetime.now(UTC)).isoformat()
    document = {"id": "01", "event_type": kind, "occurred_at": when, "data": data}
    return json.dumps({"event": document}).encode()


def bearer(token: str = TOKEN) -> dict[str, str]:
    """Return the headers of Alertmanager."""
    return {"Authorization": f"Bearer {token}"}


def basic(token: str = TOKEN) -> dict[str, str]:
    """Return the headers of Alertmanager with a user and a password."""
    pair = base64.b64encode(f"prometheus:{token}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def signed(sent: bytes, secret: str = GRAFANA, *, ago_s: float = 0) -> dict[str, str]:
    """Return the headers of Grafana for what is *sent*."""
    at = str(int(time.time() - ago_s))
    digest = hmac.new(secret.encode(), at.encode() + b":" + sent, hashlib.sha256)
    return {
        "X-Grafana-Alerting-Signature": digest.hexdigest(),
        "X-Grafana-Alerting-Timestamp": at,
    }


def signatures(sent: bytes, *secrets: str) -> dict[str, str]:
    """Return the header of PagerDuty for what is *sent*."""
    every: Iterable[str] = secrets or (PAGERDUTY,)
    digests = [hmac.new(s.encode(), sent, hashlib.sha256).hexdigest() for s in every]
    return {"X-PagerDuty-Signature": ",".join(f"v1={one}" for one in digests)}


@attrs.frozen
class Senders:
    """Sends to the bot that listens on *port*; each call returns the HTTP status."""

    port: int

    def table(self, channel: str = "C0INCIDENTS", more: str = "") -> str:
        """Return the table of the bot's file."""
        return (
            f'[alerts]\nlisten = "127.0.0.1:{self.port}"\nchannel = "{channel}"\n{more}'
        )

    async def post(
        self, path: str, sent: bytes, headers: Mapping[str, str], method: str = "POST"
    ) -> int:
        """Send anything."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, data=sent, headers=headers) as answer,
        ):
            return answer.status

    async def alertmanager(self, *alerts: Mapping[str, Any]) -> int:
        """Send alerts as Alertmanager does."""
        return await self.post("/alerts/alertmanager", body(*alerts), bearer())

    async def grafana(self, *alerts: Mapping[str, Any]) -> int:
        """Send alerts as Grafana does."""
        sent = body(*alerts, version="1")
        return await self.post("/alerts/grafana", sent, signed(sent))

    async def pagerduty(self, kind: str = "incident.triggered", **how: Any) -> int:
        """Send an event as PagerDuty does."""
        sent = event(kind, **how)
        return await self.post("/alerts/pagerduty", sent, signatures(sent))
