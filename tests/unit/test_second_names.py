"""A project has one name: under a second one, a rule about it could be passed."""

import pytest

from bot.config import validate
from bot.errors import ConfigError

PROJECT = "a4a5d4098fb4474fa22cd05f897d6b99"
OTHER = "0c7f35ad6d0b4c5b8f6e5d1c2b3a4958"
BOX = "47cf4ff3-0c59-44fe-9821-2840a34c02a9"
CLOUD = {"iam_url": "https://iam.example.com/v3", "modelarts_url": "https://m.example"}


def problems(projects):
    """Return what is said of a file with these *projects*."""
    with pytest.raises(ConfigError) as caught:
        validate({"cloud": CLOUD, "projects": projects})
    return caught.value.problems


@pytest.mark.parametrize(
    "again", [PROJECT, PROJECT.upper(), "a4a5d409-8fb4-474f-a22c-d05f897d6b99"]
)
@pytest.mark.parametrize("more", [{}, {"modelarts_url": "https://M.example:443"}])
def test_two_projects_with_one_id_are_a_mistake(again, more):
    """However the id is written, and wherever it is said to be: one project."""
    said = problems({"ml-prod": {"id": PROJECT}, "back-door": {"id": again, **more}})
    (problem,) = said
    assert problem.startswith('projects.back-door.id: is the id of "ml-prod" already')


@pytest.mark.parametrize("again", [BOX, BOX.upper(), BOX.replace("-", "")])
def test_an_instance_under_two_projects_is_a_mistake(again):
    """An instance belongs to one project, and both of its names are said."""
    (problem,) = problems(
        {
            "ml-prod": {"id": PROJECT, "instances": {"gated-1": BOX}},
            "ml-dev": {"id": OTHER, "instances": {"free-1": again}},
        }
    )
    said = 'projects.ml-dev.instances.free-1: is the id of "gated-1" in "ml-prod"'
    assert problem.startswith(said)


def test_two_names_of_an_instance_in_one_project_are_none():
    """Within its project a rule sees every name of an instance."""
    names = {"gated-1": BOX, "trainer-7": BOX.upper()}
    validate(
        {
            "cloud": CLOUD,
            "projects": {
                "ml-prod": {"id": PROJECT, "instances": names},
                "ml-dev": {"id": OTHER},
            },
        }
    )
