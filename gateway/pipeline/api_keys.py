"""API keys: prefixed, shown once, stored hashed, with a role. There is no default credential."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from gateway.errors import BadInput, Unauthorised, Unavailable
from gateway.invoice.facts import RIYADH
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
class Scope:
    """What a key sees: documents of one unit, issued from a day to another (Riyadh, both included). What is left empty
    does not narrow it."""

    unit: str = ""
    first: date | None = None
    last: date | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether it does not see everything of its taxpayer."""
        return self != Scope()

    def has(self, unit: str, issued_at: datetime) -> bool:
        """Whether a document is within it."""
        day = issued_at.astimezone(RIYADH).date()
        in_time = (self.first or day) <= day <= (self.last or day)
        return in_time and self.unit in ("", unit)

    def as_json(self) -> dict[str, str]:
        """As the ledger keeps it."""
        days = {"from": self.first, "to": self.last}
        named = {"unit": self.unit} if self.unit else {}
        return named | {name: day.isoformat() for name, day in days.items() if day}


EVERYTHING: Final = Scope()


def scope_of(kept: Mapping[str, str]) -> Scope:
    """The way back from `Scope.as_json`."""
    first, last = (date.fromisoformat(kept[name]) if name in kept else None for name in ("from", "to"))
    return Scope(kept.get("unit", ""), first, last)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A valid key, without its secret."""

    id: str
    taxpayer_id: str
    role: Role
    scope: Scope = EVERYTHING


def add_key(
    gateway: Gateway,
    taxpayer_id: str,
    role: Role,
    label: str,
    *,
    actor: str,
    ends_at: datetime | None = None,
    scope: Scope = EVERYTHING,
) -> str:
    """Make a key and return it, for the only time: the ledger keeps its hash. It is worthless from `ends_at` on."""
    now = gateway.now()
    _must_make_sense(gateway, taxpayer_id, role, scope)
    if ends_at and ends_at <= now:
        raise BadInput("A key that ends in the past opens nothing.", fix="Give a later day.")
    world = "live" if gateway.settings.environment is Environment.PRODUCTION else "test"
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = f"gw_{world}_{key_id}_{secret}"
    gateway.ledger.add_api_key(
        key_id,
        taxpayer_id,
        role=role.value,
        hash=_hash(key),
        label=label,
        actor=actor,
        now=now,
        ends_at=ends_at,
        scope=scope.as_json(),
    )
    return key


def _must_make_sense(gateway: Gateway, taxpayer_id: str, role: Role, scope: Scope) -> None:
    if scope.is_narrow and role is not Role.AUDITOR:
        raise BadInput("Only an auditor's key can be limited to a unit or a time.", fix="Use --role auditor.")
    if scope.first and scope.last and scope.last < scope.first:
        raise BadInput("The last day lies before the first.", fix="Exchange them.")
    if scope.unit:
        gateway.ledger.unit(taxpayer_id, scope.unit)


def authenticate(gateway: Gateway, key: str) -> KnownKey:
    """Who a key stands for; the same Unauthorised whether it is unknown, wrong, revoked or over. Its use is noted."""
    found = recognise(gateway, key)
    with suppress(Unavailable):  # a busy ledger is no reason to refuse a read
        gateway.ledger.touch_api_key(found, now=gateway.now())
    return known(found)


def known(key: ApiKey) -> KnownKey:
    """Who a key that was recognised stands for."""
    return KnownKey(key.id, key.taxpayer_id, Role(key.role), scope_of(key.scope))


def recognise(gateway: Gateway, key: str) -> ApiKey:
    """The key on record, without noting that it is used; Unauthorised as `authenticate` is."""
    parts = key.split("_", 3)
    found = gateway.ledger.api_key(parts[2]) if len(parts) == 4 else None
    # Compared even when nothing was found, so that the time taken does not tell.
    matches = hmac.compare_digest(_hash(key), found.hash if found else _hash(""))
    now = gateway.now()
    if found is None or not matches or found.revoked_at is not None or (found.ends_at and found.ends_at <= now):
        raise Unauthorised(
            "This API key is not known here, or it was revoked, or its time is over.",
            fix="Check that the whole key was copied; `gateway keys add` makes a new one.",
        )
    return found


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
