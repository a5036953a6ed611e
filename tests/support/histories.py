"""Workflows that a release left unfinished, kept to be told on by later ones.

``python -m tests.support.histories`` records
``tests/samples/histories-<version>.json.gz`` with the code at hand. Record a
new file whenever the story or its tables change after a release, and keep the old
ones: somebody's database looks like that.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.demo.modelarts_server import LocalModelArts
from bot.demo.notebooks import UNTIL_SEEN, ScriptedNotebook
from bot.demo.posts import Post
from bot.restarts.engine import WORKFLOW_VERSION
from tests.support.processes import Site, request_of, until

SAMPLES = Path(__file__).parents[1] / "samples"
BOX, GATED, NOTEBOOK = "trainer-7", "gated-1", "nb-3"
NOTEBOOK_ID = "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690"
WATCHING, WAITING = "watching", "waiting"
POINTS = (
    *((BOX, f"after:{step}") for step in ("examine", "prepare", "announce", "send")),
    (BOX, "before:send"),
    (BOX, "after:Cloud.act"),
    (BOX, WATCHING),
    *((BOX, f"after:{step}") for step in ("watch", "follow_up", "show_end")),
    (GATED, "after:card"),
    (GATED, WAITING),
    (GATED, "after:Ledger.vote"),
    (NOTEBOOK, "after:send"),  # its stop
    (NOTEBOOK, "after:watch"),  # seen stopped, and not started
)
TIMES = ("asked_at", "changed_at", "sent_at", "ended_at")


@dataclass(frozen=True)
class History:
    """One unfinished story of *box*, stopped at *point* at the POSIX time *at*."""

    box: str
    point: str
    at: float
    request: str
    sql: str
    posts: list[dict[str, Any]]  # what stood in the channel
    calls: int  # restart calls, or stops, made so far

    def __str__(self) -> str:
        return f"{self.box} {self.point}"

    @property
    def ready(self) -> bool:
        """Whether the instance was ready already."""
        ends = {"after:watch", "after:follow_up", "after:show_end"}
        return self.box != NOTEBOOK and self.point in ends

    def restore(self, site: Site) -> None:
        """Put everything back as if it had been stopped right now."""
        database = sqlite3.connect(site.database.removeprefix("sqlite:///"))
        database.executescript(self.sql)
        passed = time.time() - self.at
        for name in TIMES:
            database.execute(
                f"UPDATE mlstudio_requests SET {name} = {name} + ?",  # noqa: S608
                (passed,),
            )
        rows = database.execute("SELECT id, request FROM mlstudio_requests").fetchall()
        for number, text in rows:
            request = json.loads(text)
            asked_at = datetime.fromisoformat(request["asked_at"])
            request["asked_at"] = (asked_at + timedelta(seconds=passed)).isoformat()
            database.execute(
                "UPDATE mlstudio_requests SET request = ? WHERE id = ?",
                (json.dumps(request), number),
            )
        database.commit()
        database.close()
        for fields in self.posts:
            post = Post(**{**fields, "history": ()})
            site.slack.workspace.posts[post.channel_id][post.ts] = post
        if self.box == NOTEBOOK:
            site.cloud.put(self.box, "STOPPED")
        elif self.calls and not self.ready:
            site.cloud.put(self.box, "REBOOTING")


def histories() -> Iterator[tuple[str, History]]:
    """Yield every recorded history with the name of its file."""
    for file in sorted(SAMPLES.glob("histories-*.json.gz")):
        for fields in json.loads(gzip.decompress(file.read_bytes())):
            yield file.name, History(**fields)


def site_of(folder: Path, **how: Any) -> Site:
    """Return a site with a notebook beside its instances."""
    site = Site(folder, **how)
    box = ScriptedNotebook(
        id=NOTEBOOK_ID,
        name=NOTEBOOK,
        owner="ann",
        stopping=UNTIL_SEEN,
        starting=UNTIL_SEEN,
    )
    world = site.cloud.world
    project = replace(world.projects[0], notebooks=(box,))
    site.cloud = LocalModelArts(replace(world, projects=(project,)))
    return site


def calls(site: Site, box: str) -> int:
    """Return how often *box* was restarted, or stopped."""
    stops = sum(call.kind == "stop" for call in site.cloud.calls)
    return stops if box == NOTEBOOK else site.posts(box)


async def stopped_at(box: str, point: str) -> History:
    """Tell a story up to *point* and kill the bot there."""
    with tempfile.TemporaryDirectory() as folder:
        async with site_of(Path(folder)) as site:
            crash = point if ":" in point else ""
            bot = await site.start(module="tests.support.crashing", CRASH=crash)
            asking = asyncio.create_task(site.ask(box))
            if point == "after:Ledger.vote":
                approving = asyncio.create_task(site.approve())
            if box == BOX and not crash:
                await site.seen_rebooting(box)
            elif not crash:
                await until(site.open_cards)
                await asyncio.to_thread(_waits, site)
            ends = {"after:watch", "after:follow_up", "after:show_end"}
            if box == BOX and point in ends:
                await site.seen_rebooting(box)
                site.finish_reboot(box)
            if not crash:
                await bot.kill()
            await bot.ended()
            delivery = await asking
            if point == "after:Ledger.vote":
                approving.cancel()
            return History(
                box=box,
                point=point,
                at=time.time(),
                request=request_of(delivery),
                sql=_dump(site),
                posts=[asdict(post) for post in site.slack.messages("incidents")],
                calls=calls(site, box),
            )


def _waits(site: Site) -> None:
    """Return when the engine has recorded that the card was posted."""
    database = sqlite3.connect(site.database.removeprefix("sqlite:///"))
    query = "SELECT count(*) FROM operation_outputs WHERE function_name = 'card'"
    while not database.execute(query).fetchone()[0]:
        pass
    database.close()


def _dump(site: Site) -> str:
    database = sqlite3.connect(site.database.removeprefix("sqlite:///"))
    text = "\n".join(database.iterdump())
    database.close()
    return text


async def record() -> None:
    """Record a history for each point with the code at hand."""
    found = [await stopped_at(box, point) for box, point in POINTS]
    text = json.dumps([asdict(one) for one in found], indent=1)
    SAMPLES.mkdir(exist_ok=True)
    file = SAMPLES / f"histories-{WORKFLOW_VERSION}.json.gz"
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{file}: {len(found)} histories, {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    asyncio.run(record())
