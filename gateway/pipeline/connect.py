"""Entering who issues and where sales come from: taxpayers, units, and connections with their sealed secrets."""

import json

from gateway.connection import Connection
from gateway.errors import BadInput
from gateway.finding import Text
from gateway.invoice.policy import read_policy
from gateway.ledger import Taxpayer
from gateway.outbound import check_address
from gateway.pipeline.credentials import connection_secrets
from gateway.pipeline.gateway import Gateway, Lines, same_world
from gateway.pipeline.intake import issue_when
from gateway.pipeline.second_issuer import check_issuer
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


async def connect(
    gateway: Gateway,
    lines: Lines,
    connection: Connection,
    *,
    actor: str,
    change: bool = False,
    unchecked_issuer: bool = False,
) -> Text | None:
    """Enter or `change` a connection once it is sure that nobody else issues its sales; what a person has to look at.

    BadInput if the shop issues itself, or cannot be asked, and `unchecked_issuer` does not let that pass.
    """
    check_connection(gateway, connection)
    left = await check_issuer(gateway, lines, connection, actor=actor, unchecked=unchecked_issuer)
    await gateway.offload(change_connection if change else add_connection, gateway, connection, actor=actor)
    return left


def check_connection(gateway: Gateway, connection: Connection) -> None:
    """BadInput if a shop's connection lacks something, or names an address that is not to be called."""
    private = gateway.settings.allow_private_shops
    if connection.platform != "api":
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


def _check_shop(connection: Connection, *, private: bool) -> None:
    # Salla is one address for all shops, which its module knows.
    if not connection.secrets or not (connection.base_url or connection.platform == "salla"):
        raise BadInput(
            f"A {connection.platform} shop needs its address and its credentials.", fix="Give --url and --secrets."
        )
    if connection.base_url and not private:
        check_address(connection.base_url)
    issue_when(connection)
    read_policy(connection.settings)
