"""The messages about alerts: which of them have to be drawn anew, and by whom."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from bot.ledger.alert_tables import IN_CARD, IS_STALE, alerts, cards
from bot.ledger.alerts import found
from bot.ledger.database import Database, in_thread
from bot.ledger.schema import requests
from bot.model import AlertCard, Sender

DRAW_AGAIN_AFTER_S = 30.0  # who began to draw it longer ago has died, or was refused
DRAWN_WITHIN = timedelta(days=1)  # of what was heard; what could not be is not shown
FOLLOWED_FOR = timedelta(days=1)  # a card shows so long what is asked for its instance
CARDS_AT_ONCE = 20
SHOWN = 10  # alerts of a message about many


@in_thread
def take_cards(database: Database) -> list[AlertCard]:
    """Return what has to be drawn now, and by nobody but this caller.

    What somebody began to draw and has not drawn since comes again, after what nobody
    has begun. The message of what is too much comes first: it is due within seconds.
    """
    now = database.now()
    idle = cards.c.drawing_at.is_(None) | (
        cards.c.drawing_at < now.timestamp() - DRAW_AGAIN_AFTER_S
    )
    since = (now - DRAWN_WITHIN).timestamp()
    asked = (now - FOLLOWED_FOR).timestamp()
    news = sa.exists().where(
        requests.c.instance_key == cards.c.instance_key,
        requests.c.asked_at > asked,
        requests.c.changed_at > cards.c.drawn_at,
    )
    heard = sa.exists().where(
        IN_CARD, alerts.c.card == cards.c.id, alerts.c.heard_at > since
    )
    queries = (
        cards.select().where(IS_STALE, idle, heard),
        cards.select().where(cards.c.begun_at > asked, cards.c.ts != "", idle, news),
    )
    with database.reading() as connection:
        due = [connection.execute(one.limit(1)).first() for one in queries]
    if not any(due):
        return []
    with database.writing() as connection:
        found = {
            row["id"]: row
            for query in queries
            for row in connection.execute(
                query.order_by(
                    cards.c.instance_key != "",
                    cards.c.drawing_at.is_not(None),
                    cards.c.added_at,
                )
                .limit(CARDS_AT_ONCE)
                .with_for_update(skip_locked=True)
            ).mappings()
        }
        taken = cards.update().where(cards.c.id.in_(list(found)))
        connection.execute(taken.values(drawing_at=now.timestamp()))
        return [_card(connection, row) for row in found.values()]


@in_thread
def drawn(database: Database, card: AlertCard, ts: str) -> None:
    """Keep that a card was drawn, as it was when it was taken, at *ts*."""
    # What has changed since it was taken may not be in it.
    values = {"ts": ts, "drawn": card.version, "drawn_at": cards.c.drawing_at}
    with database.writing() as connection:
        query = cards.update().where(cards.c.id == card.id)
        connection.execute(query.values(drawing_at=None, **values))


def _card(connection: sa.Connection, row: sa.RowMapping) -> AlertCard:
    own = IN_CARD & (alerts.c.card == row["id"])
    shown = found(connection, own, limit=SHOWN)
    return AlertCard(
        id=row["id"],
        sender=Sender(row["sender"]),
        channel_id=row["channel_id"],
        ts=row["ts"],
        version=row["version"],
        more=not row["instance_key"],
        count=_number(connection, own),
        over=_number(connection, own, alerts.c.ended.is_not(None)),
        alerts=shown,
    )


def _number(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> int:
    query = sa.select(sa.func.count()).select_from(alerts).where(*where)
    return connection.execute(query).scalar_one()
