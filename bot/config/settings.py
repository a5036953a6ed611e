"""All that the file says, and what a typed project and instance mean by it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field

from bot.config.name_lookup import as_name, instance_of, matching, one_of, unknown
from bot.config.oncall import OnCallSettings
from bot.config.tables import (
    AlertSettings,
    Auth,
    CloudSettings,
    Database,
    Found,
    FreezeSettings,
    Name,
    ProjectSettings,
    ServerSettings,
    Signature,
    SlackSettings,
    Table,
    UserId,
    WatchSettings,
)
from bot.errors import UsageError
from bot.model import Kind, Rule, Seconds, Target, canonical

MOST_AT_ONCE = 20  # instances that one request may name
DAY = 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one project is reached, with the project's own settings applied.

    *iam_url* ends in ``/v3``, *modelarts_url* in the host. *signature* is the form of
    the header in key mode; *region* and *service* belong to its form "credential" and
    may be empty. *cloud* names the entry of clouds.yaml whose login is the project's
    own. *kind* is that of the project's instances where they do not say otherwise.
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
    kind: Kind = Kind.STUDIO


class Settings(Table):
    """All that the file says."""

    database: Database = "sqlite:///mlstudio-bot.db"
    max_parallel: Annotated[int, Field(ge=1, le=100)] = 3
    canary: Seconds | None = None
    retention: Seconds = 90 * DAY
    slack: SlackSettings = SlackSettings()
    server: ServerSettings | None = None
    cloud: CloudSettings = CloudSettings()
    watch: WatchSettings = WatchSettings()
    freeze: FreezeSettings = FreezeSettings()
    projects: Annotated[dict[Name, ProjectSettings], Field(min_length=1)] = Field(
        description="add a table [projects.NAME] with the id of a project"
    )
    oncall: dict[Name, OnCallSettings] = Field(default_factory=dict)
    owners: dict[str, UserId] = Field(default_factory=dict)
    alerts: AlertSettings | None = None
    rules: Annotated[tuple[Rule, ...], Field(strict=False)] = ()

    @property
    def version(self) -> str:
        """Twelve hex digits that change whenever a rule, project or alias changes."""
        parts = {"rules", "projects", "freeze", "oncall"}
        ruled = self.model_dump(mode="json", include=parts)
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
            kind=own.kind,
        )

    def with_found(self, found: Mapping[str, Found]) -> Self:
        """Return them with the names that the cloud has in each of these projects."""
        projects = {
            name: own.with_found(found[name]) if name in found else own
            for name, own in self.projects.items()
        }
        return self.model_copy(update={"projects": projects})

    def target(self, project: str, instance: str) -> Target:
        """Return the instance that somebody means by what he typed.

        Names are taken exactly, else but for their case; an id is taken as its alias
        where it has one, so that no rule can be passed by typing the id. Raises
        UsageError with a sentence for him.
        """
        name = self.project(project)
        own = self.projects[name]
        alias, instance_id = instance_of(name, own, instance)
        return Target(
            name,
            own.id,
            alias,
            instance_id,
            own.aliases(instance_id),
            own.kind_of(instance_id),
        )

    def targets(self, project: str) -> list[Target]:
        """Return every instance of a project that has a name, each once.

        Raises UsageError as ``target`` does.
        """
        name = self.project(project)
        own = self.projects[name]
        ids = {i.lower(): i for i in own.every_id}
        return [self.target(name, instance_id) for instance_id in ids.values()]

    def several(self, project: str, typed: Sequence[str]) -> list[Target]:
        """Return the instances that names and patterns mean, each of them once.

        Raises UsageError as ``target`` does, and where they are none or too many.
        """
        name = self.project(project)
        each: dict[str, Target] = {}
        for word in typed:
            for alias in matching(name, self.projects[name], word):
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
        word = as_name("project", typed)
        found = one_of(word, self.projects)
        by_id = (
            n for n, own in self.projects.items() if own.id.lower() == word.lower()
        )
        found = found or next(by_id, "")
        if not found:
            raise UsageError(unknown("project", word, self.projects))
        return found
