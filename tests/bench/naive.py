"""The naive shape of such a service, as a peer: `python -m tests.bench.naive URL PORT`.

A synchronous endpoint, an ORM session for each request, a document built element by element and canonicalised,
a signature by OpenSSL, and a transaction for each order that locks the unit's row. It judges only that the sums add up.
"""

import base64
import hashlib
import sys
import uuid
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import FastAPI
from lxml import etree
from lxml.builder import ElementMaker
from pydantic import BaseModel
from sqlalchemy import event
from sqlmodel import Field, Session, SQLModel, create_engine, select

from gateway.xml import CAC, CBC, INVOICE

CENT = Decimal("0.01")
C = ElementMaker(namespace=CBC, nsmap={"cbc": CBC, "cac": CAC})
A = ElementMaker(namespace=CAC, nsmap={"cbc": CBC, "cac": CAC})
ROOT = ElementMaker(namespace=INVOICE, nsmap={None: INVOICE, "cbc": CBC, "cac": CAC})
KEY = ec.generate_private_key(ec.SECP256K1())


class PeerUnit(SQLModel, table=True):
    id: str = Field(primary_key=True)
    icv: int
    head: str


class PeerInvoice(SQLModel, table=True):
    uuid: str = Field(primary_key=True)
    unit: str = Field(index=True)
    icv: int
    order_id: str = Field(index=True, unique=True)
    hash: str
    issued_at: datetime
    total: Decimal
    xml: bytes
    qr: str


class PeerJob(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    uuid: str
    state: str


class OrderLine(BaseModel):
    id: str
    name: str
    quantity: Decimal
    unit_price: Decimal


class Order(BaseModel):
    id: str
    lines: list[OrderLine]
    declared: dict[str, Decimal]


def document(order: Order, icv: int, previous: str, number: str) -> tuple[bytes, Decimal]:
    """The tree in canonical form, and what is to be paid."""
    rows, total = [], Decimal(0)
    for line in order.lines:
        gross = (line.quantity * line.unit_price).quantize(CENT, ROUND_HALF_UP)
        net = (gross / Decimal("1.15")).quantize(CENT, ROUND_HALF_UP)
        total += gross
        rows.append(
            A.InvoiceLine(
                C.ID(line.id), C.InvoicedQuantity(str(line.quantity), unitCode="PCE"),
                C.LineExtensionAmount(str(net), currencyID="SAR"),
                A.TaxTotal(C.TaxAmount(str(gross - net), currencyID="SAR")),
                A.Item(C.Name(line.name), A.ClassifiedTaxCategory(C.ID("S"), C.Percent("15.00"))),
                A.Price(C.PriceAmount(str(line.unit_price), currencyID="SAR")),
            )
        )  # fmt: skip
    assert total == order.declared["grand"], "the order does not close"
    tree = ROOT.Invoice(
        C.ProfileID("reporting:1.0"), C.ID(number), C.UUID(str(uuid.uuid4())), C.IssueDate("2026-11-23"),
        C.IssueTime("09:58:12"), C.InvoiceTypeCode("388", name="0200000"), C.DocumentCurrencyCode("SAR"),
        A.AdditionalDocumentReference(C.ID("ICV"), C.UUID(str(icv))),
        A.AdditionalDocumentReference(C.ID("PIH"), A.Attachment(C.EmbeddedDocumentBinaryObject(previous))),
        A.AccountingSupplierParty(A.Party(A.PartyLegalEntity(C.RegistrationName("Example Trading Store")))),
        A.LegalMonetaryTotal(C.PayableAmount(str(total), currencyID="SAR")),
        *rows,
    )  # fmt: skip
    return etree.tostring(tree, method="c14n"), total


def app_on(url: str) -> FastAPI:
    engine = create_engine(url, pool_size=20)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 30000")

        @event.listens_for(engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(PeerUnit(id="one", icv=0, head="first"))
        session.commit()
    app = FastAPI()

    @app.post("/v1/orders", status_code=201)
    def post(order: Order) -> dict[str, Any]:
        with Session(engine) as session:
            unit = session.exec(select(PeerUnit).where(PeerUnit.id == "one").with_for_update()).one()
            xml, total = document(order, unit.icv + 1, unit.head, f"N-{unit.icv + 1}")
            digest = hashlib.sha256(xml).digest()
            signature = KEY.sign(digest, ec.ECDSA(SHA256()))
            unit.icv, unit.head = unit.icv + 1, base64.b64encode(digest).decode()
            made = PeerInvoice(
                uuid=str(uuid.uuid4()), unit=unit.id, icv=unit.icv, order_id=order.id, hash=unit.head,
                issued_at=datetime.now(UTC), total=total, xml=xml, qr=base64.b64encode(signature).decode(),
            )  # fmt: skip
            session.add(made)
            session.add(PeerJob(uuid=made.uuid, state="due"))
            session.add(unit)
            session.commit()
            return {"uuid": made.uuid, "icv": made.icv, "hash": made.hash, "qr": made.qr}

    return app


if __name__ == "__main__":
    from sqlalchemy import make_url

    from gateway.ledger.postgresql import with_driver

    address = with_driver(make_url(sys.argv[1]))
    uvicorn.run(app_on(address.render_as_string(hide_password=False)), port=int(sys.argv[2]), log_level="error")
