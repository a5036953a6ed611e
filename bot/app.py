"""The composition root: everything is made here, handed down, and closed here.

``Bot.run`` is the life of the process: open, serve until told to stop, close in order.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.approval import Approvals
from bot.authority import Authority
from bot.batch import Batches
from bot.batch_speech import BatchSpeech
from bot.batch_story import BatchStory
from bot.board import Boards
from bot.canary import Canary, cloud_proofs
from bot.chat import TIMEOUT, Chat, clients
from bot.cloud import Cloud
from bot.config import Secrets, Settings, load_settings
from bot.engine import Engine, Stories, Teller
from bot.errors import BotError, ChatError, ChatRefused, ConfigError, LedgerError
from bot.health import Health
from bot.httpmode import HttpMode
from bot.ledger import Entry, Ledger
from bot.listeners import register
from bot.listeners.answering import Answering
from bot.listeners.asking import Asking
from bot.listeners.clicks import Clicks
from bot.listeners.commands import Commands
from bot.listeners.dialogs import Dialogs
from bot.listeners.home import Home
from bot.listeners.limits import Refusals
from bot.listeners.looks import Looks
from bot.listeners.several import Several
from bot.listeners.tasks import Tasks
from bot.metrics import Metrics
from bot.patience import Pulse, patiently
from bot.people import People
from bot.preflight import Preflight
from bot.restart import LONG, STEPS, RestartStory
from bot.restarts import Restarts
from bot.sending import Sending
from bot.slack_errors import translated
from bot.socketmode import SocketMode
from bot.speech import Speech
from bot.traces import Traces, traces_of
from bot.upkeep import Upkeep
from bot.watch import Watcher

log = structlog.get_logger()

# In all, with the engine's own 1.5 s, below the 10 s of the contract.
LISTENERS_WITHIN_S = 2.0
STORIES_WITHIN_S = 5.0  # a restart call in hand is waited for
INTRODUCE_WAITS_S = (1.0, 2.0, 4.0, 8.0)
GAVE_UP = "the socket to Slack stayed down; a new process may do better"


@dataclass(frozen=True, slots=True)
class Wires:
    """What reaches the outside; closed last, after all that uses it."""

    poster: AsyncWebClient
    idem: AsyncWebClient
    chat: Chat
    cloud: Cloud
    ledger: Ledger
    engine: Engine
    traces: Traces


class Bot:
    """One bot; *poll_s* is how soon a waiting story notices its message on SQLite."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        *,
        path: Path | None = None,
        poll_s: float = 0.25,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.ready = asyncio.Event()
        self._secrets = secrets
        self._path = path
        self._poll_s = poll_s
        self._stop = asyncio.Event()
        self._failure = ""
        self._health: Health | None = None
        self._tasks = Tasks()
        self._reloaded: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Serve until ``stop``; raise BotError when it cannot start or go on."""
        async with AsyncExitStack() as closing:
            wires = await self._open(closing)
            await self._serve(closing, wires)
            self.ready.set()
            log.info("ready", mode=self.settings.slack.mode)
            await self._stop.wait()
            log.info("stopping")
        if self._failure:
            raise BotError(self._failure)

    def stop(self) -> None:
        """Ask the bot to stop: nothing new, finish what is in hand."""
        self._stop.set()

    def reload(self) -> None:
        """Read rules, projects and aliases anew; keep the old ones of a bad file."""
        if self._path is None:
            return
        try:
            new = load_settings(self._path)
        except ConfigError as error:
            log.error("configuration not reloaded", problems=list(error.problems))
            return
        kept = {"rules": new.rules, "projects": new.projects}
        self.settings = self.settings.model_copy(update=kept)
        self._reloaded()
        log.info("configuration reloaded", version=self.settings.version)

    # --- opening, in the reverse order of closing ------------------------------------

    async def _open(self, closing: AsyncExitStack) -> Wires:
        """Open the database and the clients; what fails says why."""
        engine = Engine(self.settings.database, poll_s=self._poll_s)
        closing.push_async_callback(engine.release)
        await engine.prepare()
        ledger = Ledger(self.settings.database)
        closing.callback(ledger.close)
        await asyncio.to_thread(ledger.open)
        session = await closing.enter_async_context(
            aiohttp.ClientSession(timeout=TIMEOUT)
        )
        http = await closing.enter_async_context(httpx.AsyncClient())
        traces = traces_of(os.environ)
        closing.push_async_callback(traces.close)
        closing.push_async_callback(engine.stop)
        token = self._secrets.slack_bot_token.get_secret_value()
        poster, idem = clients(token, self.settings.slack.api_url, session)
        cloud = Cloud.of(
            self.settings, self._secrets, http, on_call=self.metrics.cloud_called
        )
        chat = Chat(poster, idem, session, on_call=self.metrics.slack_called)
        return Wires(poster, idem, chat, cloud, ledger, engine, traces)

    async def _serve(self, closing: AsyncExitStack, wires: Wires) -> None:
        """Put the parts together, resume recorded stories, then let Slack in."""
        me = await self._introduce(wires.idem)
        people = People(wires.idem, me["team_id"], on_call=self.metrics.slack_called)
        authority = Authority(
            settings=lambda: self.settings,
            people=people,
            ledger=wires.ledger,
            cloud=wires.cloud,
            home_team=me["team_id"],
        )
        approvals = Approvals(
            ledger=wires.ledger,
            chat=wires.chat,
            authority=authority,
            metrics=self.metrics,
        )
        restarts = self._restarts(closing, wires, authority, approvals)
        app = _app(wires.poster, me)
        home = self._listen(app, me, wires, people, authority, approvals, restarts)
        await self._note_configuration(wires, me, "start")
        self._reloaded = lambda: self._use(wires, me)
        wires.engine.launch()
        closing.push_async_callback(self._tasks.finish, LISTENERS_WITHIN_S)
        upkeep = Upkeep(
            ledger=wires.ledger,
            restarts=restarts,
            engine=wires.engine,
            home=home,
            metrics=self.metrics,
            retention_s=self.settings.retention,
        )
        closing.push_async_callback(upkeep.close)
        upkeep.start()
        await self._let_in(closing, app, wires)

    def _restarts(
        self,
        closing: AsyncExitStack,
        wires: Wires,
        authority: Authority,
        approvals: Approvals,
    ) -> Restarts:
        preflight = Preflight(
            ledger=wires.ledger, cloud=wires.cloud, authority=authority
        )
        sending = Sending(
            ledger=wires.ledger, cloud=wires.cloud, no_longer=preflight.no_longer
        )
        common: dict[str, Any] = {"chat": wires.chat, "authority": authority}
        boards, pulse = Boards(ledger=wires.ledger, **common), Pulse()
        common |= {"ledger": wires.ledger, "metrics": self.metrics}
        teller = Teller(
            steps=STEPS,
            long=LONG,
            right_to_act=wires.engine.right_to_act,
            traces=wires.traces,
        )
        single = RestartStory(
            teller,
            ledger=wires.ledger,
            preflight=preflight,
            approvals=approvals,
            sending=sending,
            watcher=Watcher(
                cloud=wires.cloud,
                chat=wires.chat,
                ledger=wires.ledger,
                authority=authority,
                boards=boards,
                settings=self.settings.watch,
            ),
            speech=Speech(**common),
            traces=wires.traces,
        )
        batch = BatchStory(
            teller,
            single=single,
            batches=Batches(
                ledger=wires.ledger,
                preflight=preflight,
                pulse=pulse,
                parallel=lambda: self.settings.max_parallel,
            ),
            speech=BatchSpeech(boards=boards, pulse=pulse, **common),
        )
        stories = Stories(teller)
        restarts = Restarts(stories, ledger=wires.ledger, single=single, batch=batch)
        restarts.register()
        closing.push_async_callback(stories.stop, STORIES_WITHIN_S)
        return restarts

    def _listen(
        self,
        app: AsyncApp,
        me: dict[str, str],
        wires: Wires,
        people: People,
        authority: Authority,
        approvals: Approvals,
        restarts: Restarts,
    ) -> Home:
        """Make the listeners and connect them with *app*."""
        common: dict[str, Any] = {"authority": authority, "tasks": self._tasks}
        refusals = Refusals(
            ledger=wires.ledger,
            chat=wires.chat,
            tasks=self._tasks,
            metrics=self.metrics,
        )
        where: dict[str, Any] = {"settings": lambda: self.settings}
        asking = Asking(
            ledger=wires.ledger,
            restarts=restarts,
            refusals=refusals,
            metrics=self.metrics,
            **common,
            **where,
        )
        answering = Answering(
            authority=authority, ledger=wires.ledger, cloud=wires.cloud, **where
        )
        looks = Looks(wires.cloud, authority)
        dialogs = Dialogs(
            asking=asking, chat=wires.chat, looks=looks, **common, **where
        )
        several = Several(
            asking=asking,
            ledger=wires.ledger,
            restarts=restarts,
            chat=wires.chat,
            looks=looks,
            refusals=refusals,
            metrics=self.metrics,
            **common,
            **where,
        )
        home = Home(
            ledger=wires.ledger,
            chat=wires.chat,
            home_team=me["team_id"],
            **common,
            **where,
        )
        commands = Commands(
            asking=asking,
            answering=answering,
            dialogs=dialogs,
            several=several,
            chat=wires.chat,
            metrics=self.metrics,
            **common,
        )
        clicks = Clicks(
            ledger=wires.ledger,
            approvals=approvals,
            restarts=restarts,
            chat=wires.chat,
            refusals=refusals,
            **common,
        )
        register(
            app,
            commands=commands,
            clicks=clicks,
            dialogs=dialogs,
            several=several,
            home=home,
            people=people,
            refusals=refusals,
            metrics=self.metrics,
        )
        return home

    async def _let_in(
        self, closing: AsyncExitStack, app: AsyncApp, wires: Wires
    ) -> None:
        """Open the health pages and then the way in for Slack."""
        front = self._front(app, wires)
        checks = {"slack": front.is_connected, "database": _answers(wires.ledger)}
        canary = self._canary(front, wires)
        if canary is not None:
            checks["canary"] = canary.is_well
        health = self._health = Health(checks, self.metrics)
        if self.settings.server is not None:
            closing.push_async_callback(health.close)
            await _listening(health.start, self.settings.server.listen)
        closing.push_async_callback(front.close)
        await front.start()
        if canary is not None:
            closing.push_async_callback(canary.close)
            canary.start()
        closing.callback(health.stop)

    def _canary(self, front: SocketMode | HttpMode, wires: Wires) -> Canary | None:
        if self.settings.canary is None:
            return None
        return Canary(
            lambda: {
                "slack": front.prove,
                **cloud_proofs(wires.cloud, self.settings.projects),
            },
            self.settings.canary,
        )

    def _front(self, app: AsyncApp, wires: Wires) -> SocketMode | HttpMode:
        if self.settings.slack.mode == "socket":
            token = self._secrets.slack_app_token.get_secret_value()
            return SocketMode(app, token, wires.idem, give_up=self._give_up)
        secrets = [
            one.get_secret_value() for one in self._secrets.slack_signing_secrets
        ]
        slack = self.settings.slack
        public_url = slack.public_url or ""
        return HttpMode(app, tuple(secrets), slack.listen, public_url=public_url)

    async def _introduce(self, client: AsyncWebClient) -> dict[str, str]:
        """Return who Slack says we are; a token that is refused ends the start."""
        for wait in (*INTRODUCE_WAITS_S, None):
            try:
                with translated("auth.test", self.metrics.slack_called):
                    answer = await client.auth_test()
                names = ("team_id", "enterprise_id", "user_id", "bot_id")
                return {name: str(answer.get(name) or "") for name in names}
            except ChatRefused as error:
                raise BotError(f"Slack refused SLACK_BOT_TOKEN: {error}") from error
            except ChatError as error:
                if wait is None:
                    raise BotError(f"Slack cannot be reached: {error}") from error
                log.warning("Slack not reached yet", error=str(error), wait_s=wait)
                await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    # --- while it runs ----------------------------------------------------------------

    def _give_up(self) -> None:
        """Stop with a failure, so that a supervisor starts a new process."""
        self._failure = GAVE_UP
        if self._health is not None:
            self._health.watchdog_gave_up = True
        self.stop()

    def _use(self, wires: Wires, me: dict[str, str]) -> None:
        """Put reloaded settings to use everywhere."""
        wires.cloud.use(self.settings.endpoints)
        note = self._note_configuration
        self._tasks.start(patiently(lambda: note(wires, me, "reload")), "configuration")

    async def _note_configuration(
        self, wires: Wires, me: dict[str, str], why: str
    ) -> None:
        """Put the version of the rules in force on record; it was the bot's act."""
        entry = Entry(
            kind="configuration",
            team_id=me["team_id"],
            user_id=me["user_id"],
            rule_version=self.settings.version,
            detail=why,
        )
        await wires.ledger.note(entry)


def _is_news(record: logging.LogRecord) -> bool:
    """Say whether Bolt tells more than that we chose how it is made."""
    told = record.getMessage()
    return "will be ignored" not in told and not told.startswith("As you gave")


def _app(client: AsyncWebClient, me: dict[str, str]) -> AsyncApp:
    """Return Bolt's app, which asks nobody who it is (reference/slack.md 4)."""
    result = AuthorizeResult(
        enterprise_id=me["enterprise_id"] or None,
        team_id=me["team_id"],
        bot_user_id=me["user_id"],
        bot_id=me["bot_id"],
        bot_token=client.token,
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return result

    quiet = logging.getLogger("slack_bolt.AsyncApp")
    quiet.addFilter(_is_news)
    return AsyncApp(
        logger=quiet,
        client=client,
        authorize=authorize,
        request_verification_enabled=False,  # ours takes two secrets (httpmode)
        # Every listener returns with its ack; otherwise Bolt looks for that each 10 ms.
        process_before_response=True,
    )


def _answers(ledger: Ledger) -> Callable[[], Awaitable[bool]]:
    """Return the check whether the database answers."""

    async def database() -> bool:
        try:
            await ledger.ping()
        except LedgerError:
            return False
        return True

    return database


async def _listening(start: Callable[[str], Awaitable[object]], listen: str) -> None:
    try:
        await start(listen)
    except OSError as error:
        raise BotError(
            f"cannot listen on {listen} ({error.strerror}); choose another address in"
            " [server] listen"
        ) from error
