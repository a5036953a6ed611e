"""Why a connection failed, in words for who runs the bot. Pure.

Both HTTP libraries wrap what happened in errors of their own; what they wrap is alike.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import attrs
import httpx

# https://docs.openssl.org/master/man1/openssl-verification-options/
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
_STATUS = re.compile(r"(\d{3})\b")
# What TLS says when it waits for more, and when the connection is closed.
_NOT_OF_TLS = (
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)
_TIMES = (TimeoutError, httpx.TimeoutException, aiohttp.ServerTimeoutError)


@attrs.frozen
class Failure:
    """What stood in the way, and what to do about it."""

    what: str
    remedy: str


NO_ANSWER = Failure(
    "it timed out",
    "let this machine out to that host in the firewall, or name the network's proxy in"
    " HTTPS_PROXY; if there is one, see that it answers and lets CONNECT through",
)
_NOT_TLS = Failure(
    "what answers there does not speak TLS as it should",
    "mend the address, or ask who runs the network what answers in its place",
)
_UNRESOLVED = Failure(
    "the name does not resolve", "mend the name, or this machine's DNS"
)
_REFUSED = Failure(
    "the connection was refused",
    "see that the address and its port are right, and that no firewall is in the way",
)
_BROKEN = Failure(
    "the connection broke off",
    "run it again; if it stays so, ask who runs the network what is in the way",
)


def explained(error: BaseException) -> Failure:
    """Return what an *error* of aiohttp or httpx came from."""
    if isinstance(error, _TIMES):
        return NO_ANSWER
    chain = list(_chain(error))
    for link in chain:
        found = _of(link)
        if found:
            return found
    for link in chain:
        if isinstance(link, OSError) and link.strerror:
            return attrs.evolve(_BROKEN, what=link.strerror.lower())
    return _BROKEN


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error* and all that it came from, the innermost first."""
    if error is None:
        return
    yield from _chain(error.__cause__ or error.__context__)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _chain(one)
    yield error


def _of(error: BaseException) -> Failure | None:
    """Return what one *error* says by itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    if isinstance(error, ssl.SSLError) and not isinstance(error, _NOT_OF_TLS):
        return _NOT_TLS
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _proxy(error.status)
    status = _STATUS.match(str(error)) if isinstance(error, httpx.ProxyError) else None
    if status:
        return _proxy(int(status[1]))
    if isinstance(error, socket.gaierror):
        return _UNRESOLVED
    if isinstance(error, ConnectionRefusedError):
        return _REFUSED
    return NO_ANSWER if isinstance(error, _TIMES) else None


def _certificate(error: ssl.SSLCertVerificationError) -> Failure:
    """Return what is wrong with a certificate."""
    code = error.verify_code
    if code in {_OTHER_NAME, _OTHER_ADDRESS}:
        return Failure(
            "its certificate is for another name",
            "mend the address; if it is right, ask who runs the network what answers"
            " in its place",
        )
    if code in {_EXPIRED, _NOT_YET}:
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return Failure(
            f"its certificate {when}",
            "see that this machine's clock is right; else who runs that host has to"
            " renew it",
        )
    return Failure(
        f"its certificate is not trusted here ({error.verify_message})",
        "if your network looks into TLS, let SSL_CERT_FILE name a file that holds its"
        " authority's certificate beside the public ones",
    )


def _proxy(status: int) -> Failure:
    """Return what it means that the proxy answered CONNECT with *status*."""
    remedy = {
        407: "put the proxy's user name and password into HTTPS_PROXY"
        " (http://user:password@host:port, special characters as %40 and so on)",
        403: "ask who runs the proxy to let CONNECT through to that host, or name the"
        " host in NO_PROXY if it can be reached without",
    }.get(status, "ask who runs the proxy why, or mend HTTPS_PROXY and NO_PROXY")
    word = {407: " (it wants a login)", 403: " (it does not allow this)"}
    return Failure(f"the proxy answered {status}{word.get(status, '')}", remedy)
