"""What stands twice in the file is said with its line and its name."""

from pathlib import Path

import pytest

from bot.config import load_settings
from bot.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[p.x.instances]\nt-7 = "a"\n# c\n"t-7" = "b"\n',
            'line 4: "t-7" is there already, in the same table; keep one of the two',
        ),
        ("a.b = 1\r\na.b = 2\r\n", 'line 2: "a.b" is there already'),
        ("a = {t = 1, t = 2}\n", 'line 1: "t" is there already'),
        ("[a]\nb = 1\n[a]\nc = 1\n", "line 3: the table [a] is there already"),
        ("a = 1\n[a]\n", "line 2: the table [a] is there already"),
        ('[[rules]]\nname = "x"\nname = "y" # c\n', 'line 3: "name" is there already'),
        ('a = 1\n"xoxb-12-secret" = 1\n"xoxb-12-secret" = 2\n', 'line 3: "…" is there'),
        ("a = 1\na = [\n1,\n]\n", "line 4"),
    ],
)
def test_what_stands_twice(tmp_path: Path, text: str, said: str):
    """A name that is given twice, such as an alias, is named with its line."""
    file = tmp_path / "bot.toml"
    file.write_text(text, "utf-8", newline="")

    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})

    (problem,) = caught.value.problems
    assert problem.startswith(f"{file}: ")
    assert said in problem
    assert "secret" not in problem
