"""What Slack delivers twice has one effect: each delivery, and what it was taken for.

Slack's signature of a request holds for minutes, in which it may come again:
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.ledger.schema import deliveries
from bot.model import request_id as id_of

KEPT_FOR = timedelta(days=1)


def taken(
    connection: sa.Connection, delivery: str, about: str, now: datetime
) -> str | None:
    """Take *delivery* for the request *about*, in the transaction of its effect.

    Return None if it is new, else the id of the request that it was taken for before.
    """
    old = deliveries.c.at < (now - KEPT_FOR).timestamp()
    connection.execute(deliveries.delete().where(old))
    row = {"id": id_of(delivery), "request_id": about, "at": now.timestamp()}
    try:
        with connection.begin_nested():
            connection.execute(deliveries.insert().values(row))
    except IntegrityError:
        known = sa.select(deliveries.c.request_id).where(deliveries.c.id == row["id"])
        return connection.scalar(known) or ""
    return None
