"""Notes on PagerDuty's incidents: written once, read before they are repeated.

https://developer.pagerduty.com/api-reference/a1ac30885eb7a-create-a-note-on-an-incident
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import attrs
import httpx
import structlog

from bot.alerts.services import Services
from bot.ledger.alert_notes import Note
from bot.slack.messages.alerts import note as words

log = structlog.get_logger()

TIMEOUT_S = 10.0
LONGEST_NOTE = 2000  # characters of a note
WRONG_FROM = (
    "PagerDuty takes no note from {}: let note_from in [alerts] be the e-mail address"
    " of a user there"
)
WRONG_TOKEN = "PagerDuty does not accept ALERTS_PAGERDUTY_TOKEN"  # noqa: S105 - a sentence
NO_RIGHT = "ALERTS_PAGERDUTY_TOKEN may not do that in PagerDuty"


@attrs.frozen
class PagerDuty:
    """PagerDuty's REST API at *url*, as the user with the address *sender*."""

    _http: httpx.AsyncClient
    _url: str
    _token: str = attrs.field(repr=False)
    _sender: str

    async def notes(self, incident: str) -> list[str]:
        """Return what is noted on an *incident*; raises httpx.HTTPError."""
        answer = await self._call("GET", f"/incidents/{quote(incident, safe='')}/notes")
        answer.raise_for_status()
        found = answer.json().get("notes") or []
        return [str(note.get("content") or "") for note in found]

    async def add_note(self, incident: str, content: str) -> httpx.Response:
        """Write a note and return PagerDuty's answer; raises httpx.HTTPError."""
        path = f"/incidents/{quote(incident, safe='')}/notes"
        return await self._call("POST", path, {"note": {"content": content}})

    async def problem(self) -> str:
        """Return why no note could be written, as far as can be seen without one."""
        answer = await self._call("GET", f"/users?query={quote(self._sender, safe='')}")
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            return WRONG_TOKEN
        if answer.status_code == HTTPStatus.FORBIDDEN:
            return ""  # it may write notes all the same, and not read users
        answer.raise_for_status()
        users = answer.json().get("users") or []
        known = {str(user.get("email")).lower() for user in users}
        return "" if self._sender.lower() in known else WRONG_FROM.format(self._sender)

    async def _call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return await self._http.request(
            method,
            f"{self._url}{path}",
            json=body,
            timeout=TIMEOUT_S,
            headers={
                "Accept": "application/json",
                "Authorization": f"Token token={self._token}",
                "From": self._sender,
            },
        )


@attrs.frozen
class Notes:
    """Writes what is due, one replica at a time."""

    _services: Services
    _pagerduty: PagerDuty
    _sender: str

    async def look(self) -> None:
        """Write the notes that are due; what may pass is tried again a minute later."""
        for note in await self._services.ledger.take_notes():
            request_id = note.request_id
            try:
                problem = await self._write(note)
            except (httpx.HTTPError, ValueError, AttributeError) as error:
                why = str(error) or type(error).__name__
                log.warning("note not written yet", request=request_id, error=why)
                continue
            if problem:
                log.error("note not written", request=request_id, error=problem)
            await self._services.ledger.note_written(request_id, problem)

    async def _write(self, note: Note) -> str:
        """Write a note unless it stands; return why it never will be written.

        Raises httpx.HTTPError for what may pass.
        """
        request_id = note.request_id
        if note.tries:  # it may have come through
            standing = await self._pagerduty.notes(note.incident)
            if any(request_id in one for one in standing):
                return ""
        who = note.record.request.user_id
        names = await self._services.authorizer.names([who])
        content = words(note.record, request_id, names[who])
        if len(content) > LONGEST_NOTE:
            content = f"{content[: LONGEST_NOTE - 60]}… Request {request_id}"
        answer = await self._pagerduty.add_note(note.incident, content)
        match answer.status_code:
            case HTTPStatus.BAD_REQUEST:
                return WRONG_FROM.format(self._sender)
            case HTTPStatus.UNAUTHORIZED:
                return WRONG_TOKEN
            case HTTPStatus.FORBIDDEN:
                return NO_RIGHT
            case HTTPStatus.NOT_FOUND:
                return f"PagerDuty has no incident {note.incident} any more"
        answer.raise_for_status()
        return ""
