"""A connection with its secrets, renewed where they end: by one process at a time, as a refresh token is spent once.

Whoever renews says so first, with the digest of the token. A process that dies in between, or a refusal, leaves that on
record: as long as the old credentials serve they are used on, `gateway shops` tells of it, and only when they have
ended is the token tried once more. If it was spent, the shop's answer says so and nothing but a new installation of the
app helps.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import httpx2
import structlog

from gateway.connection import Connection
from gateway.errors import Misconfigured, Throttled, Unavailable, Unreached
from gateway.pipeline.gateway import Gateway, Lines
from gateway.stores import STORES
from gateway.stores.store import Renewing

log = structlog.get_logger()

TURN: Final = timedelta(minutes=2)
"""Longer than one exchange can take."""


def connection_secrets(taxpayer_id: str, connection_id: str) -> str:
    """Where the secrets of a connection are sealed."""
    return f"{taxpayer_id}/connection/{connection_id}"


def connection_with_secrets(gateway: Gateway, taxpayer_id: str, connection_id: str) -> Connection:
    """The connection, its secrets opened from their envelope."""
    connection = gateway.ledger.connection(taxpayer_id, connection_id)
    if connection.platform == "api":
        return connection
    secrets = json.loads(gateway.safe.open(connection_secrets(taxpayer_id, connection_id)))
    return replace(connection, secrets=secrets)


def keep_secrets(gateway: Gateway, connection: Connection, new: Mapping[str, str]) -> Connection:
    """The connection with these secrets in place of those of the same names, sealed."""
    whole = {**connection.secrets, **new}
    ref = connection_secrets(connection.taxpayer_id, connection.id)
    gateway.safe.seal(ref, json.dumps(whole, ensure_ascii=False))
    return replace(connection, secrets=whole)


async def ready(gateway: Gateway, lines: Lines, taxpayer_id: str, connection_id: str) -> Connection:
    """The connection with secrets that serve now; Unavailable while another process renews them."""
    connection = await gateway.offload(connection_with_secrets, gateway, taxpayer_id, connection_id)
    store = STORES.get(connection.platform)
    if not isinstance(store, Renewing):
        return connection
    at = store.renew_at(connection)
    if at is None or at > gateway.now():
        return connection
    return await _renewed(gateway, lines.outside, store, connection)


async def _renewed(gateway: Gateway, client: httpx2.AsyncClient, store: Renewing, connection: Connection) -> Connection:
    now, worker = gateway.now(), gateway.new_id()
    digest = _digest(connection)
    ends = store.ends_at(connection)
    serves = ends is not None and ends > now
    lost = await gateway.offload(gateway.ledger.lost_turn, connection.id, digest=digest, now=now)
    if lost and serves:
        log.warning("renewal_lost", connection=connection.id, begun_at=lost.isoformat(), serves_until=str(ends))
        return connection
    mine = await gateway.offload(
        gateway.ledger.take_turn,
        connection.taxpayer_id,
        connection.id,
        digest=digest,
        now=now,
        lease_until=now + TURN,
        worker=worker,
    )
    if not mine:
        if serves:
            return connection
        raise Unavailable(f"The credentials of connection {connection.id} are being renewed.", retry_after=5.0)
    return await _spend(gateway, client, store, connection, digest, lost)


async def _spend(
    gateway: Gateway,
    client: httpx2.AsyncClient,
    store: Renewing,
    connection: Connection,
    digest: str,
    lost: datetime | None,
) -> Connection:
    """With the turn taken: what another process stored meanwhile counts, else the token is spent."""
    taken = await gateway.offload(connection_with_secrets, gateway, connection.taxpayer_id, connection.id)
    if _digest(taken) != digest:
        await gateway.offload(gateway.ledger.end_turn, connection.id)
        return taken
    try:
        new = await store.renew(taken, client, gateway.now())
    except (Throttled, Unreached):  # nothing was spent; after any other silence that is not known
        await gateway.offload(gateway.ledger.end_turn, connection.id)
        raise
    except Misconfigured as error:
        ends = store.ends_at(taken)
        if ends is not None and ends > gateway.now():
            # The turn stays taken, so that nobody asks again before a person has helped or the old ones have ended.
            log.error("renewal_refused", connection=connection.id, error=str(error), serves_until=str(ends))
            return taken
        await gateway.offload(gateway.ledger.end_turn, connection.id)
        raise _spent(taken, error, lost) from error
    renewed = await gateway.offload(keep_secrets, gateway, taken, new)
    await gateway.offload(gateway.ledger.end_turn, connection.id)
    log.info("credentials_renewed", connection=connection.id)
    return renewed


def _digest(connection: Connection) -> str:
    spent = connection.secrets.get("refresh_token") or connection.secrets.get("access_token", "")
    return hashlib.sha256(spent.encode()).hexdigest()


def _spent(connection: Connection, error: Misconfigured, lost: datetime | None) -> Misconfigured:
    why = f" A renewal begun at {lost:%Y-%m-%d %H:%M} UTC was cut off, which probably spent it." if lost else ""
    return Misconfigured(
        f"The credentials of connection {connection.id} cannot be renewed: {error.what}{why}",
        fix="Install the app in the shop again and give the new credentials: `gateway connect NAME --change`.",
        ar="تعذر تجديد بيانات الربط مع المتجر. أعد تثبيت التطبيق في المتجر وأدخل البيانات الجديدة.",
    )
