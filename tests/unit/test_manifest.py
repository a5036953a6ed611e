"""What somebody who installs the Slack app from manifest.yaml may rely on."""

import copy
from pathlib import Path

import jsonschema
import pytest
import yaml

from bot.slack import command as commands

MANIFEST = yaml.safe_load(
    (Path(__file__).parents[2] / "manifest.yaml").read_text("utf-8")
)


def _text(most, least=1, **more):
    return {"type": "string", "minLength": least, "maxLength": most, **more}


def _table(required="", **properties):
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items, most, least=0):
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


FLAG, NUMBER, URL = {"type": "boolean"}, {"type": "integer"}, _text(3000)
NAMES = _list(_text(50), 255) | {"uniqueItems": True}
# The keys and limits that https://docs.slack.dev/reference/app-manifest documents, as
# far as a bot may use them; written anew, since the published schema is not ours.
SCHEMA = _table(
    "display_information",
    _metadata=_table(major_version=NUMBER, minor_version=NUMBER),
    display_information=_table(
        "name",
        name=_text(35),
        description=_text(140),
        long_description=_text(4000, 175),
        background_color=_text(7, 4, pattern="^#([0-9a-fA-F]{3}){1,2}$"),
    ),
    features=_table(
        app_home=_table(
            home_tab_enabled=FLAG,
            messages_tab_enabled=FLAG,
            messages_tab_read_only_enabled=FLAG,
        ),
        bot_user=_table("display_name", display_name=_text(80), always_online=FLAG),
        shortcuts=_list(
            _table(
                "name type callback_id description",
                name=_text(24),
                type={"enum": ["global", "message"]},
                callback_id=_text(255),
                description=_text(150),
            ),
            10,
            1,
        ),
        slash_commands=_list(
            _table(
                "command description",
                command=_text(32, 2, pattern="^/"),
                description=_text(2000),
                usage_hint=_text(1000),
                should_escape=FLAG,
                url=URL,
            ),
            50,
            1,
        ),
    ),
    oauth_config=_table(
        scopes=_table(bot=NAMES, user=NAMES, bot_optional=NAMES, user_optional=NAMES)
    ),
    settings=_table(
        event_subscriptions=_table(bot_events=NAMES, request_url=URL),
        interactivity=_table(
            "is_enabled", is_enabled=FLAG, request_url=URL, message_menu_options_url=URL
        ),
        org_deploy_enabled=FLAG,
        socket_mode_enabled=FLAG,
        token_rotation_enabled=FLAG,
        allowed_ip_address_ranges=_list(_text(50), 50, 1),
    ),
)


def test_slack_would_take_it():
    """Every key is one that Slack documents and every text is within its limit."""
    jsonschema.validate(MANIFEST, SCHEMA, jsonschema.Draft7Validator)


@pytest.mark.parametrize(
    ("path", "bad"),
    [
        ("settings.socket_mode", True),
        ("settings.socket_mode_enabled", "yes"),
        ("display_information.name", "x" * 36),
        ("display_information.long_description", "too short"),
        ("features.slash_commands.0.command", "mlstudio"),
        ("features.slash_commands.0.escape", True),
        ("features.shortcuts.0.name", "x" * 25),
        ("features.shortcuts.0.type", "everywhere"),
        ("oauth_config.scopes.bot", ["commands", "commands"]),
    ],
)
def test_a_mistake_would_be_found(path, bad):
    """A misspelt key, a wrong type or a text that is too long fails the check."""
    manifest = copy.deepcopy(MANIFEST)
    *way, last = path.split(".")
    place = manifest
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = bad

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest, SCHEMA, jsonschema.Draft7Validator)


def test_it_asks_for_no_more_than_four_scopes():
    """Whoever installs the app grants these four rights and no other."""
    assert MANIFEST["oauth_config"] == {
        "scopes": {"bot": ["commands", "chat:write", "users:read", "usergroups:read"]}
    }


def test_commands_arrive_with_ids():
    """Slack sends a typed mention as an id: a copied display name means nobody."""
    (command,) = MANIFEST["features"]["slash_commands"]

    assert (command["command"], command["should_escape"]) == ("/mlstudio", True)


def test_the_hint_names_every_command():
    """Whoever types the slash reads all that there is, as the bot's help lists it."""
    (command,) = MANIFEST["features"]["slash_commands"]
    _, *others = commands.NAMES

    assert command["usage_hint"] == " | ".join([commands.FORMS[0].usage, *others])


def test_both_shortcuts_are_there():
    """The shortcuts carry the ids that the bot answers to."""
    assert {
        shortcut["callback_id"]: (shortcut["type"], shortcut["name"])
        for shortcut in MANIFEST["features"]["shortcuts"]
    } == {
        "restart_instance": ("global", "Restart an instance"),
        "restart_from_message": ("message", "Restart from message"),
    }


def test_it_needs_no_public_address():
    """Everything arrives over the socket; no URL, no other workspace, no rotation."""
    settings = MANIFEST["settings"]

    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"] == {"is_enabled": True}
    assert settings["event_subscriptions"] == {
        "bot_events": [
            "app_home_opened",
            "subteam_members_changed",
            "subteam_updated",
        ]
    }
    assert settings["org_deploy_enabled"] is False
    assert settings["token_rotation_enabled"] is False
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is True
