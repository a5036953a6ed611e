"""Processes of the bot, forked from one that has imported everything already.

Imports are most of what a start costs. What is forked here has no event loop, no
thread and no connection yet: what it does is what ``python -m`` would do after its
imports, with the same signals, exit codes and words on stderr.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# All that ``run`` imports, and what the modules of tests/support that are run import.
PRELOADED = (
    "bot.cli.main",
    "bot.app",
    "httpcore",
    "anyio._backends._asyncio",
    "time_machine",
)
LONGEST_ORDER = 2**16
LINE_LIMIT = 2**20
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "SSL_CERT_FILE")


# --- who asks -------------------------------------------------------------------------


class Forked:
    """A process that was forked for us, as asyncio shows one of its own."""

    def __init__(self, stderr: asyncio.StreamReader, line: asyncio.StreamReader):
        self.stderr = stderr
        self.returncode: int | None = None
        self.pid = 0
        self._line = line
        self._ended: asyncio.Task[int]

    async def begun(self) -> Forked:
        """Return when it runs."""
        self.pid = int(await self._line.readline())
        self._ended = asyncio.create_task(self._end())
        return self

    async def _end(self) -> int:
        self.returncode = int(await self._line.readline())
        await self._line.read()  # to its end, at which asyncio closes it
        return self.returncode

    async def wait(self) -> int:
        """Return its exit code when it has ended: -9 if it was killed."""
        return await asyncio.shield(self._ended)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class ForkServer:
    """A process that has imported the bot, and forks it on demand."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**environment(), "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
            )

    async def start(
        self,
        module: str,
        *words: str,
        environ: Mapping[str, str],
        folder: Path = ROOT,
        out: int | None = None,
        err: int | None = None,
    ) -> Forked:
        """Start ``python -m module words`` in *folder*, with only *environ* around it.

        *out* and *err* are the file descriptors that it prints to; without them stdout
        goes nowhere, and stderr can be read.
        """
        log, log_end = os.pipe()
        line, line_end = os.pipe()
        order = json.dumps(
            {
                "words": [module, *words],
                "environ": dict(environ),
                "folder": str(folder),
            }
        )
        try:
            ends = [log_end if err is None else err, line_end]
            ends += [] if out is None else [out]
            socket.send_fds(self._control, [order.encode()], ends)
        finally:
            os.close(log_end)
            os.close(line_end)
        return await Forked(await reader(log), await reader(line)).begun()

    def close(self) -> None:
        """End the server; what it has forked lives on."""
        self._control.close()
        self._process.wait()


@cache
def fork_server() -> ForkServer:
    """Return the one fork server of this process, which ends with it."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def environment() -> dict[str, str]:
    """Return what a process needs of the environment of this one."""
    return {name: os.environ[name] for name in KEPT if name in os.environ}


async def reader(pipe: int) -> asyncio.StreamReader:
    """Return what reads a *pipe* to its end, and then closes it."""
    stream = asyncio.StreamReader(limit=LINE_LIMIT)
    protocol = asyncio.StreamReaderProtocol(stream)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb"))
    return stream


# --- the server -----------------------------------------------------------------------


def serve(control: socket.socket) -> Sequence[str]:
    """Fork for every order: a child gets the words to run, the server none at the end.

    The asker hears the number of each process on its line, and later its exit code.
    """
    with control, selectors.DefaultSelector() as watched:
        watched.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.data is not None:
                    watched.unregister(key.fd)
                    _bury(key.fd, *key.data)
                    continue
                order, ends, *_ = socket.recv_fds(control, LONGEST_ORDER, 3)
                if not order:
                    return ()
                log, line, *out = ends
                child = os.fork()
                if not child:
                    os.close(line)
                    return _dressed(log, out, **json.loads(order))
                for end in (log, *out):
                    os.close(end)
                os.write(line, f"{child}\n".encode())
                pidfd = os.pidfd_open(child)
                watched.register(pidfd, selectors.EVENT_READ, (child, line))


def _bury(pidfd: int, child: int, line: int) -> None:
    """Tell how a child has ended, if anybody still wants to know."""
    os.close(pidfd)
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        os.write(line, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(line)


def _dressed(
    log: int, out: list[int], words: list[str], environ: dict[str, str], folder: str
) -> list[str]:
    """Make this child look like a process of its own, and return what it shall run."""
    os.setsid()
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream, number in ((nothing, 0), ([*out, nothing][0], 1), (log, 2)):
        os.dup2(stream, number)
    # What Python thinks of the old ones, such as that they are files, is not true now.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - by its number
    if environ.get("PYTHONUNBUFFERED"):
        sys.stdout = io.TextIOWrapper(
            io.FileIO(1, "w", closefd=False), write_through=True
        )
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environ)
    return words


def main() -> None:
    """Import, serve, and in a child run what was asked for."""
    for name in PRELOADED:
        importlib.import_module(name)
    if threading.active_count() != 1:
        raise RuntimeError("an import has started a thread, which no fork would have")
    gc.freeze()
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    if words:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what belongs to the other ones
        sys.argv = list(words)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
