"""Alerts about instances whose names only the cloud knows."""

from __future__ import annotations

from dataclasses import replace

from bot.demo.alert_sender import free_port
from bot.demo.notebooks import ScriptedNotebook
from bot.demo.seed_world import Project
from tests.support.alerts import LABELS, SECRETS, Senders, alert
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import OPEN, small_world

BOX = ScriptedNotebook(
    id="3f0c9a52-71de-4b86-a4e3-5d28c7b1f690", name="nb-3", owner="ann"
)


async def test_a_slow_list_of_the_cloud_loses_no_alert(make_bench: MakeBench) -> None:
    """A sender has its answer within a second, and sends nothing again: the names are
    there before it comes.
    """
    senders, world = Senders(free_port()), small_world()
    project = Project(
        "ml-nb", "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27", notebooks=(BOX,), discover=True
    )
    bench = await make_bench(
        rules=senders.table() + OPEN,
        environ=SECRETS,
        world=replace(world, projects=(*world.projects, project)),
    )
    await bench.wait_for(lambda: bench.looks("list"))
    bench.fail("list", times=None, delay_s=60)

    labels = {**LABELS, "mlstudio_project": "ml-nb", "mlstudio_instance": "nb-3"}
    assert await senders.alertmanager({**alert(), "labels": labels}) == 202

    (card,) = await bench.wait_for(bench.posts)
    assert "Firing: An alert without a name on nb-3" in card.text
