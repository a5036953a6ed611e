"""The lines of ``mlstudio-bot check`` about alerts: who may send, and notes."""

from __future__ import annotations

import httpx

from bot.alerts.pagerduty import PagerDuty
from bot.cli.check.line import Line, bad, good, skipped
from bot.config import Secrets, Settings
from bot.model import Sender
from bot.network import Network, explained, http_client

_SECRETS = {
    Sender.ALERTMANAGER: "ALERTS_TOKEN",
    Sender.GRAFANA: "ALERTS_GRAFANA_SECRET",
    Sender.PAGERDUTY: "ALERTS_PAGERDUTY_SECRET",
}
_NOTES = "notes on PagerDuty's incidents"


def sender_lines(
    settings: Settings, secrets: Secrets, *, offline: bool = False
) -> list[Line]:
    """Return which senders of alerts are on; nothing where there is no listener.

    *offline* no secret has to be there.
    """
    if settings.alerts is None:
        return []
    given = secrets.of_senders
    on = [sender.label for sender in Sender if given[sender]]
    off = [f"{s.label} ({_SECRETS[s]} is not set)" for s in Sender if not given[s]]
    if not on:
        remedy = f"set {' or '.join(_SECRETS.values())}, or remove [alerts]"
        line = skipped if offline else bad
        return [line("alerts are refused, whoever sends them", remedy)]
    refused = f"; refused: {', '.join(off)}" if off else ""
    return [good(f"alerts are taken from {', '.join(on)}{refused}")]


async def note_lines(
    settings: Settings, secrets: Secrets, network: Network
) -> list[Line]:
    """Ask PagerDuty whether notes can be written there, if they are to be."""
    alerts, token = settings.alerts, secrets.alerts_pagerduty_token.get_secret_value()
    if alerts is None or not alerts.note_from:
        return []
    if not token:
        return [skipped(f"{_NOTES} were not tried", "set ALERTS_PAGERDUTY_TOKEN")]
    async with http_client(network) as http:
        pagerduty = PagerDuty(http, alerts.pagerduty_url, token, alerts.note_from)
        try:
            problem = await pagerduty.problem()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            return [bad(f"{_NOTES}: PagerDuty answered {status}", "try it again")]
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            found = explained(error)
            what = f"{_NOTES}: {alerts.pagerduty_url} was not reached, {found.what}"
            return [bad(what, found.remedy)]
    if problem:
        return [bad(f"{_NOTES}: {problem}", "mend it, or remove note_from")]
    return [good(f"{_NOTES}: written by {alerts.note_from}")]
