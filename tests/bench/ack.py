"""How soon a command is acknowledged, beside a Bolt app that only acknowledges.

Run it with ``python -m tests.bench.ack [--rounds N] [--rate N] [--seconds N]``.

One after the other: in every round the bare app, ``help``, a ``restart`` that is
refused (recorded) and a ``restart`` that is begun (recorded, its story told behind it)
are asked in turn, so that all meet the same machine. "× bare" compares medians.

At a rate: as many commands a second as ``--rate`` says, for ``--seconds``, whether or
not those before have been answered, by one bot under its default limit of calls. Every
restart is of another instance and its story begins meanwhile. "not taken" counts the
answers that were not the right one. Last, restarts only, without a limit of calls: each
is looked at every second until it is ready and told, while the next ones come.

All times are taken at the local Slack, from sending to the acknowledgement, in ms.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.demo.deliveries import Delivery
from bot.demo.instances import Reboot
from bot.demo.slack_server import LocalSlack
from tests.bench.rig import (
    PROJECT,
    STRANGERS,
    Rig,
    Running,
    at_rate,
    clean_environment,
    options,
    rigged,
    share,
    spread,
)

WARM_UP = 5
PAUSE_S = 0.3
FREE, DEFAULT = 6000, 60  # calls a minute: the most there is, and the default
SELDOM = "2m"  # the looks at what is under way stay out of the figures
LONG = Reboot(phases=(("REBOOTING", 3600.0),))
SHORT = Reboot(phases=(("REBOOTING", 6.0),))  # some nine looks each
HEAD = f"{'':28}{'median':>10}{'p95':>10}{'worst':>10}{'× bare':>10}"
Ask = Callable[[int], Awaitable[Delivery]]


@asynccontextmanager
async def bare_app(rig: Rig) -> AsyncIterator[tuple[LocalSlack, Running]]:
    """Run the bare app on a Slack of its own in this process; yield both."""
    async with LocalSlack() as slack:
        own = Rig(slack, rig.cloud, rig.folder, "")
        secrets = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
        }
        command = ["-m", "tests.bench.bare", slack.api_url]
        app = await own.start(command, {**clean_environment(), **secrets})
        try:
            yield slack, app
        finally:
            await app.kill()


def kinds(rig: Rig) -> dict[str, Ask]:
    """Return the ways of asking; *number* makes every restart one of its own."""

    def restart(number: int, user: str, expect: str) -> Awaitable[Delivery]:
        return rig.ask(f"restart {PROJECT} box-{number}", user, expect=expect)

    return {
        "help": lambda _: rig.ask("help", expect="I restart"),
        "restart, refused": lambda n: restart(
            n, f"nobody-{n % STRANGERS}", "did not restart"
        ),
        "restart, begun": lambda n: restart(n, "ann", "Recorded"),
    }


def beside(rig: Rig, bare: LocalSlack) -> dict[str, Ask]:
    """Return all ways of asking, the bare app first."""
    return {
        "bare Bolt, ack only": lambda _: bare.command(
            "ann", "C0INCIDENTS", "/mlstudio help"
        ),
        **kinds(rig),
    }


async def in_turn(rig: Rig, rounds: int) -> None:
    """Print how soon each kind is acknowledged when nothing else is asked."""
    print(HEAD)
    async with bare_app(rig) as (bare, _):
        asks = beside(rig, bare)
        found: dict[str, list[float]] = {name: [] for name in asks}
        for number in range(rounds + WARM_UP):
            for name, ask in asks.items():
                delivery = await ask(number)
                if number >= WARM_UP:
                    found[name].append(delivery.seconds)
            # The next round begins when the story behind the restart only watches.
            await rig.wait_until(lambda: len(rig.cloud.restarts) > number)  # noqa: B023
            await asyncio.sleep(PAUSE_S)
    medians = {name: share(each, 0.5) for name, each in found.items()}
    yardstick = next(iter(medians.values()))
    for name, each in found.items():
        print(f"{name:28}{spread(each)}{medians[name] / yardstick:10.2f}", flush=True)


async def in_a_crowd(rig: Rig, per_s: float, count: int, only: str = "") -> None:
    """Print how soon each of many commands is acknowledged that come at a rate."""
    async with bare_app(rig) as (bare, app):
        for name, ask in beside(rig, bare).items():
            if only and not name.startswith(("bare", only)):
                continue
            processes = [app] if name.startswith("bare") else rig.bots
            before = sum(each.cpu_s for each in processes)
            began = time.perf_counter()
            taken, wrong = await at_rate(per_s, count, ask)
            took_s = time.perf_counter() - began
            cpu = (sum(each.cpu_s for each in processes) - before) / took_s
            print(
                f"{f'{name}, {per_s:g}/s':28}{spread(taken)}{'':10}{cpu:8.0%} CPU"
                f"{f', {wrong} not taken' if wrong else ''}",
                flush=True,
            )


async def bench(
    rounds: int,
    per_s: float,
    seconds: float,
    *,
    replicas: int = 1,
    database: Callable[[], str] = lambda: "",
) -> None:
    """Print both tables; *database* makes the URL of a new one."""
    async with rigged(rounds + WARM_UP, reboot=LONG, database=database()) as rig:
        rig.configure(calls_per_minute=FREE, poll=SELDOM)
        for _ in range(replicas):
            await rig.start_bot()
        await in_turn(rig, rounds)
    count = round(per_s * seconds)
    async with rigged(count, reboot=LONG, database=database()) as rig:
        rig.configure(calls_per_minute=DEFAULT, poll=SELDOM)
        for _ in range(replicas):
            await rig.start_bot()
        await rig.ask("help")
        await in_a_crowd(rig, per_s, count)
    async with rigged(count, reboot=SHORT, database=database()) as rig:
        rig.configure(calls_per_minute=FREE, poll="1s")
        for _ in range(replicas):
            await rig.start_bot()
        await rig.ask("help")
        print("each to its end:")
        await in_a_crowd(rig, per_s, count, "restart, begun")


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--rate", type=float, default=50.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="at that rate")
    given = parser.parse_args()
    asyncio.run(bench(given.rounds, given.rate, given.seconds))


if __name__ == "__main__":
    main()
