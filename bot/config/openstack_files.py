"""The files of clouds that users have: clouds.yaml, secure.yaml, Huawei's key file.

Whatever is wrong with one is a ValueError whose text holds nothing that stands in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any

import attrs

from bot.config.cross_checks import Document, table
from bot.config.error_messages import echo, meant

_LARGEST_FILE = 1_000_000  # characters
_PASSWORD = {"", "password", "v3password"}  # the types of login that are ours


@attrs.define
class Entries:
    """The entries of clouds.yaml with secure.yaml over them, read when one is named."""

    _environ: Mapping[str, str]
    _read: tuple[Document, str] | None = attrs.field(default=None, init=False)

    def entry(self, name: str) -> Document:
        """Return the entry *name*; ValueError if there is none, or none for us."""
        entries, where = self._entries()
        shown = f'"{echo(name)}"'
        if name not in entries:
            raise ValueError(f"{where} has no cloud {shown}{meant(name, entries)}")
        entry = table(entries, name)
        kind = text_of(entry, "auth_type")
        if kind not in _PASSWORD:
            raise ValueError(
                f'the entry {shown} of {where} has auth_type "{echo(kind)}"; the'
                " bot logs in by user name and password"
            )
        return entry

    def _entries(self) -> tuple[Document, str]:
        """Return all entries and the file they are from; ValueError if none can be."""
        if self._read is None:
            file = next(self._files("clouds", "OS_CLIENT_CONFIG_FILE"), None)
            if file is None:
                raise ValueError(
                    "there is no clouds.yaml here, in ~/.config/openstack or in"
                    " /etc/openstack; OS_CLIENT_CONFIG_FILE may name one"
                )
            secure = next(self._files("secure", "OS_CLIENT_SECURE_FILE"), None)
            merged = _merged(_content(file), _content(secure) if secure else {})
            self._read = table(merged, "clouds"), str(file)
        return self._read

    def _files(self, stem: str, variable: str) -> Iterator[Path]:
        """Yield the files of that kind that there are, the one that counts first."""
        named = self._environ.get(variable)
        if named:
            yield Path(named)
            return
        home = self._environ.get("HOME", "")
        config = self._environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
        folders = [Path(), Path("/etc/openstack")]
        if config:
            folders.insert(1, Path(config, "openstack"))
        for folder in folders:
            for ending in ("yaml", "yml"):
                if (file := folder / f"{stem}.{ending}").is_file():
                    yield file


def _content(file: Path) -> Document:
    """Return what stands in a YAML *file*; nothing of it is ever in the error."""
    import yaml  # noqa: PLC0415 - not for commands that read no YAML

    try:
        text = file.read_text(encoding="utf-8")[:_LARGEST_FILE]
        # Every scalar stays the text that it is: a password may look like a number.
        content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - makes only text
    except OSError as error:
        raise ValueError(
            f"{file} cannot be read: {error.strerror or 'it failed'}"
        ) from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{file} is not YAML{where}") from None
    return content if isinstance(content, dict) else {}


def _merged(below: Document, above: Document) -> Document:
    """Return *below* with everything of *above* put over it."""
    merged: dict[str, Any] = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both and isinstance(old, dict) else value
    return merged


def text_of(entry: Document, *path: str) -> str:
    """Return the text at *path*, nothing where there is none."""
    value = table(entry, *path[:-1]).get(path[-1])
    return value.strip() if isinstance(value, str) else ""


def access_key(file: str) -> dict[str, str]:
    """Return the variables that a credentials *file* of Huawei's SDKs stands for.

    Raises ValueError if it cannot be read; without a file there are none.
    """
    if not file:
        return {}
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(Path(file).read_text(encoding="utf-8")[:_LARGEST_FILE])
    except (OSError, ValueError, IniError):
        raise ValueError(
            "names a file that cannot be read; it must hold [basic] with ak and sk"
        ) from None
    basic = parser["basic"] if parser.has_section("basic") else {}
    names = ("ak", "sk", "security_token")
    return {f"HUAWEICLOUD_SDK_{n.upper()}": basic[n] for n in names if basic.get(n)}
