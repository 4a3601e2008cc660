"""One order becomes one legal document.

The procedure, from top to bottom:

1. The same sale again? Then its document is the answer; nothing is made.
2. The order becomes an invoice: facts and sums, with every refusal before anything is consumed.
3. Under the lock of the chain: number and link are drawn, the bytes are rendered, stamped and proved
   (read back, judged by the rule book, verified against the unit's certificate), and stored with their submission.
4. Commit. From here on the bytes never change.

No network in here. Any failure before the commit leaves counter, number and chain as they were.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from gateway import rules, stamp, ubl
from gateway.chain import Link
from gateway.csid import Certificate, read_certificate
from gateway.errors import BadInput, NotCompliant, UnusableOrder
from gateway.finding import Finding, RuleSet
from gateway.invoice.facts import RIYADH, Heading, Invoice, Kind, Profile
from gateway.invoice.from_order import invoice_of
from gateway.ledger import Appended, Made, NewSale, Slot
from gateway.order import Order
from gateway.pipeline.gateway import Gateway, same_world
from gateway.unit import Unit
from gateway.xml import MAX_XML_BYTES

STAMP_BYTES: Final = 20_000
"""Room for signature and QR; together they have about 9 kB."""

_CONTENT = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})
# The deadline clock owns lateness; it says nothing about the document (BR-KSA-98).
_NOT_ABOUT_THE_DOCUMENT = frozenset({"BR-KSA-98"})


@dataclass(frozen=True, slots=True)
class Request:
    """An order on its way in: whose it is, who sends it, and the key the caller made it idempotent with."""

    taxpayer_id: str
    actor: str
    order: Order
    idempotency_key: str | None = None


def issue(gateway: Gateway, request: Request) -> Appended:
    """The document of an order, made now or earlier; BadInput and its kin say why there can be none."""
    order = request.order
    connection = gateway.ledger.connection(request.taxpayer_id, order.connection)
    unit = gateway.ledger.unit(request.taxpayer_id, order.unit or connection.unit_id)
    sale = _sale(request, unit, link_back=connection.platform != "api")
    same_world(unit, gateway.settings.environment)
    # A key that comes with a repeat is remembered, which takes the lock.
    known = None if sale.idempotency_key else gateway.ledger.find_sale(sale)
    if known is not None:
        return known
    invoice = invoice_of(order, unit.seller)
    make = partial(_make, gateway, unit, invoice, gateway.new_id())
    return gateway.ledger.append(sale, make, actor=request.actor, now=gateway.now())


def _make(gateway: Gateway, unit: Unit, invoice: Invoice, uuid: str, slot: Slot) -> Made:
    """Render, stamp and prove, in the place that is held for it."""
    certificate = read_certificate(slot.csid.certificate.encode())
    heading = Heading(slot.number, uuid, moment_of_issue(slot.at))
    document = stamp.stamp(
        _of_bearable_size(ubl.render(invoice, heading, slot.link)),
        sign=partial(gateway.stamper.sign, unit.key(slot.csid.id)),
        certificate=certificate,
        signing_time=heading.issued_at,
    )
    prove(document, invoice, heading, slot.link, certificate=certificate, now=slot.at)
    return made_of(document, invoice, heading)


def _of_bearable_size(body: bytes) -> bytes:
    if len(body) + STAMP_BYTES > MAX_XML_BYTES:
        raise UnusableOrder(
            f"The document would have {len(body)} bytes; at most {MAX_XML_BYTES - STAMP_BYTES} can be handled.",
            fix="Split the order in two.",
            ar="الطلب كبير جداً لمستند واحد. قسّمه إلى طلبين.",
        )
    return body


def moment_of_issue(now: datetime) -> datetime:
    """BT-2 and KSA-25: Riyadh time, whole seconds."""
    return now.astimezone(RIYADH).replace(microsecond=0)


def prove(
    document: stamp.Document,
    invoice: Invoice,
    heading: Heading,
    link: Link,
    *,
    certificate: Certificate,
    now: datetime,
) -> None:
    """Nothing leaves unproved: the finished bytes say what they should, break no rule (warnings count), and verify."""
    assert ubl.read(document.xml) == (invoice, heading, link), "the document does not read back as it was meant"
    report = rules.check(document.xml, now=now, certificate=certificate, pih=link.pih)
    findings = tuple(each for each in (*report.xsd, *report.findings) if each.rule not in _NOT_ABOUT_THE_DOCUMENT)
    if findings:
        raise not_compliant(findings)


def not_compliant(findings: tuple[Finding, ...]) -> NotCompliant:
    """The refusal that names the rules."""
    ids = ", ".join(dict.fromkeys(finding.rule for finding in findings))
    return NotCompliant(
        f"The document would break {ids}.",
        findings=findings,
        fix="Mend what the findings name and send the order again; no counter was used.",
        ar=f"المستند يخالف القواعد {ids}. صحح البيانات المذكورة ثم أعد الإرسال؛ لم يُستهلك أي رقم فاتورة ولا أي عدّاد.",
    )


def made_of(document: stamp.Document, invoice: Invoice, heading: Heading) -> Made:
    """What the ledger keeps of a finished document."""
    return Made(
        uuid=document.uuid,
        xml=document.xml,
        hash=document.hash,
        signature=base64.b64decode(document.signature),
        qr=document.qr,
        issued_at=heading.issued_at,
        kind=invoice.kind,
        profile=invoice.profile,
        currency=invoice.currency,
        total=invoice.payable,
        vat=invoice.vat,
        rounding=invoice.rounding,
        buyer_name=invoice.buyer.name if invoice.buyer else "",
        buyer_vat=invoice.buyer.vat if invoice.buyer else "",
        endpoint="clearance" if invoice.profile is Profile.STANDARD else "reporting",
    )


def _sale(request: Request, unit: Unit, *, link_back: bool) -> NewSale:
    order = request.order
    return NewSale(
        taxpayer_id=unit.taxpayer_id,
        unit_id=unit.id,
        connection_id=order.connection,
        order_id=order.id,
        thing=f"order:{order.id}",
        kind=Kind.INVOICE,
        digest=order.digest,
        order_json=order.canonical_json,
        version=order.version,
        idempotency_key=request.idempotency_key,
        invoice_number=order.invoice_number,
        link_back=link_back,
    )


def preview(invoice: Invoice, *, number: str, uuid: str, link: Link, now: datetime) -> tuple[bytes, rules.Report]:
    """The unsigned document that would be issued, and what the rule book says of it; consumes nothing."""
    if not number:
        raise BadInput("A preview needs a number to show.")
    body = ubl.render(invoice, Heading(number, uuid, moment_of_issue(now)), link)
    return body, rules.check(body, now=now, sets=_CONTENT)
