"""The ports that the demo keeps for whoever listens on them later."""

from bot.demo.alert_sender import free_port

LENT_FROM = 32768  # Linux: net.ipv4.ip_local_port_range; others begin later


def test_a_kept_port_is_never_one_that_is_lent_to_a_connection():
    """Nobody's outgoing connection takes it until the bot listens."""
    assert all(1024 < free_port() < LENT_FROM for _ in range(50))
