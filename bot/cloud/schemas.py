"""What the cloud answers, as far as the bot uses it; credentials are never read.

Everything may be missing, null or of another type: then it is empty, never an error.
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0112.html
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator

from bot.cloud.error_response import word, words
from bot.model import Instance

LONGEST_STATUS = 40  # characters; no documented status is longer than 14


def _number(value: object) -> int | None:
    """Return a whole number, also from a text of digits; None for anything else."""
    match = re.fullmatch(r"([0-9]{1,18})(?:\.[0-9]*)?", word(value))
    return int(match[1]) if match else None


def _status(value: object) -> str:
    return word(value, LONGEST_STATUS)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
    """The answer to a restart; the field is ``previous_state``, not ``_status``."""

    current_status: Status = ""
    previous_state: Status = ""
    error_code: Word = ""
