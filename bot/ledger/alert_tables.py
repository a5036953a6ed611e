"""The tables of alerts: each alert, the messages about them, and notes on incidents."""

from __future__ import annotations

import sqlalchemy as sa

from bot.ledger.schema import _count as count
from bot.ledger.schema import _flag as flag
from bot.ledger.schema import _partial as partial
from bot.ledger.schema import _text as text
from bot.ledger.schema import _word as word
from bot.ledger.schema import metadata, requests

alerts = sa.Table(
    "mlstudio_alerts",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("sender", sa.String(16), nullable=False),
    sa.Column("project", sa.String(64), nullable=False),
    sa.Column("instance_id", sa.String(64), nullable=False),
    sa.Column("instance_key", sa.String(64), nullable=False),
    text("name"),
    text("summary"),
    text("link"),
    text("incident"),
    sa.Column("began", sa.Float, nullable=False),
    sa.Column("ended", sa.Float, nullable=True),
    flag("no_data"),
    sa.Column("heard_at", sa.Float, nullable=False),
    sa.Column("ended_heard_at", sa.Float, nullable=True),
    count("times"),
    text("card", 32),  # the message that it stands in; none for what never fired here
    # What the thread of a restart was told of it, and of which restart.
    flag("settled"),  # nothing more is to be told
    text("told_of", 32),
    text("told", 16),
    sa.Column("telling_at", sa.Float, nullable=True),  # who tells has begun to
    sa.Index("mlstudio_alerts_by_age", "heard_at"),
)
IN_CARD = alerts.c.card != word("")
partial("mlstudio_alerts_by_card", IN_CARD, alerts.c.card, alerts.c.heard_at)
IS_OPEN = alerts.c.settled.is_(False)
partial("mlstudio_alerts_open", IS_OPEN, alerts.c.instance_key, alerts.c.began)

cards = sa.Table(
    "mlstudio_alert_cards",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("sender", sa.String(16), nullable=False),
    text("instance_key", 64),  # none: "and N more" of the sender
    text("channel_id", 32),
    text("ts", 32),
    sa.Column("begun_at", sa.Float, nullable=False),
    sa.Column("added_at", sa.Float, nullable=False),
    count("version"),
    count("drawn"),  # the version that it shows
    sa.Column("drawn_at", sa.Float, nullable=True),
    sa.Column("drawing_at", sa.Float, nullable=True),  # who draws it has begun to
    sa.Index("mlstudio_alert_cards_begun", "begun_at"),
    sa.Index("mlstudio_alert_cards_added", "added_at"),
)
IS_STALE = cards.c.drawn < cards.c.version
partial("mlstudio_alert_cards_stale", IS_STALE, cards.c.added_at)

# What becomes of restarts that were asked for from a card of an incident.
notes = sa.Table(
    "mlstudio_alert_notes",
    metadata,
    sa.Column("request_id", sa.String(32), primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("tried_at", sa.Float, nullable=False),
    flag("done"),
    text("problem"),
    sa.Index("mlstudio_alert_notes_by_age", "tried_at"),
)
FROM_ALERT = requests.c.alert != word("")
partial("mlstudio_requests_from_alert", FROM_ALERT, requests.c.changed_at)
