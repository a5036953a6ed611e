"""Whether a webhook is from whom it says: each sender's own proof. Pure.

All is compared over the raw bytes, in constant time, before anything is parsed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

AUTHORIZATION = "Authorization"
# https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
GRAFANA_SIGNATURE = "X-Grafana-Alerting-Signature"
GRAFANA_TIMESTAMP = "X-Grafana-Alerting-Timestamp"
# https://developer.pagerduty.com/docs/verifying-webhook-signatures
PAGERDUTY_SIGNATURE = "X-PagerDuty-Signature"
SIGNED_WITHIN_S = 300.0
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def is_authorized(header: str, tokens: Sequence[str]) -> bool:
    """Say whether an ``Authorization`` *header* holds one of the *tokens*.

    Bearer, or basic with the token as its password: the two that a receiver of
    Alertmanager can send (https://prometheus.io/docs/alerting/latest/configuration/#http_config).
    """
    kind, _, value = header.strip().partition(" ")
    if kind.lower() == "bearer":
        return _is_one_of(value.strip(), tokens)
    if kind.lower() != "basic":
        return False
    try:
        pair = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    _, _, password = pair.decode("utf-8", "replace").partition(":")
    return _is_one_of(password, tokens)


def is_grafanas(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float
) -> bool:
    """Say whether *body* was signed by Grafana within five minutes of *now* (POSIX).

    It signs ``TIMESTAMP:BODY`` where its contact point names a header for the time.
    """
    at = headers.get(GRAFANA_TIMESTAMP, "")
    if not _TIMESTAMP.fullmatch(at) or abs(now - int(at)) > SIGNED_WITHIN_S:
        return False
    signed = at.encode() + b":" + body
    signature = headers.get(GRAFANA_SIGNATURE, "").strip().lower()
    return _is_one_of(signature, [_hmac(secret, signed) for secret in secrets])


def is_pagerdutys(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str]
) -> bool:
    """Say whether PagerDuty signed *body*: one of its signatures has to fit."""
    good = [f"v1={_hmac(secret, body)}" for secret in secrets]
    given = headers.get(PAGERDUTY_SIGNATURE, "").split(",")
    return sum(_is_one_of(one.strip().lower(), good) for one in given[:8]) > 0


def _hmac(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _is_one_of(given: str, good: Sequence[str]) -> bool:
    """Compare with all of them, so that the time tells nothing."""
    known = given.encode("utf-8", "surrogateescape")
    return sum(hmac.compare_digest(known, one.encode()) for one in good) > 0
