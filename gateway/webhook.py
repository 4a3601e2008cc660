"""Signed webhooks as the Standard Webhooks specification has them (standardwebhooks.com): secrets, signatures, and when
a delivery is tried again. No I/O."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.errors import BadInput

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
_FEWEST, _MOST = 24, 64

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between one attempt and the next: three days in all."""


def new_secret(random: bytes) -> str:
    """A secret in its spelling, of 24 to 64 random bytes."""
    assert _FEWEST <= len(random) <= _MOST, "as the specification has it"
    return PREFIX + base64.b64encode(random).decode()


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the base64 of the HMAC-SHA256 over id, seconds since 1970, and body; BadInput if this is no secret."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def headers(secrets: Iterable[str], webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What a delivery carries beside its body; signed with each of `secrets`, of which the receiver knows one."""
    timestamp = int(at.timestamp())
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": f"{timestamp}",
        "webhook-signature": " ".join(signature(each, webhook_id, timestamp, body) for each in secrets),
    }


def wait_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts that failed; None: that was the last one."""
    return WAITS[attempts - 1] if attempts <= len(WAITS) else None


def body_of(type_: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What is sent: type, moment and data."""
    content = {"type": type_, "timestamp": at.isoformat(), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _key(secret: str) -> bytes:
    fix = "Copy it as it was shown: whsec_ and base64."
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("This is no webhook secret.", fix=fix) from None
    if not secret.startswith(PREFIX) or not _FEWEST <= len(key) <= _MOST:
        raise BadInput("This is no webhook secret.", fix=fix)
    return key
