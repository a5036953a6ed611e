"""Who and what there is in the local Slack: people, user groups, channels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bot.demo.slack_error import Refusal

HOME_TEAM = "T0HOME"
PARTNER_TEAM = "T0PARTNER"
SISTER_TEAM = "T0SISTER"  # of the same enterprise
ENTERPRISE = "E0GRID"
APP_ID = "A0MLSTUDIO"
BOT_ID = "B0MLSTUDIO"
BOT_USER = "U0MLSTUDIO"
SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True)
class Enterprise:
    """What Enterprise Grid adds to somebody: his *id* there, and his workspaces.

    Two users with the same one are one person under two ids.
    """

    id: str
    teams: tuple[str, ...]
    shows_team: bool = True  # whether users.info names a ``team_id`` as well

    def to_json(self) -> dict[str, Any]:
        """Return Slack's ``enterprise_user``."""
        return {
            "id": self.id,
            "enterprise_id": ENTERPRISE,
            "enterprise_name": "Local Grid",
            "is_admin": False,
            "is_owner": False,
            "teams": list(self.teams),
        }


@dataclass(frozen=True, slots=True)
class User:
    """Somebody, known by *id*; *name* is the handle after the @, without it."""

    id: str
    name: str
    real_name: str = ""
    title: str = ""
    team_id: str = HOME_TEAM
    guest: bool = False
    deleted: bool = False
    is_bot: bool = False
    invited: bool = False
    enterprise: Enterprise | None = None

    @property
    def stranger(self) -> bool:
        """Whether it is somebody of another workspace."""
        teams = self.enterprise.teams if self.enterprise else (self.team_id,)
        return HOME_TEAM not in teams

    def to_json(self) -> dict[str, Any]:
        """Return Slack's user object (https://docs.slack.dev/reference/objects/user-object)."""
        profile = {
            "real_name": self.real_name,
            "display_name": self.name,
            "title": self.title,
        }
        data: dict[str, Any] = {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "profile": {**profile, "team": self.team_id},
            "updated": 1700000000,
        }
        if self.enterprise:
            data["enterprise_user"] = self.enterprise.to_json()
            if not self.enterprise.shows_team:
                del data["team_id"]
        if self.deleted:
            return data
        flags = {
            "is_admin": False,
            "is_owner": False,
            "is_restricted": self.guest,
            "is_ultra_restricted": False,
            "is_email_confirmed": not self.is_bot,
            # true only for somebody who shares no channel with the app
            "is_stranger": False,
        }
        if self.invited:
            flags["is_invited_user"] = True
        return {**data, **flags, "real_name": self.real_name, "tz": "Europe/Berlin"}

    def to_ui(self) -> dict[str, Any]:
        """Return what the page shows of a person."""
        return {
            "id": self.id,
            "name": self.name,
            "real_name": self.real_name,
            "title": self.title,
            "guest": self.guest,
            "stranger": self.stranger,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A user group; *handle* without the @."""

    id: str
    handle: str
    users: tuple[str, ...] = ()
    disabled: bool = False
    updated: int = 1700000000

    def to_json(self, *, users: bool = True) -> dict[str, Any]:
        """Return Slack's usergroup object, on demand with its *users*."""
        data: dict[str, Any] = {
            "id": self.id,
            "team_id": HOME_TEAM,
            "is_usergroup": True,
            "is_subteam": True,
            "is_external": False,
            "name": self.handle,
            "handle": self.handle,
            "description": "",
            "date_create": 1600000000,
            "date_update": self.updated,
            "date_delete": self.updated if self.disabled else 0,
            "updated_by": SLACKBOT,
            "user_count": len(self.users),
        }
        return {**data, "users": list(self.users)} if users else data


@dataclass(slots=True)
class Channel:
    """A channel, or the direct messages of *im_user* with the bot."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    private: bool = False
    archived: bool = False
    shared: bool = False  # with another workspace
    im_user: str = ""

    @property
    def kind(self) -> str:
        """The word for it in a scope: channels, groups or im."""
        if self.im_user:
            return "im"
        return "groups" if self.private else "channels"

    @property
    def payload_name(self) -> str:
        """What a slash command's payload calls it: names of private ones are hidden."""
        return {"im": "directmessage", "groups": "privategroup"}.get(
            self.kind, self.name
        )

    def to_json(self) -> dict[str, Any]:
        """Return Slack's conversation object as the bot sees it."""
        if self.im_user:
            return {
                "id": self.id,
                "is_im": True,
                "user": self.im_user,
                "is_archived": self.archived,
                "is_open": True,
            }
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": True,
            "is_group": False,
            "is_im": False,
            "is_mpim": False,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_general": False,
            "is_member": BOT_USER in self.members,
            "is_shared": self.shared,
            "is_ext_shared": self.shared,
            "is_org_shared": False,
            "context_team_id": HOME_TEAM,
            "num_members": len(self.members),
        }

    def to_ui(self) -> dict[str, Any]:
        """Return what the page shows of a channel."""
        return {
            "id": self.id,
            "name": self.name,
            "private": self.private or bool(self.im_user),
            "im": self.im_user or None,
            "shared": self.shared,
            "archived": self.archived,
            "bot_is_member": BOT_USER in self.members,
            "members": sorted(self.members),
        }


class Cast(NamedTuple):
    """Everybody and everything that a local Slack starts with."""

    people: tuple[User, ...]
    groups: tuple[Group, ...]
    channels: tuple[Channel, ...]


class Directory:
    """Lookup of people, groups and channels by id or by name."""

    def __init__(
        self,
        people: Iterable[User],
        groups: Iterable[Group],
        channels: Iterable[Channel],
    ) -> None:
        bot = User(BOT_USER, "mlstudio", "ML Studio", is_bot=True)
        self.users = {user.id: user for user in (bot, *people)}
        self.groups = {group.id: group for group in groups}
        self.channels = {
            channel.id: replace(channel, members=set(channel.members))
            for channel in channels
        }
        for user in tuple(self.users.values()):
            if not (user.is_bot or user.stranger or user.deleted):
                self.im(user.id)

    def user(self, reference: str) -> User:
        """Return whom an id, ``ann`` or ``@ann`` names, or refuse."""
        name = reference.removeprefix("@")
        for user in self.users.values():
            if reference == user.id or name == user.name:
                return user
        raise Refusal("user_not_found")

    def group(self, reference: str) -> Group:
        """Return what an id, ``ml-oncall`` or ``@ml-oncall`` names, or refuse."""
        name = reference.removeprefix("@")
        for group in self.groups.values():
            if reference == group.id or name == group.handle:
                return group
        raise Refusal("no_such_subteam")

    def channel(self, reference: str) -> Channel:
        """Return what an id, ``incidents`` or ``#incidents`` names, or refuse."""
        name = reference.removeprefix("#")
        for channel in self.channels.values():
            if reference == channel.id or (name and name == channel.name):
                return channel
        raise Refusal("channel_not_found")

    def im(self, user_id: str) -> Channel:
        """Return the direct messages of somebody with the bot; made when needed."""
        user = self.user(user_id)
        key = "D" + re.sub(r"^[UW]", "", user.id)
        return self.channels.setdefault(
            key, Channel(key, "", {user.id, BOT_USER}, im_user=user.id)
        )


def demo_people() -> Cast:
    """Return the demo's people, user groups and channels."""
    people = (
        User("U0ANN", "ann", "Ann Okafor", "ML engineer, on call"),
        User("U0BOB", "bob", "Bob Lindqvist", "ML lead"),
        User("U0CAROL", "carol", "Carol Ferrante", "ML lead"),
        User("U0DAVE", "dave", "Dave Moreau", "Analyst, on no list"),
        User("U0ERIN", "erin", "Erin Walsh", "Contractor", guest=True),
        User("U0FRANK", "frank", "Frank Weber", "Partner", team_id=PARTNER_TEAM),
        User("U0GINA", "gina", "Gina Sato", "Site reliability"),
    )
    groups = (
        Group("S0ONCALL", "ml-oncall", ("U0ANN", "U0GINA")),
        Group("S0LEADS", "ml-leads", ("U0BOB", "U0CAROL")),
        Group("S0SRE", "sre", ("U0GINA",)),
    )
    staff = {"U0ANN", "U0BOB", "U0CAROL", "U0DAVE", "U0GINA"}
    channels = (
        Channel("C0INCIDENTS", "incidents", staff | {"U0ERIN", BOT_USER}),
        Channel("C0MLOPS", "ml-ops", staff | {"U0ERIN", BOT_USER}),
        Channel("C0PARTNERS", "partners", staff | {"U0FRANK", BOT_USER}, shared=True),
        Channel("C0RANDOM", "random", set(staff)),
        Channel("C0LEADS", "leads-only", {"U0BOB", "U0CAROL"}, private=True),
    )
    return Cast(people, groups, channels)
