"""The commands as values, and the one list of how each is typed and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field

BREAK_GLASS = "--break-glass"


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart an instance; a dialog asks for the names that are missing."""

    project: str = ""
    instance: str = ""
    reason: str = ""
    break_glass: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether no name is missing."""
        return bool(self.project and self.instance)


@dataclass(frozen=True, slots=True)
class Several:
    """Restart several instances; a name may be a pattern such as ``trainer-*``."""

    project: str
    instances: tuple[str, ...]
    reason: str = ""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance that is stopped."""

    project: str
    instance: str
    reason: str = ""
    break_glass: bool = False
    is_whole = True  # other than a restart, it has no dialog


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
class OnCall:
    """Say who is on call on each line."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Withdraw the pending request for an instance."""

    project: str
    instance: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Let nothing be restarted in a project, or in all, until *until*, as typed."""

    project: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class Thaw:
    """End the freeze of a project, or that of all."""

    project: str


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


Question = (
    Restart
    | Several
    | Status
    | List
    | History
    | Can
    | OnCall
    | Cancel
    | Freeze
    | Thaw
    | Help
    | Mistake
)
Command = Question | Start


@dataclass(frozen=True, slots=True)
class Form:
    """One way to type a command: its name, the rest, and what it is for.

    *flag* may stand anywhere after the name. What is not for *everybody* is for full
    members of the workspace only, because it tells names of ours or acts.
    """

    command: type[Command]
    name: str
    rest: str
    purpose: str
    flag: str = ""
    everybody: bool = False

    @property
    def usage(self) -> str:
        """How it is typed, without its flag."""
        return f"{self.name} {self.rest}".strip()


# Whatever can be typed. The parser, the help, the mistakes and who is let in are made
# from it; tests hold manifest.yaml, the README and the demo's page to it.
FORMS = (
    Form(
        Restart,
        "restart",
        "<project> <instance> [reason …]",
        "restart the instance; everything after its name is the reason",
        flag=BREAK_GLASS,
    ),
    Form(
        Several,
        "restart",
        "<project> <instance>,<instance> [reason …]",
        "restart several in one go, or a pattern such as trainer-*: one dialog lists"
        " them, one message shows them all",
        flag=BREAK_GLASS,
    ),
    Form(Restart, "restart", "", "open a dialog with project, instance and reason"),
    Form(
        Start,
        "start",
        "<project> <instance> [reason …]",
        "start an instance that is stopped, under the same rules as a restart",
        flag=BREAK_GLASS,
    ),
    Form(
        Status,
        "status",
        "<project> <instance>",
        "its status now, its last restarts, and who may restart it",
    ),
    Form(
        List, "list", "<project>", "the project's instances, each with a restart button"
    ),
    Form(
        History,
        "history",
        "[project] [instance]",
        "the last restarts, by whom and how long",
    ),
    Form(
        Can,
        "can",
        "[@user] <project> <instance>",
        "the rule that decides, and why",
    ),
    Form(OnCall, "oncall", "", "who is on call on each line, and until when"),
    Form(
        Cancel,
        "cancel",
        "<project> <instance>",
        "withdraw a request that waits for approval",
    ),
    Form(
        Freeze,
        "freeze",
        "<project>|all <until> <reason …>",
        "let nothing be restarted there until a time (18:00, 2026-12-27 08:00) or for"
        " so long (2h, 3d)",
    ),
    Form(Thaw, "thaw", "<project>|all", "end a freeze"),
    Form(Help, "help", "", "this text", everybody=True),
)
NAMES = tuple(dict.fromkeys(form.name for form in FORMS))


def usage(name: str) -> str:
    """Return how the command *name* is typed, with its flag."""
    form = next(form for form in FORMS if form.name == name)
    return f"{form.usage} [{form.flag}]" if form.flag else form.usage


def for_everybody(command: Command) -> bool:
    """Say whether guests and people of other workspaces get an answer, too."""
    everybody = (Mistake, *(form.command for form in FORMS if form.everybody))
    return isinstance(command, everybody)
