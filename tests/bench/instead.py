"""The bot beside the sixty lines that people write instead, in quiet and in trouble.

Run it with ``python -m tests.bench.instead [--rounds N] [--away SECONDS]``.

Both are real processes, each between far sides of its own. First what is measured in
quiet: lines of code, memory at rest, acknowledgement, and how long after an instance
was ready that was said. Then one restart for each trouble: how many restarts the cloud
has carried out, and what the channel reads in the end. "too early" is a ready that was
said while the instance was not.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bot.demo.cloud_http import FAULTS, Call
from bot.demo.instances import Change, Reboot
from bot.demo.posts import Post
from tests.bench.ack import FREE
from tests.bench.rig import PROJECT, Rig, Running, box_id, options, rigged, share

BOT, SIXTY = "the bot", "sixty lines"
SIXTY_LINES = [Path(__file__).with_name("sixty_lines.py")]
ALL_LINES = [one for one in Path("bot").rglob("*.py") if "demo" not in one.parts]
REBOOT = Reboot(phases=(("REBOOTING", (20.0, 30.0)),))
STALE = Reboot(phases=(("REBOOTING", 30.0),), stale_s=15.0)
PATIENCE_S = 60.0  # after the instance was ready, until nobody waits any longer


@dataclass
class Stage:
    """One of the two between its far sides; *ready_at* has the time of each box."""

    rig: Rig
    who: str
    running: Running | None = None
    ready_at: dict[str, float] = field(default_factory=dict)

    async def start(self) -> Running:
        """Start it."""
        if self.who == BOT:
            self.running = await self.rig.start_bot()
        else:
            command = ["-m", "tests.bench.sixty_lines", str(self.rig.config)]
            self.running = await self.rig.start(command, self.rig.environment())
            self.rig.bots.append(self.running)
        return self.running

    def notice(self, event: Call | Change) -> None:
        """Note when an instance is ready."""
        if isinstance(event, Change) and event.current == "ACTIVE":
            self.ready_at[event.instance_id] = time.time()

    async def ask(self, box: str = "box-0", user: str = "ann") -> float:
        """Ask for a restart; return the seconds until it was acknowledged."""
        delivery = await self.rig.slack.command(
            user, "C0INCIDENTS", f"/mlstudio restart {PROJECT} {box}"
        )
        return delivery.seconds

    def acts(self, box: str = "box-0") -> int:
        """Return how often the cloud has restarted it."""
        return len(self.rig.cloud.restarts.get(box_id(box), []))

    async def sent(self, box: str = "box-0") -> None:
        """Wait until it reboots."""
        await self.rig.wait_until(lambda: self.acts(box) > 0)

    def ends(self, box: str = "box-0") -> list[Post]:
        """Return the messages that say that it is ready."""
        words = (f"{box} is ready", f"Ready: {box}")
        return [
            post
            for post in self.rig.slack.messages("incidents")
            if post.bot and any(word in post.text for word in words)
        ]

    async def told_after(self, box: str = "box-0") -> float | None:
        """Return the seconds from ready to the word of it, or None if none came."""
        await self.rig.wait_until(lambda: self.acts(box) == 0 or bool(self._ready(box)))
        with suppress(TimeoutError):
            await self.rig.wait_until(lambda: bool(self.ends(box)), PATIENCE_S)
        if not self.ends(box) or not self._ready(box):
            return None
        return float(self.ends(box)[0].ts) - self._ready(box)

    def _ready(self, box: str) -> float:
        return self.ready_at.get(box_id(box), 0.0)

    async def outcome(self) -> str:
        """Return how many restarts there were, and what was said of the end."""
        after_s = await self.told_after()
        if after_s is None:
            posts = [p for p in self.rig.slack.messages("incidents") if p.bot]
            last = f"last word: “{posts[-1].text.splitlines()[0]}”" if posts else "none"
            said = f"end never said ({last})"
        elif after_s < 0:
            said = f"ready said {-after_s:.0f} s too early"
        else:
            said = f"ready said {after_s:.1f} s after it was"
        acts = self.acts()
        return f"{acts} restart{'' if acts == 1 else 's'}, {said}"


Trouble = Callable[[Stage], Awaitable[object]]


async def nothing(stage: Stage) -> None:
    """Just one restart."""
    await stage.ask()
    await stage.sent()


async def killed(stage: Stage) -> None:
    """Kill it while the instance reboots, and start it again."""
    await nothing(stage)
    await asyncio.sleep(2.0)
    assert stage.running is not None
    await stage.running.kill()
    await stage.start()


async def doubled(stage: Stage) -> None:
    """Deliver the same command again once the first restart is through."""
    slack = stage.rig.slack
    text = f"/mlstudio restart {PROJECT} box-0"
    delivery = await slack.command("ann", "C0INCIDENTS", text)
    await stage.sent()
    await stage.rig.wait_until(lambda: bool(stage.ready_at))
    await slack.redeliver(delivery)
    await asyncio.sleep(2.0)


async def faulty(stage: Stage, fault: str) -> None:
    """Let the restart call meet a fault."""
    stage.rig.cloud.faults.plant("restart", FAULTS[fault])
    await stage.ask()
    await asyncio.sleep(5.0)


async def away(stage: Stage, seconds: float) -> None:
    """Let Slack take no message from when it reboots on."""
    await nothing(stage)
    await asyncio.sleep(2.0)
    stage.rig.slack.fail("chat.postMessage", count=None, status=503)
    stage.rig.slack.fail("chat.update", count=None, status=503)
    await asyncio.sleep(seconds)
    stage.rig.slack.heal()


async def two(stage: Stage) -> None:
    """Let two people ask at once, and one of them once more when it is ready."""
    await asyncio.gather(stage.ask(), stage.ask(user="gina"))
    await stage.sent()


def troubles(away_s: float) -> dict[str, tuple[Trouble, Reboot]]:
    """Return what may happen to a restart, and how its instance behaves."""
    return {
        "nothing": (nothing, REBOOT),
        "`kill -9` while it reboots": (killed, REBOOT),
        "the command is delivered again": (doubled, REBOOT),
        "the answer to the restart is lost": (
            lambda stage: faulty(stage, "cut after acting"),
            REBOOT,
        ),
        "429 with Retry-After": (lambda stage: faulty(stage, "throttled"), REBOOT),
        "ACTIVE is read for 15 s more": (nothing, STALE),
        f"Slack takes nothing for {away_s:.0f} s": (
            lambda stage: away(stage, away_s),
            REBOOT,
        ),
        "two people at once": (two, REBOOT),
    }


async def play(who: str, trouble: Trouble, reboot: Reboot) -> str:
    """Return what came of one restart in *trouble*."""
    async with rigged(1, reboot=reboot) as rig:
        stage = await _set(rig, who)
        await trouble(stage)
        return await stage.outcome()


async def _set(rig: Rig, who: str) -> Stage:
    rig.configure(calls_per_minute=FREE)
    stage = Stage(rig, who)
    rig.cloud.on_change.append(stage.notice)
    await stage.start()
    return stage


async def quiet(who: str, rounds: int) -> list[str]:
    """Return what is measured of one alone, as cells."""
    dice = random.Random(1)  # noqa: S311 - no secret
    async with rigged(rounds, reboot=REBOOT) as rig:
        stage = await _set(rig, who)
        await asyncio.sleep(5.0)
        assert stage.running is not None
        rest_mb = stage.running.rss_mb
        acks = []
        for number in range(rounds):
            acks.append(await stage.ask(f"box-{number}"))
            await asyncio.sleep(dice.uniform(0.5, 1.5))
        told = [await stage.told_after(f"box-{number}") for number in range(rounds)]
        late = [one for one in told if one is not None]
        return [
            f"{rest_mb:.0f} MB",
            f"{1000 * share(acks, 0.5):.1f} ms",
            f"{sum(late) / len(late):.1f} s (worst {max(late):.1f})",
        ]


def code_lines(paths: list[Path]) -> int:
    """Return how many lines of code there are, without blank ones."""
    texts = (path.read_text("utf-8") for path in paths)
    return sum(1 for text in texts for line in text.splitlines() if line.strip())


async def bench(rounds: int, away_s: float) -> None:
    """Print both tables as Markdown."""
    print(f"| | {SIXTY} | {BOT} |\n| --- | --- | --- |")
    print(f"| lines of code | {code_lines(SIXTY_LINES)} | {code_lines(ALL_LINES):,} |")
    names = ("memory at rest", "acknowledged, median", "ready said after it was, mean")
    measured = [await quiet(who, rounds) for who in (SIXTY, BOT)]
    for name, *cells in zip(names, *measured, strict=True):
        print(f"| {name} | {' | '.join(cells)} |")
    cases = troubles(away_s)
    came = await asyncio.gather(
        *(play(who, *case) for case in cases.values() for who in (SIXTY, BOT))
    )
    for name, sixty, ours in zip(cases, came[::2], came[1::2], strict=True):
        print(f"| {name} | {sixty} | {ours} |")


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--away", type=float, default=60.0, help="seconds")
    given = parser.parse_args()
    asyncio.run(bench(given.rounds, given.away))


if __name__ == "__main__":
    main()
