"""Every exception of the bot; a refusal by policy is a value, not one of these.

BotError
├── ConfigError          the configuration or the environment is wrong (exit 2)
├── UsageError           somebody typed something that cannot be done; text for him
├── LedgerError          the record could not be written or read; nothing was done
│   ├── StateConflict    the request has already gone another way
│   ├── InstanceBusy     another request is under way for this instance
│   └── FrozenNow        a freeze forbids the restart
├── CloudError           the cloud did not do what was asked
│   ├── CloudRefused     final: surely not carried out
│   │   ├── CloudMisfit      ... and the bot's operator has to mend something
│   │   │   └── CloudOtherKind   ... that is, the kind that the configuration says
│   │   ├── CloudGone        ... there is no such instance (any more)
│   │   └── CloudAutoStop    ... a start's word on when to stop by itself was not taken
│   ├── CloudFollow      surely not carried out: the instance is busy; follow it
│   ├── CloudBusy        surely not carried out; may be tried again after a wait
│   │   └── CloudFull        ... there is no capacity for a start
│   └── CloudUnknown     nobody knows whether it was carried out; never send again
├── RotaError            who is on call could not be read: nobody is
│   ├── RotaUnreachable  no answer, a failed one, or too many questions; may pass
│   ├── RotaDenied       the source refused the token; who runs the bot has to mend it
│   ├── RotaUnknownLine  the source has no such schedule, or the file no such line
│   └── RotaOdd          the answer makes no sense
└── SlackError            Slack did not do what was asked
    ├── SlackRefused      final: surely not carried out
    ├── SlackBusy         surely not carried out; may be tried again after a wait
    ├── SlackShut         surely not carried out; may be tried again once it is mended
    └── SlackUnknown      nobody knows; a post may stand twice if it is repeated
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for types only: the command line has to start quickly
    from bot.model import Freeze, Record


class BotError(Exception):
    """Anything that the bot raises itself; its text is a sentence for a person.

    *why* and *remedy* are more for who runs the bot: what the network or the far side
    said, and what to do about it. Both may be empty.
    """

    why: str = ""
    remedy: str = ""


class ConfigError(BotError):
    """The configuration is wrong; *problems* holds one line for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(BotError):
    """What was typed cannot be done; the text says why and what to type."""


class LedgerError(BotError):
    """The record could not be written or read."""


class StateConflict(LedgerError):
    """The request has already gone another way; *record* says where it stands."""

    def __init__(self, record: Record) -> None:
        super().__init__(f"the request is already {record.state}")
        self.record = record


class InstanceBusy(LedgerError):
    """Another request, *record*, is under way for this instance."""

    def __init__(self, record: Record) -> None:
        super().__init__("another restart of this instance is under way")
        self.record = record


class FrozenNow(LedgerError):
    """A freeze, *freeze*, is in force: the restart must not be sent."""

    def __init__(self, freeze: Freeze) -> None:
        super().__init__("a freeze is in force")
        self.freeze = freeze


class CloudError(BotError):
    """The cloud did not do what was asked.

    *status* the HTTP status (0 = no answer), *code* the
    cloud's error code, *ref* its request id: all three may be missing.
    """

    def __init__(
        self, sentence: str, *, status: int = 0, code: str = "", ref: str = ""
    ) -> None:
        marks = ", ".join(filter(None, (code or (str(status) if status else ""), ref)))
        super().__init__(f"{sentence} ({marks})" if marks else sentence)
        self.status = status
        self.code = code
        self.ref = ref


class CloudRefused(CloudError):
    """Final: it was surely not carried out."""


class CloudMisfit(CloudRefused):
    """Final, and the bot's operator has to mend a setting, a right or a login."""


class CloudOtherKind(CloudMisfit):
    """The instance is of another kind than the configuration says."""


class CloudGone(CloudRefused):
    """Final: there is no such instance in this project, or not any more."""


class CloudAutoStop(CloudRefused):
    """A start was refused for its auto-stop: start it with a documented one."""


class CloudFollow(CloudError):
    """Not carried out because the instance is busy already: follow it instead."""


class CloudBusy(CloudError):
    """Surely not carried out; may be tried again after *retry_after* seconds.

    *attempts* is how many more tries make sense.
    """

    def __init__(
        self,
        sentence: str,
        *,
        status: int = 0,
        code: str = "",
        ref: str = "",
        retry_after: float | None = None,
        attempts: int = 3,
    ) -> None:
        super().__init__(sentence, status=status, code=code, ref=ref)
        self.retry_after = retry_after
        self.attempts = attempts


class CloudFull(CloudBusy):
    """The cloud has no capacity to start it: read first, then try again."""


class CloudUnknown(CloudError):
    """Nobody knows whether it was carried out: never send it again, read instead."""


class RotaError(BotError):
    """Who is on call could not be read; nobody is let in by it."""


class RotaUnreachable(RotaError):
    """The source did not answer, failed, or was asked too often: it may pass."""


class RotaDenied(RotaError):
    """The source refused the token, or it may not read this."""


class RotaUnknownLine(RotaError):
    """The source has no such schedule, or the configuration no such line."""


class RotaOdd(RotaError):
    """The source answered something that makes no sense."""


class SlackError(BotError):
    """Slack did not do what was asked; *code* is Slack's error word, may be empty."""

    def __init__(self, sentence: str, *, code: str = "") -> None:
        super().__init__(sentence)
        self.code = code


class SlackRefused(SlackError):
    """Final: Slack refused, and would again."""


class SlackBusy(SlackError):
    """Slack took nothing; try again after *retry_after* seconds, if it names them."""

    def __init__(
        self, sentence: str, *, code: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(sentence, code=code)
        self.retry_after = retry_after


class SlackShut(SlackError):
    """Slack keeps the bot out until somebody mends that: a token, a right, an address.

    It was surely not carried out. What has been acknowledged waits for it.
    """


class SlackUnknown(SlackError):
    """Nobody knows whether Slack took it."""
