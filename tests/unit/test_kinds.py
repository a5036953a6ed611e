"""What the file may say about kinds, names of the cloud, and owners."""

import pytest

from bot.config import Settings
from bot.config.load import validate
from bot.errors import ConfigError
from bot.model import Kind

ID, OTHER = (
    "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
    "3f0c9a52-71de-4b86-a4e3-5d28c7b1f690",
)
URLS = {"iam_url": "https://i.example", "modelarts_url": "https://m.example"}


def settings_of(**project) -> Settings:
    return validate({"cloud": URLS, "projects": {"ml": {"id": "a4a5", **project}}})


def problems_of(**project) -> list[str]:
    with pytest.raises(ConfigError) as wrong:
        settings_of(**project)
    return list(wrong.value.problems)


def test_ml_studio_is_what_is_meant_where_nothing_is_said():
    """A file of before there were kinds means the same as ever."""
    settings = settings_of(instances={"trainer-7": ID})

    assert settings.target("ml", "trainer-7").kind is Kind.STUDIO
    assert settings.target("ml", OTHER).kind is Kind.STUDIO


def test_an_instance_may_be_of_another_kind_than_its_project():
    """By its name and by its id; every other one is of the project's kind."""
    named = {"box": ID, "studio": {"id": OTHER, "kind": "studio"}}
    settings = settings_of(kind="notebook", instances=named)

    assert settings.target("ml", "box").kind is Kind.NOTEBOOK
    assert settings.target("ml", "studio").kind is Kind.STUDIO
    assert settings.target("ml", OTHER.upper()).kind is Kind.STUDIO


@pytest.mark.parametrize(
    ("project", "path"),
    [
        ({"kind": "notebok"}, "projects.ml.kind"),
        ({"kind": True}, "projects.ml.kind"),
        ({"discover": "yes"}, "projects.ml.discover"),
        ({"instances": {"box": {"kind": "notebook"}}}, "projects.ml.instances.box.id"),
        (
            {"instances": {"box": {"id": ID, "kind": "pod"}}},
            "projects.ml.instances.box.kind",
        ),
        (
            {"instances": {"box": {"id": ID, "name": "x"}}},
            "projects.ml.instances.box.name",
        ),
        ({"instances": {"box": "a/b"}}, "projects.ml.instances.box"),
        ({"instances": {"box": 7}}, "projects.ml.instances.box"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(project, path):
    """As for every other key."""
    assert [one.partition(":")[0] for one in problems_of(**project)] == [path]


def test_what_a_kind_may_be_is_said():
    """Who has misspelt it reads both words."""
    (wrong,) = problems_of(kind="notebok")

    assert wrong == 'projects.ml.kind: must be "studio" or "notebook"'


def test_names_are_taken_from_the_cloud_for_notebooks_only():
    """The old API lists nobody's instances but the bot's."""
    (wrong,) = problems_of(discover=True)

    assert wrong.startswith("projects.ml.discover")
    assert 'kind = "notebook"' in wrong


def test_one_instance_is_of_one_kind():
    """Two names of one id that say two kinds are a mistake."""
    named = {"a": {"id": ID, "kind": "notebook"}, "b": {"id": ID, "kind": "studio"}}

    (wrong,) = problems_of(instances=named)

    assert wrong.startswith("projects.ml.instances.b")


def test_an_owner_is_a_person_in_slack():
    """A name or a channel is no id of a person."""
    with pytest.raises(ConfigError, match=r"owners\.ann"):
        validate(
            {
                "cloud": URLS,
                "projects": {"ml": {"id": "a4a5"}},
                "owners": {"ann": "@ann"},
            }
        )
