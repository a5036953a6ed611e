"""What may be relied on with `discover`: the names of the cloud work like aliases."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from bot.cli.explain import with_names
from bot.cloud import Names
from bot.config import Secrets, Settings
from bot.demo.cloud_http import Fault, html
from bot.demo.notebooks import ScriptedNotebook
from bot.errors import UsageError
from tests.support.cloud_wire import Clock
from tests.wire.test_notebooks import NB3, PROJECT, Side, many, side, uuid

__all__ = ["side"]  # the fixture


def box(number: int, name: str) -> ScriptedNotebook:
    return ScriptedNotebook(id=uuid(number), name=name, owner="ann")


CAST = [box(1, "gated-1"), box(2, "twin"), box(4, "twin"), box(5, "trainer")]


def settings_of(**instances: str) -> Settings:
    """Return the settings of one project that takes names from the cloud."""
    project = {
        "id": PROJECT,
        "kind": "notebook",
        "discover": True,
        "instances": instances,
    }
    urls = {"iam_url": "https://iam.example", "modelarts_url": "https://m.example"}
    return Settings.model_validate({"cloud": urls, "projects": {"ml-nb": project}})


@pytest.fixture
def clock():
    return Clock()


async def named(side: Side, clock: Clock, **instances: str) -> Names:
    """Return the names of the local cloud, fetched, besides *instances*."""
    settings = settings_of(**instances)
    names = Names(lambda: settings, side.cloud, clock)
    await names.fresh("ml-nb")
    return names


@pytest.mark.parametrize("side", [CAST], indirect=True)
async def test_a_name_of_the_cloud_is_the_notebook(side: Side, clock: Clock):
    """It works as typed in the cloud, and a rule's pattern fits it."""
    settings = (await named(side, clock)).settings()

    target = settings.target("ml-nb", "gated-1")

    assert (target.instance_id, target.kind) == (uuid(1), "notebook")
    assert target.aliases == ("gated-1",)
    assert settings.target("ml-nb", uuid(1).upper()) == target


@pytest.mark.parametrize("side", [CAST], indirect=True)
async def test_two_of_one_name_are_refused_with_both_ids(side: Side, clock: Clock):
    """By the name, and by a pattern that fits it; by its id each is itself."""
    settings = (await named(side, clock)).settings()

    for asked in (["twin"], ["tw*"]):
        with pytest.raises(UsageError) as refused:
            settings.several("ml-nb", asked)
        assert uuid(2) in str(refused.value)
        assert uuid(4) in str(refused.value)
    assert settings.target("ml-nb", uuid(4)).instance == uuid(4)


@pytest.mark.parametrize("side", [CAST], indirect=True)
async def test_a_near_miss_is_guessed(side: Side, clock: Clock):
    """Names are exact: one that is nearly right is not taken, but named."""
    settings = (await named(side, clock)).settings()

    for typed in ("gated1", "Gated-1", "trainr"):
        with pytest.raises(UsageError, match=r'Did you mean "(gated-1|trainer)"'):
            settings.target("ml-nb", typed)


@pytest.mark.parametrize("side", [CAST], indirect=True)
async def test_an_alias_comes_before_a_name_of_the_cloud(side: Side, clock: Clock):
    """Nobody takes a configured name over by naming his notebook like it."""
    settings = (await named(side, clock, trainer=NB3)).settings()

    assert settings.target("ml-nb", "trainer").instance_id == NB3
    assert settings.target("ml-nb", NB3).aliases == ("trainer", "nb-3")


@pytest.mark.parametrize("side", [[box(1, NB3)]], indirect=True)
async def test_a_name_that_is_an_id_is_no_name(side: Side, clock: Clock):
    """Nobody gets a restart of his notebook by calling it like another one's id."""
    settings = (await named(side, clock)).settings()

    assert settings.target("ml-nb", NB3).instance == "nb-3"


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_all_notebooks_are_listed_and_patterns_fit(side: Side, clock: Clock):
    """What is on the last page counts like the first."""
    settings = (await named(side, clock)).settings()

    assert len(settings.targets("ml-nb")) == 121
    ten = [one.instance for one in settings.several("ml-nb", ["box-11*"])]
    assert sorted(ten) == sorted(["box-11", *(f"box-{n}" for n in range(110, 120))])


async def test_names_are_kept_for_a_minute(side: Side, clock: Clock):
    """Many questions are one list, and a new notebook is known a minute later."""
    names = await named(side, clock)
    for _ in range(5):
        await names.fresh("ml-nb")
    assert side.asked("list") == 1

    side.box.name = "renamed"
    clock.at += 61
    await names.fresh("ml-nb")

    assert names.settings().target("ml-nb", "renamed").instance_id == NB3
    assert side.asked("list") == 2


async def test_names_that_the_bot_may_not_have_are_explained(side: Side, clock: Clock):
    """The refusal of an unknown name says which permission the bot's user lacks."""
    side.far.notebooks.may_list_all = False
    settings = (await named(side, clock, trainer=NB3)).settings()

    with pytest.raises(UsageError, match="notebook:listAllNotebooks"):
        settings.target("ml-nb", "nb-3")
    assert settings.target("ml-nb", "trainer").instance_id == NB3


@pytest.mark.parametrize("side", [many(120)], indirect=True)
async def test_half_a_list_is_no_list(side: Side, clock: Clock):
    """A page that fails leaves the names from before, and the next question asks."""
    names = await named(side, clock)
    clock.at += 61
    whole, broken = Fault(), Fault(reply=html(502, "Bad Gateway"))
    side.far.faults.plant("list", whole)
    side.far.faults.plant("list", broken)

    await names.fresh("ml-nb")
    assert names.settings().target("ml-nb", "box-0").instance_id == uuid(100)
    await names.fresh("ml-nb")

    assert side.asked("list") == 3 + 2 + 3


async def test_a_slow_list_holds_no_command_up(side: Side, clock: Clock):
    """Who asks meanwhile is told that the names are still being read."""
    settings = settings_of()
    names = Names(lambda: settings, side.cloud, clock)
    side.far.faults.plant("list", Fault(delay_s=30))
    listing = asyncio.Event()
    side.far.on_change.append(lambda _: side.asked("list") and listing.set())

    await names.fresh("ml-nb", within_s=0.05)
    await listing.wait()

    with pytest.raises(UsageError, match="still being read"):
        names.settings().target("ml-nb", "nb-3")
    side.far.clock.advance(31)
    await names.fresh("ml-nb")
    assert names.settings().target("ml-nb", "nb-3").instance_id == NB3


async def test_a_name_that_is_old_is_forgotten(side: Side, clock: Clock):
    """While the cloud is away old names count for ten minutes, and then no more."""
    names = await named(side, clock)
    side.far.faults.plant("list", Fault(reply=html(502, "Bad Gateway")), times=None)
    clock.at += 300
    await names.fresh("ml-nb")
    assert names.settings().target("ml-nb", "nb-3").instance_id == NB3

    clock.at += 301
    await names.fresh("ml-nb")

    with pytest.raises(UsageError, match="names in the cloud are not known"):
        names.settings().target("ml-nb", "nb-3")


async def test_explain_knows_the_names_of_the_cloud(side: Side):
    """Who asks on the command line types what he types in Slack."""
    settings = settings_of().model_copy(
        update={
            "cloud": settings_of().cloud.model_copy(
                update={"iam_url": side.far.iam_url, "modelarts_url": side.far.url}
            )
        }
    )
    secrets = Secrets(
        os_username=SecretStr("bot"),
        os_password=SecretStr("not-a-password"),
        os_user_domain_name=SecretStr("OTC0001"),
    )

    known = await with_names(settings, secrets, "ml-nb")

    assert known.target("ml-nb", "nb-3").instance_id == NB3


async def test_without_discover_nobody_asks(side: Side, clock: Clock):
    """A project that does not want the cloud's names costs no call."""
    settings = settings_of()
    own = settings.projects["ml-nb"].model_copy(update={"discover": False})
    settings = settings.model_copy(update={"projects": {"ml-nb": own}})
    names = Names(lambda: settings, side.cloud, clock)

    await names.fresh("ml-nb")

    assert names.settings() is settings
    assert not side.far.calls
    assert replace(settings.endpoint("ml-nb")).kind == "notebook"
