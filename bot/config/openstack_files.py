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
_NO = {"false", "no", "off", "0", "n", "f"}
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
        entry = _flat(entries[name])
        entry["auth"] = _flat(entry.get("auth"))
        entry = _in_its_region(entry)
        unsafe = of_certificates(entry, self._environ)
        if unsafe:
            raise ValueError(f"the entry {shown} of {where} {unsafe}")
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
            self._read = _flat(merged.get("clouds")), str(file)
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


def _flat(value: Any) -> Document:
    """Return a mapping with what its merge key brings; an empty one for anything else.

    What stands in it counts more than what is merged into it, and what is merged first
    more than the next: https://yaml.org/type/merge.html
    """
    if not isinstance(value, dict):
        return {}
    brought = value.get("<<")
    flat: dict[str, Any] = {}
    for one in reversed(brought if isinstance(brought, list) else [brought]):
        flat |= _flat(one)
    return flat | {key: each for key, each in value.items() if key != "<<"}


def _in_its_region(entry: Document) -> Document:
    """Return *entry* with its region, and with what it says of that one alone.

    Of several that are listed, the first counts where none is named.
    """
    listed = entry.get("regions")
    regions = listed if isinstance(listed, list) else []
    named = [(text_of(one, "name"), one) for one in map(_region, regions)]
    name = text_of(entry, "region_name") or next((name for name, _ in named), "")
    own = next((one for of, one in named if of == name), {})
    return _merged({**entry, "region_name": name}, table(own, "values"))


def _region(listed: Any) -> Document:
    """Return one of ``regions``, which may be a name alone."""
    return {"name": listed} if isinstance(listed, str) else _flat(listed)


def of_certificates(entry: Document, environ: Mapping[str, str]) -> str:
    """Return what is wrong with what an *entry* says of certificates, or nothing.

    The bot checks every certificate, and always against those of one place.
    """
    if text_of(entry, "verify").lower() in _NO or _yes(text_of(entry, "insecure")):
        return (
            "switches off the check of certificates; the bot always checks. Remove"
            " that, and let SSL_CERT_FILE name a file with the authority's certificate"
        )
    own, trusted = text_of(entry, "cacert"), environ.get("SSL_CERT_FILE", "")
    if own and Path(own).expanduser() != Path(trusted):
        return (
            "brings a cacert; the bot takes the file of SSL_CERT_FILE for all that it"
            " asks: let that name the same file (Slack's authority belongs in it, too)"
        )
    if text_of(entry, "cert") or text_of(entry, "key"):
        return "has a certificate of its own (cert, key); the bot shows none. Remove it"
    return ""


def _yes(text: str) -> bool:
    return bool(text) and text.lower() not in _NO


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
