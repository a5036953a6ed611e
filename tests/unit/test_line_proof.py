"""A file of the trail's lines proves itself: whatever was done to it is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ledger.audit_line import COLUMNS, LONGEST_LINE, lines_of
from bot.ledger.chain import hash_of
from bot.ledger.line_flaws import MOST_FLAWS
from bot.ledger.line_proof import LineProof
from tests.support.audit_lines import chained, flaws_of, raw, written

N = 9
ROWS = chained(N)
LINES = written(ROWS)
NUMBERS = st.integers(0, N - 1)
OTHERS = (
    b'{"event": "ready", "logger": "bot.app"}\n',
    b'{"event": "{\\"logger\\": \\"audit\\", \\"seq\\": 3}", "logger": "bot.x"}\n',
    b'{"entry": {"logger": "audit", "seq": 3}, "event": "x"}\n',
    b'2025-03-01 [info] command reason={"logger": "audit", "seq": 3}\n',
    b"Traceback (most recent call last):\n",
    b'"audit"\n',
    b'["logger", "audit"]\n',
    b"\xff\xfe\x00 {\n",
    b"\n",
)


def changed(number: int, **columns: object) -> list[bytes]:
    """Return the lines with columns of one changed."""
    return [*LINES[:number], raw(ROWS[number] | columns), *LINES[number + 1 :]]


# --- one thing is done to it ----------------------------------------------------------


@given(st.lists(st.tuples(NUMBERS, st.sampled_from(OTHERS))))
def test_the_raw_log_will_do(others: list[tuple[int, bytes]]) -> None:
    """Other lines are passed over, whatever they say, between which entries ever."""
    lines = list(LINES)
    for place, other in others:
        lines.insert(place, other)

    proof = LineProof()
    proof.hear(lines)

    assert proof.flaws.told == []
    assert (proof.entries, proof.first, proof.last) == (N, 1, N)
    assert proof.newest_hash == ROWS[-1]["hash"]


@given(NUMBERS)
def test_a_line_that_is_missing_is_named(number: int) -> None:
    """It alone; the last one cannot be missed, which the command says."""
    begins = ": the file begins with entry 2" if number == 0 else ""
    flaw = f"entry {number + 1} is missing{begins}"

    flaws = flaws_of([*LINES[:number], *LINES[number + 1 :]])

    assert flaws == ([flaw] if number < N - 1 else [])


@given(NUMBERS, NUMBERS)
def test_a_line_that_is_doubled_is_named(number: int, place: int) -> None:
    """Wherever it stands the second time."""
    if place < number:
        number, place = place, number
    lines = [*LINES[: place + 1], LINES[number], *LINES[place + 1 :]]

    (flaw,) = flaws_of(lines)

    assert flaw == (
        f"entry {number + 1} is doubled, the same each time: again in line {place + 2}"
    )


@given(st.sets(NUMBERS, min_size=2, max_size=2))
def test_two_lines_that_have_changed_places_are_named(places: set[int]) -> None:
    """The one that came too late, and behind which."""
    first, second = sorted(places)
    lines = list(LINES)
    lines[first], lines[second] = lines[second], lines[first]

    flaws = flaws_of(lines)

    assert flaws
    assert all("out of place" in flaw for flaw in flaws)
    assert flaws[-1].endswith(f"behind entry {second + 1} (line {first + 1})")
    assert any(_names(flaw, first + 1) for flaw in flaws)


def _names(flaw: str, seq: int) -> bool:
    found = re.match(r"entr(?:y|ies) (\d+)(?: to (\d+))?", flaw)
    assert found
    return int(found[1]) <= seq <= int(found[2] or found[1])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.just([]),
    st.just({}),
)


@given(NUMBERS, st.sampled_from(COLUMNS), VALUES)
def test_a_line_that_was_edited_is_named(
    number: int, column: str, value: object
) -> None:
    """Whichever column it was, and whatever stands there now."""
    if type(value) is type(ROWS[number][column]) and value == ROWS[number][column]:
        return

    flaws = flaws_of(changed(number, **{column: value}))

    assert flaws
    assert any(re.search(rf"\b{number + 1}\b", flaw) for flaw in flaws)


@given(NUMBERS, st.sampled_from(COLUMNS))
def test_a_column_that_was_taken_out_is_named(number: int, column: str) -> None:
    """Also one that was empty."""
    row = {name: value for name, value in ROWS[number].items() if name != column}

    flaws = flaws_of([*LINES[:number], raw(row), *LINES[number + 1 :]])

    assert any(re.search(rf"\b{number + 1}\b", flaw) for flaw in flaws)


@given(NUMBERS)
def test_an_edit_with_a_hash_that_fits_is_named(number: int) -> None:
    """By the entry behind it; behind the last one there is none."""
    row = ROWS[number] | {"user_id": "U0EVE"}

    flaws = flaws_of(changed(number, user_id="U0EVE", hash=hash_of(row)))

    follows = f"entry {number + 2} does not follow the one before it"
    assert flaws == ([follows] if number < N - 1 else [])


@given(st.integers(2, len(LINES[-1]) - 2))
def test_a_last_line_that_is_cut_off_is_named(length: int) -> None:
    """Wherever it ends: it is no entry, and no other line."""
    assert flaws_of([*LINES[:-1], LINES[-1][:length]]) == [
        f"line {N} is cut off or broken: it is no JSON"
    ]


# --- other things ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        (b'{"logger": "audit", "seq": 10, "hash": "x"', "cut off or broken"),
        (b'{"logger": "audit", "seq": "10"}', "no number"),
        (b'{"logger": "audit", "seq": true}', "no number"),
        (b'{"logger": "audit", "seq": 0}', "no number"),
        (b'{"logger": "audit", "seq": 1' + b"0" * 4000 + b"}", "no number"),
        (b'{"logger": "audit", "seq": 10}', "no hash"),
        (b'{"logger": "audit", "seq": 1' + b"0" * 9999 + b"}", "cut off or broken"),
        (b'{"logger": "audit", "a": ' + b"[" * 200_000, "cut off or broken"),
        (LINES[3].replace(b'"kind"', b'"kind": "asked", "kind"'), "was changed"),
        (LINES[3].replace(b'"seq"', b'"hash": "x", "seq"'), "was changed"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: bytes, flaw: str) -> None:
    """By its number in the file; what stands twice in it is no entry of ours."""
    (told,) = flaws_of([*LINES, line + b"\n"])

    assert flaw in told
    assert f"line {N + 1}" in told


def test_what_typed_text_can_hold_stays_one_line() -> None:
    """Line breaks of all kinds, a NUL, an emoji, and a line of the trail itself."""
    text = 'a\nb\r\u2028\u2029\x85\x00\x1b[2J\N{PILE OF POO}"}\n{"logger": "audit"}'
    rows = chained(3, instance=text)

    lines = written(rows)

    assert b"".join(lines).count(b"\n") == 3
    assert b"".join(lines).isascii()
    assert flaws_of(b"".join(lines).splitlines(keepends=True)) == []
    assert json.loads(lines[1])["instance"] == text


def test_lines_that_came_through_windows_are_the_same() -> None:
    """A mark at the beginning and CRLF change nothing."""
    lines = [line.replace(b"\n", b"\r\n") for line in LINES]
    lines[0] = b"\xef\xbb\xbf" + lines[0]

    assert flaws_of(lines) == []


def test_lines_that_a_shipper_has_written_anew_are_the_same() -> None:
    """Another order of the columns, fields of its own, no spaces."""
    lines = [
        json.dumps({"host": "a", **row, "logger": "audit"}, separators=(",", ":"))
        for row in ({k: row[k] for k in sorted(row)} for row in ROWS)
    ]

    assert flaws_of(line.encode() for line in lines) == []


def test_two_trails_in_one_file_are_told_apart() -> None:
    """What has a number that was there, but another hash, is of another database."""
    other = written(chained(4, project="ml-else"))

    (flaw,) = flaws_of([*LINES, *other])

    assert flaw == (
        f"entries 1 to 4 are doubled, and not the same: again in lines {N + 1} to"
        f" {N + 4}; from another database, or from after it was put back"
    )


def test_lines_of_a_later_version_are_proven() -> None:
    """A column that this version does not know is covered by the hash, or nothing."""
    row = {**ROWS[-1], "seq": N + 1, "previous_hash": ROWS[-1]["hash"], "shift": "late"}
    row["hash"] = hash_of(row, [name for name in row if name != "hash"])
    proof = LineProof()

    proof.hear([*LINES, raw(row)])

    assert (proof.flaws.told, proof.later, proof.last) == ([], 1, N + 1)
    (flaw,) = flaws_of([*LINES, raw(row | {"shift": "early"})])
    assert flaw.startswith(f"entry {N + 1} (line {N + 1}) was changed, or by a later")
    assert '"shift"' in flaw


def test_a_part_of_the_trail_is_proven_from_a_time_on() -> None:
    """Older entries may be gone; what is missing since then is not."""
    since = ROWS[4]["at"]

    assert flaws_of(LINES[2:], since) == []
    assert flaws_of(LINES[5:], since) == []
    assert flaws_of([*LINES[4:6], *LINES[7:]], since) == ["entry 7 is missing"]


def test_what_is_wrong_with_many_lines_does_not_fill_the_memory() -> None:
    """A file in the wrong order has a limited number of sentences."""
    proof = LineProof()

    proof.hear(reversed(written(chained(MOST_FLAWS + 11))))

    assert len(proof.flaws.told) == MOST_FLAWS
    assert proof.flaws.left_out == 10


def test_what_was_seen_of_each_entry_stands_in_no_repr() -> None:
    """Whoever shows a proof, as asyncio does, does not copy a million entries."""
    proof = LineProof()

    proof.hear(LINES)

    assert len(repr(proof)) < 1000


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    """Of a very long one the beginning is read, and the next is found."""

    class Endless:
        def __init__(self) -> None:
            self.parts: Iterator[bytes] = iter(
                [b"x" * LONGEST_LINE, b"y" * LONGEST_LINE, b"z\n", LINES[0], b""]
            )

        def readline(self, _: int) -> bytes:
            return next(self.parts)

    assert list(lines_of(Endless())) == [b"x" * LONGEST_LINE, LINES[0]]  # type: ignore[arg-type]


# --- beside the database --------------------------------------------------------------


def compared(
    lines: list[bytes], rows: list[dict[str, object]], newest: int
) -> list[str]:
    """Return what lines and a database differ in."""
    proof = LineProof()
    proof.hear(lines)
    assert proof.flaws.told == []
    assert list(proof.compare(rows, newest)) == rows
    return proof.flaws.told


def test_what_was_cut_off_on_either_side_is_found() -> None:
    """An end that only one of the two has is named, and not what has come since."""
    assert compared(LINES, ROWS, N) == []
    assert compared(LINES[:6], ROWS, N) == [
        "entries 7 to 9 are in the database, and not in the file"
    ]
    assert compared(LINES[:6], ROWS, 6) == []
    assert compared(LINES, ROWS[:8], 8) == [
        "entry 9 is in the file, and not in the database"
    ]
    assert compared(LINES, ROWS[3:], N) == [
        "entries 1 to 3 are in the file, and not in the database"
    ]
    assert compared(LINES, chained(N, project="ml-else"), N)[0] == (
        "entry 1 is not the same in the database"
    )
