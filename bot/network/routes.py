"""How everything that leaves the bot gets out, as the environment says.

``HTTPS_PROXY`` (else ``ALL_PROXY``), ``NO_PROXY``, ``SSL_CERT_FILE`` and
``SSL_CERT_DIR`` are read here and nowhere else, because the libraries read them each in
its own way. In small letters they count first, as for curl:
https://curl.se/docs/manpage.html#ENVIRONMENT
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import attrs

from bot.errors import ConfigError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


@attrs.frozen
class Network:
    """The way out: through *proxy* ("" = none) but to those that *exempt* names.

    *variable* is where the proxy is from, *tls* what decides whom to trust (None = as
    the library does). Raises nothing once it is made.
    """

    _proxy: str = attrs.field(default="", repr=False)  # may hold a password
    _variable: str = ""
    _exempt: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the way out that *environ* describes; raise ConfigError if it is none.

        Plain HTTP goes to loopback only, so ``HTTP_PROXY`` is not asked for.
        """
        named = [_set(environ, name) for name in ("HTTPS_PROXY", "ALL_PROXY")]
        variable, proxy = next((pair for pair in named if pair[1]), ("", ""))
        exempt = re.split(r"[\s,]+", _set(environ, "NO_PROXY")[1].lower())
        return cls(
            _address(variable, proxy) if proxy else "",
            variable,
            tuple(filter(None, exempt)),
            _trust(environ),
        )

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy's address on the way to *url*, or None.

        None for this host: no proxy reaches the demo, and a company's ``HTTPS_PROXY``
        often comes without a ``NO_PROXY``.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or _PORTS.get(parts.scheme, 0)
        direct = host in _LOOPBACK or any(
            _names(one, host, port) for one in self._exempt
        )
        return None if direct else self._proxy or None

    def way(self, url: str) -> str:
        """Return in words whom a call of *url* asks, and through which proxy."""
        asked = urlsplit(url).netloc.rpartition("@")[2]
        if not self.proxy_for(url):
            return asked
        proxy = urlsplit(self._proxy).netloc.rpartition("@")[2]
        return f"{asked} through the proxy {proxy} ({self._variable})"


DIRECT = Network()


def _set(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the spelling of *name* that counts and its value, both "" if none is."""
    spellings = (name.lower(), name)
    return next(
        ((n, environ[n].strip()) for n in spellings if environ.get(n)), ("",) * 2
    )


def _address(variable: str, value: str) -> str:
    """Return *value* as the URL of a proxy; it may hold a password: no echo."""
    scheme, mark, _ = value.partition("://")
    url = value if mark else f"http://{value}"
    if mark and scheme.lower() not in {"http", "https"}:
        kind = f"a {scheme.lower()} proxy" if scheme.isalnum() else "a strange proxy"
        raise ConfigError(
            f"{variable}: names {kind}; the bot can use http:// and https:// proxies"
            " only"
        )
    try:
        parts = urlsplit(url)
        fine = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in url):
        raise ConfigError(
            f'{variable}: must be the address of a proxy such as "http://host:3128",'
            " its port a number"
        )
    return url


def _names(exempt: str, host: str, port: int) -> bool:
    """Say whether one entry of ``NO_PROXY`` means *host* at *port*.

    An entry is "*", a domain (with all below it), an address, or a network; the first
    three may have a port.
    """
    if exempt == "*":
        return True
    try:
        return ip_address(host) in ip_network(exempt.strip("[]"), strict=False)
    except ValueError:
        pass  # not both are addresses
    name, colon, wanted = exempt.rpartition(":")
    if not (colon and wanted.isdecimal()):
        name, wanted = exempt, str(port)
    name = name.removeprefix("*").strip("[].")
    return wanted == str(port) and bool(name) and f".{host}".endswith(f".{name}")


def _trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to trust: what the environment names, else what this machine does.

    One variable leaves the other's default in force, as it is with OpenSSL, which
    however passes over a file that is not there:
    https://docs.openssl.org/master/man3/SSL_CTX_load_verify_locations/
    """
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if folder and not any(Path(one).is_dir() for one in folder.split(":")):
        raise ConfigError("SSL_CERT_DIR: must name a folder of trusted certificates")
    usual = ssl.get_default_verify_paths()
    file, folder = file or usual.cafile, folder or usual.capath
    if not file and not (folder and any(Path(folder).iterdir())):
        import certifi  # noqa: PLC0415 - only where the system has none

        file = certifi.where()
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except ssl.SSLError:
        why = "it holds no certificate"
    except OSError as error:
        why = error.strerror or "it cannot be read"
    raise ConfigError(
        f"SSL_CERT_FILE: the file that it names cannot be used ({why}); it must hold"
        " the certificates of the authorities to trust, in PEM"
    )
