"""The tables of the file: what each may hold, and what counts where it is silent. Pure.

Each check returns the text as it is used from then on, or raises ValueError with the
end of a sentence that says what is wrong; no check ever repeats a whole value. Those of
a rule stand beside it in ``bot.model.rule``.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import attrs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.model import Kind, Seconds
from bot.model.rule import CHANNEL, USER_ID, References

NAME = re.compile(r"\w[\w.-]{0,63}")
# What the cloud takes as the name of a notebook:
# https://support.huaweicloud.com/intl/en-us/api-modelarts/CreateNotebook.html
CLOUD_NAME = re.compile(r"\w[\w.-]{0,127}")
ID_SHAPE = re.compile(r"(?i)(DE-)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
# Both kinds that ModelArts writes: a UUID, and one that begins with DE-.
ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_MAIL = re.compile(r"[!#-'*+/-9=?A-Z^-~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")


# --- checks of single values ----------------------------------------------------------


def name(text: str) -> str:
    """Check a name that people type: one word without anything that Slack formats."""
    if not NAME.fullmatch(unicodedata.normalize("NFKC", text)):
        raise ValueError(
            "cannot be typed as a name; use letters, digits, . _ and -,"
            " begin with a letter or a digit, and stay within 64 characters"
        )
    return text


def cloud_id(text: str) -> str:
    """Check an id before it may ever become part of a URL."""
    if not ID.fullmatch(text):
        raise ValueError("is not an id: 1 to 64 letters, digits and hyphens")
    return text


def user_id(text: str) -> str:
    """Check the id of a person in Slack."""
    if not USER_ID.fullmatch(text):
        raise ValueError('must be the id of a person in Slack, such as "U024BE7LH"')
    return text


def channel_id(text: str) -> str:
    """Check the id of a channel that messages go to."""
    if not CHANNEL.fullmatch(text):
        raise ValueError('must be the id of a channel, such as "C0INCIDENTS"')
    return text


def mail_address(text: str) -> str:
    """Check an e-mail address, which may be left empty: it goes into a header."""
    if text and not _MAIL.fullmatch(text):
        raise ValueError('must be an e-mail address, such as "bot@example.com"')
    return text


def host_port(text: str) -> tuple[str, int]:
    """Return host and port of an address to listen on; port 0 means any free one."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:  # noqa: PLR2004
        raise ValueError('must be a host and a port, such as "127.0.0.1:8080"')
    return match[1].strip("[]"), int(match[2])


def listen(text: str) -> str:
    """Check an address to listen on."""
    host_port(text)
    return text


def _is_loopback(host: str) -> bool:
    """Say whether *host* is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url(text: str) -> str:
    """Check the address of a service and return it without a slash at the end."""
    try:
        parts = urlsplit(text)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    odd = not text.isprintable() or set(text) & set("?#@\\ ")
    if odd or not host or parts.scheme not in {"http", "https"}:
        raise ValueError('must be an address such as "https://host.example.com/path"')
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            "must begin with https://, or everybody on the way can read the login"
        )
    return text.rstrip("/")


def maybe_url(text: str) -> str:
    """Check the address of a service that may be left empty."""
    return url(text) if text else ""


def folder_url(text: str) -> str:
    """Check the address of a service and return it with a slash at the end."""
    return url(text) + "/"


def database(text: str) -> str:
    """Check a database URL: a SQLite file, or PostgreSQL."""
    scheme, separator, rest = text.partition("://")
    if scheme == "postgres":
        raise ValueError("begins with postgres://; write postgresql://")
    if not separator or scheme not in {"sqlite", "postgresql"} or not rest.strip("/"):
        raise ValueError(
            'must be "sqlite:///file.db" or "postgresql://user@host/database"'
        )
    if scheme == "postgresql" and " " in text:
        raise ValueError("has a space; write %20 for it")
    if not text.isprintable():
        raise ValueError("holds a character that cannot be in it")
    if scheme == "sqlite" and (not rest.startswith("/") or ":memory:" in rest):
        raise ValueError('must name a file, such as "sqlite:///mlstudio-bot.db"')
    if scheme == "postgresql":
        _readable_port(text)
    return text


def _readable_port(text: str) -> None:
    """Refuse a database URL one of whose hosts or ports cannot be read."""
    try:
        user, at, hosts = urlsplit(text).netloc.rpartition("@")
        for host in hosts.split(","):
            _ = urlsplit(f"//{user}{at}{host}").port
    except ValueError:
        raise ValueError("has a host or a port that cannot be read") from None


Name = Annotated[str, AfterValidator(name)]
CloudId = Annotated[str, AfterValidator(cloud_id)]
UserId = Annotated[str, AfterValidator(user_id)]
Url = Annotated[str, AfterValidator(url)]
MaybeUrl = Annotated[str, AfterValidator(maybe_url)]
FolderUrl = Annotated[str, AfterValidator(folder_url)]
Listen = Annotated[str, AfterValidator(listen)]
Database = Annotated[str, AfterValidator(database)]
Auth = Literal["token", "aksk"]
Signature = Literal["access", "credential"]
PerMinute = Annotated[int, Field(ge=1, le=6000)]


# --- tables --------------------------------------------------------------------------


class Table(BaseModel):
    """One table of the file: no unknown keys, no conversions, no changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SlackSettings(Table):
    """How Slack is reached, and where it reaches the bot in http mode."""

    mode: Literal["socket", "http"] = "socket"
    api_url: FolderUrl = "https://slack.com/api/"
    listen: Listen = "127.0.0.1:3000"
    public_url: MaybeUrl = ""


class ServerSettings(Table):
    """Where health and figures are served."""

    listen: Listen = "127.0.0.1:8080"


class CloudSettings(Table):
    """How the cloud is reached where a project does not say otherwise."""

    auth: Auth = "token"
    iam_url: Url | None = None
    modelarts_url: Url | None = None
    cloud: str = ""
    signature: Signature = "access"
    region: str = ""
    service: str = ""
    calls_per_minute: PerMinute = 60


class WatchSettings(Table):
    """How a restart is watched, in seconds ("Readiness" in ``bot/README.md``)."""

    poll: Seconds = 10.0
    settle: Seconds = 5.0
    timeout: Seconds = 1800.0
    lost: Seconds = 60.0
    unchanged: Seconds = 120.0
    act_within: Seconds = 900.0


class FreezeSettings(Table):
    """Who may freeze and thaw; nobody where it is left out."""

    by: References = ()


class AlertMap(Table):
    """Which instance alerts are about whose labels do not say so themselves."""

    match: Annotated[dict[str, str], Field(min_length=1)]
    project: str
    instance: str


class AlertSettings(Table):
    """Where alerts are taken, which channel their cards go to, and who writes notes."""

    listen: Listen = "127.0.0.1:8081"
    channel: Annotated[str, AfterValidator(channel_id)] = Field(
        description="it is the id of the channel that cards of alerts go to"
    )
    note_from: Annotated[str, AfterValidator(mail_address)] = ""
    pagerduty_url: Url = "https://api.pagerduty.com"
    map: Annotated[tuple[AlertMap, ...], Field(strict=False)] = ()


KindName = Annotated[Kind, Field(strict=False)]


class InstanceSettings(Table):
    """One instance with a name; *kind* is given where it is not its project's."""

    id: CloudId
    kind: KindName | None = None


def instance_table(value: Any) -> Any:
    """Return the table that an id alone stands for."""
    if isinstance(value, str):
        return InstanceSettings(id=cloud_id(value))
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - what pydantic reports
            "must be an id in quotes, or a table with an id and a kind"
        )
    return value


@attrs.frozen
class Found:
    """The cloud's *names*, each with its id, and why there may be more of them."""

    names: tuple[tuple[str, str], ...] = ()
    problem: str = ""


class ProjectSettings(Table):
    """One project of the cloud, and the names of its instances.

    *discover*: the names that the cloud has for its notebooks work, too.
    """

    id: CloudId = Field(description="it is the id of the project in the cloud")
    auth: Auth | None = None
    iam_url: Url | None = None
    modelarts_url: Url | None = None
    cloud: str | None = None
    kind: KindName = Kind.STUDIO
    discover: bool = False
    instances: dict[
        Name, Annotated[InstanceSettings, BeforeValidator(instance_table)]
    ] = Field(default_factory=dict)
    _found: Found = Found()
    _ids: dict[str, tuple[str, ...]] = {}  # of each name that the cloud has
    _alone: dict[str, str] = {}  # by id: such a name, if no other notebook has it
    _called: dict[str, str] = {}  # by id: what the cloud calls it, whatever that is

    def with_found(self, found: Found) -> Self:
        """Return it with the names that the cloud has, besides its own aliases.

        A name of the cloud that is an alias, or looks like an id, is none here.
        """
        ids: dict[str, tuple[str, ...]] = {}
        for named, found_id in found.names:
            if named not in self.instances and not ID_SHAPE.fullmatch(named):
                ids[named] = (*ids.get(named, ()), found_id)
        copy = self.model_copy()
        copy._found, copy._ids = found, ids  # noqa: SLF001 - its own
        copy._called = {i.lower(): name for name, i in found.names}  # noqa: SLF001
        copy._alone = {i[0].lower(): n for n, i in ids.items() if len(i) == 1}  # noqa: SLF001
        return copy

    @property
    def problem(self) -> str:
        """Why the cloud's names could not be had, if they could not."""
        return self._found.problem

    @property
    def names(self) -> dict[str, str]:
        """Every name that means one instance, with its id."""
        aliases = {alias: known.id for alias, known in self.instances.items()}
        return {n: ids[0] for n, ids in self._ids.items() if len(ids) == 1} | aliases

    @property
    def doubled(self) -> dict[str, tuple[str, ...]]:
        """Every name that the cloud has for several instances, with their ids."""
        return {name: ids for name, ids in self._ids.items() if len(ids) > 1}

    @property
    def every_id(self) -> list[str]:
        """The id of each instance that has a name, of either sort."""
        own = [known.id for known in self.instances.values()]
        return own + [found_id for _, found_id in self._found.names]

    def aliases(self, instance_id: str) -> tuple[str, ...]:
        """Return every name of an instance; the case of its id does not matter."""
        wanted = instance_id.lower()
        aliases = (a for a, i in self.instances.items() if i.id.lower() == wanted)
        alone = self._alone.get(wanted)
        return (*aliases, alone) if alone else tuple(aliases)

    def cloud_name(self, instance_id: str) -> str:
        """Return what the cloud calls an instance, if that is known here."""
        return self._called.get(instance_id.lower(), "")

    def kind_of(self, instance_id: str) -> Kind:
        """Return the kind of an instance, whether or not it has a name."""
        wanted = instance_id.lower()
        own = (i.kind for i in self.instances.values() if i.id.lower() == wanted)
        return next(filter(None, own), self.kind)
