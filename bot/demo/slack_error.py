"""What the local Slack says no with: one of Slack's own error words."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Slack's error word *code*, with what else its answer holds (*more*)."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more

    def to_json(self) -> dict[str, Any]:
        """Return it as the Web API's answer."""
        return {"ok": False, "error": self.code, **self.more}


def malformed(code: str, problems: list[str]) -> Refusal:
    """Return the refusal *code* that lists its *problems* as Slack does."""
    lines = [f"[ERROR] {line}" for line in problems]
    return Refusal(code, errors=problems, response_metadata={"messages": lines})
