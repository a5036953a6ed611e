"""The page's panel of the outside world: what the cloud shows, and how to break it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.demo.cloud_http import FAULTS
from bot.demo.notebooks import ScriptedNotebook
from bot.demo.supervisor import Stage

SHOWN_CALLS = 40
LONGEST_JUMP_S = 31 * 86400.0
_ACTS = ("restart", "stop", "start")
# The names of the page's switches; each plants its faults and returns how to heal it.
Heal = Callable[[], None]


class Outside:
    """Serves ``/ui/outside`` for one *stage*; ``mount`` before the stage is raised."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._heal: dict[str, Heal] = {}
        self._since: dict[str, float] = {}
        self._told = 0.0
        self._telling: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        stage.cloud.on_change.append(lambda _: self.tell())
        stage.on_bot.append(self.tell)

    def mount(self) -> None:
        """Add the routes."""
        router = self._stage.slack.app.router
        router.add_get("/ui/outside", self._show)
        router.add_post("/ui/outside", self._meddle)

    def tell(self) -> None:
        """Tell the pages, a few times a second at most."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_soon())

    async def _tell_soon(self) -> None:
        await asyncio.sleep(0.15)
        self._stage.slack.publish({"type": "outside", **self.state()})

    def state(self) -> dict[str, Any]:
        """Return everything the panel shows."""
        stage = self._stage
        names = {project.id: project.name for project in stage.world.projects}
        return {
            "instances": [
                {
                    "project": project.name,
                    "alias": box.name,
                    "id": box.id,
                    "status": box.status,
                    "since": box.updated_ms / 1000,
                    "notebook": isinstance(box, ScriptedNotebook),
                    "alert": stage.alerts.is_firing(box.id),
                }
                for project in stage.world.projects
                for box in project.boxes
            ],
            "calls": [
                {
                    "at": call.at,
                    "kind": call.kind,
                    "project": names.get(call.project, call.project),
                    "instance": self._name(call.instance),
                    "status": call.status,
                }
                for call in list(stage.cloud.calls)[-SHOWN_CALLS:]
            ],
            "speed": stage.cloud.clock.speed,
            "ahead": stage.ahead_s,
            "bot": {
                "running": stage.running,
                "pid": stage.pid,
                "starts": stage.starts,
            },
            "faults": sorted(self._heal),
            "rota": self._rota(),
            "now": stage.cloud.clock.now(),
        }

    def _rota(self) -> list[dict[str, Any]]:
        """Return who is on call on each schedule, who could be, and until when."""
        rota, now = self._stage.rota.rota, self._stage.now()
        return [
            {
                "id": one.id,
                "name": one.name,
                "on_call": [shift.person for shift in one.on_call(now)],
                "until": next((shift.end for shift in one.on_call(now)), None),
                "people": [{"id": p.id, "name": p.name} for p in rota.people.values()],
            }
            for one in rota.schedules.values()
        ]

    def _hand_over(self, asked: Any) -> None:
        """Let somebody else be on call from now on, or nobody."""
        rota = self._stage.rota.rota
        found = asked if isinstance(asked, dict) else {}
        schedule = rota.schedules.get(str(found.get("schedule")))
        person = str(found.get("person"))
        if schedule is None or person not in {"", *rota.people}:
            raise web.HTTPBadRequest(text="there is no such schedule or person")
        schedule.hand_over(person, self._stage.now())

    def _name(self, instance_id: str) -> str:
        try:
            return self._stage.cloud.box(instance_id).name
        except KeyError:
            return instance_id

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _meddle(self, request: web.Request) -> web.Response:
        """Turn the clock, break or heal something, kill or start the bot."""
        asked = await request.json()
        if not isinstance(asked, dict):
            raise web.HTTPBadRequest(text="send an object")
        speed = asked.get("speed")
        if isinstance(speed, int | float) and 0 <= speed <= 100:  # noqa: PLR2004
            self._stage.cloud.clock.speed = float(speed)
        jump = asked.get("jump")
        if isinstance(jump, int | float) and 0 < jump <= LONGEST_JUMP_S:
            self._stage.jump(float(jump))
        if isinstance(asked.get("fault"), str):
            self._switch(asked["fault"], on=bool(asked.get("on")))
        if isinstance(asked.get("box"), str):
            self._by_hand(asked["box"], starts=bool(asked.get("start")))
        if "rota" in asked:
            self._hand_over(asked["rota"])
        if isinstance(asked.get("alert"), str):
            self._alert(asked["alert"], on=bool(asked.get("on")))
        if asked.get("bot") == "kill":
            self._stage.kill_bot()
            self._later(self._stage.bot_ended())
        elif asked.get("bot") == "start":
            self._later(self._stage.start_bot())
        self.tell()
        return web.json_response({"ok": True, **self.state()})

    def _later(self, work: Any) -> None:
        job = asyncio.create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _by_hand(self, notebook_id: str, *, starts: bool) -> None:
        """Stop or start a notebook, as somebody at the cloud's console does."""
        cloud = self._stage.cloud
        try:
            cloud.by_hand(notebook_id, starts=starts)
        except KeyError as error:
            raise web.HTTPBadRequest(text="there is no such notebook") from error

    def _alert(self, instance_id: str, *, on: bool) -> None:
        """Let an alert about an instance fire, or resolve."""
        for project in self._stage.world.projects:
            for box in project.boxes:
                if box.id == instance_id and on:
                    self._stage.alerts.fire(box.id, project.name, box.name)
                elif box.id == instance_id:
                    self._stage.alerts.resolve(box.id)

    def _switch(self, name: str, *, on: bool) -> None:
        if heal := self._heal.pop(name, None):
            heal()
        if on and name in SWITCHES:
            self._heal[name] = SWITCHES[name](self._stage)


def _cloud(fault: str, *kinds: Any) -> Callable[[Stage], Heal]:
    """Return a switch that plants a *fault* of the cloud for all calls of *kinds*."""

    def plant(stage: Stage) -> Heal:
        faults = stage.cloud.faults
        planted = [faults.plant(kind, FAULTS[fault], times=None) for kind in kinds]

        def heal() -> None:
            for one in planted:
                faults.remove(one)

        return heal

    return plant


def _slack_429(stage: Stage) -> Heal:
    planted = stage.slack.fail("*", count=None, status=429, retry_after=2)
    slack_faults = stage.slack.api.faults.planted

    def heal() -> None:
        if planted in slack_faults:
            slack_faults.remove(planted)

    return heal


def _no_capacity(stage: Stage) -> Heal:
    """Let all machines be taken, until it is healed."""
    sold_out = stage.cloud.notebooks.sold_out
    taken = {box.flavor for box in stage.world.notebooks} - sold_out
    sold_out |= taken

    def heal() -> None:
        sold_out.difference_update(taken)

    return heal


def _rota(status: int) -> Callable[[Stage], Heal]:
    """Return a switch that lets the rota answer all calls with *status*."""

    def plant(stage: Stage) -> Heal:
        faults = stage.rota.faults
        faults.every = status

        def heal() -> None:
            faults.every = 0

        return heal

    return plant


SWITCHES: dict[str, Callable[[Stage], Heal]] = {
    "cloud_429": _cloud("throttled", "read", "list", *_ACTS),
    "lost_answer": _cloud("cut after acting", *_ACTS),
    "stale_reads": _cloud("stale", "read", "list"),
    "no_capacity": _no_capacity,
    "slack_429": _slack_429,
    "rota_down": _rota(503),
    "rota_denied": _rota(401),
    "cloud_down": _cloud("cut before acting", "read", "list", *_ACTS, "login"),
}
