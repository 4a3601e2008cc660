"""What the ledger's tests work with: a taxpayer, a unit, a shop, and documents as far as a ledger knows them."""

import hashlib
import itertools
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.connection import Connection
from gateway.invoice.facts import Address, Identifier, Kind, Party, Profile
from gateway.ledger import Appended, Ledger, Made, NewCsid, NewSale, Slot, Taxpayer
from gateway.unit import Unit

NOW = datetime(2026, 11, 23, 7, 0, 3, 250_000, tzinfo=UTC)
SELLER = Party(
    "شركة المثال",
    "310122393500003",
    Identifier("CRN", "1010010000"),
    Address("طريق الملك", "1234", "العليا", "الرياض", "12345"),
)
UNIT = Unit("riyadh-1", "tp", SELLER, "EGS-1", "1-gw|2-1|3-1", "Riyadh", "Retail", "RRRD2929", "RUH1-")


def csid(unit: Unit = UNIT, name: str = "csid-1", **changes) -> NewCsid:
    day = timedelta(days=1)
    fields = {"stage": "production", "request_id": "1", "token": "T0", "certificate": "MIIC", **changes}
    return NewCsid(name, unit.taxpayer_id, unit.id, not_before=NOW - day, not_after=NOW + 365 * day, **fields)


def sale(order: str, *, unit: Unit = UNIT, **changes) -> NewSale:
    fields = {
        "taxpayer_id": unit.taxpayer_id,
        "unit_id": unit.id,
        "connection_id": "shop" if unit.taxpayer_id == "tp" else "other-shop",
        "order_id": order,
        "thing": f"order:{order}",
        "kind": Kind.INVOICE,
        "digest": f"digest of {order}",
        "order_json": f'{{"id":"{order}"}}',
        "link_back": True,
    }
    return NewSale(**(fields | changes))


def maker(uuid: str, *, size: int = 300, **changes) -> Callable[[Slot], Made]:
    """Makes a document whose hash depends on its place in the chain, as a real one's does."""

    def make(slot: Slot) -> Made:
        seed = f"{uuid} {slot.link.icv} {slot.link.pih} {slot.number}".encode()
        made = Made(
            uuid=uuid,
            xml=seed + b"x" * size,
            hash=b64encode(hashlib.sha256(seed).digest()).decode(),
            signature=b"signature",
            qr="AQ==",
            issued_at=slot.replaced.issued_at if slot.replaced else slot.at.replace(microsecond=0),
            kind=Kind.INVOICE,
            profile=Profile.SIMPLIFIED,
            endpoint="reporting",
            currency="SAR",
            total=Decimal("110.00"),
            vat=Decimal("14.35"),
            rounding=Decimal("0.00"),
            rule_book="R3.4.8",
        )
        return replace(made, **changes)

    return make


class Desk:
    """Appends to a ledger with as few words as a test needs."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._uuids = (f"uuid-{number:04d}" for number in itertools.count(1))

    def issue(self, order: str, *, now: datetime = NOW, made: dict | None = None, **changes) -> Appended:
        uuid = next(self._uuids)
        return self.ledger.append(sale(order, **changes), maker(uuid, **(made or {})), actor="test", now=now)


def furnish(ledger: Ledger, unit: Unit = UNIT, shop: str = "shop", certificate: str = "csid-1") -> None:
    ledger.add_taxpayer(Taxpayer(unit.taxpayer_id, unit.seller.name, unit.seller.vat), now=NOW)
    ledger.add_unit(unit, now=NOW)
    ledger.add_connection(
        Connection(shop, unit.taxpayer_id, unit.id, "woocommerce", "https://shop.example", {"issue_when": "paid"}),
        now=NOW,
    )
    ledger.add_csid(csid(unit, certificate), now=NOW)


def log_holds(ledger: Ledger, taxpayer: str) -> bool:
    """Whether an audit log holds once all of it is sealed."""
    while ledger.seal_audit(now=NOW):
        pass
    assert all(entry.seq for entry in ledger.audit_log(taxpayer)), "something was left out"
    return not list(ledger.audit_breaks(taxpayer))
