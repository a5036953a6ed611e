"""A bench with notebooks, which are stopped and started, and what is counted there."""

from __future__ import annotations

from typing import Any

import pytest

from bot.demo.notebooks import UNTIL_SEEN, ScriptedNotebook
from bot.demo.posts import Post
from bot.demo.seed_world import Project, World
from bot.model import Record
from bot.restarts import lifecycle
from tests.support.bot_world import Bench, small_world

NB = "nb-3"
NB_ID = "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690"
OTHER = "9e47b2d1-0a6c-4f35-8c19-e6b3d5a70f42"
PROJECT = "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27"
WHOLE = "RUNNING → STOPPING → STOPPED → STARTING → RUNNING"
FULL = ("ModelArts.6360", "There are not enough resources.")


def in_a_hurry(patch: pytest.MonkeyPatch, give_up_s: float = 3600.0) -> None:
    """Shorten the waits between two starts, and on demand the hour after the stop."""
    patch.setattr(lifecycle, "FIRST_WAIT_S", 0.3)
    patch.setattr(lifecycle, "START_WAITS_S", ((900.0, 0.2), (3600.0, 0.2)))
    patch.setattr(lifecycle, "GIVE_UP_S", give_up_s)


def notebook(**how: Any) -> ScriptedNotebook:
    """Return nb-3, whose phases last until somebody has seen them."""
    fields = {
        "id": NB_ID,
        "name": NB,
        "owner": "mia",
        "stopping": UNTIL_SEEN,
        "starting": UNTIL_SEEN,
    }
    return ScriptedNotebook(**{**fields, **how})


def notebooks(*boxes: ScriptedNotebook) -> World:
    """Return the small world with a project of notebooks beside its others."""
    world = small_world()
    extra = Project("ml-nb", PROJECT, notebooks=boxes or (notebook(),))
    return World(world.login, world.keys, (*world.projects, extra))


def sent(bench: Bench) -> tuple[int, int]:
    """Return how many stops and starts have reached the cloud."""
    kinds = [call.kind for call in bench.cloud.calls]
    return kinds.count("stop"), kinds.count("start")


async def ended(bench: Bench, rest: str = f"ml-nb {NB} stuck") -> tuple[Record, Post]:
    """Restart a notebook, and return its record and its transition at the end."""
    delivery = await bench.ask(f"restart {rest}")
    record = await bench.story(delivery)
    shown = next(p for p in bench.posts() if p.ts == record.message_ts)
    return record, bench.now(shown)


def replies(bench: Bench, having: str = "") -> list[str]:
    """Return what the bot has said in threads."""
    below = (p for p in bench.posts() if p.thread_ts not in {"", p.ts})
    said = [post.text for post in below]
    return [text for text in said if having in text]
