"""Whether each line of on-call can be read, and everybody on it is known in Slack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import aiohttp
import attrs
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.check.line import Asking, Line, bad, failed, good, skipped
from bot.cli.check.slack import user_line
from bot.cli.logins import given
from bot.config import OnCallSettings, Secrets, Settings
from bot.config.error_messages import fold
from bot.errors import RotaDenied, RotaError, RotaUnknownLine, SlackError
from bot.model import OnCallPerson
from bot.network import Network, http_client
from bot.oncall import pagerduty
from bot.oncall.sources import Sources
from bot.slack.client import TIMEOUT, clients
from bot.slack.errors import translated
from bot.slack.users import Users

LINES_WITHIN_S = 15.0  # somebody waits who can wait
_PAGE, _USER_PAGES = 200, 50  # of Slack's list of people
_TOKENS = {"pagerduty": "PAGERDUTY_TOKEN", "grafana": "GRAFANA_IRM_TOKEN"}
_AGAIN = "see that this machine reaches the source, and run the check again"


def unasked(line: str, remedy: str) -> Line:
    """Return that a line was not asked, and how it would be."""
    return skipped(f"on-call line {line} was not asked", remedy)


async def on_call_lines(
    settings: Settings, secrets: Secrets, network: Network, asking: Asking
) -> AsyncIterator[Line]:
    """Yield for each line who is on call, and what is amiss with it and its people."""
    if not settings.oncall:
        return
    async with AsyncExitStack() as closing:
        http = await closing.enter_async_context(http_client(network))
        session = await closing.enter_async_context(
            aiohttp.ClientSession(timeout=TIMEOUT)
        )
        token = secrets.slack_bot_token.get_secret_value()
        client, _ = clients(token, settings.slack.api_url, session, network=network)
        slack = _Slack(client, await _home(client) if token else "")
        now = lambda: datetime.now(UTC)  # noqa: E731
        sources = Sources(secrets, http, slack.team, now, LINES_WITHIN_S)
        for name, own in settings.oncall.items():
            token_name = _TOKENS[own.source]
            if not given(getattr(secrets, token_name.lower())):
                yield unasked(name, f"not checked: set {token_name} first")
                continue
            asking(f"{own.said} who is on call on {name}")
            line = _Line(name, own, secrets, sources, network.way(own.api_url))
            async for found in line.look(slack):
                yield found
        async for unfit in _unfit(settings.oncall, slack):
            yield unfit


@attrs.define
class _Slack:
    """Who is who in Slack, as far as it tells; *team* is "" where it does not."""

    _client: AsyncWebClient
    team: str
    _names: dict[str, list[str]] | None = None

    async def called(self, name: str) -> list[str]:
        """Return the ids of the full members who are called *name*."""
        if self._names is None:
            self._names = await _names(self._client) if self.team else {}
        return self._names.get(fold(name), [])

    def users(self) -> Users:
        """Return what reads people."""
        return Users(self._client, self.team)


@attrs.frozen
class _Line:
    """One line that is looked at."""

    name: str
    settings: OnCallSettings
    _secrets: Secrets
    _sources: Sources
    _way: str

    @property
    def _shown(self) -> str:
        return f"on-call line {self.name} ({self.settings.said})"

    async def look(self, slack: _Slack) -> AsyncIterator[Line]:
        """Yield what is known of it."""
        try:
            people = await self._sources.read(self.name, self.settings)
        except RotaError as error:
            final = isinstance(error, RotaDenied | RotaUnknownLine)
            mend = f"mend [oncall.{self.name}]" if final else _AGAIN
            yield failed(self._shown, error, mend, self._way)
            return
        who = ", ".join(map(_person, people)) or "nobody"
        yield good(f"{self._shown}: now {who}")
        # Without a workspace of ours no link from IRM to Slack could be compared.
        links = self.settings.source == "grafana" and not slack.team
        for person in people:
            if person.user_id is None and not links:
                yield await self._unmapped(slack, person.ref, person.label, now=True)
        on_call = {person.ref for person in people}
        if self.settings.source == "pagerduty":
            async for line in self._schedules(slack, on_call):
                yield line

    async def _schedules(self, slack: _Slack, seen: set[str]) -> AsyncIterator[Line]:
        """Yield what is amiss with the schedules, and with who comes next on them."""
        caller = self._sources.caller(self.name, self.settings)
        for schedule_id in self.settings.schedule:
            try:
                schedule = await pagerduty.schedule(
                    caller, self._secrets.pagerduty_token, schedule_id
                )
            except RotaUnknownLine as error:
                yield failed(self._shown, error, f"mend [oncall.{self.name}]")
                continue
            except RotaError as error:
                yield skipped(
                    f"{self._shown}: schedule {schedule_id} was not looked at: {error}",
                    "let the key read schedules, or run the check again",
                )
                continue
            if not schedule.escalation_policies:
                yield skipped(
                    f"{self._shown}: no escalation policy uses schedule {schedule_id},"
                    " so PagerDuty names nobody on it",
                    "add the schedule to an escalation policy, or remove it here",
                )
            for user in schedule.users:
                if user.id not in {*seen, *self.settings.people}:
                    seen.add(user.id)
                    label = user.summary or user.id
                    yield await self._unmapped(slack, user.id, label, now=False)

    async def _unmapped(
        self, slack: _Slack, ref: str, label: str, *, now: bool
    ) -> Line:
        """Return that nobody knows who somebody is, with who it could be."""
        is_on_call = "is on call" if now else "will be on call"
        what = f"{self._shown}: {label} ({ref}) {is_on_call}, and is not in people"
        found = await slack.called(label)
        where = f"to [oncall.{self.name}.people]"
        remedy = (
            f'add {ref} = "{found[0]}" {where}, if {label} in Slack is the same person'
            if len(found) == 1
            else f'add {ref} = "U…", the id in Slack, {where}'
        )
        return bad(what, remedy) if now else skipped(what, remedy)


def _person(person: OnCallPerson) -> str:
    """Return who it is and until when."""
    who = f"{person.label} ({person.user_id or 'unknown in Slack'})"
    if person.until is None:
        return who
    least = "at least " if person.at_least else ""
    return f"{who} until {least}{person.until:%Y-%m-%d %H:%M} UTC"


async def _unfit(
    lines: Mapping[str, OnCallSettings], slack: _Slack
) -> AsyncIterator[Line]:
    """Yield each person of a map who may not act whatever a rule says."""
    where: defaultdict[str, list[str]] = defaultdict(list)
    for name, own in lines.items():
        for user_id in own.people.values():
            where[user_id].append(f"oncall.{name}.people")
    users = slack.users()
    for user_id in where if slack.team else ():
        line = await user_line(users, user_id, where[user_id])
        if not line.ok:
            yield line


async def _home(client: AsyncWebClient) -> str:
    """Return our own workspace, nothing where Slack refuses the token."""
    try:
        with translated("auth.test"):
            return str((await client.auth_test()).get("team_id") or "")
    except SlackError:
        return ""  # the token's own line says so


async def _names(client: AsyncWebClient) -> dict[str, list[str]]:
    """Return who bears each name in Slack, folded; what cannot be read is left out."""
    found: dict[str, list[str]] = defaultdict(list)
    cursor = ""
    for _ in range(_USER_PAGES):
        try:
            with translated("users.list"):
                answer = await client.users_list(limit=_PAGE, cursor=cursor)
        except SlackError:
            break  # it is for a proposal alone
        for user in answer.get("members") or ():
            if not (user.get("deleted") or user.get("is_bot")):
                for name in _called(user):
                    found[name].append(str(user.get("id")))
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return found


def _called(user: Mapping[str, object]) -> Iterable[str]:
    """Return the names of a user of Slack, folded, each once."""
    profile = user.get("profile")
    names = [user.get("real_name"), user.get("name")]
    if isinstance(profile, dict):
        names += [profile.get("real_name"), profile.get("display_name")]
    return {fold(name) for name in names if isinstance(name, str) and name}
