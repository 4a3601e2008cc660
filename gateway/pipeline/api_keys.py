"""API keys: prefixed, shown once, stored hashed, with a role. There is no default credential."""

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.errors import Unauthorised, Unavailable
from gateway.ledger import ApiKey
from gateway.pipeline.gateway import Gateway
from gateway.unit import Environment

_ID_BYTES: Final = 5
_SECRET_BYTES: Final = 24  # 192 bits: a plain hash is enough to store (ASVS 5.0, 6.5.2)


class Role(StrEnum):
    """What a key is for."""

    INTEGRATOR = "integrator"
    ACCOUNTANT = "accountant"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A valid key, without its secret."""

    id: str
    taxpayer_id: str
    role: Role


def add_key(gateway: Gateway, taxpayer_id: str, role: Role, label: str, *, actor: str) -> str:
    """Make a key and return it, for the only time: the ledger keeps its hash."""
    world = "live" if gateway.settings.environment is Environment.PRODUCTION else "test"
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = f"gw_{world}_{key_id}_{secret}"
    now = gateway.now()
    gateway.ledger.add_api_key(key_id, taxpayer_id, role=role.value, hash=_hash(key), label=label, actor=actor, now=now)
    return key


def authenticate(gateway: Gateway, key: str) -> KnownKey:
    """Who a key stands for; the same Unauthorised whether it is unknown, wrong or revoked. Its use is noted."""
    found = recognise(gateway, key)
    with suppress(Unavailable):  # a busy ledger is no reason to refuse a read
        gateway.ledger.touch_api_key(found, now=gateway.now())
    return known(found)


def known(key: ApiKey) -> KnownKey:
    """Who a key that was recognised stands for."""
    return KnownKey(key.id, key.taxpayer_id, Role(key.role))


def recognise(gateway: Gateway, key: str) -> ApiKey:
    """The key on record, without noting that it is used; Unauthorised as `authenticate` is."""
    parts = key.split("_", 3)
    found = gateway.ledger.api_key(parts[2]) if len(parts) == 4 else None
    # Compared even when nothing was found, so that the time taken does not tell.
    matches = hmac.compare_digest(_hash(key), found.hash if found else _hash(""))
    if found is None or not matches or found.revoked_at is not None:
        raise Unauthorised(
            "This API key is not known here, or it was revoked.",
            fix="Check that the whole key was copied; `gateway keys add` makes a new one.",
        )
    return found


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
