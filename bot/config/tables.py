"""The tables of the file: what each may hold, and what counts where it is silent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.config import types

Auth = Literal["token", "aksk"]
Signature = Literal["access", "credential"]
PerMinute = Annotated[int, Field(ge=1, le=6000)]


class Table(BaseModel):
    """One table of the file: no unknown keys, no conversions, no changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SlackSettings(Table):
    """How Slack is reached, and where it reaches the bot in http mode."""

    mode: Literal["socket", "http"] = "socket"
    api_url: types.FolderUrl = "https://slack.com/api/"
    listen: types.Listen = "127.0.0.1:3000"
    public_url: types.MaybeUrl = ""


class ServerSettings(Table):
    """Where health and figures are served."""

    listen: types.Listen = "127.0.0.1:8080"


class CloudSettings(Table):
    """How the cloud is reached where a project does not say otherwise."""

    auth: Auth = "token"
    iam_url: types.Url | None = None
    modelarts_url: types.Url | None = None
    cloud: str = ""
    signature: Signature = "access"
    region: str = ""
    service: str = ""
    calls_per_minute: PerMinute = 60


class WatchSettings(Table):
    """How a restart is watched, in seconds; contract section 6 has the rules."""

    poll: types.Span = 10.0
    settle: types.Span = 5.0
    timeout: types.Span = 1800.0
    lost: types.Span = 60.0
    unchanged: types.Span = 120.0


class ProjectSettings(Table):
    """One project of the cloud, and the names of its instances (alias to id)."""

    id: types.CloudId = Field(description="it is the id of the project in the cloud")
    auth: Auth | None = None
    iam_url: types.Url | None = None
    modelarts_url: types.Url | None = None
    cloud: str | None = None
    instances: dict[types.Name, types.CloudId] = Field(default_factory=dict)

    def aliases(self, instance_id: str) -> tuple[str, ...]:
        """Return every alias of an instance; the case of its id does not matter."""
        wanted = instance_id.lower()
        return tuple(
            a for a, known in self.instances.items() if known.lower() == wanted
        )
