"""What `mlstudio-bot check` says about kinds, names of the cloud, and owners."""

from bot.demo.seed_world import demo_world
from tests.wire.test_check import GOOD_RULE, cloud, run, slack

__all__ = ["cloud", "run", "slack"]  # the fixtures

NOTEBOOKS = next(one for one in demo_world().projects if one.discover)
DISCOVER = f"""
[projects.ml-nb]
id = "{NOTEBOOKS.id}"
kind = "notebook"
discover = true
"""


def well(lines):
    return [line.what for line in lines if line.ok]


async def test_each_alias_has_its_kind(run):
    """An instance of another kind than its project's says so, and is read as that."""
    alias = f'nb = {{ id = "{NOTEBOOKS.notebooks[0].id}", kind = "notebook" }}'
    project = f"\n[projects.ml-nb]\nid = '{NOTEBOOKS.id}'\n[projects.ml-nb.instances]\n"

    lines = await run(rules=project + alias + GOOD_RULE)

    assert "ml-prod/trainer-7 is ACTIVE (kind studio)" in well(lines)
    assert "ml-nb/nb is RUNNING (kind notebook)" in well(lines)


async def test_a_kind_that_is_wrong(run):
    """The line says what the instance is, and the remedy where to write it."""
    alias = f'nb = "{NOTEBOOKS.notebooks[0].id}"'
    project = f"\n[projects.ml-nb]\nid = '{NOTEBOOKS.id}'\n[projects.ml-nb.instances]\n"

    lines = await run(rules=project + alias + GOOD_RULE)

    (wrong,) = [line for line in lines if line.ok is False]
    assert wrong.what == 'ml-nb/nb: `nb` is a notebook; say `kind = "notebook"`.'
    assert "projects.ml-nb.instances.nb" in wrong.remedy


async def test_the_names_of_the_cloud(run):
    """Where they are wanted it is said how many there are."""
    lines = await run(rules=DISCOVER + GOOD_RULE)

    assert "ml-nb: 4 notebooks can be named" in well(lines)


async def test_names_that_the_bot_may_not_have(run, cloud):
    """The remedy names the permission, and the other way out."""
    cloud.notebooks.may_list_all = False

    (wrong,) = [one for one in await run(rules=DISCOVER + GOOD_RULE) if one.ok is False]

    assert "listAllNotebooks" in wrong.what
    assert "modelarts:notebook:listAllNotebooks" in wrong.remedy
    assert "discover = false" in wrong.remedy


async def test_owners_that_the_map_does_not_know(run):
    """Whoever would not be told is named; a warning, for nothing waits for him."""
    owners = '\n[owners]\n"ann.keller" = "U0ANN"\n"gina.sato" = "U0LEE"\n'

    lines = await run(rules=DISCOVER + owners + GOOD_RULE)

    (unknown,) = [line for line in lines if "[owners]" in line.what]
    assert unknown.ok is None
    assert "does not know dave.moreau:" in unknown.what
    assert "ann.keller" not in unknown.what
    assert "add a line" in unknown.remedy


async def test_all_owners_are_known(run):
    """Where everybody can be told, one line says so."""
    names = ("ann.keller", "dave.moreau", "gina.sato")
    owners = "\n[owners]\n" + "".join(f'"{name}" = "U0LEE"\n' for name in names)

    lines = await run(rules=DISCOVER + owners + GOOD_RULE)

    assert "every owner of an instance is in [owners]" in well(lines)


async def test_an_owner_whom_slack_does_not_know(run):
    """The people of the map are looked up like those of the rules."""
    lines = await run(rules='\n[owners]\nann = "U0NOBODY"\n' + GOOD_RULE)

    (wrong,) = [line for line in lines if line.ok is False]
    assert "U0NOBODY" in wrong.what
    assert "owners" in wrong.remedy
