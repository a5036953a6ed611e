"""With `discover` people type the names that notebooks have in the cloud."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from bot.demo.instances import CANARY
from bot.demo.notebooks import ScriptedNotebook
from bot.demo.seed_world import Project
from tests.support.bench_fixtures import MakeBench
from tests.support.bot_world import (
    GATES,
    OPEN,
    TRAINER,
    UNNAMED,
    Bench,
    small_world,
    text_of,
)

PLAIN = "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690"


@pytest_asyncio.fixture
async def bench(make_bench: MakeBench) -> Bench:
    """Return a bench whose project ml-nb takes its names from the cloud."""
    boxes = (
        ScriptedNotebook(id=PLAIN, name="nb-3", owner="ann"),
        ScriptedNotebook(
            id="9e47b2d1-0a6c-4f35-8c19-e6b3d5a70f42", name="gated-nb", owner="mia"
        ),
    )
    project = Project(
        "ml-nb", "5b1d0e6f2c8a4f7e9d3b6a0c1e8f4d27", notebooks=boxes, discover=True
    )
    world = small_world()
    return await make_bench(
        rules=GATES + OPEN, world=replace(world, projects=(*world.projects, project))
    )


async def test_list_shows_the_notebooks_by_their_names(bench: Bench) -> None:
    """Nothing has been configured but the project, and its notebooks are listed."""
    bench.cloud.put("nb-3", "STOPPED")

    said = text_of(await bench.ask("list ml-nb"))
    if not said:
        await bench.wait_for(lambda: bench.whispers("ann", "gated-nb"))
        said = "\n".join(bench.whispers("ann")) + "\n".join(
            text_of(one) for one in bench.slack.ephemerals("ann")
        )

    assert "nb-3" in said
    assert "STOPPED" in said
    assert "gated-nb" in said


async def test_a_question_about_a_name_of_the_cloud(bench: Bench) -> None:
    """Its status can be asked for, and a rule's pattern fits the cloud's name."""
    await bench.ask("can ml-nb gated-nb")
    await bench.ask("can ml-nb nb-3")

    await bench.wait_for(lambda: bench.whispers("ann", "on call"))
    assert bench.whispers("ann", "a lead agrees")


async def test_a_rule_by_a_name_of_the_cloud_costs_no_look(bench: Bench) -> None:
    """What the list has told is not asked again for each notebook."""
    await bench.ask("can ml-nb gated-nb")

    assert await bench.wait_for(lambda: bench.whispers("ann", "a lead agrees"))
    assert bench.looks("list")
    assert not bench.looks("read")


async def test_a_near_miss_of_a_name_of_the_cloud(bench: Bench) -> None:
    """The name that may be meant is said, and nobody is asked about another."""
    await bench.ask("status ml-nb nb3")

    assert await bench.wait_for(lambda: bench.whispers("ann", 'Did you mean "nb-3"?'))


async def test_the_dialog_offers_the_names_of_the_cloud(bench: Bench) -> None:
    """Who chooses the project finds its notebooks in the list to choose from."""
    view = await bench.open_dialog("restart ml-nb")
    block = next(
        one
        for one in view.blocks
        if one.get("element", {}).get("action_id") == "instance"
    )

    found = await bench.slack.suggest("ann", view, "instance", "nb")

    assert block
    offered = [option["value"] for option in found.ack["options"]]
    assert sorted(offered) == ["gated-nb", "nb-3"]


async def test_no_token_of_the_cloud_gets_anywhere(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every answer about notebooks holds one; none is said, logged or recorded."""
    caplog.set_level("DEBUG")
    for text in ("list ml-nb", "status ml-nb nb-3", "history ml-nb nb-3"):
        await bench.ask(text)
    delivery = await bench.ask("restart ml-nb nb-3")
    await bench.record(delivery)
    await bench.wait_for(lambda: len(bench.looks()) > 1)

    database = b"".join(
        file.read_bytes() for file in bench.path.parent.iterdir() if file.is_file()
    )
    told = [*bench.posts(), *bench.slack.ephemerals("ann")]
    assert CANARY.encode() not in database
    assert not [one for one in told if CANARY in one.text + text_of(one)]
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capsys.readouterr())


async def test_an_id_of_the_other_kind_is_explained_at_the_command(
    make_bench: MakeBench,
) -> None:
    """Who types the id of a notebook where ML Studio is expected reads what to do."""
    world = small_world()
    first = world.projects[0]
    unnamed = ScriptedNotebook(id=PLAIN, name=UNNAMED, owner="a")
    mixed = replace(first, notebooks=(unnamed,))
    bench = await make_bench(world=replace(world, projects=(mixed,)), rules=OPEN)
    bench.write(OPEN)

    delivery = await bench.ask(f"restart ml-prod {PLAIN}")
    await bench.story(delivery)

    said = await bench.wait_for(
        lambda: (
            [
                post.text + text_of(post)
                for post in bench.posts()
                if "is a notebook" in post.text + text_of(post)
            ]
            or bench.whispers("ann", "is a notebook")
        )
    )
    assert 'say `kind = "notebook"`' in said[0]
    assert TRAINER not in said[0]
    assert bench.sent == 0
