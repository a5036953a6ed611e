"""The demo's Alertmanager: tells the bot what fires, over HTTP, until it is taken."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp

SEND_AGAIN_S = 1.0  # what was not taken; a real one waits longer each time
NAME, SUMMARY = "TrainingStalled", "No training step for 10 minutes."
_NO_TIME = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert about an instance; times are in POSIX seconds."""

    project: str
    instance: str
    began: float
    ended: float | None = None


class AlertSender:
    """Fires and resolves alerts about instances; *clock* tells the time (POSIX)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.token = secrets.token_hex(16)
        self.port = free_port()
        self.alerts: dict[str, Firing] = {}  # by instance id
        self._clock = clock
        self._jobs: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def is_firing(self, instance_id: str) -> bool:
        """Say whether an alert about an instance fires now."""
        alert = self.alerts.get(instance_id)
        return alert is not None and alert.ended is None

    def fire(self, instance_id: str, project: str, instance: str) -> None:
        """Let an alert about an instance fire, unless one does."""
        if not self.is_firing(instance_id):
            self._send(instance_id, Firing(project, instance, self._clock()))

    def resolve(self, instance_id: str) -> None:
        """Let the alert about an instance be over, if one fires."""
        if self.is_firing(instance_id):
            alert = self.alerts[instance_id]
            self._send(instance_id, replace(alert, ended=self._clock()))

    async def close(self) -> None:
        """Send no more."""
        for job in self._jobs:
            job.cancel()
        if self._jobs:
            await asyncio.wait(self._jobs)

    def _send(self, instance_id: str, alert: Firing) -> None:
        self.alerts[instance_id] = alert
        job = asyncio.create_task(self._until_taken(alert))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _until_taken(self, alert: Firing) -> None:
        """Send an alert again and again, one after the other, as a real one does."""
        url = f"http://127.0.0.1:{self.port}/alerts/alertmanager"
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._turn, aiohttp.ClientSession(headers=headers) as http:
            while True:
                with suppress(aiohttp.ClientError):
                    async with http.post(url, json=_body(alert)) as answer:
                        if answer.ok:
                            return
                await asyncio.sleep(SEND_AGAIN_S)


def _body(alert: Firing) -> dict[str, Any]:
    """Return what Alertmanager sends.

    https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    status = "firing" if alert.ended is None else "resolved"
    labels = {
        "alertname": NAME,
        "mlstudio_project": alert.project,
        "mlstudio_instance": alert.instance,
    }
    one = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": SUMMARY},
        "startsAt": _time(alert.began),
        "endsAt": _NO_TIME if alert.ended is None else _time(alert.ended),
        "generatorURL": "https://prometheus.example.com/alerts",
        "fingerprint": alert.instance.encode().hex()[:16],
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{NAME}"}}',
        "status": status,
        "receiver": "mlstudio-bot",
        "externalURL": "https://alertmanager.example.com",
        "alerts": [one],
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has, for whoever listens on it later.

    It lies below those that systems lend to outgoing connections (Linux from 32768,
    others from 49152), so that none of them takes it in between.
    """
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", _any_port())) as one:
            return int(one.getsockname()[1])


def _any_port() -> int:
    return 20_000 + secrets.randbelow(12_000)
