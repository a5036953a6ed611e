"""The elements of Block Kit: what people click, pick and fill in. Pure.

Limits: https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bot.demo.block_kit_shapes import (
    Check,
    anything,
    at,
    flag,
    number,
    plain,
    several,
    shape,
    string,
    text,
    word,
)

CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": word("primary", "danger")},
)
OPTION = shape(
    {"text": text(75), "value": string(150)},
    {"description": text(75), "url": string(3000)},
)
OPTION_GROUP = shape({"label": plain(75), "options": several(OPTION, 100)})
OPTIONS = shape(
    {},
    {
        "options": several(OPTION, 100, least=0),
        "option_groups": several(OPTION_GROUP, 100, least=0),
    },
)

_ACTION = {"action_id": string(255), "confirm": CONFIRM, "focus_on_load": flag}
_PICK = {**_ACTION, "placeholder": plain(150)}
_LISTS = {
    "options": several(OPTION, 100),
    "option_groups": several(OPTION_GROUP, 100),
}
_TYPED = {
    **_PICK,
    "initial_value": string(3000, least=0),
    "min_length": number(0, 3000),
    "max_length": number(1, 3000),
    "multiline": flag,
    "dispatch_action_config": anything,
}
_BUTTON = {
    **_ACTION,
    "value": string(2000),
    "url": string(3000),
    "style": word("primary", "danger"),
    "accessibility_label": string(75),
    "visible_to_user_ids": several(string(20), 100),
}
IMAGE = shape(
    {"alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything}
)


def _static(check: Check) -> Check:
    """Add to a select's *check* that it has options or groups, but not both."""

    def whole(value: Any, path: str) -> Iterator[str]:
        yield from check(value, path)
        if ("options" in value) == ("option_groups" in value):
            yield at("needs either options or option_groups", path)

    return whole


def _picker(**initial: Check) -> Check:
    return shape({}, {**_PICK, **initial})


def _many(**initial: Check) -> Check:
    return shape({}, {**_PICK, "max_selected_items": number(1, 100), **initial})


_BOXES = {**_ACTION, "initial_option": OPTION}
_FILTERED = {"response_url_enabled": flag, "filter": anything}
_DEFAULT = {"default_to_current_conversation": flag}
ELEMENTS: dict[str, Check] = {
    "button": shape({"text": plain(75)}, _BUTTON),
    "workflow_button": shape({"text": plain(75), "workflow": anything}, _BUTTON),
    "overflow": shape({"options": several(OPTION, 5)}, _ACTION),
    "static_select": _static(_picker(**_LISTS, initial_option=OPTION)),
    "external_select": _picker(initial_option=OPTION, min_query_length=number(0, 3000)),
    "users_select": _picker(initial_user=string(20)),
    "channels_select": _picker(initial_channel=string(20), **_FILTERED),
    "conversations_select": _picker(
        initial_conversation=string(20), **_DEFAULT, **_FILTERED
    ),
    "multi_static_select": _static(
        _many(**_LISTS, initial_options=several(OPTION, 100))
    ),
    "multi_external_select": _many(
        initial_options=several(OPTION, 100), min_query_length=number(0, 3000)
    ),
    "multi_users_select": _many(initial_users=several(string(20), 100)),
    "multi_channels_select": _many(initial_channels=several(string(20), 100)),
    "multi_conversations_select": _many(
        initial_conversations=several(string(20), 100), **_DEFAULT, **_FILTERED
    ),
    "radio_buttons": shape({"options": several(OPTION, 10)}, _BOXES),
    "checkboxes": shape(
        {"options": several(OPTION, 10)},
        {**_ACTION, "initial_options": several(OPTION, 10)},
    ),
    "datepicker": _picker(initial_date=string(10)),
    "timepicker": _picker(initial_time=string(5), timezone=string(60)),
    "datetimepicker": shape({}, {**_ACTION, "initial_date_time": anything}),
    "plain_text_input": shape({}, _TYPED),
    "email_text_input": shape({}, _TYPED),
    "url_text_input": shape({}, _TYPED),
    "number_input": shape(
        {"is_decimal_allowed": flag},
        {**_TYPED, "min_value": anything, "max_value": anything},
    ),
    "rich_text_input": shape({}, {**_PICK, "initial_value": anything}),
    "file_input": shape({}, {**_ACTION, "filetypes": anything, "max_files": anything}),
}
TYPING = {name for name in ELEMENTS if name.endswith("_input")}
