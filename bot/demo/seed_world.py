"""Who and what the local cloud holds: a login, keys, projects and their instances."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bot.demo.aksk_verifier import AccessKey
from bot.demo.instances import Reboot, ScriptedInstance
from bot.demo.notebooks import (
    NO_CAPACITY,
    RARE_FLAVOR,
    ScriptedLease,
    ScriptedNotebook,
)


@dataclass(frozen=True, slots=True)
class Login:
    """The one user of the local IAM."""

    user: str
    password: str = field(repr=False)
    domain: str
    domain_id: str = "dcdc5e1b9f4c4a9e8a2f1c7a51cbb1b2"


@dataclass(frozen=True, slots=True)
class Project:
    """A project, its instances of ML Studio and its notebooks.

    *discover*: the bot takes the notebooks' names from the cloud.
    """

    name: str
    id: str
    instances: tuple[ScriptedInstance, ...] = ()
    notebooks: tuple[ScriptedNotebook, ...] = ()
    discover: bool = False

    @property
    def boxes(self) -> tuple[ScriptedInstance | ScriptedNotebook, ...]:
        """All of them, of either kind."""
        return (*self.instances, *self.notebooks)


@dataclass(frozen=True, slots=True)
class World:
    """All that the local cloud knows; *keys* go by access key id."""

    login: Login
    keys: Mapping[str, AccessKey] = field(repr=False)
    projects: tuple[Project, ...]

    @property
    def instances(self) -> Iterator[ScriptedInstance]:
        """Every instance of ML Studio of every project."""
        return (each for project in self.projects for each in project.instances)

    @property
    def notebooks(self) -> Iterator[ScriptedNotebook]:
        """Every notebook of every project."""
        return (each for project in self.projects for each in project.notebooks)

    @property
    def boxes(self) -> Iterator[ScriptedInstance | ScriptedNotebook]:
        """Every instance and notebook of every project."""
        return (each for project in self.projects for each in project.boxes)


def demo_world() -> World:
    """Return a fresh world of the demo; its alias for an instance is the name."""
    return World(
        login=Login("mlstudio-bot", "not-a-real-password", "OTC00000000001000000001"),
        keys={"DEMOACCESSKEY0000001": AccessKey("not-a-real-secret-key")},
        projects=(
            Project("ml-prod", "a4a5d4098fb4474fa22cd05f897d6b99", _production()),
            Project("ml-dev", "0c7f35ad6d0b4c5b8f6e5d1c2b3a4958", _development()),
            Project(
                "ml-nb",
                "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27",
                notebooks=_notebooks(),
                discover=True,
            ),
        ),
    )


def _rebooting(low: float, high: float) -> tuple[tuple[str, tuple[float, float]], ...]:
    return (("REBOOTING", (low, high)),)


def _production() -> tuple[ScriptedInstance, ...]:
    return (
        ScriptedInstance(
            id="47cf4ff3-0c59-44fe-9821-2840a34c02a9",
            name="trainer-7",
            owner="ann.keller",
            reboot=Reboot(phases=_rebooting(7, 9)),
        ),
        ScriptedInstance(
            id="8d0e5f2a-6c1b-4b7e-9a43-1f5d7c2e9b60",
            name="trainer-slow",
            owner="ann.keller",
            reboot=Reboot(phases=_rebooting(42, 48)),
        ),
        ScriptedInstance(
            id="1b9a7c3e-52d4-4f08-8e6b-a0c4d9f17e25",
            name="flaky-1",
            owner="raj.patel",
            reboot=Reboot(
                phases=_rebooting(5, 7),
                ends="START_FAILED",
                failed_reasons={
                    "code": "ModelArts.6360",
                    "message": "There are not enough resources.",
                    "detail": {"flavor": "modelarts.bm.gpu.v100NV32"},
                },
            ),
        ),
        ScriptedInstance(
            id="e2f64b18-9d37-4a5c-b0f1-6c8e3a7d2594",
            name="notebook-2",
            owner="raj.patel",
            status="STOPPED",
        ),
        ScriptedInstance(
            id="5c3d8e91-07ab-4e62-93d5-b4f2a6c1087d",
            name="stale-3",
            owner="mia.rossi",
            reboot=Reboot(phases=_rebooting(9, 11), stale_s=4.0),
        ),
        ScriptedInstance(
            id="f7a1c6d0-3e84-4b29-a5c7-9d0b8e2f4163",
            name="gated-1",
            owner="mia.rossi",
            reboot=Reboot(phases=_rebooting(7, 9)),
        ),
        ScriptedInstance(
            id="c3b0e7a4-5f19-4d82-86b3-9e1a7c04f2d6",
            name="night-1",
            owner="raj.patel",
            reboot=Reboot(phases=_rebooting(7, 9)),
        ),
    )


def _development() -> tuple[ScriptedInstance, ...]:
    return (
        ScriptedInstance(
            id="DE-29b8d4f6-1a7c-4e53-8f90-c6e1a3b5d742",
            name="sandbox-1",
            owner="raj.patel",
            reboot=Reboot(phases=_rebooting(4, 6)),
        ),
        ScriptedInstance(
            id="DE-a6e0f3c9-84b2-4d17-9c5e-7f1d2b8a6034",
            name="sandbox-2",
            owner="mia.rossi",
            status="RUNNING",
            reboot=Reboot(
                phases=(("REBOOTING", 3.0), ("REATTACHING_DISK", 3.0)), ends="RUNNING"
            ),
        ),
    )


def _notebooks() -> tuple[ScriptedNotebook, ...]:
    """Return one that just works, and one for each thing that may be in the way."""
    now_ms = int(time.time() * 1000)
    return (
        ScriptedNotebook(
            id="3f0c9a52-71de-4b86-a4e3-5d28c7b1f690",
            name="nb-3",
            owner="dave.moreau",
        ),
        ScriptedNotebook(
            id="9e47b2d1-0a6c-4f35-8c19-e6b3d5a70f42",
            name="nb-lease",
            owner="gina.sato",
            lease=ScriptedLease(
                enable=True,
                create_ms=now_ms - 3_600_000,
                update_ms=now_ms - 3_600_000,
                duration_ms=9 * 3_600_000,
            ),
        ),
        ScriptedNotebook(
            id="c58d16e7-b94f-4a20-9d7e-02f8a3c6b51e",
            name="nb-rare",
            owner="dave.moreau",
            flavor=RARE_FLAVOR,
        ),
        ScriptedNotebook(
            id="6ab3f7c4-2e91-4d58-b07a-9c1e5f80d236",
            name="nb-late",
            owner="gina.sato",
            start_refusals=deque([NO_CAPACITY]),
        ),
    )
