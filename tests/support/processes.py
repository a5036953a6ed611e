"""Real processes of the bot between a local Slack and a local ModelArts, and counting.

Everything is as in production but the far sides: ``python -m bot run --config …``,
which can be killed, frozen and started again. It is forked after the imports, unless a
test wants it *fresh*.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from bot.demo.cloud_http import Call
from bot.demo.deliveries import Delivery
from bot.demo.instances import Change, Reboot, ScriptedInstance
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.posts import Post
from bot.demo.seed_world import Login, Project, World
from bot.demo.slack_server import LocalSlack
from bot.ledger import Ledger
from bot.ledger.schema import url_of
from bot.model import ENDS, Record, State, request_id
from bot.slack.messages.approval import APPROVE
from tests.support.bot_world import new_database
from tests.support.fork_server import (
    LINE_LIMIT,
    ROOT,
    Forked,
    environment,
    fork_server,
    reader,
)

T = TypeVar("T")

PATIENCE_S = 45.0
LOOK_EVERY_S = 0.02
# Longer than any test: the reboot ends when the test says so.
REBOOT_S = 3600.0
TRANSITION = "ACTIVE → REBOOTING"
PROJECT_ID = "a4a5d4098fb4474fa22cd05f897d6b99"
RULES = """
[[rules]]
name = "gated boxes need a lead"
who = ["@ml-oncall"]
instances = ["gated-*"]
reason = "required"
approval = { by = ["@ml-leads"], needed = 1, expires = "15m", break_glass = ["@sre"] }

[[rules]]
name = "on call restarts anything else"
who = ["@ml-oncall", "@ml-leads"]
"""
WATCH = {
    "poll": "0.2s",
    "settle": "0.2s",
    "timeout": "120s",
    "lost": "2s",
    "unchanged": "60s",
}


async def until(
    look: Callable[[], T | Awaitable[T]], within_s: float = PATIENCE_S, what: str = ""
) -> T:
    """Return the first true value of *look*, or fail and say *what* did not happen."""
    end = time.monotonic() + within_s
    while True:
        began = time.monotonic()
        value = look()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        now = time.monotonic()
        if now > end:
            raise AssertionError(f"not within {within_s} s: {what or look}")
        # A long look leaves most of the time to what it waits for.
        await asyncio.sleep(max(LOOK_EVERY_S, 4 * (now - began)))


def instance_id(name: str) -> str:
    """Return an id for the instance *name*."""
    return f"00000000-0000-4000-8000-{name.encode().hex()[-12:]:0>12}"


def world_of(names: Iterable[str], reboot: Reboot | None = None) -> World:
    """Return one project with an instance of each name."""
    reboot = reboot or Reboot(phases=(("REBOOTING", REBOOT_S),))
    boxes = tuple(
        ScriptedInstance(id=instance_id(name), name=name, owner="ann", reboot=reboot)
        for name in names
    )
    return World(
        login=Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001"),
        keys={},
        projects=(Project("ml-prod", PROJECT_ID, boxes),),
    )


async def started_fresh(
    module: str, *words: str, environ: Mapping[str, str]
) -> asyncio.subprocess.Process:
    """Start ``python -m module words`` as a supervisor does, imports and all."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *words),
        cwd=ROOT,
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT,
        start_new_session=True,
    )


async def typed(
    folder: Path,
    *words: str,
    out: int | None = None,
    err: int | None = None,
    **environ: str,
) -> tuple[int, str, str]:
    """Type *words* in a folder; return the exit code, and what was printed both ways.

    *out* and *err* are file descriptors that it is printed to instead.
    """
    said, end = os.pipe()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    try:
        process = await fork_server().start(
            *("bot", *words),
            environ=environ,
            folder=folder,
            out=end if out is None else out,
            err=err,
        )
    finally:
        os.close(end)
    async with asyncio.timeout(60):
        both = (await reader(said)).read(), process.stderr.read()
        printed, wrong = await asyncio.gather(*both)
        return await process.wait(), printed.decode(), wrong.decode()


class Running:
    """One process of the bot; its log is read while it runs."""

    def __init__(self, process: asyncio.subprocess.Process | Forked) -> None:
        self.process = process
        self.pid = process.pid
        self.words: list[str] = []
        self.ready = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        stream = self.process.stderr
        if stream is None:
            raise AssertionError("there is no log")
        async for line in stream:
            self.words.append(line.decode(errors="replace").rstrip())
            if '"event": "ready"' in self.words[-1]:
                self.ready.set()

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """Return its exit code when it has ended and all its words are read."""
        try:
            async with asyncio.timeout(within_s):
                code = await self.process.wait()
                await self._reading
        except TimeoutError:
            last = "\n".join(self.words[-5:])
            raise AssertionError(f"still alive after {within_s} s:\n{last}") from None
        return code

    async def up(self) -> Self:
        """Return when it serves."""
        up = asyncio.create_task(self.ready.wait())
        gone = asyncio.create_task(self.process.wait())
        await asyncio.wait({up, gone}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        for task in (up, gone):
            task.cancel()
        if not self.ready.is_set():
            await self.ended(5)
            raise AssertionError("it did not start:\n" + "\n".join(self.words[-9:]))
        return self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        with suppress(ProcessLookupError):
            if self.lives:
                self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill it as a crash would, and wait until it is gone."""
        self.send(signal.SIGKILL)
        await self.ended()

    def events(self) -> list[dict[str, Any]]:
        """Return what it logged; lines of the trail are not among it."""
        logged = [json.loads(word) for word in self.words if word.startswith("{")]
        return [one for one in logged if "event" in one]


class Site:
    """Both far sides, a database, and as many processes of the bot as wanted."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "",
        names: Iterable[str] = ("trainer-7", "gated-1", "other"),
        reboot: Reboot | None = None,
        watch: Mapping[str, str] = WATCH,
        rules: str = RULES,
    ) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/bot.db"
        self.cloud = LocalModelArts(world_of(names, reboot))
        self.slack = LocalSlack()
        self.ready_at: dict[str, float] = {}
        self.running: list[Running] = []
        self._arrived: Counter[str] = Counter()
        self._watch = watch
        self._rules = rules
        self._ledger: Ledger | None = None
        self._sql: sa.Engine | None = None

    async def __aenter__(self) -> Self:
        await self.cloud.start()
        await self.slack.start()
        self.config.write_text(self._settings(), encoding="utf-8")
        self.cloud.on_change.append(self._note)
        return self

    async def __aexit__(self, *_: object) -> None:
        for running in self.running:
            running.send(signal.SIGKILL)
            await running.ended()
        if self._ledger is not None:
            self._ledger.close()
        if self._sql is not None:
            self._sql.dispose()
        await self.slack.close()
        await self.cloud.close()

    def _note(self, event: Call | Change) -> None:
        """Note when an instance is ready, and each restart call that arrives."""
        if isinstance(event, Change):
            if event.current == "ACTIVE":
                self.ready_at[event.instance_id] = time.time()
        elif event.kind == "restart" and event.status is None:
            self._arrived[event.instance] += 1

    # --- the bot ----------------------------------------------------------------------

    async def start(
        self,
        *,
        module: str = "bot",
        wait: bool = True,
        fresh: bool = False,
        **environ: str,
    ) -> Running:
        """Start a process of the bot; *environ* is for ``tests.support.crashing``.

        One that is *fresh* makes its database as well, others start from one.
        """
        file = self.folder / "bot.db"
        if self.database == f"sqlite:///{file}" and not (fresh or file.exists()):
            file.write_bytes(new_database())
        start = started_fresh if fresh else fork_server().start
        words = (module, "run", "--config", str(self.config))
        environ = {**self._environment(), **environ}
        running = Running(await start(*words, environ=environ))
        self.running.append(running)
        return await running.up() if wait else running

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "mlstudio-bot.toml"

    def _settings(self) -> str:
        lines = [
            f'database = "{self.database}"',
            "[slack]",
            f'api_url = "{self.slack.api_url}"',
            "[cloud]",
            f'iam_url = "{self.cloud.iam_url}"',
            f'modelarts_url = "{self.cloud.url}"',
            "calls_per_minute = 6000",
            "[watch]",
            *(f'{name} = "{value}"' for name, value in self._watch.items()),
            "[projects.ml-prod]",
            f'id = "{PROJECT_ID}"',
            "[projects.ml-prod.instances]",
            *(f'{box.name} = "{box.id}"' for box in self.cloud.world.instances),
            *(
                f'{box.name} = {{ id = "{box.id}", kind = "notebook" }}'
                for box in self.cloud.world.notebooks
            ),
        ]
        return "\n".join([*lines, self._rules])

    def _environment(self) -> dict[str, str]:
        login = self.cloud.world.login
        return environment() | {
            "PYTHONPATH": str(ROOT),
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "OS_USERNAME": login.user,
            "OS_PASSWORD": login.password,
            "OS_USER_DOMAIN_NAME": login.domain,
        }

    # --- people -----------------------------------------------------------------------

    async def ask(
        self, name: str, *, user: str = "ann", channel: str = "incidents"
    ) -> Delivery:
        """Let somebody ask for a restart; how that was answered is in the delivery."""
        text = f"/mlstudio restart ml-prod {name} INC-7"
        return await self.slack.command(user, channel, text)

    async def approve(
        self, *, user: str = "bob", cards: int = 1, within_s: float = PATIENCE_S
    ) -> None:
        """Let a lead approve the open card until a click has got through.

        *cards* of them have to stand there first. A click may count although its
        acknowledgement died with the bot: then the card is closed.
        """
        end = time.monotonic() + within_s
        clicked = False

        def can_go_on() -> bool:
            cards_open = len(self.open_cards())
            return cards_open >= cards or (clicked and not cards_open)

        while True:
            left = end - time.monotonic()
            await until(can_go_on, left, "a card to approve")
            if not self.open_cards():
                return
            clicked = True
            await until(lambda: self.slack.connections, left, "a connection")
            for card in self.open_cards():
                if (await self.slack.click(user, card, APPROVE)).ok:
                    return

    def open_cards(self) -> list[Post]:
        """Return the approval requests that still have their buttons."""
        return [post for post in self.said() if '"approve"' in json.dumps(post.blocks)]

    # --- the cloud --------------------------------------------------------------------

    def posts(self, name: str) -> int:
        """Return how many restart calls for an instance arrived."""
        return self._arrived[instance_id(name)]

    async def seen_rebooting(self, name: str, since: float = 0.0) -> None:
        """Return when the bot has read the rebooting instance after *since*."""

        def seen() -> bool:
            sent = self.cloud.restarts[instance_id(name)]
            begin = max(since, sent[0].at) if sent else None
            return begin is not None and any(
                call.kind == "read"
                and call.instance == instance_id(name)
                and call.at > begin
                and call.status
                for call in self.cloud.calls
            )

        await until(seen, what="a look at the rebooting instance")

    def finish_reboot(self, name: str) -> None:
        """Let the instance become ready."""
        self.cloud.put(name, "ACTIVE")

    # --- counting ---------------------------------------------------------------------

    def said(self, channel: str = "incidents") -> list[Post]:
        """Return what the bot said in a channel."""
        return [post for post in self.slack.messages(channel) if post.bot]

    @property
    def ledger(self) -> Ledger:
        """A look into the record, past the bot."""
        if self._ledger is None:
            self._ledger = Ledger(self.database)
        return self._ledger

    async def record(self, delivery: Delivery | str) -> Record | None:
        """Return the record of a request."""
        return await self.ledger.get(request_of(delivery))

    async def story(self, request_id: str) -> str:
        """Return the engine's word for how far a story is; "" = it has none."""
        if self._sql is None:
            self._sql = sa.create_engine(url_of(self.database))
        schema = "dbos." if self._sql.dialect.name == "postgresql" else ""
        query = sa.text(
            f"SELECT status FROM {schema}workflow_status WHERE workflow_uuid = :id"  # noqa: S608
        )
        with self._sql.connect() as connection:
            return str(connection.scalar(query, {"id": request_id}) or "")

    async def told(
        self, delivery: Delivery | str, within_s: float = PATIENCE_S
    ) -> Record:
        """Return the record of a request whose story has been told to its end."""
        number = request_of(delivery)

        async def done() -> Record | None:
            record = await self.ledger.get(number)
            ended = record and record.state in ENDS and record.told
            over = ended and await self.story(number) == "SUCCESS"
            return record if over else None

        try:
            record = await until(done, within_s)
        except AssertionError:
            state = await self.ledger.get(number)
            story = await self.story(number)
            words = "\n".join(self.running[-1].words[-12:])
            raise AssertionError(
                f"not told: {state and state.state}, story {story}\n{words}"
            ) from None
        if record is None:
            raise AssertionError("unreachable")
        return record

    async def ends(self, delivery: Delivery | str) -> list[str]:
        """Return the end states that the trail holds of a request."""
        since = datetime.min.replace(tzinfo=UTC)  # of a sample it is long ago
        return [
            entry["kind"]
            for entry in await self.ledger.entries(since=since)
            if entry["request_id"] == request_of(delivery) and entry["kind"] in ENDS
        ]


def request_of(asked: Delivery | str) -> str:
    """Return the id of the request that a command makes; an id is one already."""
    if isinstance(asked, str):
        return asked
    return request_id(asked.payload["trigger_id"])


@dataclass(frozen=True, slots=True)
class Count:
    """What one story left behind, to be compared with what it should have."""

    state: State
    posts: int
    ends: tuple[str, ...]
    transitions: int
    followups: int
    early: int  # follow-ups that came before the instance was ready
    messages: int


async def count(
    site: Site, delivery: Delivery | str, name: str, within_s: float = PATIENCE_S
) -> Count:
    """Wait until a story is told, then count what it did and said about *name*."""
    record = await site.told(delivery, within_s)
    said = [post for post in site.said() if name in post.text]
    followups = [post for post in said if post.reply_broadcast and "<@" in post.text]
    ready_at = site.ready_at.get(instance_id(name), 0.0)
    return Count(
        state=record.state,
        posts=site.posts(name),
        ends=tuple(await site.ends(delivery)),
        transitions=sum(TRANSITION in post.text for post in said),
        followups=len(followups),
        early=sum(
            "is ready" in post.text and float(post.ts) < ready_at for post in followups
        ),
        messages=len(said),
    )
