"""What stands for a value: the same for the same, another for any change."""

from __future__ import annotations

import hashlib
import json

from bot.model.instances import class_of
from bot.model.requests import Request


def canonical(value: object) -> str:
    """Return *value* as JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def digest(request: Request, status: str) -> str:
    """Return what an approval of *request* is for, as 64 hex digits.

    *status* is what the approvers saw; whatever of all this changes, it is another
    thing, which they have not approved (reference/approvals.md section 3).
    """
    target = request.target
    what = [
        *(request.team_id, request.user_id, request.rule, request.rule_version),
        *(target.project, target.project_id, target.key, class_of(status)),
    ]
    return hashlib.sha256(canonical(what).encode()).hexdigest()
