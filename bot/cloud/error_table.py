"""What each failure of the cloud means.

Pure. The codes of ModelArts and of its gateway:
https://support.huaweicloud.com/intl/en-us/api-modelarts/modelarts_03_0095.html
https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-errorcode.html
The same code means different things under different HTTP statuses, so the table
is keyed on both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType


class Meaning(StrEnum):
    """What a failure means for what the client does next."""

    REFUSED = "refused"  # final, not carried out
    CONFIG = "config"  # the same, and the operator has to mend something
    LOGIN = "login"  # log in anew and send once more, then CONFIG; with a key: CONFIG
    FOLLOW = "follow"  # the instance is busy: watch it instead
    WAIT = "wait"  # refused before it was carried out: may be sent again after a wait
    UNKNOWN = "unknown"  # it may have happened: never send it again
    NO_SUCH = "no such"  # final: there is no such instance
    FULL = "full"  # no capacity to start it: read, then it may be started again
    AUTO_STOP = "auto-stop"  # not started for the auto-stop that was asked for


REFUSED, CONFIG, LOGIN, FOLLOW, WAIT, UNKNOWN, NO_SUCH, FULL, AUTO_STOP = Meaning


@dataclass(frozen=True, slots=True)
class Row:
    """What to do and what to say; *wait_s* and *attempts* only matter for WAIT."""

    meaning: Meaning
    sentence: str
    wait_s: float | None = None
    attempts: int = 3


# What people read: {a} is the instance, {p} the project, {host} the cloud's host,
# {act} and {done} what was tried, {right} what the call needs, {code} and {message} the
# cloud's own words.
_NO_INSTANCE = (
    "There is no such instance in project {p}; deleted, or wrong project or region."
)
_BUSY = "{a} is already busy with another operation."
_STARTING = "{a} is starting; a {act} is not possible now."
_STOPPING = "{a} is stopping; a {act} is not possible now."
_RUNNING = "The cloud says {a} is already running and did not {act} it."
_STOPPED = "{a} is stopped: it has to be started, not restarted."
_STATE = "{a} is not in a state for a {act} now; looking what it does."
_AUTO_STOP = "The cloud did not take the time at which {a} is to stop by itself."
_RESTORING = "{a} is being restored by the cloud; give it some minutes."
_POOL = "The resource pool is starting up; trying again in a minute."
_CAPACITY = "The cloud has no capacity for {a} right now."
_SOLD_OUT = (
    "The machine type or disk of {a} is sold out; later, or ask the cloud admin."
)
_FROZEN = "{a} is frozen for billing reasons; ask the cloud admin."
_FLAVOR = "The machine type of {a} is not usable for this account; ask the cloud admin."
_STORAGE = (
    "ModelArts cannot use the owner's storage credentials; the cloud admin finds them"
    " under ModelArts global settings."
)
_IMAGE = "The key pair or image of {a} is not available; ask the cloud admin."
_QUOTA = "The project's quota is used up."
_INTERNAL = "The cloud reports an internal error; open a support ticket with the ref."
_NOT_ACCEPTED = (
    "The cloud did not accept the request: a fault of the bot, or {a} cannot be"
    " {done} this way."
)
_SETTINGS = "The bot's project settings are wrong."
_LOGIN = "The cloud refused the bot's login."
_REGION = "The cloud refused the bot's login: wrong region or endpoint?"
_OTHER_LOGIN = "The endpoint expects another kind of login."
_KIND_OF_LOGIN = "The endpoint refused the bot's kind of login."
_BLOCKED = "The cloud account is blocked (billing)."
_PERMISSION = "The bot's cloud user lacks the permission modelarts:notebook:{right}."
_KEY = "The bot's access key was refused."
_MISMATCH = "Project id and login do not match."
_OWNER = "Only the project owner may do this; ask the cloud admin."
_NO_PROJECT = "The cloud does not know this project."
GONE = (
    "The cloud no longer offers the {act} call at {host}, or the endpoint is wrong."
    " Nothing was {done}. The bot's operator has been told."
)
_THROTTLED = "The cloud is busy or limits our calls."
_ERROR = "The cloud had an error; checking what happened."
_MAY_NOT = "The bot's cloud user may not call this."
_ADDRESS = "Project, network address or region is blocked for the bot."
_FAULT = "A fault of the bot."
_GATEWAY = "The cloud's gateway is misconfigured."
_NO_ANSWER = "The cloud did not answer; checking what happened."
_IAM_DOWN = "The cloud's login service is down."
_ENDPOINT = "The endpoint setting is wrong."
_OTHER = "The cloud refused: {code} {message}"
LOST = "I could not learn the outcome; checking."

# HTTP statuses (4xx: any of that hundred without a row of its own), codes (G: of the
# gateway, that is APIG. or APIGW.; the others ModelArts.; none: every code without a
# row of its own), and what they mean.
_TABLE = (
    ("400 404", "6309 6404", Row(NO_SUCH, _NO_INSTANCE)),
    ("400", "6357", Row(FOLLOW, _BUSY)),
    ("400", "6306", Row(FOLLOW, _STARTING)),
    ("400", "6308", Row(FOLLOW, _STOPPING)),
    ("400", "6305", Row(REFUSED, _RUNNING)),
    ("400", "6307 6327", Row(REFUSED, _STOPPED)),
    ("400", "6333", Row(FOLLOW, _RESTORING)),
    ("400", "6355", Row(WAIT, _POOL, wait_s=60.0, attempts=1)),
    ("400", "6360", Row(REFUSED, _CAPACITY)),
    ("400", "6329 6716 6528", Row(REFUSED, _SOLD_OUT)),
    ("400", "6326", Row(CONFIG, _FROZEN)),
    ("400", "6323 6328 6792", Row(CONFIG, _FLAVOR)),
    ("400", "6319 6320 6350 6353 6354 6374 6376 6377", Row(CONFIG, _STORAGE)),
    ("400", "6378 6379 6782", Row(CONFIG, _STORAGE)),
    ("400", "6789 6797", Row(CONFIG, _IMAGE)),
    ("400", "0113 0116 0118", Row(REFUSED, _QUOTA)),
    ("400", "6361", Row(REFUSED, _INTERNAL)),
    ("400", "0101 0104 0107 6332 6335 6336", Row(CONFIG, _NOT_ACCEPTED)),
    ("400", "6400 6600 6651", Row(CONFIG, _NOT_ACCEPTED)),
    ("400", "0102 0204 0210", Row(CONFIG, _SETTINGS)),
    ("401", "0201 0202 0203 0204 0207 0212 6608 6620", Row(LOGIN, _LOGIN)),
    ("401", "0205 0206 0208 0209 0210", Row(CONFIG, _OTHER_LOGIN)),
    ("401", "6201 6203", Row(CONFIG, _BLOCKED)),
    ("401 403", "0112", Row(CONFIG, _PERMISSION)),
    ("403", "0108", Row(CONFIG, _PERMISSION)),
    ("403", "0203", Row(LOGIN, _LOGIN)),
    ("403", "0206", Row(CONFIG, _KEY)),
    ("403", "0210", Row(CONFIG, _MISMATCH)),
    ("403", "6653", Row(CONFIG, _OWNER)),
    ("404", "6650 6623 6624", Row(CONFIG, _NO_PROJECT)),
    ("404", "G0101", Row(CONFIG, GONE)),
    ("429", "", Row(WAIT, _THROTTLED)),
    ("408", "", Row(UNKNOWN, _ERROR)),
    ("500", "6102 6200 6691 6692 6699 0010 0109", Row(UNKNOWN, _ERROR)),
    ("401", "G0301", Row(LOGIN, _LOGIN)),
    ("401", "G0307", Row(LOGIN, _REGION)),
    ("401", "G0303 G0305 G0311", Row(CONFIG, _KIND_OF_LOGIN)),
    ("405", "G0501 G0502", Row(CONFIG, _KIND_OF_LOGIN)),
    ("403", "G0302 G0304 G0306", Row(CONFIG, _MAY_NOT)),
    ("403", "G0310 G0401 G0402 G0404 G0801 G0802", Row(CONFIG, _ADDRESS)),
    ("400 413 414 494", "G0201", Row(CONFIG, _FAULT)),
    ("4xx", "G0602 G0607 G0103 G0104 G0105 G0106", Row(CONFIG, _GATEWAY)),
    ("5xx", "G0602 G0607 G0103 G0104 G0105 G0106", Row(UNKNOWN, _GATEWAY)),
    ("502 504", "G0201 G0202 G0610", Row(UNKNOWN, _NO_ANSWER)),
    ("500", "G0601 G0605 G0606 G0608 G0609 G0611 G0612", Row(UNKNOWN, _NO_ANSWER)),
    ("500", "G0705", Row(UNKNOWN, _NO_ANSWER)),
    ("503", "G0613", Row(WAIT, _IAM_DOWN)),
    ("4xx 5xx", "6401", Row(LOGIN, _LOGIN)),
    ("4xx 5xx", "6407", Row(CONFIG, _PERMISSION)),
    ("3xx", "", Row(CONFIG, _ENDPOINT)),
    ("401", "", Row(LOGIN, _LOGIN)),
    ("4xx", "", Row(REFUSED, _OTHER)),
)

# What differs where a notebook is stopped, and where anything is started. That its
# state forbids the act is no error: a look decides what comes next.
_ITS_STATE = ("400", "6357 6305 6306 6307 6308 6327", Row(FOLLOW, _STATE))
_OF_STOP = (_ITS_STATE,)
_OF_START = (
    _ITS_STATE,
    ("400", "6360", Row(FULL, _CAPACITY)),
    ("400", "6329 6716 6528", Row(FULL, _SOLD_OUT)),
    ("500", "6200", Row(FULL, _CAPACITY)),
    ("400", "6351 6352", Row(CONFIG, _STORAGE)),
)
_OF_NOTEBOOK = (("400", "0102", Row(NO_SUCH, _NO_INSTANCE)),)
_OF_NOTEBOOK_START = (
    ("400", "6346 6348 6349 0101 0107 6400", Row(AUTO_STOP, _AUTO_STOP)),
)

Rows = Mapping[tuple[str, str], Row]


def _by_status_and_code(*lines: tuple[str, str, Row]) -> Rows:
    return MappingProxyType(
        {
            (status, code): row
            for statuses, codes, row in lines
            for status in statuses.split()
            for code in codes.split() or [""]
        }
    )


ROWS = _by_status_and_code(*_TABLE)
# By kind of instance and act; a look and the restart of ML Studio have the common one.
_OWN: Mapping[tuple[str, str], Rows] = {
    ("studio", "start"): _by_status_and_code(*_OF_START),
    ("notebook", ""): _by_status_and_code(*_OF_NOTEBOOK),
    ("notebook", "stop"): _by_status_and_code(*_OF_STOP, *_OF_NOTEBOOK),
    ("notebook", "start"): _by_status_and_code(
        *_OF_START, *_OF_NOTEBOOK, *_OF_NOTEBOOK_START
    ),
}
_REST = Row(UNKNOWN, LOST)

_CODE = re.compile(r"(ModelArts|APIGW?)\.(\d{4})", re.IGNORECASE)


def row_of(
    status: int, code: str, kind: str = "studio", act: str = "", *, acts: bool = False
) -> Row:
    """Return the row for an HTTP *status* and a *code* as the cloud writes it.

    *kind* is that of the instance, *act* what was tried with it ("" = a look). For a
    call that *acts* only what is known to come before anything is carried out says that
    nothing was. A 401 without a code (a proxy's, an empty one), a login that is refused
    in another way, and whatever fails with 5xx may as well come after it.
    """
    row = _row(status, code, kind, act)
    if row.meaning is Meaning.FULL:  # a start, which goes out again only after a look
        return row
    refused_first = row.meaning is not Meaning.LOGIN or _is_expired_token(status, code)
    failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    unsure = (acts or act) and (failed or not refused_first)
    return replace(row, meaning=Meaning.UNKNOWN) if unsure else row


def _is_expired_token(status: int, code: str) -> bool:
    """Say whether the cloud itself names, in a known code, a token it does not take."""
    unauthorized = status == HTTPStatus.UNAUTHORIZED
    return unauthorized and bool(code) and (str(status), _key(code)) in ROWS


def _row(status: int, code: str, kind: str, act: str) -> Row:
    hundred, key = f"{status // 100}xx", _key(code)
    if hundred == "2xx":  # an error in the body of a success: only the code can tell
        places = [("400", key), ("500", key), ("4xx", key), ("4xx", "")]
    else:
        places = [(str(status), key), (hundred, key), (str(status), ""), (hundred, "")]
    rows = {**ROWS, **_OWN.get((kind, act), {})}
    return next((rows[place] for place in places if place in rows), _REST)


def _key(code: str) -> str:
    """Return the name of a *code* in the table; the two gateway families are one."""
    match = _CODE.fullmatch(code)
    if match is None:
        return code
    return match[2] if match[1].lower() == "modelarts" else f"G{match[2]}"
