"""What of names and addresses ``check`` points out, though it may be meant."""

from pathlib import Path

import pytest

from bot.cli.check import check_file
from bot.cli.check.line import Line
from bot.cli.progress import Progress, _is_terminal

BOX, OTHER = (
    "47cf4ff3-0c59-44fe-9821-2840a34c02a9",
    "f7a1c6d0-3e84-4b29-a5c7-9d0b8e2f4163",
)


@pytest.fixture
def checked(tmp_path: Path):
    """Return a function that checks a file offline."""

    async def check(
        instances=f'trainer-7 = "{BOX}"',
        patterns='["trainer-*"]',
        iam="https://iam.example/v3",
        more="",
        **environ: str,
    ) -> list[Line]:
        path = tmp_path / "bot.toml"
        path.write_text(
            f"""
[cloud]
iam_url = "{iam}"
modelarts_url = "https://m.example"
[projects.ml-prod]
id = "a4a5d4098fb4474fa22cd05f897d6b99"
{more}
[projects.ml-prod.instances]
{instances}
[[rules]]
name = "r"
who = ["*"]
instances = {patterns}
""",
            "utf-8",
        )
        return [one async for one in check_file(path, environ, offline=True)]

    return check


def rule_line(lines: list[Line]) -> str:
    """Return what is said of the rule."""
    (line,) = [one for one in lines if one.what.startswith("rule “r” can decide")]
    assert line.ok
    return line.what


@pytest.mark.parametrize(
    ("patterns", "idle"),
    [
        ('["trainer-*"]', ""),
        ('["TRAINER-7"]', ""),
        ('["47cf4ff3-*"]', ""),
        (f'["{OTHER}"]', ""),  # an id needs no alias
        ('["trainer-*", "gated-*"]', "“gated-*”"),
        ('["trainer_*", "gated-*"]', "“trainer_*”, “gated-*”"),
    ],
)
async def test_a_pattern_that_fits_no_alias(checked, patterns, idle):
    """It is named, with the remedy; it may be meant for ids, so it is no ✗."""
    said = rule_line(await checked(patterns=patterns))

    assert said.endswith("can decide") is not bool(idle)
    if idle:
        assert f"no alias fits its pattern {idle}: mend it" in said


async def test_names_of_the_cloud_are_not_doubted(checked):
    """Where names come from the cloud, no pattern is said to fit none."""
    more = 'kind = "notebook"\ndiscover = true'

    assert rule_line(await checked(patterns='["gated-*"]', more=more)).endswith(
        "decide"
    )


async def test_two_aliases_of_one_instance(checked):
    """They are named together, with where to mend one of them."""
    lines = await checked(f'a = "{BOX}"\nb = "{BOX.upper()}"\nc = "{OTHER}"')

    (line,) = [one for one in lines if "same instance" in one.what]
    assert line.ok is None
    assert line.what == "ml-prod: a and b are names of the same instance"
    assert "[projects.ml-prod.instances]" in line.remedy


async def test_a_login_service_of_ones_own_without_its_version(checked):
    """What is surely wrong for the cloud's own is pointed out for any other."""
    lines = await checked(iam="https://keystone.example/identity")

    (line,) = [one for one in lines if "iam_url" in one.what]
    assert line.ok is None
    assert 'write "https://keystone.example/identity/v3"' in line.remedy
    assert not [one for one in await checked() if "iam_url" in one.what]


async def test_a_password_in_quotes(checked):
    """It may be meant, so it is pointed out and not refused; nothing of it is shown."""
    lines = await checked(OS_PASSWORD="'hunter2'")

    (line,) = [one for one in lines if "stands in quotes" in one.what]
    assert line.ok is None
    assert "hunter2" not in "".join(map(str, lines))


async def test_behind_a_broken_file_nothing_is_checked(checked):
    """What was not looked at because of it is listed, each as not checked."""
    lines = await checked(patterns='["a"]\nwhere = "x"')

    wrong, *rest = lines
    assert wrong.ok is False
    assert [one.what for one in rest] == [
        "the secrets were not asked",
        "the database was not asked",
        "Slack was not asked",
        "the cloud was not asked",
    ]
    assert all(one.remedy.startswith("not checked: mend ") for one in rest)


# --- what is waited for --------------------------------------------------------------


class Terminal:
    """A stream that says whether it is a terminal."""

    def __init__(self, is_one: bool) -> None:  # noqa: FBT001
        self.is_one = is_one

    def isatty(self) -> bool:
        return self.is_one


@pytest.mark.parametrize(
    ("stream", "environ", "shows"),
    [
        (Terminal(True), {"TERM": "xterm"}, True),  # noqa: FBT003
        (Terminal(True), {"TERM": "dumb"}, False),  # noqa: FBT003
        (Terminal(False), {"TERM": "xterm"}, False),  # noqa: FBT003
        (None, {}, False),
    ],
)
def test_progress_is_for_terminals(stream, environ, shows):
    """In a file, a pipe or a plain terminal there are the lines alone."""
    assert _is_terminal(stream, environ) is shows


def test_what_is_waited_for_makes_way(capsys):
    """It is one short line without colours, gone before the next line is printed."""
    progress = Progress(shows=True)
    progress.show("x" * 300)
    progress.clear()
    progress.clear()

    shown, gone = capsys.readouterr().err.split("…")
    assert shown == "\r\x1b[K"
    assert gone.endswith("x\r\x1b[K")
    assert len(gone) < 90
