"""The commands as values, and how each is typed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart an instance; a dialog asks for the names that are missing."""

    project: str = ""
    instance: str = ""
    reason: str = ""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Several:
    """Restart several instances; a name may be a pattern such as ``trainer-*``."""

    project: str
    instances: tuple[str, ...]
    reason: str = ""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Say how an instance is and who may restart it."""

    project: str
    instance: str


@dataclass(frozen=True, slots=True)
class List:
    """List the instances of a project."""

    project: str


@dataclass(frozen=True, slots=True)
class History:
    """Say what was restarted; a name that is missing stands for all."""

    project: str = ""
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Can:
    """Say what the rules decide for a user; no *user_id* means who asks."""

    project: str
    instance: str
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw the pending request for an instance."""

    project: str
    instance: str


@dataclass(frozen=True, slots=True)
class Help:
    """Say what can be typed."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What was typed cannot be understood.

    *sentence* is plain text, to be escaped where it is shown. *guess* is the word that
    was probably meant; the sentence does not say it, and it may be empty. *lost*: not
    even the command is known, so all of them are to be shown.
    """

    sentence: str
    guess: str = ""
    lost: bool = field(default=False, compare=False)


Command = Restart | Several | Status | List | History | Can | Cancel | Help | Mistake

USAGE = {
    "restart": "restart <project> <instance> [reason …] [--break-glass]",
    "status": "status <project> <instance>",
    "list": "list <project>",
    "history": "history [project] [instance]",
    "can": "can [@user] <project> <instance>",
    "cancel": "cancel <project> <instance>",
    "help": "help",
}
