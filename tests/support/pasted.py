"""The manual's commands as somebody pastes them, in a root of their own.

They run in a real shell, with every path below the root. Files are made, moved and
removed for real, by the real programs. What would need root, a registry, a cluster or
a service manager only notes how it was called (STUBS), and ``sudo``, ``install`` and
``sqlite3`` do their work without another user and without the program. ``mlstudio-bot``
notes how it was called as well: the test calls it so, between both far sides.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.manual import blocks

STUBS = (
    *("pipx", "systemctl", "journalctl", "useradd", "userdel", "chown", "curl"),
    *("docker", "kubectl", "pg_dump", "pg_restore", "createdb", "mlstudio-bot"),
)
_NOTE = r"""#!/bin/bash
{ printf '%s\037' "${0##*/}" "$@"; printf '\035'; env -0 | tr '\0' '\037'
  printf '\036'; } >> "$CALLS"
[ "${0##*/} $1" != "kubectl get" ] || echo pod/mlstudio-bot-0
"""
_SUDO = r"""#!/bin/bash
while :; do case $1 in
  -u) shift 2;;
  [A-Z]*=*) export "$1"; shift;;
  *) exec "$@";;
esac; done
"""
_INSTALL = r"""#!/bin/bash
kept=()
while [ $# -gt 0 ]; do case $1 in
  -o|-g) shift 2;;
  *) kept+=("$1"); shift;;
esac; done
exec /usr/bin/install "${kept[@]}"
"""
_SQLITE = r"""#!/bin/bash
[[ $2 == ".backup "* ]] || exit 64
exec python3 -c 'import sqlite3, sys
one, other = map(sqlite3.connect, (sys.argv[1], sys.argv[2].split()[1]))
one.backup(other)' "$@"
"""
_ABSOLUTE = re.compile(r"(?<![\w.:/$])/(etc|opt|usr/local|var|tmp)\b")
# What may be named outside of the root: nothing is written there.
_HARMLESS = {"/dev/null", "/usr/sbin/nologin", "/bin/sh"}


@dataclass(frozen=True)
class Call:
    """How a program was called: its name and words, and the variables that it had."""

    words: tuple[str, ...]
    environ: Mapping[str, str]


class Pasting:
    """A root in which the manual is followed from its beginning to its end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._calls = root / "calls"
        self._path = root / "programs"
        self.here = root / "here"  # where the commands are typed
        for folder in (self._path, self.here, *map(self.place, _FOLDERS)):
            folder.mkdir(parents=True, exist_ok=True)
        others = {"sudo": _SUDO, "install": _INSTALL, "sqlite3": _SQLITE}
        for name, text in {**dict.fromkeys(STUBS, _NOTE), **others}.items():
            self._path.joinpath(name).write_text(text, "utf-8")
            self._path.joinpath(name).chmod(0o755)

    def place(self, path: str) -> Path:
        """Return where an absolute *path* of the manual lies in the root."""
        return self.root / path.lstrip("/")

    def moved(self, text: str) -> str:
        """Return *text* with every path below the root."""
        moved = _ABSOLUTE.sub(rf"{self.root}/\1", text)
        rest = set(re.findall(r"(?<![\w.:/$~])/[\w/.-]+", moved))
        outside = {one for one in rest if not one.startswith(str(self.root))}
        assert outside <= _HARMLESS, outside
        return moved

    def paste(self) -> None:
        """Run every block of the manual, one after another; each has to exit with 0."""
        environ = {
            "PATH": f"{self._path}:{self.place('/usr/local/bin')}:{os.environ['PATH']}",
            "HOME": str(self.root / "home"),
            "CALLS": str(self._calls),
        }
        for block in blocks("sh"):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", self.moved(block)],
                cwd=self.here,
                env=environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{block}\n{done.stderr}"
            assert "not found" not in done.stderr

    def calls(self, program: str) -> Iterator[Call]:
        """Yield how a *program* was called."""
        for note in self._calls.read_text("utf-8").split("\036")[:-1]:
            words, environ = note.split("\035")
            name, *rest = words.split("\037")[:-1]
            if name == program:
                pairs = (one.partition("=") for one in environ.split("\037") if one)
                yield Call(tuple(rest), {key: value for key, _, value in pairs})


_FOLDERS = (
    *("/etc/systemd/system", "/etc/prometheus", "/etc/ssl/certs", "/usr/local/bin"),
    *("/var/backups", "/tmp", "/home", "/opt"),  # noqa: S108 - below the root
)
