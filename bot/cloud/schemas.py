"""What the cloud answers, as far as the bot uses it; credentials are never read.

Everything may be missing, null or of another type: then it is empty, never an error.
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0112.html
https://support.huaweicloud.com/intl/en-us/api-modelarts/ShowNotebook.html
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from bot.cloud.error_response import word, words
from bot.model import Instance, Kind, Lease

LONGEST_STATUS = 40  # characters; no documented status is longer than 14


def _number(value: object) -> int | None:
    """Return a whole number, also from a text of digits; None for anything else."""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.[0-9]*)?", word(value))
    return int(match[1]) if match else None


def _status(value: object) -> str:
    return word(value, LONGEST_STATUS)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object_or_none(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


Word = Annotated[str, BeforeValidator(word)]
Words = Annotated[str, BeforeValidator(words)]
Status = Annotated[str, BeforeValidator(_status)]
Number = Annotated[int | None, BeforeValidator(_number)]


class _User(BaseModel):
    id: Word = ""
    name: Word = ""


class _Flavor(BaseModel):
    name: Word = ""
    status: Word = ""
    is_permitted: Any = None


class _Location(BaseModel):
    path: Word = ""


class _Storage(BaseModel):
    location: Annotated[_Location, BeforeValidator(_object)] = _Location()


class _Reasons(BaseModel):
    code: Word = ""
    message: Words = ""
    detail: Words = ""


class _Spec(BaseModel):
    storage: Annotated[_Storage, BeforeValidator(_object)] = _Storage()
    failed_reasons: Annotated[_Reasons, BeforeValidator(_object)] = _Reasons()


class InstanceAnswer(BaseModel):
    """The detail of one instance; *error_code* is the instance's own."""

    id: Word = ""
    name: Word = ""
    status: Status = ""
    error_code: Word = ""
    latest_update_timestamp: Number = None
    flavor: Word = ""
    user: Annotated[_User, BeforeValidator(_object)] = _User()
    flavor_details: Annotated[_Flavor, BeforeValidator(_object)] = _Flavor()
    spec: Annotated[_Spec, BeforeValidator(_object)] = _Spec()

    def instance(self, asked_id: str) -> Instance:
        """Return it as the bot's noun; *asked_id* is its id if it names none."""
        return Instance(
            id=self.id or asked_id,
            status=self.status,
            name=self.name,
            updated_ms=self.latest_update_timestamp,
            owner=self.user.name or self.user.id,
            flavor=self.flavor or self.flavor_details.name,
            kept_path=self.spec.storage.location.path,
            failure=self._failure,
            warning=self._warning,
        )

    @property
    def _failure(self) -> str:
        """Why the cloud says it failed, in one line."""
        why = self.spec.failed_reasons
        parts = dict.fromkeys(filter(None, (why.code, why.message, why.detail)))
        return word(": ".join(parts))

    @property
    def _warning(self) -> str:
        """Why it might not come back from a restart (inferred from its flavor)."""
        if self.flavor_details.status.lower() == "soldout":
            return "Its machine type is sold out: it might not come back."
        permitted = self.flavor_details.is_permitted
        if permitted is False or word(permitted).lower() == "false":
            return "Its machine type is not permitted any more: it might not come back."
        return ""


class RestartAnswer(BaseModel):
    """The answer to an act; the field is ``previous_state``, not ``_status``."""

    current_status: Status = ""
    previous_state: Status = ""
    error_code: Word = ""


# --- notebooks ------------------------------------------------------------------------


class LeaseAnswer(BaseModel):
    """When a notebook stops by itself; times and durations are milliseconds."""

    create_at: Number = None
    update_at: Number = None
    duration: Number = None
    enable: Any = None
    type: Word = ""

    def lease(self) -> Lease:
        """Return it as the bot's noun."""
        return Lease(
            enabled=_is_true(self.enable),
            type=self.type.upper(),
            create_ms=self.create_at,
            update_ms=self.update_at,
            duration_ms=self.duration,
        )


class _Named(BaseModel):
    id: Word = ""
    name: Word = ""


class _Volume(BaseModel):
    status: Word = ""
    mount_path: Word = ""


class NotebookAnswer(BaseModel):
    """A notebook; its token, url and endpoints have no field here, so none is kept."""

    id: Word = ""
    name: Word = ""
    status: Status = ""
    fail_reason: Words = ""
    flavor: Word = ""
    feature: Word = ""
    lease: Annotated[LeaseAnswer | None, BeforeValidator(_object_or_none)] = None
    pool: Annotated[_Named, BeforeValidator(_object)] = _Named()
    user: Annotated[_Named, BeforeValidator(_object)] = _Named()
    volume: Annotated[_Volume, BeforeValidator(_object)] = _Volume()

    def instance(self, asked_id: str) -> Instance:
        """Return it as the bot's noun; *asked_id* is its id if it names none."""
        lease = self.lease.lease() if self.lease else None
        stamps = (lease.create_ms, lease.update_ms) if lease else ()
        return Instance(
            id=self.id or asked_id,
            status=self.status,
            name=self.name,
            updated_ms=max(filter(None, stamps), default=None),
            owner=self.user.name or self.user.id,
            flavor=self.flavor,
            kept_path=self.volume.mount_path,
            failure=self.fail_reason,
            kind=Kind.NOTEBOOK,
            lease=lease,
            feature=self.feature,
            volume_status=self.volume.status,
            pool=self.pool.name or self.pool.id,
        )


class FlavorAnswer(BaseModel):
    """A machine type, and whether all of its machines are taken."""

    id: Word = ""
    sold_out: Any = None

    @property
    def is_sold_out(self) -> bool:
        """Whether the cloud says so."""
        return _is_true(self.sold_out)


def _is_true(value: object) -> bool:
    return value is True or word(value).lower() == "true"
