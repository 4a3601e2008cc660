"""Entering who issues and where sales come from: taxpayers, units, and connections with their sealed secrets."""

import json

from gateway.connection import Connection
from gateway.errors import BadInput
from gateway.ledger import Taxpayer
from gateway.outbound import check_address
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.intake import connection_secrets
from gateway.unit import Unit


def register(gateway: Gateway, unit: Unit, *, actor: str) -> None:
    """Enter a unit and its taxpayer, unless they are known."""
    ledger, now = gateway.ledger, gateway.now()
    if unit.taxpayer_id not in {each.id for each in ledger.taxpayers()}:
        ledger.add_taxpayer(Taxpayer(unit.taxpayer_id, unit.seller.name, unit.seller.vat), actor=actor, now=now)
    if unit.id not in {each.id for each in ledger.units(unit.taxpayer_id)}:
        ledger.add_unit(unit, actor=actor, now=now)


def add_connection(gateway: Gateway, connection: Connection, *, actor: str) -> None:
    """Enter a connection; a shop needs an address we may call, and credentials, which are sealed."""
    if connection.platform != "api":
        if not connection.base_url or not connection.secrets:
            raise BadInput(
                f"A {connection.platform} shop needs its address and its credentials.", fix="Give --url and --secrets."
            )
        if not gateway.settings.allow_private_shops:
            check_address(connection.base_url)
        sealed = json.dumps(dict(connection.secrets), ensure_ascii=False)
        gateway.safe.seal(connection_secrets(connection.taxpayer_id, connection.id), sealed)
    gateway.ledger.add_connection(connection, actor=actor, now=gateway.now())
