"""How many alerts a second are taken, and how commands fare meanwhile.

Run it with ``python -m tests.bench.alerts [--seconds N] [--senders N] [--boxes N]``.

So many senders POST one body after the other, each of ten alerts that are new; the
limits of cards are in force. "taken" counts alerts that were answered with 202, that
is, recorded. Meanwhile Ann asks for a restart (recorded before it is acknowledged) four
times a second; without alerts first, to compare. All times are in ms.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

import aiohttp

from bot.demo.alert_sender import free_port
from bot.demo.deliveries import Delivery
from bot.demo.instances import Reboot
from tests.bench.rig import (
    PROJECT,
    RULES,
    Rig,
    at_rate,
    options,
    rigged,
    spread,
)
from tests.support.alerts import TOKEN, Senders, alert, bearer, body

OF_ONE_BODY = 10
COMMANDS_PER_S = 4.0
LONG = Reboot(phases=(("REBOOTING", 3600.0),))


def webhook(number: int, boxes: int) -> bytes:
    """Return a body of new alerts, each about another instance."""
    began = datetime.now(UTC)
    return body(
        *(
            alert(
                instance=f"box-{(number + each) % boxes}",
                began=began,
                mark=f"{number:08x}{each:08x}",
            )
            for each in range(OF_ONE_BODY)
        )
    )


async def send(
    url: str, until: float, first: int, boxes: int
) -> list[tuple[int, float]]:
    """POST one body after the other; return status and seconds of each."""
    found = []
    async with aiohttp.ClientSession(headers=bearer()) as http:
        for number in range(first, first + 1_000_000):
            began = time.perf_counter()
            if began > until:
                break
            async with http.post(url, data=webhook(number, boxes)) as answer:
                found.append((answer.status, time.perf_counter() - began))
    return found


async def commands(rig: Rig, seconds: float, first: int) -> str:
    """Ask for restarts at a rate; return how soon they were acknowledged."""

    def ask(number: int) -> asyncio.Future[Delivery]:
        asked = rig.ask(f"restart {PROJECT} box-{first + number}", expect="Recorded")
        return asyncio.ensure_future(asked)

    taken, wrong = await at_rate(COMMANDS_PER_S, int(COMMANDS_PER_S * seconds), ask)
    return f"{spread(taken)}{f', {wrong} not taken' if wrong else ''}"


async def bench(seconds: float, senders: int, boxes: int) -> None:
    """Print the figures."""
    at = Senders(free_port())
    url = f"http://127.0.0.1:{at.port}/alerts/alertmanager"
    async with rigged(boxes, reboot=LONG) as rig:
        rig.configure(calls_per_minute=6000, poll="2m", rules=at.table() + RULES)
        environ = {**rig.environment(), "ALERTS_TOKEN": TOKEN}
        config = ["-m", "bot", "run", "--config", str(rig._config)]
        bot = await rig.start(config, environ)
        rig.bots.append(bot)
        print(f"load {os.getloadavg()[0]:.1f}, {senders} senders, {boxes} instances")
        print(f"{'':28}{'median':>10}{'p95':>10}{'worst':>10}")
        print(
            f"{'commands, no alerts':28}{await commands(rig, seconds, 0)}", flush=True
        )
        used, began = bot.cpu_s, time.perf_counter()
        work = [
            send(url, began + seconds, 1_000_000 * each, boxes)
            for each in range(senders)
        ]
        first = int(COMMANDS_PER_S * seconds)
        said, *sent = await asyncio.gather(commands(rig, seconds, first), *work)
        took = time.perf_counter() - began
        print(f"{'commands meanwhile':28}{said}")
        answers = [one for each in sent for one in each]
        taken = [s for status, s in answers if status == 202]
        print(f"{'webhooks':28}{spread(taken)}")
        posts = rig.slack.messages("incidents")
        cards = sum(post.text.startswith("Firing") for post in posts)
        cpu = (bot.cpu_s - used) / took
        print(
            f"{len(taken) * OF_ONE_BODY / took:.0f} alerts a second taken"
            f" ({len(answers) - len(taken)} webhooks not), {cpu:.0%} CPU, {cards} cards"
        )


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--boxes", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(bench(given.seconds, given.senders, given.boxes))


if __name__ == "__main__":
    main()
