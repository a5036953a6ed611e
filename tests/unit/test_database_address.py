"""What may stand behind ``database =``: an address that PostgreSQL's own tools take."""

import pytest
from pydantic import TypeAdapter, ValidationError

from bot.config.tables import Database
from bot.errors import ConfigError
from bot.ledger.postgres import connect_args

ADDRESS = TypeAdapter(Database)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgresql://bot@h1,h2/db", {"host": "h1,h2", "dbname": "db"}),
        ("postgresql://bot@h1:5433,h2:5434/db", {"port": "5433,5434"}),
        ("postgresql://bot@[::1]:5433,h2/db", {"host": "::1,h2"}),
        ("postgresql://bot@h/ml%20studio", {"dbname": "ml studio"}),
        ("postgresql:///db?host=/run/postgresql", {"host": "/run/postgresql"}),
        (
            "postgresql://h/db?options=-csearch_path%3Dbot",
            {"options": "-csearch_path=bot"},
        ),
        ("postgresql://h/db?connect_timeout=7", {"connect_timeout": "7"}),
        (
            "postgresql://h1,h2/db?target_session_attrs=any",
            {"target_session_attrs": "any"},
        ),
    ],
)
def test_what_libpq_takes_is_taken_as_it_stands(address, said):
    """Several hosts, sockets, names with a space: what the address says counts."""
    args = connect_args(ADDRESS.validate_python(address))
    assert said.items() <= args.items()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("postgres://bot@h/db", "write postgresql://"),
        ("postgresql://bot@h/ml studio", "write %20"),
        ("postgresql://bot@h1,h2:port/db", "has a host or a port that cannot be read"),
    ],
)
def test_a_slip_is_told_with_the_remedy(address, said):
    """What cannot be an address says what to write instead."""
    with pytest.raises(ValidationError, match=said):
        ADDRESS.validate_python(address)


def test_nothing_that_a_pooler_does_not_know_is_sent_at_the_start():
    """PgBouncer refuses ``options`` and most settings among the startup parameters."""
    args = connect_args("postgresql://bot@h/db")
    ours = {"application_name", "connect_timeout", "target_session_attrs"}
    keepalives = {"keepalives_idle", "keepalives_interval", "keepalives_count"}
    assert set(args) == {"user", "host", "dbname"} | ours | keepalives


def test_a_parameter_that_there_is_none_of_is_named():
    """A slip after the question mark is one sentence, not a traceback."""
    with pytest.raises(ConfigError, match=r'database: .*"hosst"'):
        connect_args("postgresql://bot@h/db?hosst=x")
