"""Entering who issues and where sales come from: taxpayers, units, and connections with their sealed secrets."""

import json
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from gateway.connection import Connection
from gateway.erps import ERPS, Erp
from gateway.erps.erp import post_when
from gateway.errors import BadInput, Conflict, GatewayError, Misconfigured
from gateway.finding import Text
from gateway.invoice.policy import read_policy
from gateway.ledger import Taxpayer
from gateway.outbound import check_address
from gateway.pipeline.credentials import connection_secrets, connection_with_secrets
from gateway.pipeline.gateway import Gateway, Lines, same_world
from gateway.pipeline.intake import issue_when
from gateway.pipeline.poll import hook_address, interval_of
from gateway.pipeline.second_issuer import check_issuer
from gateway.stores import STORES, store_of
from gateway.stores.store import Inspection, Renewing, Store, Subscribing
from gateway.unit import Unit


def register(gateway: Gateway, unit: Unit, *, actor: str) -> None:
    """Enter a unit and its taxpayer, or what has changed of the unit; what it issued before stays as it is."""
    ledger, now = gateway.ledger, gateway.now()
    if unit.taxpayer_id not in {each.id for each in ledger.taxpayers()}:
        ledger.add_taxpayer(Taxpayer(unit.taxpayer_id, unit.seller.name, unit.seller.vat), actor=actor, now=now)
    known = {each.id: each for each in ledger.units(unit.taxpayer_id)}
    if unit.id not in known:
        ledger.add_unit(unit, actor=actor, now=now)
    elif known[unit.id] != unit:
        same_world(known[unit.id], unit.environment)
        ledger.change_unit(unit, actor=actor, now=now)


def change_connection(gateway: Gateway, connection: Connection, *, actor: str) -> None:
    """Give a known connection other credentials and settings; Unknown if there is none of that name."""
    gateway.ledger.connection(connection.taxpayer_id, connection.id)
    check_connection(gateway, connection)
    if connection.secrets:
        _seal(gateway, connection)
    gateway.ledger.change_connection(connection, actor=actor, now=gateway.now())


class Connected(NamedTuple):
    """What came of connecting: what a person has to look at, and what was done about the shop's webhooks."""

    look_at: tuple[Text, ...] = ()
    webhooks: tuple[str, ...] = ()


async def connect(
    gateway: Gateway,
    lines: Lines,
    connection: Connection,
    *,
    actor: str,
    change: bool = False,
    unchecked_issuer: bool = False,
) -> Connected:
    """Enter or `change` a connection once it is sure that nobody else issues its sales, that its credentials serve and
    what the shop says of its taxes; have the shop send its webhooks, and ask it from now on what changed.

    BadInput if the shop issues itself, or cannot be asked, and `unchecked_issuer` does not let that pass.
    """
    await gateway.offload(_check_name, gateway, connection, change=change)
    store = STORES.get(connection.platform)
    if change and (store is not None or connection.platform in ERPS):
        connection = await gateway.offload(_with_former, gateway, store, connection)
    check_connection(gateway, connection)
    if store is not None:
        connection = await _usable(gateway, lines, store, connection)
    left = await check_issuer(gateway, lines, connection, actor=actor, unchecked=unchecked_issuer)
    look_at: tuple[Text, ...] = (left,) if left else ()
    asked = store or ERPS.get(connection.platform)
    if asked is not None:
        told = await _inspected(lines, asked, connection, unchecked=unchecked_issuer)
        connection = replace(connection, settings={**told.settings, **connection.settings})
        look_at += told.look_at
    await gateway.offload(change_connection if change else add_connection, gateway, connection, actor=actor)
    if store is None:
        return await _with_books(gateway, connection, look_at)
    await gateway.offload(begin_polling, gateway, connection)
    if change:
        now = gateway.now()
        await gateway.offload(gateway.ledger.end_turn, connection.id)
        await gateway.offload(gateway.ledger.take_up_again, connection.taxpayer_id, connection.id, now=now)
    return Connected(look_at, await _subscribed(gateway, lines, connection))


async def _with_books(gateway: Gateway, connection: Connection, look_at: tuple[Text, ...]) -> Connected:
    """An ERP whose books are written: what was given up about it is tried again."""
    if connection.platform in ERPS:
        retry, now = gateway.ledger.retry_postings, gateway.now()
        await gateway.offload(retry, connection.taxpayer_id, connection.id, now=now)
    return Connected(look_at)


def _check_name(gateway: Gateway, connection: Connection, *, change: bool) -> None:
    """Before the shop is asked for anything, or told anything."""
    known = gateway.ledger.any_connection(connection.id)
    if change:
        gateway.ledger.connection(connection.taxpayer_id, connection.id)
    elif known is not None:
        raise Conflict(f"Connection {connection.id} exists already.", fix="Choose another id, or add --change.")


def _with_former(gateway: Gateway, store: Store | None, connection: Connection) -> Connection:
    """With the former secrets where no others are given. Tokens that end sooner than those we have are from before
    they were renewed: a file of the first day must not bring them back."""
    former = connection_with_secrets(gateway, connection.taxpayer_id, connection.id)
    given = {name: value for name, value in connection.secrets.items() if value}
    if (former.platform, _origin(former)) != (connection.platform, _origin(connection)):
        return replace(connection, secrets=given)  # nobody is shown secrets of another address
    if isinstance(store, Renewing) and former.platform == connection.platform:
        known, told = store.ends_at(former), store.ends_at(connection)
        if known and told and told < known:
            given = {name: value for name, value in given.items() if name not in _TOKENS}
    return replace(connection, secrets={**former.secrets, **given})


def _origin(connection: Connection) -> tuple[str, str, int | None]:
    """Whose machine an address leads to."""
    url = urlsplit(connection.base_url)
    return url.scheme, (url.hostname or "").lower(), url.port


_TOKENS: Final = frozenset({"access_token", "authorization", "refresh_token", "expires_at"})


async def _usable(gateway: Gateway, lines: Lines, store: Store, connection: Connection) -> Connection:
    """With the secrets that we think up ourselves, and an access token where one has to be fetched first."""
    ours = store.OURS if isinstance(store, Subscribing) else ()
    made = {name: secrets.token_urlsafe(32) for name in ours if not connection.secrets.get(name)}
    connection = replace(connection, secrets={**connection.secrets, **made})
    if isinstance(store, Renewing) and not connection.secrets.get("access_token") and store.renew_at(connection):
        new = await store.renew(connection, lines.outside, gateway.now())
        connection = replace(connection, secrets={**connection.secrets, **new})
    return connection


async def _inspected(lines: Lines, asked: Store | Erp, connection: Connection, *, unchecked: bool) -> Inspection:
    try:
        found = await asked.inspect(connection, lines.outside)
        return Inspection(found.settings, found.look_at)
    except Misconfigured as error:
        if unchecked:
            return Inspection(look_at=(Text(str(error), error.ar or str(error)),))
        raise BadInput(error.what, fix=error.fix, ar=error.ar) from error
    except GatewayError as error:
        if unchecked:
            return Inspection(look_at=(Text(str(error), error.ar or str(error)),))
        raise


def begin_polling(gateway: Gateway, connection: Connection) -> None:
    """What changed since the cut-over is asked for, or since now where there is none or it is yet to come."""
    now = gateway.now()
    every = interval_of(connection, gateway.settings.poll_seconds)
    since = min(connection.cutover or now, now)
    next_at = now + (every or timedelta(days=1))
    gateway.ledger.begin_polling(connection.taxpayer_id, connection.id, since=since, next_at=next_at)


async def _subscribed(gateway: Gateway, lines: Lines, connection: Connection) -> tuple[str, ...]:
    """What was done about the shop's webhooks. Where it fails the shop is asked for its changes all the same."""
    store, address = store_of(connection.platform), hook_address(gateway, connection)
    if not isinstance(store, Subscribing):
        return ()
    if not address:
        return ("none: no shop can reach this gateway until GATEWAY_PUBLIC_URL is its https address",)
    try:
        return await store.subscribe(connection, lines.outside, address)
    except GatewayError as error:
        return (f"none: {error}",)


def check_connection(gateway: Gateway, connection: Connection) -> None:
    """BadInput if a shop's connection lacks something, or names an address that is not to be called."""
    private = gateway.settings.allow_private_shops
    if connection.platform in ERPS:
        _check_erp(connection, private=private)
    elif connection.platform != "api":
        _check_shop(connection, private=private)
    elif connection.base_url and not private:
        check_address(connection.base_url)


def _seal(gateway: Gateway, connection: Connection) -> None:
    sealed = json.dumps(dict(connection.secrets), ensure_ascii=False)
    gateway.safe.seal(connection_secrets(connection.taxpayer_id, connection.id), sealed)


def add_connection(gateway: Gateway, connection: Connection, *, actor: str) -> None:
    """Enter a connection; a shop needs an address we may call, and credentials, which are sealed."""
    check_connection(gateway, connection)
    # Before the connection, which could never be used without them; but a name that is taken keeps its own.
    if connection.secrets and gateway.ledger.any_connection(connection.id) is None:
        _seal(gateway, connection)
    gateway.ledger.add_connection(connection, actor=actor, now=gateway.now())


def _check_erp(connection: Connection, *, private: bool) -> None:
    if not (connection.secrets and connection.base_url):
        raise BadInput(
            f"The {connection.platform} needs its address and its credentials.", fix="Give --url and --secrets."
        )
    if not private:
        check_address(connection.base_url)
    post_when(connection)


def _check_shop(connection: Connection, *, private: bool) -> None:
    if not connection.secrets or not (connection.base_url or store_of(connection.platform).ADDRESS):
        raise BadInput(
            f"A {connection.platform} shop needs its address and its credentials.", fix="Give --url and --secrets."
        )
    if connection.base_url and not private:
        check_address(connection.base_url)
    issue_when(connection)
    read_policy(connection.settings)
