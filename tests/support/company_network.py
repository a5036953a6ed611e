"""A company's network on loopback: its authority, its TLS, and the proxy on its edge.

Names are known to the proxy alone, so what reaches them has gone through it.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

HERE = "127.0.0.1"


class Authority:
    """Signs certificates; *file* is what those who trust it name in SSL_CERT_FILE."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "authority.pem"
        self._sign("authority", "-addext", "basicConstraints=critical,CA:true")

    def context(self, *names: str) -> ssl.SSLContext:
        """Return what a server that is called *names* shows."""
        alt = ",".join(
            f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in names
        )
        by = ("-CA", str(self.file), "-CAkey", str(self._folder / "authority.key"))
        self._sign(names[0], "-addext", f"subjectAltName={alt}", *by)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(
            self._folder / f"{names[0]}.pem", self._folder / f"{names[0]}.key"
        )
        return context

    def _sign(self, name: str, *how: str) -> None:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "2"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                *("-subj", f"/CN={name}", "-keyout", self._folder / f"{name}.key"),
                *("-out", self._folder / f"{name}.pem", *how),
            ],
            check=True,
            capture_output=True,
        )


class CompanyNetwork:
    """A proxy that takes CONNECT, and TLS before the servers that it leads to.

    *status* is what it answers CONNECT with (0 = nothing, ever); *ports* is where
    each name leads, *asked* are the names that it was asked for; *login* is the
    Proxy-Authorization that it wants, if any.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.status = 200
        self.asked: list[str] = []
        self.login = ""
        self.port = 0
        self.ports: dict[str, int] = {}
        self._open = AsyncExitStack()
        self._pipes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.port = await self._serve(self._connect)
        return self

    async def __aexit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await self._open.aclose()

    async def publish(self, name: str, port: int, *, shown_as: str = "") -> int:
        """Let *name* lead, by TLS, to a plain *port*; return the port of the TLS.

        *shown_as* is the name in its certificate, if it is a wrong one.
        """

        async def front(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await self._join(reader, writer, port)

        context = self.authority.context(shown_as or name)
        self.ports[name] = await self._serve(front, context)
        return self.ports[name]

    async def _serve(self, handle, context: ssl.SSLContext | None = None) -> int:
        async def kept(reader, writer) -> None:
            task = asyncio.current_task()
            self._pipes.add(task)
            try:
                await handle(reader, writer)
            except (OSError, ssl.SSLError, asyncio.CancelledError):
                pass
            finally:
                await _ended(writer)
                self._pipes.discard(task)

        server = await asyncio.start_server(kept, HERE, 0, ssl=context)
        self._open.callback(server.close)
        return int(server.sockets[0].getsockname()[1])

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        name = target.rpartition(":")[0]
        self.asked.append(name)
        if not self.status:
            await asyncio.Event().wait()
        status = self.status if method == "CONNECT" else 405
        if self.login and f"Proxy-Authorization: {self.login}\r\n" not in head:
            status = 407
        if status == 200 and name not in self.ports:
            status = 502
        writer.write(f"HTTP/1.1 {status} so\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        if status == 200:
            await self._join(reader, writer, self.ports[name])

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        there, back = await asyncio.open_connection(HERE, port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, back))
                both.create_task(_pump(there, writer))
        finally:
            await _ended(back)


async def _ended(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
