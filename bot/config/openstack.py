"""What users of the cloud have already: clouds.yaml, secure.yaml, ``OS_*`` and keys.

They fill in what the configuration leaves out, never what it says. The environment
stands over the cloud of ``[cloud]``; a project that names a cloud of its own takes all
from there, because a user of one cloud is nobody in another. Names and places are those
of openstacksdk and of OTC's ``.ostackrc``:
https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.config.cross_checks import Document, table
from bot.config.error_messages import Problem, echo
from bot.config.openstack_files import Entries, access_key, of_certificates, text_of

_LOGIN = ("username", "password", "user_domain_name", "user_domain_id")
_DOMAIN = {"user_domain_name", "user_domain_id"}  # one of them is enough
# openstacksdk's profiles of the cloud, whose Swiss one has no scheme there, each with
# its first region: https://opendev.org/openstack/openstacksdk/src/branch/master/openstack/config/vendors
_PROFILES = {
    "otc": ("https://iam.{region_name}.otc.t-systems.com/v3", "eu-de"),
    "otc-swiss": ("https://iam-pub.{region_name}.sc.otc.t-systems.com/v3", "eu-ch2"),
}
_CERTIFICATES = ("cacert", "insecure", "cert", "key")  # OS_CACERT and so on
IAM_HOST = re.compile(
    r"iam\.(?:([a-z0-9-]+)\.)?(otc\.t-systems\.com|myhuaweicloud\.(?:com|eu|cn))"
)


class Credentials(BaseModel):
    """A login that a clouds.yaml holds; its repr hides it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    username: SecretStr = SecretStr("")
    password: SecretStr = SecretStr("")
    user_domain_name: SecretStr = SecretStr("")
    user_domain_id: SecretStr = SecretStr("")


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
        known = IAM_HOST.fullmatch(host)
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
    entries = Entries(environ)
    common = found.document.setdefault("cloud", {})
    if not isinstance(common, dict):
        return found
    entry = _named(entries, _common_name(common, environ), ("cloud", "cloud"), found)
    found.common = {
        **{f"OS_{key.upper()}": value for key, value in _login(entry).items()},
        **_keys(environ, found),
    }
    _fill(common, _of_environment(environ, _place(entry)))
    said = {name: environ.get(f"OS_{name.upper()}", "") for name in _CERTIFICATES}
    unsafe = of_certificates(said, environ)
    if unsafe:
        variables = ", ".join(f"OS_{name.upper()}" for name in said if said[name])
        found.problems.append(Problem((variables,), unsafe))
    for name, project in table(found.document, "projects").items():
        if isinstance(project, dict) and isinstance(project.get("cloud"), str):
            path = ("projects", name, "cloud")
            own = _named(entries, project["cloud"], path, found)
            _fill(project, _place(own))
            if _place(own).project_id:
                project.setdefault("id", _place(own).project_id)
            _own_login(project["cloud"], own, path, found)
    _fill_id(found.document, _of_environment(environ, _place(entry)).project_id)
    return found


def _keys(environ: Mapping[str, str], found: Found) -> dict[str, str]:
    """Return the access key of the file that Huawei's SDKs read, if one is named."""
    variable = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
    try:
        return access_key(environ.get(variable, ""))
    except ValueError as error:
        found.problems.append(Problem((variable,), str(error)))
        return {}


def _common_name(common: Document, environ: Mapping[str, str]) -> str:
    """Return the cloud that ``[cloud]`` means; OS_CLOUD counts if it says nothing."""
    if "cloud" in common or "iam_url" in common:
        name = common.get("cloud")
        return name if isinstance(name, str) else ""
    return environ.get("OS_CLOUD", "")


def _named(
    entries: Entries, name: str, path: tuple[str, ...], found: Found
) -> Document:
    """Return the entry *name*, an empty one (and a problem) if there is none."""
    try:
        return entries.entry(name) if name else {}
    except ValueError as error:
        found.problems.append(Problem(path, str(error)))
        return {}


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
    has_domain = _DOMAIN & login.keys()
    lacking = [
        key
        for key in _LOGIN
        if key not in login and not (key in _DOMAIN and has_domain)
    ]
    project = table(found.document, *path[:-1])
    common = table(found.document, "cloud").get("auth", "token")
    if entry and lacking and project.get("auth", common) == "token":
        words = " and ".join(lacking[:3])  # the domain's name stands for its id
        text = f'the entry "{echo(name)}" has no {words}; secure.yaml may hold it'
        found.problems.append(Problem(path, text))
    found.own[name] = Credentials(
        **{key: SecretStr(value) for key, value in login.items()}
    )


# --- one entry -----------------------------------------------------------------------


def _place(entry: Document) -> Place:
    region = text_of(entry, "region_name")
    auth_url = text_of(entry, "auth", "auth_url")
    profile = text_of(entry, "profile") or text_of(entry, "cloud")  # its older name
    if not auth_url and profile in _PROFILES:
        auth_url, usual = _PROFILES[profile]
        region = region or usual
    return Place(
        auth_url=auth_url.replace("{region_name}", region),
        region=region,
        modelarts=text_of(entry, "modelarts_endpoint_override"),
        project_id=text_of(entry, "auth", "project_id"),
    )


def _login(entry: Document) -> dict[str, str]:
    """Return the login of an entry; its ``ak`` and ``sk`` belong to OBS, not to us."""
    login = {key: text_of(entry, "auth", key) for key in _LOGIN}
    if not any(login[key] for key in _DOMAIN):
        for key in _DOMAIN:
            login[key] = text_of(entry, "auth", key.removeprefix("user_"))
    return {key: value for key, value in login.items() if value}
