"""Alerts: their listener, and what looks after their cards and outcomes."""

from __future__ import annotations

from contextlib import AsyncExitStack

from bot.alerts import Upkeep
from bot.alerts.cards import Cards
from bot.alerts.names import AT_START_S, KnownNames
from bot.alerts.outcomes import Outcomes
from bot.alerts.pagerduty import Notes, PagerDuty
from bot.alerts.receiver import Receiver
from bot.app.servers import listening
from bot.config import Secrets
from bot.network import Network, http_client
from bot.restarts.services import Services


async def open_alerts(
    closing: AsyncExitStack, services: Services, secrets: Secrets, network: Network
) -> None:
    """Take alerts, if the configuration says so, until *closing* closes.

    Raises BotError where the address is taken.
    """
    alerts = services.settings().alerts
    if alerts is None:
        return
    known = KnownNames(services)
    await known.look(AT_START_S)
    works = [Cards(services).look, Outcomes(services).look, known.look]
    if alerts.note_from:
        http = await closing.enter_async_context(http_client(network))
        token = secrets.alerts_pagerduty_token.get_secret_value()
        pagerduty = PagerDuty(http, alerts.pagerduty_url, token, alerts.note_from)
        works.append(Notes(services, pagerduty, alerts.note_from).look)
    upkeep = Upkeep(works)
    closing.push_async_callback(upkeep.close)
    upkeep.start()
    receiver = Receiver(services, secrets.of_senders, upkeep.ring)
    closing.push_async_callback(receiver.close)
    await listening(receiver.start, alerts.listen, "[alerts]")
