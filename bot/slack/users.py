"""Who somebody is and which user groups he is in, read from Slack; fails closed.

A person who cannot be read is an error. A group is its members; None, which policy
takes for nobody, where it is gone, empty, disabled, or Slack refuses to tell; and the
error itself where it cannot be read now but may be later. What was read is kept for
*ttl_s* seconds unless it has to be *fresh*.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass, field

import attrs
import structlog
from pydantic import BaseModel, ValidationError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import SlackBusy, SlackError, SlackRefused, SlackUnknown
from bot.model import Person
from bot.slack.errors import OnCall, translated, unreported

_GROUP_ID = re.compile(r"S[A-Z0-9]+")
# The one bot that Slack does not mark as one.
_SLACKBOT = "USLACKBOT"

log = structlog.get_logger(__name__)


class _Profile(BaseModel):
    """The names in a profile."""

    display_name: str | None = None
    real_name: str | None = None


class _Enterprise(BaseModel):
    """What Enterprise Grid adds: somebody's id there, and his workspaces."""

    id: str = ""
    enterprise_id: str = ""
    teams: list[str] = []


class _User(BaseModel):
    """What users.info says (https://docs.slack.dev/reference/objects/user-object)."""

    team_id: str | None = None
    name: str | None = None
    real_name: str | None = None
    tz: str | None = None
    profile: _Profile = _Profile()
    deleted: bool = False
    is_admin: bool = False
    is_owner: bool = False
    is_bot: bool = False
    is_workflow_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_invited_user: bool = False
    is_stranger: bool = False
    enterprise_user: _Enterprise = _Enterprise()

    def shown(self) -> str:
        """Return the name that Slack shows."""
        names = (self.profile.display_name, self.profile.real_name)
        return next(filter(None, (*names, self.real_name, self.name)), "")


class _Group(BaseModel):
    """What usergroups.list says of one group; *users* may be missing."""

    id: str
    handle: str = ""
    date_delete: int = 0
    users: list[str] | None = None


class _Members(BaseModel):
    """What usergroups.users.list says."""

    users: list[str]


class _Listing(BaseModel):
    """What usergroups.list says."""

    usergroups: list[_Group]


@dataclass(slots=True)
class _Book:
    """All user groups as read at once; *members* fills with what was asked apart."""

    groups: dict[str, _Group]
    members: dict[str, frozenset[str]] = field(default_factory=dict)

    def find(self, reference: str) -> _Group | None:
        """Return the one enabled group of an id or @handle; two of a name are none.

        An id is never taken for a handle: anybody could give his group such a one.
        """
        found = [
            group
            for group in self.groups.values()
            if not group.date_delete
            and reference.casefold()
            in (group.id.casefold(), f"@{group.handle}".casefold())
        ]
        return found[0] if len(found) == 1 else None


@attrs.define
class Users:
    """Reads and remembers people and user groups; *home_team* is our workspace."""

    _client: AsyncWebClient
    _home: str = attrs.field(alias="home_team")
    _ttl_s: float = 120.0
    _clock: Callable[[], float] = time.monotonic
    _on_call: OnCall = attrs.field(default=unreported, kw_only=True)
    _users: dict[str, tuple[float, _User]] = attrs.field(factory=dict, init=False)
    _kept: tuple[float, _Book] | None = attrs.field(default=None, init=False)
    _reading: asyncio.Task[_Book | SlackError] | None = attrs.field(
        default=None, init=False
    )
    _not_before: float = attrs.field(default=-math.inf, init=False)
    _asking: set[asyncio.Task[_User]] = attrs.field(factory=set, init=False)

    async def person(
        self, user_id: str, *, team_id: str = "", fresh: bool = False
    ) -> Person:
        """Return who *user_id* is; *team_id* is the team that Slack's payload named.

        Raises SlackError: SlackRefused for somebody unknown.
        """
        user = await self._user(user_id, fresh=fresh)
        home = self._is_home(user, team_id)
        return Person(
            user_id=user_id,
            team_id=self._home if home else user.team_id or team_id,
            name=user.shown(),
            deleted=user.deleted,
            is_bot=user.is_bot or user.is_workflow_bot or user_id == _SLACKBOT,
            is_guest=user.is_restricted
            or user.is_ultra_restricted
            or user.is_invited_user,
            is_stranger=user.is_stranger or not home,
            enterprise_id=user.enterprise_user.id,
        )

    async def is_admin(self, user_id: str) -> bool:
        """Say whether somebody may change the workspace, or is Slack itself.

        Raises SlackError as ``person`` does.
        """
        if user_id == _SLACKBOT:
            return True
        user = await self._user(user_id, fresh=False)
        return user.is_admin or user.is_owner

    async def zone(self, user_id: str) -> str:
        """Return the name of somebody's time zone, nothing where Slack tells none.

        Raises SlackError as ``person`` does.
        """
        return (await self._user(user_id, fresh=False)).tz or ""

    def _is_home(self, user: _User, team_id: str) -> bool:
        """Say whether all that is known of somebody's team is ours.

        On Enterprise Grid a person of ours may come in from a sister workspace, and
        users.info need not name a team: there the list of his workspaces says it.
        """
        grid = user.enterprise_user
        if grid.teams:
            return self._home in (*grid.teams, grid.enterprise_id)
        return {team for team in (user.team_id, team_id) if team} == {self._home}

    async def _user(self, user_id: str, *, fresh: bool) -> _User:
        """Return what Slack says of *user_id*, kept or read."""
        now = self._clock()
        until, kept = self._users.get(user_id, (now, None))
        if kept is not None and not fresh and now < until:
            return kept
        asking = asyncio.create_task(self._ask_user(user_id), name="users.info")
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        # One who gives up waiting finds the answer kept when he tries again.
        return await asyncio.shield(asking)

    def _asked(self, asking: asyncio.Task[_User]) -> None:
        """Let go of a question that is answered; nobody may wait for it any more."""
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()

    async def _ask_user(self, user_id: str) -> _User:
        """Return what Slack says of *user_id* now, and keep it."""
        now = self._clock()
        with translated("users.info", self._on_call):
            answer = await self._client.users_info(user=user_id)
        try:
            user = _User.model_validate(answer.get("user"))
        except ValidationError as error:
            raise SlackUnknown(
                "Slack's answer about a person makes no sense."
            ) from error
        self._users[user_id] = (now + self._ttl_s, user)
        return user

    async def groups(
        self, references: Iterable[str], *, fresh: bool = False
    ) -> dict[str, frozenset[str] | SlackError | None]:
        """Return the members of each of *references* (ids S… or @handles).

        None stands for a group that is unknown, disabled or empty, or that Slack
        refuses to tell of; a SlackError for one that cannot be read now. All come from
        one call, shared by all who wait for it; it never raises for what Slack does.
        """
        wanted = dict.fromkeys(references)
        if not wanted:
            return {}
        book = await self._book(fresh=fresh)
        if isinstance(book, SlackError):
            return dict.fromkeys(wanted, _passing(book))
        return {name: await self._members(book, name) for name in wanted}

    async def group_id(self, reference: str) -> str | None:
        """Return the id of the group that *reference* names, for a mention."""
        book = await self._book(fresh=False)
        if isinstance(book, SlackError):
            return reference if _GROUP_ID.fullmatch(reference) else None
        group = book.find(reference)
        return group.id if group else None

    async def name(self, slack_id: str) -> str:
        """Return the name of a person, or a group's handle; the id where none is told.

        Raises SlackError as ``person`` does.
        """
        if not _GROUP_ID.fullmatch(slack_id):
            return (await self.person(slack_id)).name or slack_id
        book = await self._book(fresh=False)
        group = book.find(slack_id) if isinstance(book, _Book) else None
        return f"@{group.handle}" if group and group.handle else slack_id

    def forget(self, group_id: str) -> None:
        """Read anew next time because *group_id* has changed.

        An answer that is still under way is given to who waits for it, not kept.
        """
        log.debug("group_changed", group_id=group_id)
        self._kept = self._reading = None

    async def _book(self, *, fresh: bool) -> _Book | SlackError:
        """Return all groups, kept or read, or why they cannot be read.

        Slack is not asked again before the time it named, a minute at most: the call
        would count, too.
        """
        if not fresh and self._kept is not None and self._clock() < self._kept[0]:
            return self._kept[1]
        if (wait := self._not_before - self._clock()) > 0:
            sentence = "Slack is throttling the bot; nothing was sent."
            return SlackBusy(sentence, retry_after=wait)
        if self._reading is None:
            # It is for all who ask: its lines bear nobody's names.
            self._reading = asyncio.create_task(
                self._read(), name="usergroups.list", context=Context()
            )
        # One who gives up waiting must not take the answer from the others.
        return await asyncio.shield(self._reading)

    async def _read(self) -> _Book | SlackError:
        """Read all groups in one call; if that fails, log and return why."""
        me, began = asyncio.current_task(), self._clock()
        book: _Book | SlackError
        try:
            with translated("usergroups.list", self._on_call):
                answer = await self._client.usergroups_list(
                    include_users=True, include_disabled=True
                )
            listing = _Listing.model_validate(answer.data)
        except (SlackError, ValidationError) as error:
            book = _meant(error)
            log.warning("groups_unread", why=str(book))
            self._hold_back(book)
        else:
            book = _Book({group.id: group for group in listing.usergroups})
        if self._reading is me:
            self._reading = None
            if isinstance(book, _Book):
                self._kept = (began + self._ttl_s, book)
        return book

    def _hold_back(self, error: SlackError) -> None:
        """Keep until when Slack wants not to be asked, if that is what it says."""
        if isinstance(error, SlackBusy) and error.retry_after:
            self._not_before = self._clock() + error.retry_after

    async def _members(
        self, book: _Book, reference: str
    ) -> frozenset[str] | SlackError | None:
        """Return the members of one group in *book*, None for none."""
        group = book.find(reference)
        if group is None:
            return None
        if group.users is not None:
            return frozenset(group.users) or None
        if group.id not in book.members:
            asked = await self._ask_members(group.id)
            if not isinstance(asked, frozenset):
                return asked  # not kept: the next one may have more luck
            book.members[group.id] = asked
        return book.members[group.id] or None

    async def _ask_members(self, group_id: str) -> frozenset[str] | SlackError | None:
        """Ask for one group's members where the list left them out."""
        try:
            with translated("usergroups.users.list", self._on_call):
                answer = await self._client.usergroups_users_list(usergroup=group_id)
            return frozenset(_Members.model_validate(answer.data).users)
        except (SlackError, ValidationError) as error:
            meant = _meant(error)
            log.warning("group_unread", group_id=group_id, why=str(meant))
            return _passing(meant)


def _meant(error: SlackError | ValidationError) -> SlackError:
    """Return *error* as Slack's, without the data that pydantic quotes."""
    if isinstance(error, SlackError):
        return error
    return SlackUnknown("Slack's answer about user groups makes no sense.")


def _passing(error: SlackError) -> SlackError | None:
    """Return *error* if what it hinders may be possible later, else None.

    A scope that the app was never given is no matter of waiting.
    """
    final = isinstance(error, SlackRefused) or error.code == "missing_scope"
    return None if final else error
