"""Turns every failed answer and every broken connection into an error of the bot.

The only place that does so for ModelArts. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import httpx

from bot.cloud.error_response import Problem, phrase
from bot.cloud.error_table import GONE, LOST, Meaning, row_of
from bot.errors import (
    CloudAutoStop,
    CloudBusy,
    CloudError,
    CloudFollow,
    CloudFull,
    CloudGone,
    CloudMisfit,
    CloudRefused,
    CloudUnknown,
)
from bot.model import Kind
from bot.network import explained

E = TypeVar("E", bound=CloudError)

# Raised before the first byte of a request is sent, so it was surely not carried out.
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)
_CLASSES: dict[Meaning, type[CloudError]] = {
    Meaning.REFUSED: CloudRefused,
    Meaning.CONFIG: CloudMisfit,
    Meaning.LOGIN: CloudMisfit,
    Meaning.FOLLOW: CloudFollow,
    Meaning.UNKNOWN: CloudUnknown,
    Meaning.NO_SUCH: CloudGone,
    Meaning.FULL: CloudFull,
    Meaning.AUTO_STOP: CloudAutoStop,
}
_RESULTS: dict[type, str] = {
    CloudRefused: "refused",
    CloudMisfit: "misfit",
    CloudFollow: "follow",
    CloudBusy: "busy",
    CloudUnknown: "unknown",
}
# A look can come after a restart, so it must not say what became of that one.
_OF_A_LOOK = {
    GONE: "The cloud does not offer this call at {host}, or the endpoint is wrong.",
    LOST: "The cloud gave no usable answer when asked about {a}.",
}
_DONE = {
    "restart": "restarted",
    "stop": "stopped",
    "start": "started",
    "change": "changed",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the cloud: *instance* and *project* as people call them."""

    instance: str
    project: str
    host: str
    act: str = ""  # "" = a look
    right: str = "get"  # the permission that it needs
    kind: Kind = Kind.STUDIO


def host_of(url: str) -> str:
    """Return the host of *url*, with its port, for a sentence; it never raises."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def failure(problem: Problem, asked: Asked) -> CloudError:
    """Return the error that a failed answer means for what was *asked*."""
    row = row_of(problem.status, problem.code, asked.kind, asked.act)
    sentence = sentence_of(problem, asked)
    marks = {"code": problem.code, "ref": problem.ref}
    if row.meaning is Meaning.WAIT:
        return CloudBusy(
            sentence,
            status=problem.status,
            retry_after=_longest(problem.retry_after, row.wait_s),
            attempts=row.attempts,
            **marks,
        )
    return _CLASSES[row.meaning](sentence, status=problem.status, **marks)


def sentence_of(problem: Problem, asked: Asked) -> str:
    """Return what people read about a *problem*."""
    return _say(
        row_of(problem.status, problem.code, asked.kind, asked.act).sentence,
        asked,
        code=problem.code or problem.status,
        message=problem.message or phrase(problem.status),
    )


def _say(sentence: str, asked: Asked, **words: object) -> str:
    """Fill in a *sentence* of the table, or what it is for a look."""
    template = sentence if asked.act else _OF_A_LOOK.get(sentence, sentence)
    return template.format(
        a=asked.instance,
        p=asked.project,
        host=asked.host,
        right=asked.right,
        act=asked.act or "restart",
        done=_DONE.get(asked.act, "restarted"),
        **words,
    )


def _longest(*waits_s: float | None) -> float | None:
    """Return the longest wait that anybody named, or None."""
    return max((wait for wait in waits_s if wait is not None), default=None)


def broken(error: httpx.RequestError | httpx.InvalidURL, asked: Asked) -> CloudError:
    """Return what it means that a request ended in *error*."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return CloudMisfit("The endpoint setting is wrong.")
    if isinstance(error, NOTHING_SENT):
        unreached = CloudBusy(f"The cloud cannot be reached at {asked.host}.")
        return because(unreached, error)
    return because(lost(asked), error)


def because(meant: E, error: BaseException) -> E:
    """Return *meant* with what the network's *error* says to who runs the bot."""
    found = explained(error)
    meant.why, meant.remedy = found.what, found.remedy
    return meant


def lost(asked: Asked, *, status: int = 0, ref: str = "") -> CloudUnknown:
    """Return the error for an answer that did not come or cannot be understood."""
    return CloudUnknown(_say(LOST, asked), status=status, ref=ref)


def result_of(error: CloudError) -> str:
    """Return the word that stands for *error* in the figures."""
    kinds = type(error).__mro__
    return next(_RESULTS[kind] for kind in kinds if kind in _RESULTS)
