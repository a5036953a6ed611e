"""The bot beside the short script that people write instead, in quiet and in trouble.

Run it with ``python -m tests.bench.instead [--boxes N] [--away SECONDS]``.

Both are real processes, each between far sides of its own. First what is measured in
quiet: lines, memory at rest, acknowledgement, and how long after an instance
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

BOT, SCRIPT = "the bot", "a short script"
SCRIPT_FILES = [Path(__file__).with_name("short_script.py")]
BOT_FILES = [one for one in Path("bot").rglob("*.py") if "demo" not in one.parts]
REBOOT = Reboot(phases=(("REBOOTING", (20.0, 30.0)),))
STALE = Reboot(phases=(("REBOOTING", 30.0),), stale_s=15.0)
PASSES = 6  # restarts of each, when nothing goes wrong
PATIENCE_S = 60.0  # after the instance was ready, until nobody waits any longer


@dataclass
class Stage:
    """One of the two between its far sides; *ready_at* has the times of each box."""

    rig: Rig
    who: str
    running: Running | None = None
    ready_at: dict[str, list[float]] = field(default_factory=dict)

    async def start(self) -> Running:
        """Start it."""
        if self.who == BOT:
            self.running = await self.rig.start_bot()
        else:
            command = ["-m", "tests.bench.short_script", str(self.rig.config)]
            self.running = await self.rig.start(command, self.rig.environment())
            self.rig.bots.append(self.running)
        return self.running

    def notice(self, event: Call | Change) -> None:
        """Note when an instance is ready."""
        if isinstance(event, Change) and event.current == "ACTIVE":
            self.ready_at.setdefault(event.instance_id, []).append(time.time())

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
        posts = self.rig.slack.messages("incidents")
        return [post for post in posts if post.bot and f"{box} is ready" in post.text]

    async def told_after(self, box: str = "box-0", times: int = 1) -> float | None:
        """Return the seconds from ready to the word of it, or None if none came.

        Of the restart of the box with that number, *times*.
        """
        ready_at = self.ready_at.setdefault(box_id(box), [])
        await self.rig.wait_until(lambda: not self.acts(box) or len(ready_at) >= times)
        with suppress(TimeoutError):
            await self.rig.wait_until(lambda: len(self.ends(box)) >= times, PATIENCE_S)
        if len(self.ends(box)) < times or len(ready_at) < times:
            return None
        return float(self.ends(box)[times - 1].ts) - ready_at[times - 1]

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
    await stage.rig.wait_until(lambda: box_id("box-0") in stage.ready_at)
    await slack.redeliver(delivery)
    await asyncio.sleep(2.0)


async def faulty(stage: Stage, fault: str) -> None:
    """Let the restart call meet a fault."""
    stage.rig.cloud.faults.plant("restart", FAULTS[fault])
    await stage.ask()
    await asyncio.sleep(5.0)


async def away(stage: Stage, seconds: float) -> None:
    """Let Slack's Web API be away from when it reboots on; the socket stands."""
    await nothing(stage)
    await asyncio.sleep(2.0)
    stage.rig.slack.fail("*", count=None, status=503)
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


async def quiet(who: str, boxes: int) -> list[str]:
    """Return what is measured of one alone, as cells."""
    dice = random.Random(1)  # noqa: S311 - no secret
    async with rigged(boxes, reboot=REBOOT) as rig:
        stage = await _set(rig, who)
        await asyncio.sleep(5.0)
        assert stage.running is not None
        rest_mb = stage.running.rss_mb
        names = [f"box-{number}" for number in range(boxes)]
        acks, told = list[float](), list[list[float]]()
        for times in range(1, PASSES + 1):
            for name in names:
                acks.append(await stage.ask(name))
                await asyncio.sleep(dice.uniform(0.2, 0.8))
            found = [await stage.told_after(name, times) for name in names]
            told.append([one for one in found if one is not None])
        return [
            f"{rest_mb:.0f} MB",
            f"{1000 * share(acks, 0.5):.1f} ms",
            *(f"{sum(some) / len(some):.1f} s" for some in (told[0], told[-1])),
        ]


def lines(paths: list[Path]) -> int:
    """Return how many lines there are, without blank ones."""
    texts = (path.read_text("utf-8") for path in paths)
    return sum(1 for text in texts for line in text.splitlines() if line.strip())


async def bench(boxes: int, away_s: float) -> None:
    """Print both tables as Markdown."""
    print(f"| | {SCRIPT} | {BOT} |\n| --- | --- | --- |")
    print(f"| lines | {lines(SCRIPT_FILES)} | {lines(BOT_FILES):,} |")
    names = (
        "memory at rest",
        "acknowledged, median",
        "ready said so long after, mean of the first restarts",
        f"the same of the restarts number {PASSES}",
    )
    measured = await asyncio.gather(*(quiet(who, boxes) for who in (SCRIPT, BOT)))
    for name, *cells in zip(names, *measured, strict=True):
        print(f"| {name} | {' | '.join(cells)} |")
    cases = troubles(away_s)
    came = await asyncio.gather(
        *(play(who, *case) for case in cases.values() for who in (SCRIPT, BOT))
    )
    for name, script, ours in zip(cases, came[::2], came[1::2], strict=True):
        print(f"| {name} | {script} | {ours} |")


def main() -> None:
    """Read the options and measure."""
    parser = options(__doc__)
    parser.add_argument("--boxes", type=int, default=15)
    parser.add_argument("--away", type=float, default=60.0, help="seconds")
    given = parser.parse_args()
    asyncio.run(bench(given.boxes, given.away))


if __name__ == "__main__":
    main()
