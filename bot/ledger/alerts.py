"""Hearing of alerts: kept once each, and which of them becomes a card of its own.

The limits of new cards are kept here, in the transaction that records the alert, so
that they hold over all replicas.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
import sqlalchemy as sa

from bot.ledger.alert_tables import alerts, cards, notes
from bot.ledger.conflicts import take_turn
from bot.ledger.database import Database, in_thread
from bot.model import Alert, KnownAlert, Sender, Target, utc

WITHIN = timedelta(minutes=1)
MOST_OF_INSTANCE, MOST_OF_SENDER = 1, 10  # new cards within that time
# What says that it fires so soon after what said that it has ended was sent before it:
# the flushes of a group are minutes apart
# (https://prometheus.io/docs/alerting/latest/configuration/#route).
LATE = timedelta(minutes=1)

About = tuple[Alert, Target]


def alert_id(alert: Alert, target: Target) -> str:
    """Return what an alert about an instance is known by: the same, the same id."""
    words = f"{alert.sender}\n{alert.key}\n{target.key}"
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:32]


@in_thread
def hear(
    database: Database, heard: Sequence[About], channel_id: str
) -> Counter[tuple[Sender, str]]:
    """Record what was *heard*, all or nothing; cards go to *channel_id*.

    Returns how many of each sender were a new "card", one "more", said "again", have
    "resolved", or are "old": over when they came.
    """
    now = database.now()
    by_id = {alert_id(*one): one for one in heard}  # the last word on each counts
    with database.writing() as connection:
        take_turn(connection, "alerts")
        clean = connection.get_execution_options().get("clean", str)
        known = _known(connection, list(by_id))
        hearing = _Hearing(connection, now, channel_id, clean)
        results: Counter[tuple[Sender, str]] = Counter()
        for key, (alert, target) in by_id.items():
            row = known.get(key)
            result = (
                hearing.first(key, alert, target)
                if row is None
                else hearing.again(row, alert)
            )
            results[alert.sender, result] += 1
        hearing.write()
        return results


@in_thread
def alert(database: Database, key: str) -> KnownAlert | None:
    """Return an alert by its id, or None."""
    with database.reading() as connection:
        return next(iter(found(connection, alerts.c.id == key)), None)


@in_thread
def forget_alerts(database: Database, before: datetime) -> None:
    """Forget what was not heard of since *before*."""
    at = before.timestamp()
    with database.writing() as connection:
        connection.execute(alerts.delete().where(alerts.c.heard_at < at))
        connection.execute(cards.delete().where(cards.c.added_at < at))
        connection.execute(notes.delete().where(notes.c.tried_at < at))


def found(
    connection: sa.Connection, *where: sa.ColumnElement[bool], limit: int | None = None
) -> list[KnownAlert]:
    """Return the alerts *where* something holds, those heard of last at first."""
    query = alerts.select().where(*where).order_by(alerts.c.heard_at.desc())
    return [
        known_alert(row) for row in connection.execute(query.limit(limit)).mappings()
    ]


def known_alert(row: sa.RowMapping) -> KnownAlert:
    """Return the alert in a *row*."""
    return KnownAlert(
        id=row["id"],
        sender=Sender(row["sender"]),
        project=row["project"],
        instance_id=row["instance_id"],
        name=row["name"],
        summary=row["summary"],
        link=row["link"],
        began=utc(row["began"]),
        ended=None if row["ended"] is None else utc(row["ended"]),
        no_data=row["no_data"],
        heard_at=utc(row["heard_at"]),
        times=row["times"],
        incident=row["incident"],
    )


def _known(connection: sa.Connection, ids: Sequence[str]) -> dict[str, sa.RowMapping]:
    query = alerts.select().where(alerts.c.id.in_(ids)).with_for_update()
    return {row["id"]: row for row in connection.execute(query).mappings()}


@attrs.define
class _Hearing:
    """What one transaction adds and changes; *write* writes it."""

    _connection: sa.Connection
    _now: datetime
    _channel_id: str
    _clean: Callable[[str], str]
    _new: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    _again: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    _cards: list[dict[str, Any]] = attrs.field(factory=list, init=False)
    _changed: set[str] = attrs.field(factory=set, init=False)  # cards
    _begun: list[tuple[str, str]] | None = attrs.field(default=None, init=False)
    _more: dict[str, str] = attrs.field(factory=dict, init=False)

    @property
    def _at(self) -> float:
        return self._now.timestamp()

    def first(self, key: str, alert: Alert, target: Target) -> str:
        """Take up what is new here."""
        over = alert.ended is not None
        card, result = ("", "old") if over else self._place(key, alert, target)
        self._new.append(
            {
                "id": key,
                "sender": alert.sender,
                "project": target.project,
                "instance_id": target.instance_id,
                "instance_key": target.key,
                "times": 1,
                "card": card,
                # Its firing may have come while nobody was here to hear of it.
                "settled": False,
                **self._words(alert),
            }
        )
        return result

    def again(self, row: sa.RowMapping, alert: Alert) -> str:
        """Take up what is known; say what is new about it."""
        words = self._words(alert)
        card = row["card"]
        was_over, is_over = row["ended"] is not None, alert.ended is not None
        if was_over and not is_over and self._is_late(row, alert):
            words |= {name: row[name] for name in _ENDING}
        if was_over and is_over:
            words["ended_heard_at"] = row["ended_heard_at"]
        if not card and not is_over:
            target = Target(row["project"], "", "", row["instance_id"])
            card, _ = self._place(row["id"], alert, target)
        self._changed |= {card} if card else set()
        self._again.append(
            {
                "key": row["id"],
                "times": row["times"] + 1,
                "card": card,
                # What fires again is watched again.
                "settled": row["settled"] and words["ended"] is not None,
                **words,
            }
        )
        return "resolved" if is_over and not was_over else "again"

    def write(self) -> None:
        """Write all of it down, in few statements however many alerts there are."""
        if self._new:
            self._connection.execute(alerts.insert(), self._new)
        if self._again:
            same = alerts.c.id == sa.bindparam("key")
            self._connection.execute(alerts.update().where(same), self._again)
        if self._cards:
            self._connection.execute(cards.insert(), self._cards)
        if changed := self._changed - {card["id"] for card in self._cards}:
            query = cards.update().where(cards.c.id.in_(changed))
            self._connection.execute(query.values(version=cards.c.version + 1))

    def _words(self, alert: Alert) -> dict[str, Any]:
        """Return the columns of what an *alert* says now."""
        over = alert.ended is not None
        return {
            "name": self._clean(alert.name),
            "summary": self._clean(alert.summary),
            "link": self._clean(alert.link),
            "incident": alert.incident,
            "began": alert.began.timestamp(),
            "ended": alert.ended.timestamp() if alert.ended else None,
            "no_data": alert.no_data,
            "heard_at": self._at,
            "ended_heard_at": self._at if over else None,
        }

    def _is_late(self, row: sa.RowMapping, alert: Alert) -> bool:
        """Say whether an alert that fires was told before what is on record of it."""
        if alert.said_at is not None:
            return alert.said_at.timestamp() < float(row["ended"])
        heard = row["ended_heard_at"] or row["heard_at"]
        return self._at - float(heard) < LATE.total_seconds()

    # --- which card -------------------------------------------------------------------

    def _place(self, key: str, alert: Alert, target: Target) -> tuple[str, str]:
        """Return the card that a new alert stands in, and what that is."""
        if self._begun is None:
            self._begun = self._cards_begun()
        of_instance = sum(instance == target.key for _, instance in self._begun)
        of_sender = sum(sender == alert.sender for sender, _ in self._begun)
        if of_instance < MOST_OF_INSTANCE and of_sender < MOST_OF_SENDER:
            self._begun.append((alert.sender, target.key))
            self._add_card(key, alert.sender, target.key)
            return key, "card"
        return self._more_of(alert.sender), "more"

    def _cards_begun(self) -> list[tuple[str, str]]:
        """Return sender and instance of each card that was begun within the minute."""
        query = sa.select(cards.c.sender, cards.c.instance_key).where(
            cards.c.begun_at > (self._now - WITHIN).timestamp(),
            cards.c.instance_key != "",
        )
        return [(sender, key) for sender, key in self._connection.execute(query)]

    def _more_of(self, sender: Sender) -> str:
        """Return the message of what is too much: one as long as more keeps coming."""
        if sender not in self._more:
            since = (self._now - WITHIN).timestamp()
            last = self._connection.scalar(
                sa.select(cards.c.id)
                .where(cards.c.added_at > since, cards.c.sender == sender)
                .where(cards.c.instance_key == "")
                .order_by(cards.c.added_at.desc())
                .limit(1)
            )
            self._more[sender] = last or self._add_card(secrets.token_hex(16), sender)
            if last:
                query = cards.update().where(cards.c.id == last)
                self._connection.execute(query.values(added_at=self._at))
        self._changed.add(self._more[sender])
        return self._more[sender]

    def _add_card(self, key: str, sender: Sender, instance_key: str = "") -> str:
        self._cards.append(
            {
                "id": key,
                "sender": sender,
                "instance_key": instance_key,
                "channel_id": self._channel_id,
                "begun_at": self._at,
                "added_at": self._at,
                "version": 1,
            }
        )
        return key


_ENDING = ("ended", "no_data", "ended_heard_at")
