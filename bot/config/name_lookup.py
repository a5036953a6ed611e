"""What people call projects and instances, and what is said where that is unknown."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase

from bot.config.error_messages import echo, fold, guess
from bot.config.tables import CLOUD_NAME, ID_SHAPE, NAME, ProjectSettings
from bot.errors import UsageError

FEW = 8  # as many names are listed for somebody who typed an unknown one
_PATTERN = frozenset("*?[")


def instance_of(project: str, own: ProjectSettings, typed: str) -> tuple[str, str]:
    """Return what to call the instance that was typed, and its id."""
    word = as_name("instance", typed)
    names = own.names
    found = (word if word in names else "") or one_of(word, own.instances)
    alias = found or next(iter(own.aliases(word)), "")
    if alias:
        return alias, names[alias]
    if word in own.doubled:
        raise UsageError(_several(project, word, own.doubled[word]))
    shape = ID_SHAPE.fullmatch(word)
    if shape is None:
        sentence = unknown("instance", word, names, f" in {project}")
        raise UsageError(" ".join(filter(None, (sentence, _missing(own)))))
    # One spelling, so that a pattern over ids cannot be passed by another case.
    instance_id = (shape[1] or "").upper() + shape[2].lower()
    return instance_id, instance_id


def matching(project: str, own: ProjectSettings, typed: str) -> list[str]:
    """Return the aliases that the pattern *typed* matches; a name stands for itself."""
    if not _PATTERN & set(typed):
        return [typed]
    wanted = fold(typed)
    names, doubled = own.names, own.doubled
    found = [name for name in (*names, *doubled) if fnmatchcase(fold(name), wanted)]
    if several := next((name for name in found if name in doubled), ""):
        raise UsageError(_several(project, several, doubled[several]))
    if not found:
        shown = echo(typed, "*?[]!")
        known = f" Known here: {_listed(names)}."
        some = known if 0 < len(names) <= FEW else ""
        sentence = f'No instance in {project} is called "{shown}".{some}'
        raise UsageError(" ".join(filter(None, (sentence, _missing(own)))))
    return found


def _several(project: str, name: str, ids: Sequence[str]) -> str:
    """Return the sentence that a name is not enough."""
    listed = " and ".join(ids)
    return (
        f'{len(ids)} notebooks in {project} are called "{echo(name)}": type the id of'
        f" the one that you mean, {listed}."
    )


def _missing(own: ProjectSettings) -> str:
    """Return why there may be more names than are known, if there may."""
    problem = own.problem
    return f"The names in the cloud are not known: {problem}" if problem else ""


def as_name(kind: str, typed: str) -> str:
    """Return *typed* if it can be a name or an id at all."""
    word = unicodedata.normalize("NFKC", typed)
    if not word:
        raise UsageError(f"The name of the {kind} is missing.")
    shape, most = (CLOUD_NAME, 128) if kind == "instance" else (NAME, 64)
    if not shape.fullmatch(word):
        raise UsageError(
            f'There is no {kind} "{echo(word)}": a name is at most {most} letters,'
            " digits, dots, hyphens and underscores."
        )
    return word


def one_of(word: str, names: Collection[str]) -> str:
    """Return the one of *names* that *word* means, or nothing."""
    if word in names:
        return word
    same = [name for name in names if fold(name) == fold(word)]
    if len(same) > 1:
        raise UsageError(
            f'"{echo(word)}" may mean {_listed(same)}: type one of them exactly.'
        )
    return "".join(same)


def unknown(kind: str, word: str, names: Collection[str], where: str = "") -> str:
    """Return the sentence that there is no such name, with what may be meant."""
    sentence = f'There is no {kind} "{echo(word)}"{where}.'
    near = guess(word, names)
    if near:
        return f'{sentence} Did you mean "{near}"?'
    if 0 < len(names) <= FEW:
        return f"{sentence} Known here: {_listed(names)}."
    if not names:
        return f"{sentence} None has a name here: type its id."
    return sentence


def _listed(names: Collection[str]) -> str:
    """Return *names* as words of a sentence."""
    return ", ".join(f'"{name}"' for name in names)
