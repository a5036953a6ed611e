"""``mlstudio-bot explain``: the decision itself, for somebody who asks beforehand."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import httpx

from bot.cli.history import missing_file
from bot.cli.logins import can_log_in
from bot.cloud import Cloud, Login, Names
from bot.config import Secrets, Settings
from bot.errors import UsageError
from bot.ledger import Ledger
from bot.model import Decision, Target
from bot.model.rule import CHANNEL
from bot.network import Network, http_client
from bot.oncall import Rotas
from bot.policy import Question
from bot.policy.authorizer import Authorizer
from bot.slack.client import TIMEOUT, clients
from bot.slack.errors import translated
from bot.slack.users import Users

NAMES_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """What policy says to *user_id* about *target*, and who may approve it."""

    user_id: str
    target: Target
    decision: Decision
    approvers: tuple[str, ...]  # user ids; ("*",) = every full member
    by: tuple[str, ...]  # as written in the rule
    channels: tuple[str, ...] = ()  # where alone the rule holds, if asked for anywhere

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "user": self.user_id,
            "project": self.target.project,
            "instance": self.target.instance,
            "instance_id": self.target.instance_id,
            "decision": str(self.decision.verdict),
            "rule": self.decision.rule or None,
            "rule_version": self.decision.rule_version or None,
            "why": self.decision.why,
            "remedy": self.decision.remedy,
            "window": self.decision.window or None,
            "frozen": self.decision.frozen,
            "channels": list(self.channels),
            "approval": self._approval(),
        }

    def _approval(self) -> dict[str, Any] | None:
        approval = self.decision.approval
        if approval is None:
            return None
        return {
            "needed": approval.needed,
            "by": list(self.by),
            "then": [{"after_s": s.after, "by": list(s.by)} for s in approval.then],
            "approvers": list(self.approvers),
            "expires_s": approval.expires,
            "break_glass": list(approval.break_glass),
        }

    def as_text(self) -> str:
        """Return it as lines for people."""
        what = {
            "allow": "may restart",
            "approval": "may restart, once it is approved,",
            "deny": "may not restart",
        }[str(self.decision.verdict)]
        where = f"{self.target.instance} in {self.target.project}"
        rule = self.decision.rule
        lines = [
            f"{self.user_id} {what} {where} ({self.decision.verdict}).",
            f"Rule: {rule} (version {self.decision.rule_version})" if rule else "",
            self.decision.why,
            self.decision.remedy,
        ]
        if self.decision.approval is not None:
            needed = self.decision.approval.needed
            people = ", ".join(self.approvers) or "nobody"
            lines.append(f"Approvers ({needed} needed): {people}")
        if self.channels:
            only = ", ".join(self.channels)
            lines.append(f"This rule holds only in {only}; --channel asks elsewhere.")
        return "\n".join(line for line in lines if line)


async def explain(
    settings: Settings,
    secrets: Secrets,
    user: str,
    project: str,
    instance: str,
    channel: str | None,
) -> Explanation:
    """Decide as the bot would, without asking for anything.

    *channel* None asks about anywhere. Raises UsageError for unknown names, SlackError
    when Slack does not say who somebody is, LedgerError without a database.
    """
    settings = await with_names(settings, secrets, project)
    target = settings.target(project, instance)
    if channel is not None and not CHANNEL.fullmatch(channel):
        raise UsageError(
            f"“{channel[:40]}” is not the id of a channel (C…); Slack shows it at the"
            ' end of the channel\'s "About" tab'
        )
    async with _authorizer(settings, secrets) as (authorizer, users, home_team):
        user_id = await _user_id(users, user)
        decision = await authorizer.decide(
            Question(user_id, home_team, target, channel, reason=None)
        )
        approvers: tuple[str, ...] = ()
        if decision.approval is not None:
            found = await authorizer.approvers(decision.approval, requester_id=user_id)
            approvers = ("*",) if found is None else tuple(sorted(found))
        by = decision.approval.by if decision.approval else ()
        channels = _channels(settings, decision) if channel is None else ()
        return Explanation(user_id, target, decision, approvers, by, channels)


async def with_names(settings: Settings, secrets: Secrets, project: str) -> Settings:
    """Return *settings* with the names that the cloud has, where they count."""
    async with http_client(Network.of(os.environ)) as http:
        names = Names(lambda: settings, _cloud(settings, secrets, http))
        await names.fresh(project, within_s=NAMES_WITHIN_S)
        return names.settings()


def _channels(settings: Settings, decision: Decision) -> tuple[str, ...]:
    """Return the channels in which alone the rule that decides holds."""
    found = (rule for rule in settings.rules if rule.name == decision.rule)
    return next((rule.channels or () for rule in found), ())


@asynccontextmanager
async def _authorizer(
    settings: Settings, secrets: Secrets
) -> AsyncIterator[tuple[Authorizer, Users, str]]:
    """Open what a decision needs, and close it again."""
    async with AsyncExitStack() as closing:
        network = Network.of(os.environ)
        ledger = Ledger(_database(settings, closing))
        closing.callback(ledger.close)
        ledger.open()
        session = await closing.enter_async_context(
            aiohttp.ClientSession(timeout=TIMEOUT)
        )
        http = await closing.enter_async_context(http_client(network))
        token = secrets.slack_bot_token.get_secret_value()
        _, client = clients(token, settings.slack.api_url, session, network=network)
        with translated("auth.test"):
            team = str((await client.auth_test())["team_id"])
        users = Users(client, team)
        yield (
            Authorizer(
                settings=lambda: settings,
                users=users,
                ledger=ledger,
                cloud=_cloud(settings, secrets, http),
                home_team=team,
                rotas=Rotas.of(
                    lambda: settings, secrets, http, home_team=team, within_s=5.0
                ),
            ),
            users,
            team,
        )


def _database(settings: Settings, closing: AsyncExitStack) -> str:
    """Return the database to ask: an empty one where the bot has not made it yet."""
    if not missing_file(settings):
        return settings.database
    folder = closing.enter_context(TemporaryDirectory())
    return f"sqlite:///{folder}/empty.db"


def _cloud(settings: Settings, secrets: Secrets, http: httpx.AsyncClient) -> Cloud:
    """Return the cloud, one without any endpoint where nobody can log in to it."""
    if can_log_in(settings, secrets):
        return Cloud.of(settings, secrets, http)
    return Cloud({}, Login.of(secrets), http)


def not_asked(settings: Settings, secrets: Secrets) -> list[str]:
    """Return what an explanation does without, in sentences for people."""
    said = []
    if missing_file(settings):
        said.append(f"no cooldown was looked up: {missing_file(settings)}")
    if not can_log_in(settings, secrets) and any(r.instances for r in settings.rules):
        said.append(
            "the cloud was not asked what it calls the instance: the secrets of its"
            " login are not set, so the rules were tried on alias and id alone"
        )
    return said


async def _user_id(users: Users, user: str) -> str:
    """Return the user id of somebody named by it, as U… or <@U…>."""
    user_id = user.strip().removeprefix("<@").removesuffix(">").partition("|")[0]
    if not user_id.startswith(("U", "W")) or not user_id.isalnum():
        raise UsageError(
            f"“{user}” is not a user id; copy it from the profile in Slack"
            " (⋮, Copy member ID): it starts with U or W"
        )
    await users.person(user_id)
    return user_id
