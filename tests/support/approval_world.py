"""A small world for properties: real decisions, and far sides that do as they are told.

Policy, authority, ledger, listeners, the wait and the checks before a restart are the
bot's own; Slack's people, the chat, the cloud, the engine and the clock are played.
``oracle`` says, in its own words, who may approve: the bot is judged by that.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import attrs

from bot.config import Settings
from bot.errors import StateConflict
from bot.ledger import Ledger
from bot.listeners.approval_buttons import ApprovalButtons
from bot.listeners.cancellations import Cancellations
from bot.listeners.freezes import FreezeListeners
from bot.listeners.payloads import Actor
from bot.listeners.queries import QueryListeners
from bot.listeners.refusal_limit import RefusalLimit
from bot.listeners.requests import RequestListeners
from bot.listeners.responses import Responses
from bot.listeners.status_cache import StatusCache
from bot.listeners.tasks import Tasks
from bot.model import (
    ENDS,
    UNDER_WAY,
    Answer,
    Approval,
    Instance,
    Message,
    Person,
    Record,
    Request,
    Rule,
    State,
    request_id,
)
from bot.policy.authorizer import Authorizer
from bot.restarts.approval import Approvals
from bot.restarts.batch import Batch
from bot.restarts.owners import Owners
from bot.restarts.preflight import Preflight
from bot.restarts.send import Sender
from bot.restarts.services import Services
from bot.slack import command as words
from bot.telemetry.metrics import Metrics
from tests.support.fake_rota import FakeRota

HOME, ABROAD, CHANNEL = "T0HOME", "T0ABROAD", "C0INCIDENTS"
PROJECT = "ml-prod"
PEOPLE = {
    user_id: Person(user_id, HOME, user_id.lower())
    for user_id in ("U0ANN", "U0BOB", "U0LEA", "U0LEO", "U0SRE")
} | {
    "U0GUEST": Person("U0GUEST", HOME, is_guest=True),
    "U0ROBOT": Person("U0ROBOT", HOME, is_bot=True),
    "U0GONE": Person("U0GONE", HOME, deleted=True),
    "U0ALIEN": Person("U0ALIEN", ABROAD, is_stranger=True),
}
GROUPS = {
    "@ml-oncall": frozenset({"U0ANN", "U0BOB", "U0GUEST", "U0ALIEN"}),
    "@ml-leads": frozenset(PEOPLE) - {"U0SRE"},
    "@sre": frozenset({"U0SRE", "U0BOB", "U0ROBOT"}),
}
Groups = dict[str, frozenset[str] | None]


@dataclass
class World:
    """What is true now outside the bot; tests change it as they like."""

    rules: tuple[Rule, ...]
    people: dict[str, Person] = field(default_factory=lambda: dict(PEOPLE))
    groups: Groups = field(default_factory=lambda: dict(GROUPS))
    status: str = "ACTIVE"
    ahead: timedelta = timedelta()
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    names: dict[str, str] = field(default_factory=dict)  # alias -> instance id
    rota: FakeRota = field(default_factory=FakeRota)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def settings(self) -> Settings:
        known = {"id": "a4a5d4098fb4474fa22cd05f897d6b99", "instances": self.names}
        return Settings.model_validate({"projects": {PROJECT: known}}).model_copy(
            update={"rules": self.rules}
        )

    # --- the oracle -------------------------------------------------------------------

    def is_member(self, user_id: str) -> bool:
        """Whether somebody is a full member of our workspace."""
        person = self.people[user_id]
        odd = person.deleted or person.is_bot or person.is_guest or person.is_stranger
        return person.team_id == HOME and not odd

    def lists(self, entries: Iterable[str], user_id: str) -> bool:
        """Whether *entries* of a rule name somebody, as far as they can be read."""
        return any(
            user_id in (self.groups.get(entry) or ())
            if entry.startswith("@")
            else entry in ("*", user_id)
            for entry in entries
        )

    def may_approve(self, approval: Approval, user_id: str, requester: str) -> bool:
        """Whether somebody's approval counts for anything now."""
        listed = self.lists(approval.by, user_id)
        return listed and user_id != requester and self.is_member(user_id)

    def rule_of(self, request: Request) -> Rule | None:
        """Return the rule that lets the requester restart now, if he may at all."""
        if not self.is_member(request.user_id):
            return None
        named = (
            rule
            for rule in self.rules
            if self.lists(rule.who, request.user_id) or self.is_past(request, rule)
        )
        return next(named, None)

    def is_past(self, request: Request, rule: Rule) -> bool:
        """Whether the requester may break the glass of *rule*, and says so."""
        listed = rule.approval.break_glass if rule.approval else ()
        says_so = request.break_glass and bool(request.reason)
        return says_so and self.lists(listed, request.user_id)


@dataclass
class FarPeople:
    """Slack's answers about people and groups."""

    world: World

    async def person(
        self, user_id: str, *, team_id: str = "", fresh: bool = False
    ) -> Person:
        return self.world.people[user_id]

    async def groups(self, references: Iterable[str], *, fresh: bool = False) -> Groups:
        return {name: self.world.groups.get(name) for name in references}

    async def zone(self, user_id: str) -> str:
        return "Europe/Berlin"

    async def group_id(self, reference: str) -> str | None:
        return reference


@dataclass
class FarCloud:
    """The cloud: its instance stands as the world says; restarts are counted."""

    world: World
    restarts: int = 0

    async def read(self, target: Any, **_: Any) -> Instance:
        await asyncio.sleep(0)
        return Instance(target.instance_id, self.world.status)

    async def act(self, target: Any, _act: Any) -> Answer:
        self.restarts += 1
        await asyncio.sleep(0)
        return Answer(self.world.status, "REBOOTING")


class FarChat:
    """Slack's channel: takes everything, and keeps what was posted."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def post(self, _channel: str, message: Message, **_: Any) -> str:
        self.said.append(message.text)
        return "1.5"

    async def _nothing(self, *_: Any, **__: Any) -> None:
        return None

    update = whisper = open_view = begin = _nothing

    def wake(self, _request_id: str) -> None:
        """Wake nobody: ``Stage.stories`` goes on with all of them."""


@dataclass
class Sent:
    """One request that got the restart call, judged at that moment."""

    record: Record
    why_not: str


class Stage:
    """The bot between these far sides, and what people did to it."""

    def __init__(self, ledger: Ledger, world: World) -> None:
        self.world, self.ledger = world, ledger
        self.sent: list[Sent] = []
        self.yes: dict[str, set[str]] = {}  # request -> whose approval counted then
        self.no: set[str] = set()  # requests that somebody denied who might
        self.asked: list[str] = []
        self._over: set[str] = set()
        self._clicks = 0
        self.cloud, chat, self.tasks = FarCloud(world), FarChat(), Tasks()
        self.chat, quiet = chat, cast("Any", chat)
        people: Any = FarPeople(world)
        cloud: Any = self.cloud
        metrics = Metrics()
        self.authorizer = Authorizer(
            settings=world.settings,
            users=people,
            ledger=ledger,
            cloud=cloud,
            home_team=HOME,
            rotas=world.rota.rotas(),
            now=world.now,
        )
        services = Services(
            settings=world.settings,
            ledger=ledger,
            authorizer=self.authorizer,
            cloud=cloud,
            slack=quiet,
            users=people,
            metrics=metrics,
            traces=quiet,
            wakeups=quiet,
            now=world.now,
        )
        refusals = RefusalLimit(services)
        self.approvals = Approvals(services)
        self.preflight = Preflight(services)
        spied: Any = Spied(self)
        self.sending = Sender(
            attrs.evolve(services, ledger=spied), self.preflight, Owners(services)
        )
        self.requests = RequestListeners(services, quiet, self.tasks, refusals)
        self.cancellations = Cancellations(services, quiet, refusals)
        self.freezes = FreezeListeners(services, self.tasks, refusals)
        self.queries = QueryListeners(services, StatusCache(services), self.freezes)
        self.clicks = ApprovalButtons(
            services,
            self.approvals,
            quiet,
            Responses(services, self.tasks),
            self.tasks,
            refusals,
        )

    # --- what people do ---------------------------------------------------------------

    def actor(self, user_id: str, delivery: str = "") -> Actor:
        team = self.world.people[user_id].team_id
        return Actor(user_id, team, CHANNEL, delivery or uuid.uuid4().hex)

    async def ask(self, user_id: str, *, break_glass: bool = False) -> str:
        """Ask for a restart, and return the id of the request."""
        actor = self.actor(user_id)
        self.asked.append(request_id(actor.delivery))
        box = self.world.instance_id
        command = words.Restart(PROJECT, box, "it burns", break_glass)
        await self.requests.typed(actor, command)
        return self.asked[-1]

    async def click(self, user_id: str, story: str, *, approve: bool) -> None:
        """Click a button of a card, and keep whether that should count."""
        record = await self.ledger.get(story)
        if record is not None and self._counts(record, user_id):
            if approve:
                self.yes.setdefault(story, set()).add(user_id)
            else:
                self.no.add(story)
        self._clicks += 1
        action = {
            "action_id": "approve" if approve else "deny",
            "value": story,
            "action_ts": f"{self._clicks}",
        }
        user = {"id": user_id, "team_id": self.world.people[user_id].team_id}
        await self.clicks.on_click(
            _acknowledged, {"user": user, "actions": [action], "trigger_id": "t"}
        )

    def _counts(self, record: Record, user_id: str) -> bool:
        request = record.request
        if record.state is not State.PENDING or request.approval is None:
            return False
        expires = request.expires_at
        if expires is None or self.world.now() >= expires:
            return False
        return self.world.may_approve(request.approval, user_id, request.user_id)

    async def cancel(self, user_id: str) -> None:
        """Withdraw what waits."""
        actor = self.actor(user_id)
        command = words.Cancel(PROJECT, self.world.instance_id)
        await self.cancellations.cancel(actor, command)

    # --- what the stories do ----------------------------------------------------------

    async def stories(self) -> None:
        """Let each story go on as far as it can, twice at once, as after a crash.

        One that has ended is told once more, and then no longer.
        """
        for story in self.asked:
            record = await self.ledger.get(story)
            if record and story not in self._over:
                if record.state in ENDS:
                    self._over.add(story)
                await asyncio.gather(self._twin(story), self._twin(story))

    async def _twin(self, story: str) -> None:
        """Tell a story that may be overtaken by its twin."""
        with suppress(StateConflict):
            await self._story(story)

    async def _story(self, story: str) -> None:
        """Take the steps of ``RestartWorkflow.tell``, without the engine."""
        if await self.preflight.examine(story):
            await self.approvals.post_card(story)
            if await self.approvals.next_wait(story):
                return
        if await self.prepare(story):
            await self.sending.send(story, 0)
            record = await self.ledger.existing(story)
            if record.state in UNDER_WAY:
                await self.ledger.move(story, State.READY)

    async def prepare(self, story: str) -> bool | None:
        """Take the step before the restart."""
        return await self.preflight.prepare(await Batch.of(self.ledger, story))

    async def records(self) -> list[Record]:
        found = [await self.ledger.get(story) for story in self.asked]
        return [record for record in found if record is not None]

    async def end(self) -> None:
        """Let time pass until nothing is open any more."""
        self.world.ahead += timedelta(days=1)
        await self.stories()
        await self.tasks.finish(5)

    # --- the judge --------------------------------------------------------------------

    def judge(self, record: Record) -> str:
        """Return why this request must not be restarted now, or nothing."""
        request = record.request
        rule = self.world.rule_of(request)
        if rule is None:
            return "the requester may not restart it"
        approval = rule.approval
        if approval is None or self.world.is_past(request, rule):
            return ""
        if request.id in self.no:
            return "somebody has denied it"
        if rule.version != request.rule_version:
            return "it was approved under another rule"
        agreed = {
            user_id
            for user_id in self.yes.get(request.id, ())
            if self.world.may_approve(approval, user_id, request.user_id)
        }
        if len(agreed) < approval.needed:
            return f"{approval.needed} had to approve, {sorted(agreed)} did"
        return ""


class Spied:
    """The ledger, with a look at everybody who gets the one restart call."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage.ledger, name)

    async def take_send(self, story: str, life: str) -> bool:
        taken = await self._stage.ledger.take_send(story, life)
        if taken:
            record = await self._stage.ledger.existing(story)
            self._stage.sent.append(Sent(record, self._stage.judge(record)))
        return taken


async def _acknowledged(*_: Any, **__: Any) -> None:
    return None


def changed(world: World, user_id: str, **how: Any) -> None:
    """Change what Slack says of somebody."""
    world.people[user_id] = replace(world.people[user_id], **how)
