"""When Slack says that somebody clicked, as the figure of how late it came takes it."""

import pytest

from bot.listeners.payloads import stamp_of

SENT = {"x-slack-request-timestamp": ["1700000003"]}


@pytest.mark.parametrize(
    ("body", "headers", "stamp"),
    [
        ({"actions": [{"action_ts": "1700000001.25"}]}, SENT, 1700000001.25),
        ({"actions": [{"action_ts": "1700000001.25"}]}, {}, 1700000001.25),
        ({"type": "shortcut", "action_ts": "1700000002.5"}, {}, 1700000002.5),
        ({"command": "/mlstudio"}, SENT, 1700000003.0),
        ({"command": "/mlstudio"}, {}, None),
        ({"type": "event_callback"}, SENT, None),
        ({"actions": [{"action_ts": "soon"}]}, {}, None),
        ({"actions": []}, {}, None),
        ({}, {"x-slack-request-timestamp": []}, None),
    ],
)
def test_a_click_counts_from_its_own_stamp(body, headers, stamp):
    """Else from the signed request's; what has neither is not counted."""
    assert stamp_of(body, headers) == stamp
