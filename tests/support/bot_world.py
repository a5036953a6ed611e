"""The real bot in this process between the demo's two far sides, over real wires."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from dbos import DBOS, run_dbos_database_migrations

from bot.app import Bot
from bot.config import load
from bot.demo.alert_sender import free_port
from bot.demo.cloud_http import Call, Fault, Kind
from bot.demo.deliveries import Delivery
from bot.demo.instances import UNTIL_SEEN, Reboot, ScriptedInstance
from bot.demo.modelarts_server import LocalModelArts
from bot.demo.posts import Ephemeral, Post, View
from bot.demo.seed_world import Login, Project, World
from bot.demo.slack_server import LocalSlack
from bot.ledger import Ledger
from bot.listeners.payloads import delivery_of
from bot.model import Record, State, request_id

T = TypeVar("T")

INCIDENTS, LEADS = "C0INCIDENTS", "C0LEADS"
ANN, BOB, CAROL, GINA = "<@U0ANN>", "<@U0BOB>", "<@U0CAROL>", "<@U0GINA>"
TRAINER = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
GATED = "f7a1c6d0-3e84-4b29-a5c7-9d0b8e2f4163"
UNNAMED = "unnamed"  # a notebook of this name has no alias
NAMELESS = "b6d1f0a4-7c3e-4d58-9a21-0e8f5c7b3d16"  # has no alias
STORY_WITHIN_S = 60.0
EVERY = "calls_per_minute = 6000"
OPEN = """
[[rules]]
name = "on call"
who = ["@ml-oncall", "@ml-leads"]
"""
GATES = """
[[rules]]
name = "a lead agrees"
who = ["@ml-oncall", "@ml-leads"]
instances = ["gated-*"]
reason = "required"
approval = { by = ["@ml-leads"], expires = "30s", break_glass = ["@sre"] }
"""
WATCH = {
    "poll": "0.1s",
    "settle": "0.2s",
    "lost": "1s",
    "unchanged": "1s",
    "timeout": "20s",
}


def quick(*phases: str, ends: str = "ACTIVE", **how: Any) -> Reboot:
    """Return a restart through *phases*, each of which is over once it was seen."""
    words = phases or ("REBOOTING",)
    return Reboot(phases=tuple((word, UNTIL_SEEN) for word in words), ends=ends, **how)


def small_world() -> World:
    """Return two projects with quick instances."""
    lack = {"code": "ModelArts.6360", "message": "There are not enough resources."}
    production = (
        ScriptedInstance(id=TRAINER, name="trainer-7", owner="ann", reboot=quick()),
        ScriptedInstance(
            id="8d0e5f2a-6c1b-4b7e-9a43-1f5d7c2e9b60",
            name="flaky-1",
            owner="raj",
            reboot=quick(ends="START_FAILED", failed_reasons=lack),
        ),
        ScriptedInstance(
            id="e2f64b18-9d37-4a5c-b0f1-6c8e3a7d2594",
            name="notebook-2",
            owner="raj",
            status="STOPPED",
        ),
        ScriptedInstance(id=GATED, name="gated-1", owner="mia", reboot=quick()),
        ScriptedInstance(id=NAMELESS, name="spare", owner="mia", reboot=quick()),
    )
    development = (
        ScriptedInstance(
            id="DE-29b8d4f6-1a7c-4e53-8f90-c6e1a3b5d742",
            name="sandbox-1",
            owner="raj",
            reboot=quick(),
        ),
    )
    return World(
        login=Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001"),
        keys={},
        projects=(
            Project("ml-prod", "a4a5d4098fb4474fa22cd05f897d6b99", production),
            Project("ml-dev", "0c7f35ad6d0b4c5b8f6e5d1c2b3a4958", development),
        ),
    )


def text_of(shown: Post | Ephemeral | View | Delivery) -> str:
    """Return all words that somebody sees in the blocks of something."""
    return "\n".join(_words(shown.blocks))


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [word for each in value.values() for word in _words(each)]
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    return []


def buttons(shown: Post | Ephemeral | View) -> list[str]:
    """Return the action ids of the buttons in something."""
    return [
        element["action_id"]
        for block in shown.blocks
        for element in [*block.get("elements", []), block.get("accessory") or {}]
        if element.get("type") == "button"
    ]


@dataclass(slots=True, eq=False)
class Bench:
    """What a test drives: both far sides, the bot, and a look into its record."""

    slack: LocalSlack
    cloud: LocalModelArts
    path: Path
    ledger: Ledger
    bot: Bot
    running: asyncio.Task[None]

    # --- asking -------------------------------------------------------------------

    async def ask(
        self, text: str, *, user: str = "ann", channel: str = INCIDENTS
    ) -> Delivery:
        """Let somebody type a command; it has to be acknowledged in time."""
        delivery = await self.slack.command(user, channel, f"/mlstudio {text}")
        assert delivery.ok, delivery.error
        return delivery

    async def restart(
        self, rest: str = "ml-prod trainer-7", **where: str
    ) -> tuple[Delivery, Post, Post]:
        """Ask for a restart, and return it with its transition and its follow-up."""
        delivery = await self.ask(f"restart {rest}", **where)
        await self.story(delivery)
        follow = await self.wait_for(self.followups)
        return delivery, self.root(follow[-1]), follow[-1]

    async def card(self, rest: str = "ml-prod gated-1 stuck", **where: str) -> Post:
        """Ask for a restart that needs approval, and return the card."""
        await self.ask(f"restart {rest}", **where)
        cards = await self.wait_for(lambda: self.posts(having="approve"))
        return cards[-1]

    async def open_dialog(self, text: str, user: str = "ann") -> View:
        """Type a command that opens a dialog, and return that."""
        await self.ask(text, user=user)
        return (await self.wait_for(lambda: self.slack.views(user)))[0]

    # --- looking -------------------------------------------------------------------

    async def wait_for(self, predicate: Callable[[], T], timeout_s: float = 30.0) -> T:
        """Return the first true value of *predicate*, after changes on either side."""
        return await self.slack.wait_for(predicate, timeout_s)

    def posts(self, channel: str = "", *, having: str = "") -> list[Post]:
        """Return the bot's posts, on demand only those with a button *having* an id."""
        return [
            post
            for post in self.slack.messages(channel)
            if post.bot and (not having or having in buttons(post))
        ]

    def followups(self) -> list[Post]:
        """Return the replies that are shown in the channel too."""
        return [post for post in self.posts() if post.reply_broadcast]

    def root(self, reply: Post) -> Post:
        """Return the message below which *reply* stands."""
        return self.slack.message(reply.channel_id, reply.thread_ts)

    def now(self, post: Post) -> Post:
        """Return a post as it stands now."""
        return self.slack.message(post.channel_id, post.ts)

    def whispers(self, user: str, having: str = "") -> list[str]:
        """Return what only *user* sees, in the channel or in direct messages."""
        who = self.slack.directory.user(user)
        direct = self.slack.messages(self.slack.directory.im(who.id).id)
        private = [each.text for each in self.slack.ephemerals(user)]
        said = [*private, *(post.text for post in direct if post.bot)]
        return [text for text in said if having in text]

    @property
    def sent(self) -> int:
        """How many restart calls have reached the cloud."""
        return len([call for call in self.cloud.calls if call.kind == "restart"])

    def looks(self, kind: Kind = "read") -> list[Call]:
        """Return the calls of a *kind* that have reached the cloud."""
        return [call for call in self.cloud.calls if call.kind == kind]

    async def record(self, delivery: Delivery) -> Record:
        """Return the record of what a command or a dialog asked for."""
        payload = delivery.payload
        key = delivery_of(payload["view"]) if "view" in payload else ""
        return await self.ledger.existing(request_id(key or payload["trigger_id"]))

    async def story(self, delivery: Delivery) -> Record:
        """Return the record of a request once its story has ended."""
        record = await self.record(delivery)
        assert record.state is not State.REFUSED, f"it has no story: {delivery.text}"
        return await self.end_of(record.request.id)

    async def end_of(self, story_id: str) -> Record:
        """Return the record of a request, by its id, once its story has ended."""
        story = await DBOS.retrieve_workflow_async(story_id, existing_workflow=False)
        async with asyncio.timeout(STORY_WITHIN_S):  # there may be none
            await story.get_result(polling_interval_sec=0.04)
        return await self.ledger.existing(story_id)

    async def end_of_card(self, card: Post) -> Record:
        """Return the record of the request that a card is about, once it has ended."""
        return await self.end_of(self.id_of(card))

    def id_of(self, card: Post) -> str:
        """Return the request's id that a card's buttons carry."""
        elements = [e for b in card.blocks for e in b.get("elements", [])]
        return next(str(e["value"]) for e in elements if e.get("value"))

    async def trail(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the audit trail, oldest first, on demand of one *kind*."""
        since = datetime.now(UTC) - timedelta(days=1)
        entries = reversed(await self.ledger.entries(since=since))
        return [entry for entry in entries if kind in ("", entry["kind"])]

    def seen(self) -> dict[str, int]:
        """Return how many messages there are in each channel and for each person."""
        posts = Counter(post.channel_id for post in self.posts())
        private = {
            user.name: len(self.slack.ephemerals(user.name))
            for user in self.slack.directory.users.values()
        }
        return {name: count for name, count in {**posts, **private}.items() if count}

    # --- meddling ------------------------------------------------------------------

    def fail(self, kind: Kind, *, times: int | None = 1, **how: Any) -> None:
        """Let the next *times* calls of a *kind* meet a fault of the cloud."""
        self.cloud.faults.plant(kind, Fault(**how), times=times)

    def behave(self, reboot: Reboot, name: str = "trainer-7") -> None:
        """Let an instance behave like *reboot* when it is restarted."""
        self.cloud.instance(name).reboot = reboot

    def hold(self) -> None:
        """Stop the cloud's clock: what reboots stays so until ``go_on``."""
        self.cloud.clock.speed = 0

    def go_on(self) -> None:
        """Let the cloud's clock run again, past whatever was going on."""
        self.cloud.clock.speed = 1
        self.cloud.clock.advance(10)

    async def rebooting(self) -> Post:
        """Return the transition, shown while the instance reboots; see ``hold``."""
        await self.wait_for(lambda: "→" in "".join(p.text for p in self.posts()))
        return next(post for post in self.posts() if "→" in post.text)

    @contextmanager
    def locked_database(self) -> Iterator[None]:
        """Let nobody else write to the database."""
        database = sqlite3.connect(self.path.parent / "bot.db", isolation_level=None)
        try:
            database.execute("BEGIN IMMEDIATE")
            yield
        finally:
            database.close()

    def write(self, rules: str) -> None:
        """Replace the rules in the bot's file; nothing is reloaded by that."""
        head, _, _ = self.path.read_text(encoding="utf-8").partition("[[rules]]")
        self.path.write_text(head + rules, encoding="utf-8")


@asynccontextmanager
async def benched(
    folder: Path,
    *,
    rules: str = GATES + OPEN,
    watch: Mapping[str, str] | None = None,
    slack: LocalSlack | None = None,
    head: str = "",
    http: bool = False,
    environ: Mapping[str, str] | None = None,
    world: World | None = None,
    database: str = "",
    calls_per_minute: int = 6000,
) -> AsyncIterator[Bench]:
    """Run the bot between both far sides; *head* goes to the top of its file."""
    slack = slack or LocalSlack()
    cloud = LocalModelArts(world or small_world())
    cloud.on_change.append(lambda _: slack.workspace.change())
    await cloud.start()
    await slack.start()
    try:
        path = folder / "mlstudio-bot.toml"
        if not database:
            file = folder / "bot.db"
            if not file.exists():
                file.write_bytes(new_database())
            database = f"sqlite:///{file}"
        text = _settings(slack, cloud, database, {**WATCH, **(watch or {})}, http=http)
        text = text.replace(EVERY, f"calls_per_minute = {calls_per_minute}")
        path.write_text(f"{head}\n{text}\n{rules}", encoding="utf-8")
        known = {**_secrets(slack, cloud), **(environ or {})}
        settings, secrets = load(path, known)
        bot = Bot(settings, secrets, path=path, environ=known, poll_s=0.02)
        running = asyncio.create_task(bot.run())
        ready = asyncio.create_task(bot.ready.wait())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ledger = Ledger(database)
        try:
            if running.done():
                await running
            yield Bench(slack, cloud, path, ledger, bot, running)
        finally:
            ready.cancel()
            bot.stop()
            await running
            ledger.close()
    finally:
        await slack.close()
        await cloud.close()


@cache
def new_database() -> bytes:
    """Return a database in which nothing has happened yet, as the bot makes it.

    To make one takes the engine 40 ms; its own way is gone by every real process.
    """
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bot.db"
        ledger = Ledger(url)
        ledger.open()
        ledger.close()
        run_dbos_database_migrations(url)
        return Path(folder, "bot.db").read_bytes()


def _settings(
    slack: LocalSlack,
    cloud: LocalModelArts,
    database: str,
    watch: Mapping[str, str],
    *,
    http: bool,
) -> str:
    """Return the file of a bot between the two far sides, up to its rules."""
    lines = [f'database = "{database}"', "[slack]", f'api_url = "{slack.api_url}"']
    if http:
        port = free_port()
        lines += ['mode = "http"', f'listen = "127.0.0.1:{port}"']
        slack.request_url = f"http://127.0.0.1:{port}/slack/events"
    lines += ["[cloud]", f'iam_url = "{cloud.iam_url}"']
    lines += [f'modelarts_url = "{cloud.url}"', EVERY, "[watch]"]
    lines += [f'{name} = "{value}"' for name, value in watch.items()]
    for project in cloud.world.projects:
        lines += [f"[projects.{project.name}]", f'id = "{project.id}"']
        if project.discover:
            lines += ['kind = "notebook"', "discover = true"]
        lines += [f"[projects.{project.name}.instances]"]
        named = [box for box in project.instances if box.id != NAMELESS]
        lines += [f'{box.name} = "{box.id}"' for box in named]
        lines += [
            f'{box.name} = {{ id = "{box.id}", kind = "notebook" }}'
            for box in project.notebooks
            if box.name != UNNAMED
        ]
    return "\n".join(lines)


def _secrets(slack: LocalSlack, cloud: LocalModelArts) -> dict[str, str]:
    login = cloud.world.login
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_SIGNING_SECRET": slack.signing_secret,
        "OS_USERNAME": login.user,
        "OS_PASSWORD": login.password,
        "OS_USER_DOMAIN_NAME": login.domain,
    }
