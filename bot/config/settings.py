"""The settings as values, and what a typed project and instance mean by them. Pure."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.config import kinds
from bot.errors import UsageError
from bot.model import Rule, Target, canonical

MOST_AT_ONCE = 20  # instances that one request may name
FEW = 8  # as many names are listed for somebody who typed an unknown one
DAY = 86400.0  # seconds
_PATTERN = frozenset("*?[")

Auth = Literal["token", "aksk"]
Signature = Literal["access", "credential"]
PerMinute = Annotated[int, Field(ge=1, le=6000)]


class Table(BaseModel):
    """One table of the file: no unknown keys, no conversions, no changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SlackSettings(Table):
    """How Slack is reached, and where it reaches the bot in http mode."""

    mode: Literal["socket", "http"] = "socket"
    api_url: kinds.FolderUrl = "https://slack.com/api/"
    listen: kinds.Listen = "127.0.0.1:3000"
    public_url: kinds.MaybeUrl = ""


class ServerSettings(Table):
    """Where health and figures are served."""

    listen: kinds.Listen = "127.0.0.1:8080"


class CloudSettings(Table):
    """How the cloud is reached where a project does not say otherwise."""

    auth: Auth = "token"
    iam_url: kinds.Url | None = None
    modelarts_url: kinds.Url | None = None
    cloud: str = ""
    signature: Signature = "access"
    region: str = ""
    service: str = ""
    calls_per_minute: PerMinute = 60


class WatchSettings(Table):
    """How a restart is watched, in seconds; contract section 6 has the rules."""

    poll: kinds.Span = 10.0
    settle: kinds.Span = 5.0
    timeout: kinds.Span = 1800.0
    lost: kinds.Span = 60.0
    unchanged: kinds.Span = 120.0


class ProjectSettings(Table):
    """One project of the cloud, and the names of its instances (alias to id)."""

    id: kinds.CloudId = Field(description="it is the id of the project in the cloud")
    auth: Auth | None = None
    iam_url: kinds.Url | None = None
    modelarts_url: kinds.Url | None = None
    cloud: str | None = None
    instances: dict[kinds.Name, kinds.CloudId] = Field(default_factory=dict)

    def aliases(self, instance_id: str) -> tuple[str, ...]:
        """Return every alias of an instance; the case of its id does not matter."""
        wanted = instance_id.lower()
        return tuple(
            a for a, known in self.instances.items() if known.lower() == wanted
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one project is reached, with the project's own settings applied.

    *iam_url* ends in ``/v3``, *modelarts_url* in the host. *signature* is the form of
    the header in key mode; *region* and *service* belong to its form "credential" and
    may be empty (reference/modelarts.md section 9.1). *cloud* names the entry of
    clouds.yaml whose login is the project's own.
    """

    project: str
    project_id: str
    auth: Auth
    iam_url: str
    modelarts_url: str
    signature: Signature = "access"
    region: str = ""
    service: str = ""
    cloud: str = ""


class Settings(Table):
    """All that the file says."""

    database: kinds.Database = "sqlite:///mlstudio-bot.db"
    max_parallel: Annotated[int, Field(ge=1, le=100)] = 3
    canary: kinds.Span | None = None
    retention: kinds.Span = 90 * DAY
    slack: SlackSettings = SlackSettings()
    server: ServerSettings | None = None
    cloud: CloudSettings = CloudSettings()
    watch: WatchSettings = WatchSettings()
    projects: Annotated[dict[kinds.Name, ProjectSettings], Field(min_length=1)] = Field(
        description="add a table [projects.NAME] with the id of a project"
    )
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = ()

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever a rule, project or alias changes."""
        ruled = self.model_dump(mode="json", include={"rules", "projects"})
        return hashlib.sha256(canonical(ruled).encode()).hexdigest()[:12]

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Where each project is reached, by its name."""
        return {name: self.endpoint(name) for name in self.projects}

    def endpoint(self, project: str) -> Endpoint:
        """Return where the configured *project* is reached."""
        own, common = self.projects[project], self.cloud
        return Endpoint(
            project=project,
            project_id=own.id,
            auth=own.auth or common.auth,
            iam_url=own.iam_url or common.iam_url or "",
            modelarts_url=own.modelarts_url or common.modelarts_url or "",
            signature=common.signature,
            region=common.region,
            service=common.service,
            cloud=own.cloud or "",
        )

    def target(self, project: str, instance: str) -> Target:
        """Return the instance that somebody means by what he typed.

        Names are taken exactly, else but for their case; an id is taken as its alias
        where it has one, so that no rule can be passed by typing the id. Raises
        UsageError with a sentence for him.
        """
        name = self.project(project)
        own = self.projects[name]
        alias, instance_id = _instance(name, own, instance)
        return Target(name, own.id, alias, instance_id, own.aliases(instance_id))

    def targets(self, project: str) -> list[Target]:
        """Return every instance of a project that has a name, each once.

        Raises UsageError as ``target`` does.
        """
        name = self.project(project)
        own = self.projects[name]
        firsts = dict.fromkeys(own.aliases(i)[0] for i in own.instances.values())
        return [self.target(name, alias) for alias in firsts]

    def several(self, project: str, typed: Sequence[str]) -> list[Target]:
        """Return the instances that names and patterns mean, each of them once.

        Raises UsageError as ``target`` does, and where they are none or too many.
        """
        name = self.project(project)
        each: dict[str, Target] = {}
        for word in typed:
            for alias in _matching(name, self.projects[name], word):
                target = self.target(name, alias)
                each.setdefault(target.key, target)
        if len(each) > MOST_AT_ONCE:
            raise UsageError(
                f"These are {len(each)} instances, and at most {MOST_AT_ONCE} can be"
                " restarted in one go: name fewer of them."
            )
        return list(each.values())

    def project(self, typed: str) -> str:
        """Return the name of the project that was typed by its name or its id.

        Raises UsageError with a sentence for who typed it.
        """
        word = _word("project", typed)
        found = _one_of(word, self.projects)
        by_id = (
            n for n, own in self.projects.items() if own.id.lower() == word.lower()
        )
        found = found or next(by_id, "")
        if not found:
            raise UsageError(_unknown("project", word, self.projects))
        return found


def _instance(project: str, own: ProjectSettings, typed: str) -> tuple[str, str]:
    """Return what to call the instance that was typed, and its id."""
    word = _word("instance", typed)
    alias = _one_of(word, own.instances) or next(iter(own.aliases(word)), "")
    if alias:
        return alias, own.instances[alias]
    shape = kinds.ID_SHAPE.fullmatch(word)
    if shape is None:
        raise UsageError(_unknown("instance", word, own.instances, f" in {project}"))
    # One spelling, so that a pattern over ids cannot be passed by another case.
    instance_id = (shape[1] or "").upper() + shape[2].lower()
    return instance_id, instance_id


def _matching(project: str, own: ProjectSettings, typed: str) -> list[str]:
    """Return the aliases that the pattern *typed* matches; a name stands for itself."""
    if not _PATTERN & set(typed):
        return [typed]
    wanted = kinds.fold(typed)
    found = [name for name in own.instances if fnmatchcase(kinds.fold(name), wanted)]
    if not found:
        shown = kinds.echo(typed, "*?[]!")
        known = f" Known here: {_listed(own.instances)}."
        some = known if 0 < len(own.instances) <= FEW else ""
        raise UsageError(f'No instance in {project} is called "{shown}".{some}')
    return found


def _word(kind: str, typed: str) -> str:
    """Return *typed* if it can be a name or an id at all."""
    word = unicodedata.normalize("NFKC", typed)
    if not word:
        raise UsageError(f"The name of the {kind} is missing.")
    if not kinds.NAME.fullmatch(word):
        raise UsageError(
            f'There is no {kind} "{kinds.echo(word)}": a name is at most 64 letters,'
            " digits, dots, hyphens and underscores."
        )
    return word


def _one_of(word: str, names: Collection[str]) -> str:
    """Return the one of *names* that *word* means, or nothing."""
    if word in names:
        return word
    same = [name for name in names if kinds.fold(name) == kinds.fold(word)]
    if len(same) > 1:
        raise UsageError(
            f'"{kinds.echo(word)}" may mean {_listed(same)}: type one of them exactly.'
        )
    return "".join(same)


def _unknown(kind: str, word: str, names: Collection[str], where: str = "") -> str:
    """Return the sentence that there is no such name, with what may be meant."""
    sentence = f'There is no {kind} "{kinds.echo(word)}"{where}.'
    near = kinds.guess(word, names)
    if near:
        return f'{sentence} Did you mean "{near}"?'
    if 0 < len(names) <= FEW:
        return f"{sentence} Known here: {_listed(names)}."
    if not names:
        return f"{sentence} None has a name here: type its id."
    return sentence


def _listed(names: Collection[str]) -> str:
    """Return *names* as words of a sentence."""
    return ", ".join(f'"{name}"' for name in names)
