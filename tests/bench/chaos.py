"""Stories on three replicas that are killed and frozen at random: what it costs.

Real processes on a real PostgreSQL, with a cloud and a Slack that lose answers. Prints
counts; run it with ``python -m tests.bench.chaos [--stories 200] [--seed 1]``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.demo.cloud_http import Fault
from bot.demo.deliveries import Delivery
from bot.demo.instances import Reboot
from bot.model import ENDS, Record, State
from tests.support.postgres import postgres
from tests.support.processes import Running, Site, instance_id, request_of, until

REPLICAS = 3
AT_ONCE = 12
REBOOTS_S = (1.0, 4.0)
KILLS_EVERY_S = (0.3, 1.5)
FROZEN_S = (0.3, 5.0)
FREEZES = 0.4  # of all attacks; the others are kills
LOSSES = 0.4  # a second: the next restart call, and the next message
PATIENCE_S = 120.0


@dataclass
class Toll:
    """What happened to the replicas, and what the stories had to bear."""

    kills: list[float] = field(default_factory=list)
    freezes: int = 0
    losses: int = 0
    slack_losses: int = 0


async def attack(site: Site, toll: Toll, dice: random.Random) -> None:
    """Kill or freeze a replica every few seconds, for ever."""
    while True:
        await asyncio.sleep(dice.uniform(*KILLS_EVERY_S))
        alive = [one for one in site.running if one.lives and one.ready.is_set()]
        if not alive:
            continue
        victim = dice.choice(alive)
        if dice.random() < FREEZES:
            toll.freezes += 1
            victim.send(signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(*FROZEN_S))
            victim.send(signal.SIGCONT)
        else:
            toll.kills.append(time.time())
            await victim.kill()
            await site.start()


async def lose_answers(site: Site, toll: Toll, dice: random.Random) -> None:
    """Let the cloud and Slack lose an answer now and then."""
    while True:
        await asyncio.sleep(1.0)
        # Never two in store: those that nobody met would all hit the last story.
        if dice.random() < LOSSES and not site.cloud.faults.planted:
            toll.losses += 1
            acts = dice.random() < 0.5
            site.cloud.faults.plant("restart", Fault(cut=True, acts=acts))
        if dice.random() < LOSSES and not site.slack.api.faults.planted:
            toll.slack_losses += 1
            site.slack.fail("chat.postMessage", status=503)


async def tell(site: Site, name: str) -> Delivery:
    """Ask for one restart until somebody takes the command, as people do."""
    while True:
        await until(lambda: site.slack.connections)
        delivery = await site.ask(name)
        # What was acknowledged as recorded has to be; "could not record" is repeated.
        if "Recorded" in delivery.text or await site.record(delivery):
            return delivery


async def run(stories: int, seed: int) -> None:
    """Play it and print what has been counted."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    names = [f"box-{number:04}" for number in range(stories)]
    reboot = Reboot(phases=(("REBOOTING", REBOOTS_S),))
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        site = Site(
            Path(folder), database=server.database(), names=names, reboot=reboot
        )
        async with site:
            for _ in range(REPLICAS):
                await site.start()
            toll, began = Toll(), time.time()
            foes = [
                asyncio.create_task(attack(site, toll, dice)),
                asyncio.create_task(lose_answers(site, toll, dice)),
            ]
            slots = asyncio.Semaphore(AT_ONCE)

            async def play(name: str) -> tuple[Delivery, Record | None]:
                async with slots:
                    delivery = await tell(site, name)
                    return delivery, await ended(site, delivery)

            played = await asyncio.gather(*map(play, names))
            for foe in foes:
                foe.cancel()
            await asyncio.wait(foes)
            report(site, toll, dict(zip(names, played, strict=True)))
            for delivery, record in played:
                if record is None:
                    await show(site, delivery)
            print(f"seconds                   {time.time() - began:.0f}")


async def ended(site: Site, delivery: Delivery) -> Record | None:
    """Return the record of a request that was told to its end, or None if it is not."""

    async def done() -> Record | None:
        record = await site.ledger.get(request_of(delivery))
        return record if record and record.state in ENDS and record.told else None

    try:
        return await until(done, PATIENCE_S)
    except AssertionError:
        return None


def report(
    site: Site, toll: Toll, played: dict[str, tuple[Delivery, Record | None]]
) -> None:
    """Print the counts."""
    said = site.said()
    lost = early = doubled = messages = 0
    for name, (_, record) in played.items():
        posts = [post for post in said if name in post.text]
        followups = [post for post in posts if post.reply_broadcast]
        lost += record is None or not followups
        doubled += len(followups) > 1
        messages += len([post for post in posts if not post.thread_ts]) > 1
        ready_at = site.ready_at.get(instance_id(name), 0.0)
        early += any(
            "is ready" in post.text and float(post.ts) < ready_at for post in followups
        )
    taken = takeovers(site.running, toll.kills)
    states = Counter(
        str(record.state) if record else "not told" for _, record in played.values()
    )
    print(f"stories                   {len(played)}: {dict(states)}")
    print(f"kills                     {len(toll.kills)}")
    print(f"freezes                   {toll.freezes}")
    print(f"answers lost by the cloud {toll.losses}")
    print(f"answers lost by Slack     {toll.slack_losses}")
    print(f"restarts doubled          {sum(site.posts(name) > 1 for name in played)}")
    print(f"follow-ups lost           {lost}")
    print(f"follow-ups early          {early}")
    print(f"follow-ups doubled        {doubled}")
    print(f"announcements doubled     {messages}")
    if taken:
        print(
            f"taken over within         median {statistics.median(taken):.1f} s,"
            f" worst {max(taken):.1f} s, {len(taken)} times"
        )
    wrong = {
        name: record
        for name, (_, record) in played.items()
        if record is None or record.state not in (State.READY, State.UNKNOWN)
    }
    for name, record in wrong.items():
        print(f"  {name}: {record.state if record else 'not told'}")


async def show(site: Site, delivery: Delivery) -> None:
    """Print all that is known of a story that was not told."""
    number = request_of(delivery)
    record = await site.record(delivery)
    print(f"--- {number}: {record}")
    print(f"story {await site.story(number)}")
    for one in site.running:
        for word in one.words:
            if number in word or (one.lives and '"error"' in word):
                print(f"{one.pid}{'' if one.lives else ' (dead)'}: {word[:500]}")


def takeovers(running: list[Running], kills: list[float]) -> list[float]:
    """Return how long after each kill another replica took over, in seconds."""
    at: dict[str, float] = {}
    for one in running:
        for event in one.events():
            if event.get("event") == "took over from a dead replica":
                moment = datetime.fromisoformat(event["timestamp"]).timestamp()
                at[event["peer"]] = min(at.get(event["peer"], moment), moment)
    taken = []
    for moment in sorted(at.values()):
        before = [kill for kill in kills if kill < moment]
        if before:
            taken.append(moment - before[-1])
    return taken


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    asyncio.run(run(args.stories, args.seed))


if __name__ == "__main__":
    main()
