"""The secrets, read from the environment only, and never shown."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.config.error_messages import TOKEN, Problem
from bot.config.near_misses import is_quoted, marked
from bot.config.openstack import Credentials
from bot.model import Sender

NOTHING = SecretStr("")
# Characters: more cannot be a secret (a token of the cloud has 9 KB).
_LONGEST_SECRET = 65536

# What each variable is, for whoever has not set it.
VARIABLES: dict[str, str] = {
    "SLACK_BOT_TOKEN": 'the bot token (xoxb-…), "OAuth & Permissions" of the Slack app',
    "SLACK_APP_TOKEN": 'the app token (xapp-…), "Basic Information" of the Slack app',
    "SLACK_SIGNING_SECRET": 'shown under "Basic Information" of the Slack app',
    "OS_USERNAME": "the cloud user of the bot",
    "OS_PASSWORD": "the password of the cloud user",
    "OS_USER_DOMAIN_NAME": "the domain of the cloud user, such as OTC-…",
    "OS_USER_DOMAIN_ID": "the id of that domain, if not its name",
    "HUAWEICLOUD_SDK_AK": "the access key of the cloud user",
    "HUAWEICLOUD_SDK_SK": "the secret key of the cloud user",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": "the token of a temporary access key",
    "PAGERDUTY_TOKEN": "a read-only API key of the PagerDuty account",
    "GRAFANA_IRM_TOKEN": "the token (glsa_…) of a service account of the Grafana stack",
    "ALERTS_TOKEN": "what Alertmanager sends as bearer token, or as basic password",
    "ALERTS_GRAFANA_SECRET": "the HMAC secret of Grafana's webhook contact point",
    "ALERTS_PAGERDUTY_SECRET": "the secret of PagerDuty's webhook subscription",
    "ALERTS_PAGERDUTY_TOKEN": "an API token of PagerDuty that may write notes",
}
_NEEDED = {
    "socket": ("SLACK_APP_TOKEN",),
    "http": ("SLACK_SIGNING_SECRET",),
    "token": ("OS_USERNAME", "OS_PASSWORD", "OS_USER_DOMAIN_NAME"),
    "aksk": ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"),
    "pagerduty": ("PAGERDUTY_TOKEN",),
    "grafana": ("GRAFANA_IRM_TOKEN",),
    "notes": ("ALERTS_PAGERDUTY_TOKEN",),
}
_DOMAIN_NAME, _DOMAIN_ID = "OS_USER_DOMAIN_NAME", "OS_USER_DOMAIN_ID"
# They switch Bolt to OAuth mode:
# https://docs.slack.dev/tools/bolt-python/concepts/authenticating-oauth
_FORBIDDEN = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET")
# Two values with a comma between them, while one takes the place of the other.
_ROTATED = (
    "SLACK_SIGNING_SECRET",
    "ALERTS_TOKEN",
    "ALERTS_GRAFANA_SECRET",
    "ALERTS_PAGERDUTY_SECRET",
)
_HEADER = re.compile(r"[!-~]+")  # what can stand in the header of an HTTP request


class Secrets(BaseModel):
    """Every secret of the bot, empty where it is not set; none shows in a repr."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slack_bot_token: SecretStr = NOTHING
    slack_app_token: SecretStr = NOTHING
    slack_signing_secrets: tuple[SecretStr, ...] = ()
    os_username: SecretStr = NOTHING
    os_password: SecretStr = NOTHING
    os_user_domain_name: SecretStr = NOTHING
    os_user_domain_id: SecretStr = NOTHING
    ak: SecretStr = NOTHING
    sk: SecretStr = NOTHING
    security_token: SecretStr = NOTHING
    pagerduty_token: SecretStr = NOTHING
    grafana_irm_token: SecretStr = NOTHING
    alerts_token: tuple[SecretStr, ...] = ()
    alerts_grafana_secret: tuple[SecretStr, ...] = ()
    alerts_pagerduty_secret: tuple[SecretStr, ...] = ()
    alerts_pagerduty_token: SecretStr = NOTHING
    clouds: Mapping[str, Credentials] = {}  # of projects with a cloud of their own

    @property
    def of_senders(self) -> dict[Sender, tuple[str, ...]]:
        """What each sender of alerts proves itself with; nothing: it is not on."""
        given = {
            Sender.ALERTMANAGER: self.alerts_token,
            Sender.GRAFANA: self.alerts_grafana_secret,
            Sender.PAGERDUTY: self.alerts_pagerduty_secret,
        }
        return {
            sender: tuple(one.get_secret_value() for one in secrets)
            for sender, secrets in given.items()
        }

    @property
    def hidden(self) -> tuple[str, ...]:
        """Every password, token and key that is set; the names of users may be seen."""
        every = (
            self.slack_bot_token,
            self.slack_app_token,
            *self.slack_signing_secrets,
            self.os_password,
            self.ak,
            self.sk,
            self.security_token,
            self.pagerduty_token,
            self.grafana_irm_token,
            *self.alerts_token,
            *self.alerts_grafana_secret,
            *self.alerts_pagerduty_secret,
            self.alerts_pagerduty_token,
            *(login.password for login in self.clouds.values()),
        )
        return tuple(one.get_secret_value() for one in every if one)


def read(
    environ: Mapping[str, str],
    uses: Collection[object],
    known: Mapping[str, str] = MappingProxyType({}),
    clouds: Mapping[str, Credentials] = MappingProxyType({}),
) -> tuple[Secrets, list[Problem]]:
    """Return the secrets of the environment, and all that is wrong with them.

    *uses* says what is needed: the mode of Slack and the logins of the cloud. *known*
    is what counts where the environment says nothing, *clouds* the logins of projects
    with a cloud of their own. A secret with a problem is empty in the result.
    """
    values: dict[str, str] = {}
    problems = [
        Problem((name,), "must not be set: it switches the Slack library to OAuth mode")
        for name in _FORBIDDEN
        if name in environ
    ]
    needed = {"SLACK_BOT_TOKEN"}.union(*(_NEEDED.get(str(use), ()) for use in uses))
    known = _domain(environ, known)
    if any(map(environ.get, _names(_DOMAIN_ID))) or known.get(_DOMAIN_ID):
        needed.discard(_DOMAIN_NAME)
    for name, purpose in VARIABLES.items():
        values[name] = ""
        try:
            values[name] = _checked(environ, name, known.get(name, ""))
        except ValueError as error:
            problems.append(Problem((name,), str(error)))
        else:
            if name in needed and not values[name]:
                problems.append(Problem((name,), f"is missing; it is {purpose}"))
    return _secrets(values, clouds), problems


def _names(name: str) -> tuple[str, str]:
    """Return the variables that *name* may come from."""
    return name, f"{name}_FILE"


def _domain(environ: Mapping[str, str], known: Mapping[str, str]) -> Mapping[str, str]:
    """Return what is *known* without a domain, if the environment names another one."""
    pair = (_DOMAIN_NAME, _DOMAIN_ID)
    if not any(environ.get(one) for name in pair for one in _names(name)):
        return known
    return {name: value for name, value in known.items() if name not in pair}


def _secrets(values: Mapping[str, str], clouds: Mapping[str, Credentials]) -> Secrets:
    """Return the *values* of the variables as secrets."""
    hidden: dict[str, Any] = {
        name.removeprefix("HUAWEICLOUD_SDK_").lower(): SecretStr(value)
        for name, value in values.items()
    }
    for name in _ROTATED:
        parts = map(str.strip, values[name].split(","))
        hidden[name.lower()] = tuple(SecretStr(part) for part in parts if part)
    hidden["slack_signing_secrets"] = hidden.pop("slack_signing_secret")
    return Secrets(clouds=clouds, **hidden)


def _checked(environ: Mapping[str, str], name: str, known: str) -> str:
    """Return the value of *name*, else what is *known* of it.

    Raises ValueError if it cannot be what it is for.
    """
    value = _value(environ, name) or known
    wrong = marked(value) or _in_quotes(name, value)
    wrong = wrong or (_CHECKS.get(name, _text)(value) if value else "")
    if wrong:
        raise ValueError(wrong)
    return value


def _in_quotes(name: str, value: str) -> str:
    """Return what is wrong with quotes around a value; a password may have some."""
    if name == "OS_PASSWORD" or not is_quoted(value):
        return ""
    return "stands in quotes, which count as part of it here; remove them"


def _value(environ: Mapping[str, str], name: str) -> str:
    """Return the value of *name*, or of the file that ``NAME_FILE`` names.

    Raises ValueError, without the value, where it cannot be had.
    """
    value, file = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and file:
        raise ValueError(f"is set, and {name}_FILE too; keep one of them")
    value = (_content(name, file) if file else value).rstrip("\r\n")
    if file and not value:
        raise ValueError(f"is empty in the file that {name}_FILE names")
    return value


def exposed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the files of secrets that every user of this machine may read, by name.

    The name is that of the variable, as in ``VARIABLES``.
    """
    found = {}
    for name in VARIABLES:
        file = environ.get(f"{name}_FILE", "")
        with suppress(OSError, ValueError):  # ``read`` says what is wrong with it
            if file and Path(file).stat().st_mode & stat.S_IROTH:
                found[name] = file
    return found


def _content(name: str, file: str) -> str:
    """Return what stands in *file*; nothing of it is in the error."""
    # Somebody may have put the secret itself where its file's name belongs.
    is_path = Path(file).is_absolute() and not TOKEN.search(file)
    shown = f" {file[:200]}" if is_path and file.isprintable() else ""
    where = f"cannot be read from the file{shown} that {name}_FILE names"
    try:
        with Path(file).open(encoding="utf-8") as stream:
            return stream.read(_LONGEST_SECRET)
    except UnicodeError:
        raise ValueError(f"{where}: it is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"{where}: {error.strerror or 'it failed'}") from None
    except ValueError:
        raise ValueError(f"{where}: that is not the name of a file") from None


def _slack_token(kind: str, where: str) -> Callable[[str], str]:
    """Return the check of a Slack token that begins with *kind*."""

    def wrong(value: str) -> str:
        if not value.startswith(kind):
            other = re.match(r"(xox[a-z]|xapp)-", value)
            seen = f"; this one begins with {other[0]}" if other else ""
            return f"must begin with {kind}{seen}. You find it under {where}"
        return _header(value)

    return wrong


def _signing(value: str) -> str:
    """Return what is wrong with one or two signing secrets."""
    parts = [part.strip() for part in value.split(",")]
    if len(parts) > 2 or not all(parts):  # noqa: PLR2004
        return "must be one value, or two with a comma between them during a rotation"
    return next(filter(None, map(_header, parts)), "")


def _header(value: str) -> str:
    """Return what is wrong with something that goes into a header."""
    fine = _HEADER.fullmatch(value)
    return "" if fine else "holds a blank or another character that cannot be in it"


_SLACKS = {"xox": "Slack", "xapp-": "Slack"}


def _key_of(owner: str, not_from: Mapping[str, str]) -> Callable[[str], str]:
    """Return the check of a key of *owner*'s; *not_from* is how others' begin."""

    def wrong(value: str) -> str:
        if value.lower().startswith(("bearer ", "token ")):
            return "must be the token alone, without the word before it"
        for kind, other in not_from.items():
            if value.startswith(kind):
                return f"must be {owner}'s token; this one begins like {other}'s"
        return _header(value)

    return wrong


def _text(value: str) -> str:
    """Return what is wrong with something that goes into JSON."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return "is not UTF-8 text"
    return ""


_CHECKS: dict[str, Callable[[str], str]] = {
    "SLACK_BOT_TOKEN": _slack_token("xoxb-", '"OAuth & Permissions"'),
    "SLACK_APP_TOKEN": _slack_token("xapp-", '"Basic Information"'),
    **dict.fromkeys(_ROTATED, _signing),
    "ALERTS_PAGERDUTY_TOKEN": _header,
    "HUAWEICLOUD_SDK_AK": _header,
    "HUAWEICLOUD_SDK_SK": _header,
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": _header,
    "PAGERDUTY_TOKEN": _key_of("PagerDuty", not_from={"glsa_": "Grafana", **_SLACKS}),
    "GRAFANA_IRM_TOKEN": _key_of("Grafana", not_from={"u+": "PagerDuty", **_SLACKS}),
}
