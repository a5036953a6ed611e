"""What nobody outside may read: secrets, logins in addresses, words that were typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from bot.config import Settings
from bot.config.redaction import cleaned, redactor

LEFT_OUT = "[left out]"
# A variable of such a name holds a secret, whosever it is.
_TELLING = re.compile(
    r"(?i)secret|token|passw|passphrase|credential|cookie|headers|dsn"
    r"|(^|_)(auth|pwd|key|ak|sk)$"
)
_LOGIN = re.compile(r"://([^/\s@]*)@")  # of an address
_QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|'[^']*'|«[^»]*»|`[^`]*`")
_TYPED = 4
_WORD = 6  # shorter ones would blot out ordinary text
_LONGEST = 65536  # characters of a file that holds a secret


def hidden_of(environ: Mapping[str, str], known: Iterable[str]) -> frozenset[str]:
    """Return all that is a secret: what is *known* as one, and what *environ* has.

    Of the environment that is what is named like one, what stands in the files that are
    named so, and the logins of addresses.
    """
    found = set(known)
    for name, value in environ.items():
        found.update(_passwords(value))
        if name == "PGPASSFILE":
            # https://www.postgresql.org/docs/current/libpq-pgpass.html
            lines = _content(value).splitlines()
            found.update(line.rpartition(":")[2].strip() for line in lines)
        elif name.endswith("_FILE"):
            found.update(_words(_content(value)))
        elif _TELLING.search(name):
            found.update(_words(value))
    return frozenset(found)


def _words(value: str) -> Iterator[str]:
    """Yield *value*, and each word in it that is long enough to be a secret."""
    yield value.strip()
    yield from (word for word in re.split(r"[\s,;=]+", value) if len(word) >= _WORD)


def _passwords(value: str) -> Iterator[str]:
    """Yield the passwords of the addresses in *value*, and each with its user."""
    for login in _LOGIN.findall(value):
        user, colon, password = login.partition(":")
        if user and colon:
            yield from (login, password)


def _content(file: str) -> str:
    """Return what stands in *file*; what cannot be read hides nothing."""
    with suppress(OSError, ValueError), Path(file).open(encoding="utf-8") as stream:
        return stream.read(_LONGEST)
    return ""


@frozen
class Screen:
    """Lets through what may be read: *hide* takes secrets out of a text, *names* are
    those of the configuration, which are nobody's typing.
    """

    _hide: Callable[[str], str]
    names: frozenset[str]

    @classmethod
    def of(cls, secrets: Iterable[str], settings: Settings | None) -> Self:
        """Return the screen for *secrets*; without *settings* no name is known."""
        # Words of a log come again and again.
        hide = lru_cache(maxsize=4096)(redactor(secrets))
        return cls(hide, frozenset(_names(settings) if settings else ()))

    def text(self, text: str) -> str:
        """Return *text* without secrets, logins of addresses, and our home."""
        shown = self._hide(_LOGIN.sub("://", text))
        home = str(Path.home())
        return shown.replace(home, "~") if len(home) > 1 else shown

    def sentence(self, text: str, typed: Iterable[str] = ()) -> str:
        """Return *text* without what it quotes, and without the words *typed*.

        Secrets in it are still to be taken out.
        """
        for word in sorted(typed, key=len, reverse=True):
            text = text.replace(word, LEFT_OUT) if len(word) >= _TYPED else text
        return _QUOTED.sub("“…”", text)

    def cleaned(self, value: Any) -> Any:
        """Return a JSON *value* in which every text went through ``text``."""
        return cleaned(value, self.text)


def _names(settings: Settings) -> Iterator[str]:
    """Yield the names of projects, instances and rules."""
    for name, project in settings.projects.items():
        yield from (name, *project.instances)
    yield from (rule.name for rule in settings.rules)
