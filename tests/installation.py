"""A small installation for tests: one onboarded unit, one API connection, one key, against a running simulator."""

import asyncio
from importlib.resources import files

from gateway.connection import Connection
from gateway.pipeline.api_keys import Role, add_key
from gateway.pipeline.connect import add_connection, register
from gateway.pipeline.gateway import online, open_gateway
from gateway.pipeline.onboard import onboard
from gateway.settings import Settings
from gateway.unit import Environment
from gateway.unit_file import read_unit

UNIT = read_unit((files("gateway.demo") / "unit.json").read_bytes(), Environment.SANDBOX)
OWNER = UNIT.taxpayer_id
CONNECTION = "erp-main"


def settings_for(home, authority, **more):
    return Settings.given(
        home=home,
        authority_url=authority.url(Environment.SANDBOX),
        allow_private_shops=True,
        **{"submissions_in_flight": 20, **more},
    )


def set_up(gateway, role=Role.INTEGRATOR):
    """Onboard the unit, open the connection, and return an API key."""
    register(gateway, UNIT, actor="tests")

    async def run():
        async with online(gateway) as lines:
            await onboard(gateway, lines, UNIT, "123456", tell=lambda step: None)

    asyncio.run(run())
    add_connection(gateway, Connection(CONNECTION, OWNER, UNIT.id, "api"), actor="tests")
    return add_key(gateway, OWNER, role, "tests", actor="tests")


def installed(home, authority, **more):
    """Set up an installation in `home` and close it again; its settings and an API key."""
    settings = settings_for(home, authority, **more)
    with open_gateway(settings) as gateway:
        return settings, set_up(gateway)


def forget_documents(authority):
    """As after a reset, but for the certificates: those are what the copied installation holds."""
    state = authority.state
    csids = dict(state.csids)
    state.reset()
    state.csids.update(csids)
    state.faults.latency = 0.0
    for csid in csids.values():
        csid.chain.clear()


def order(number, **more):
    """A plain order of one line, 115.00 SAR with VAT."""
    return {
        "connection": CONNECTION,
        "id": f"SO-{number}",
        "number": str(number),
        "placed_at": "2026-11-23T09:58:12+03:00",
        "prices_include_tax": True,
        "lines": [
            {
                "id": "1",
                "name": "قهوة عربية",
                "quantity": "2",
                "unit_price": "57.50",
                "tax": {"category": "S", "rate": "15"},
            }
        ],
        "payments": [{"method": "card"}],
        "declared": {"grand": "115.00", "tax": "15.00"},
        **more,
    }


BUSINESS = {
    "kind": "business",
    "name": "شركة المثال",
    "vat": "310122393500003",
    "address": {
        "street": "شارع صلاح الدين",
        "building": "1111",
        "district": "المروج",
        "city": "الرياض",
        "postal_code": "12222",
    },
}
"""The `buyer` of an order that becomes a standard document."""
