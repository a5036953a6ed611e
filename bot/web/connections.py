"""A server's connections: so many at most, and none waits for its request for ever.

One is *open* until a whole request of it has arrived, and again after its answer; where
there are too many, the one that has been open for longest has to go. Who sends what he
has to send at once gets through, however many others hold connections and say nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import attrs


@attrs.frozen
class Limits:
    """What a server grants to whoever comes; sizes in bytes, of all headers or a body.

    Bodies above *small* are read *large_at_once* at a time, so that they cannot fill
    the memory; the others never wait.
    """

    connections: int = 200
    receive_within_s: float = 10.0
    header: int = 8190
    body: int = 512 * 1024
    small: int = 64 * 1024
    large_at_once: int = 8


@attrs.define
class Connections:
    """All connections of one server; *accept* makes the protocol that speaks HTTP."""

    _limits: Limits
    _accept: Callable[[], asyncio.Protocol]
    _all: dict[asyncio.BaseTransport, Connection] = attrs.field(
        factory=dict, init=False
    )
    open: dict[Connection, None] = attrs.field(factory=dict, init=False)  # oldest first

    def new(self) -> Connection:
        """Return the protocol of a connection that was just accepted."""
        return Connection(self, self._accept(), self._limits.receive_within_s)

    def of(self, transport: asyncio.BaseTransport | None) -> Connection | None:
        """Return the connection of *transport*, if it still stands."""
        return self._all.get(transport) if transport else None

    def admit(self, transport: asyncio.BaseTransport, new: Connection) -> bool:
        """Make room for *new*; say whether there is some."""
        if len(self._all) >= self._limits.connections:
            if not self.open:
                return False
            next(iter(self.open)).drop()
        self._all[transport] = new
        self.open[new] = None
        return True

    def remove(self, transport: asyncio.BaseTransport, gone: Connection) -> None:
        """Forget a connection that is closed or about to be."""
        self._all.pop(transport, None)
        self.open.pop(gone, None)


class Connection(asyncio.Protocol):
    """Hands on what arrives, and gives up on a request that does not arrive in time."""

    def __init__(
        self, all_: Connections, http: asyncio.Protocol, within_s: float
    ) -> None:
        self._all = all_
        self._http: asyncio.Protocol | None = http
        self._within_s = within_s
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._busy = False

    def receiving(self) -> None:
        """Give what is arriving its time, from its first byte on."""
        if self._deadline is None and not self._busy:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._within_s, self.drop)

    def received(self) -> None:
        """Keep the connection until its request, which is here, was answered."""
        self._busy = True
        self._all.open.pop(self, None)
        self._stop_clock()

    def answered(self) -> None:
        """Let the connection be idle, the youngest of the open ones."""
        self._busy = False
        self._stop_clock()
        if self._transport is not None:
            self._all.open[self] = None

    def drop(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._all.remove(self._transport, self)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP has no other
        if not self._all.admit(transport, self):
            self._http = None
            transport.abort()
            return
        self._transport = transport
        self.receiving()
        if self._http:
            self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._http:
            self.receiving()
            self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received() if self._http else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        if self._transport is not None:
            self._all.remove(self._transport, self)
            self._transport = None
        if self._http:
            self._http.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._http:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        if self._http:
            self._http.resume_writing()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
