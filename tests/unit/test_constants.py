"""A limit is known by its name: no two modules give one name two numbers."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"
NUMERIC = (ast.BinOp, ast.UnaryOp, ast.Tuple, ast.operator, ast.unaryop, ast.Load)


def is_number(value: ast.expr) -> bool:
    """Say whether *value* is written with numbers alone."""
    return all(
        isinstance(node, NUMERIC)
        or (isinstance(node, ast.Constant) and type(node.value) in {int, float})
        for node in ast.walk(value)
    )


def numbers(source: str) -> dict[str, str]:
    """Return the numeric constants of a module, as they are written."""
    found = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pairs = [(name, value)]
            case ast.Assign(
                targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=all_)
            ):
                pairs = [(ast.unparse(n), v) for n, v in zip(names, all_, strict=True)]
            case _:
                continue
        found |= {name: ast.unparse(value) for name, value in pairs if is_number(value)}
    return found


def twice(root: Path) -> dict[str, dict[str, str]]:
    """Return the names with several values, and where each stands."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(root.rglob("*.py")):
        for name, value in numbers(path.read_text()).items():
            found[name][str(path.relative_to(root))] = value
    return {name: at for name, at in found.items() if len(set(at.values())) > 1}


def test_no_number_has_the_name_of_another() -> None:
    """Whoever searches for a limit by its name finds the one that is meant."""
    assert twice(BOT) == {}


@pytest.mark.parametrize(
    "line", ["WITHIN_S = 2.0", "A, WITHIN_S = 1, 60 * 2", "WITHIN_S = (1.0, 2.0)"]
)
def test_a_second_value_is_found(tmp_path: Path, line: str) -> None:
    """What the test above looks for is seen where it is planted."""
    (tmp_path / "one.py").write_text("WITHIN_S = 1.0\n")
    (tmp_path / "other.py").write_text(f"{line}\n")
    assert list(twice(tmp_path)) == ["WITHIN_S"]
