"""What somebody wants of instances, however he has asked for it."""

from __future__ import annotations

import attrs

from bot.model import Act


@attrs.frozen(kw_only=True)
class Wish:
    """A restart or a start (*wants*), why, and how far it may go.

    *go_on*: the others are restarted even if one fails. *anyway*: though the machine
    type is sold out. *urgent*: starts one that a restart has left down. *alert*: the
    alert from whose card it is asked for.
    """

    reason: str = ""
    break_glass: bool = False
    go_on: bool = False
    wants: Act = Act.RESTART
    anyway: bool = False
    urgent: bool = False
    alert: str = ""
