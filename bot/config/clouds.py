"""What users of the cloud have already: clouds.yaml, secure.yaml, ``OS_*`` and keys.

They fill in what the configuration leaves out, never what it says. The environment
stands over the cloud of ``[cloud]``; a project that names a cloud of its own takes all
from there, because a user of one cloud is nobody in another. Names and places are those
of openstacksdk and of OTC's ``.ostackrc`` (reference/modelarts.md section 12).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.config import kinds
from bot.config.problems import Problem
from bot.config.relations import Document, table

_LARGEST = 1_000_000  # characters
_LOGIN = ("username", "password", "user_domain_name")
_PASSWORD = {"", "password", "v3password"}  # the kinds of login that are ours
_OTC = "https://iam.{}.otc.t-systems.com/v3"  # openstacksdk's profile "otc"
_IAM_HOST = re.compile(
    r"iam\.(?:([a-z0-9-]+)\.)?(otc\.t-systems\.com|myhuaweicloud\.(?:com|eu|cn))"
)


class Credentials(BaseModel):
    """A login that a clouds.yaml holds; its repr hides it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: SecretStr = SecretStr("")
    password: SecretStr = SecretStr("")
    user_domain_name: SecretStr = SecretStr("")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cloud is; each may be empty."""

    auth_url: str = ""
    region: str = ""
    modelarts: str = ""
    project_id: str = ""

    @property
    def iam_url(self) -> str:
        """The address of the login service, with its version."""
        bare = self.auth_url.strip().rstrip("/")
        if not bare:
            return ""
        with_scheme = bare if "://" in bare else f"https://{bare}"
        return re.sub(r"/v[0-9.]+$", "", with_scheme) + "/v3"

    @property
    def modelarts_url(self) -> str:
        """The address of ModelArts: as written, else beside the login service."""
        if self.modelarts:
            return self.modelarts
        try:
            host = urlsplit(self.iam_url).hostname or ""
        except ValueError:
            return ""
        known = _IAM_HOST.fullmatch(host)
        region = self.region or (known[1] if known else "")
        return f"https://modelarts.{region}.{known[2]}" if known and region else ""


@dataclass(slots=True)
class Found:
    """A configuration completed; *common* is the login of ``[cloud]``'s cloud.

    *own* are the logins of the clouds that projects name, by that name.
    """

    document: Document
    problems: list[Problem] = field(default_factory=list)
    common: Mapping[str, str] = field(default_factory=dict, repr=False)
    own: dict[str, Credentials] = field(default_factory=dict)


def complete(document: Document, environ: Mapping[str, str]) -> Found:
    """Return *document* with what it leaves out filled in from elsewhere."""
    found = Found(deepcopy(document))
    entries = _Entries(environ)
    common = found.document.setdefault("cloud", {})
    if not isinstance(common, dict):
        return found
    entry = entries.named(_common_name(common, environ), ("cloud", "cloud"), found)
    found.common = {
        **{f"OS_{key.upper()}": value for key, value in _login(entry).items()},
        **_keys(environ, found),
    }
    _fill(common, _of_environment(environ, _place(entry)))
    for name, project in table(found.document, "projects").items():
        if isinstance(project, dict) and isinstance(project.get("cloud"), str):
            path = ("projects", name, "cloud")
            own = entries.named(project["cloud"], path, found)
            _fill(project, _place(own))
            if _place(own).project_id:
                project.setdefault("id", _place(own).project_id)
            _own_login(project["cloud"], own, path, found)
    _fill_id(found.document, _of_environment(environ, _place(entry)).project_id)
    return found


def _common_name(common: Document, environ: Mapping[str, str]) -> str:
    """Return the cloud that ``[cloud]`` means; OS_CLOUD counts if it says nothing."""
    if "cloud" in common or "iam_url" in common:
        name = common.get("cloud")
        return name if isinstance(name, str) else ""
    return environ.get("OS_CLOUD", "")


def _of_environment(environ: Mapping[str, str], place: Place) -> Place:
    """Return *place* with what the environment says instead."""
    return Place(
        auth_url=environ.get("OS_AUTH_URL") or place.auth_url,
        region=environ.get("OS_REGION_NAME") or place.region,
        modelarts=place.modelarts,
        project_id=environ.get("OS_PROJECT_ID")
        or environ.get("HUAWEICLOUD_SDK_PROJECT_ID")
        or place.project_id,
    )


def _fill(target: Document, place: Place) -> None:
    """Put the addresses of *place* into *target*, where it has none."""
    for key, value in (
        ("iam_url", place.iam_url),
        ("modelarts_url", place.modelarts_url),
    ):
        if value:
            target.setdefault(key, value)


def _fill_id(document: Document, project_id: str) -> None:
    """Give the one project that has no id the one that is known."""
    projects = table(document, "projects").values()
    without = [p for p in projects if isinstance(p, dict) and "id" not in p]
    if project_id and len(without) == 1 and "cloud" not in without[0]:
        without[0]["id"] = project_id


def _own_login(name: str, entry: Document, path: tuple[str, ...], found: Found) -> None:
    """Keep the login of a project's own cloud; say what it lacks."""
    login = _login(entry)
    lacking = [key for key in _LOGIN if key not in login]
    project = table(found.document, *path[:-1])
    common = table(found.document, "cloud").get("auth", "token")
    if entry and lacking and project.get("auth", common) == "token":
        words = " and ".join(lacking)
        text = f'the entry "{kinds.echo(name)}" has no {words}; secure.yaml may hold it'
        found.problems.append(Problem(path, text))
    found.own[name] = Credentials(
        **{key: SecretStr(value) for key, value in login.items()}
    )


# --- one entry -----------------------------------------------------------------------


def _text(entry: Document, *path: str) -> str:
    """Return the text at *path*, nothing where there is none."""
    value = table(entry, *path[:-1]).get(path[-1])
    return value.strip() if isinstance(value, str) else ""


def _place(entry: Document) -> Place:
    region = _text(entry, "region_name")
    auth_url = _text(entry, "auth", "auth_url")
    if not auth_url and _text(entry, "profile") == "otc":
        auth_url = _OTC.format(region or "eu-de")
    return Place(
        auth_url=auth_url,
        region=region,
        modelarts=_text(entry, "modelarts_endpoint_override"),
        project_id=_text(entry, "auth", "project_id"),
    )


def _login(entry: Document) -> dict[str, str]:
    """Return the login of an entry; its ``ak`` and ``sk`` belong to OBS, not to us."""
    login = {key: _text(entry, "auth", key) for key in _LOGIN}
    login["user_domain_name"] = login["user_domain_name"] or _text(
        entry, "auth", "domain_name"
    )
    return {key: value for key, value in login.items() if value}


# --- the files -----------------------------------------------------------------------


def _keys(environ: Mapping[str, str], found: Found) -> dict[str, str]:
    """Return the access key of the file that Huawei's SDKs read, if one is named."""
    variable = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
    file = environ.get(variable, "")
    if not file:
        return {}
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(Path(file).read_text(encoding="utf-8")[:_LARGEST])
    except (OSError, ValueError, IniError):
        text = "names a file that cannot be read; it must hold [basic] with ak and sk"
        found.problems.append(Problem((variable,), text))
        return {}
    basic = parser["basic"] if parser.has_section("basic") else {}
    names = ("ak", "sk", "security_token")
    return {f"HUAWEICLOUD_SDK_{n.upper()}": basic[n] for n in names if basic.get(n)}


class _Entries:
    """The entries of clouds.yaml with secure.yaml over them, read when one is named."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._read: tuple[Document, str] | None = None

    def named(self, name: str, path: tuple[str, ...], found: Found) -> Document:
        """Return the entry *name*, an empty one (and a problem) if there is none."""
        if not name:
            return {}
        try:
            return self._entry(name)
        except ValueError as error:
            found.problems.append(Problem(path, str(error)))
            return {}

    def _entry(self, name: str) -> Document:
        """Return the entry *name*; ValueError if there is none, or none for us."""
        entries, where = self._entries()
        shown = f'"{kinds.echo(name)}"'
        if name not in entries:
            raise ValueError(
                f"{where} has no cloud {shown}{kinds.meant(name, entries)}"
            )
        entry = table(entries, name)
        kind = _text(entry, "auth_type")
        if kind not in _PASSWORD:
            raise ValueError(
                f'the entry {shown} of {where} has auth_type "{kinds.echo(kind)}"; the'
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
        text = file.read_text(encoding="utf-8")[:_LARGEST]
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
