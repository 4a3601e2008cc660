"""One order becomes one legal document.

The procedure, from top to bottom:

1. The same sale again? Then its document is the answer; nothing is made.
2. The order becomes an invoice: facts and sums, with every refusal before anything is consumed.
3. In the place that the ledger gives it, number and link, the bytes are rendered, stamped and proved (read back,
   judged by the rule book, verified against the unit's certificate). Any finding stops it, a warning too, unless it is
   one that the taxpayer allows: then the document keeps it. Where the signer is slow the signature follows.
4. The bytes are stored with their submission, in the lock of the chain, if the place is still theirs. Commit. From
   here on the bytes never change.

No network in here. Any failure before the commit leaves counter, number and chain as they were.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway import stamp, ubl
from gateway.connection import Connection
from gateway.csid import read_certificate
from gateway.errors import Conflict, Unknown
from gateway.invoice.facts import Heading, Invoice, Profile
from gateway.invoice.from_order import invoice_of
from gateway.invoice.policy import KINDS, read_policy
from gateway.invoice.taxed import taxed_json, taxed_of
from gateway.issued import Issued
from gateway.ledger import Appended, ExternalOriginal, Laid, Made, NewSale, Slot, TakenOff
from gateway.order import Order, read_order
from gateway.pipeline.earlier import external_of, priors_of, taken_off
from gateway.pipeline.gateway import Gateway, same_world
from gateway.pipeline.judges import Pending
from gateway.pipeline.postings import postings_for
from gateway.pipeline.proof import UNSIGNED, Case, Proof
from gateway.pipeline.rendered import moment_of_issue, rendered, stamped
from gateway.pipeline.stamping import shape
from gateway.rules import ALL_SETS
from gateway.stores import STORES
from gateway.unit import Unit


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
    unit = unit_for(gateway, request, connection)
    sale = _sale(gateway, request, unit, connection)
    draw = partial(drawing_of, gateway, connection, unit, order)
    return append(gateway, unit, sale, draw, actor=request.actor, looks_back=_looks_back(order))


def correct(gateway: Gateway, uuid: str, request: Request) -> Appended:
    """The document of a corrected order in the place of one that the authority rejected: a new UUID and a new link, but
    its moment of issue, and its number if the caller had given it. Conflict if that one was not rejected."""
    order, ledger = request.order, gateway.ledger
    rejected = ledger.invoice(request.taxpayer_id, uuid)
    _same_sale(rejected, order)
    connection = ledger.connection(request.taxpayer_id, order.connection)
    unit = ledger.unit(request.taxpayer_id, ledger.unit_of(request.taxpayer_id, uuid))
    former = read_order(ledger.snapshot(request.taxpayer_id, uuid).order_json)
    given = order.invoice_number or former.invoice_number
    sale = replace(
        _sale(gateway, request, unit, connection),
        replaces=uuid,
        invoice_number=given or (rejected.number if _has_notes(gateway, request.taxpayer_id, rejected) else None),
    )
    draw = partial(drawing_of, gateway, connection, unit, order, replaces=uuid)
    return append(gateway, unit, sale, draw, actor=request.actor, looks_back=_looks_back(order))


def _has_notes(gateway: Gateway, taxpayer_id: str, issued: Issued) -> bool:
    """Whether notes wait for the document, which name it by its number (BT-25) and cannot change any more."""
    documents = gateway.ledger.order_documents(taxpayer_id, issued.connection, issued.order_id)
    return any(each.corrects == issued.uuid for each in documents)


def _looks_back(order: Order) -> bool:
    """Whether the document depends on what other documents have left."""
    return bool(order.prepayments or order.corrects)


def _same_sale(rejected: Issued, order: Order) -> None:
    if (rejected.connection, rejected.order_id) != (order.connection, order.id):
        raise Conflict(
            f"Document {rejected.number} is of order {rejected.order_id} of {rejected.connection}, not of {order.id}.",
            fix="Send the corrected order with its own connection and id.",
            ar=f"المستند {rejected.number} صادر لطلب آخر. أرسل الطلب المصحح بالمعرّف نفسه.",
        )


def append(
    gateway: Gateway,
    unit: Unit,
    sale: NewSale,
    draw: Callable[[], "Drawing"],
    *,
    actor: str,
    looks_back: bool = True,
) -> Appended:
    """The sale's document, made now or earlier. Where it `looks_back` it is drawn in the chain's lock, so that what is
    read of earlier documents is all there is; else before, so that nobody waits for it."""
    same_world(unit, gateway.settings.environment)
    gateway.clocks.check(gateway.now())
    # A key that comes with a repeat is remembered, which takes the lock.
    known = None if sale.idempotency_key else gateway.ledger.find_sale(sale)
    if known is not None:
        return known
    if not looks_back:
        drawing = draw()
        make = partial(_make, gateway, unit, lambda: drawing, gateway.new_id())
    else:
        make = partial(_make, gateway, unit, draw, gateway.new_id())
    return gateway.ledger.append(sale, make, actor=actor, now=gateway.now(), looks_back=looks_back)


class Drawing(NamedTuple):
    """A document's facts, with what the ledger keeps of them for later notes."""

    invoice: Invoice
    takes: Mapping[str, Any] = MappingProxyType({})
    external: ExternalOriginal | None = None
    deductions: tuple[TakenOff, ...] = ()


def drawing_of(
    gateway: Gateway, connection: Connection, unit: Unit, order: Order, *, replaces: str | None = None
) -> Drawing:
    """An order's document by its connection's policy, its prepayments and its original from elsewhere looked up."""
    priors = priors_of(gateway, unit.taxpayer_id, order, but=replaces)
    invoice = invoice_of(order, unit.seller, read_policy(connection.settings), priors)
    external = external_of(gateway, connection, order, invoice, but=replaces)
    return Drawing(invoice, external=external, deductions=taken_off(invoice, priors))


def unit_for(gateway: Gateway, request: Request, connection: Connection) -> Unit:
    """The unit that the order names, itself or by its branch, else the connection's."""
    order, ledger = request.order, gateway.ledger
    if not order.branch:
        return ledger.unit(request.taxpayer_id, order.unit or connection.unit_id)
    found = [each for each in ledger.units(request.taxpayer_id) if each.branch == order.branch]
    if len(found) != 1:
        raise Unknown(
            f"{len(found) or 'No'} units are of branch {order.branch!r}.",
            fix="Name a branch that one unit has, or the unit; `gateway units` lists them.",
            ar=f"لا توجد وحدة إصدار واحدة للفرع {order.branch}. حدد الوحدة نفسها.",
        )
    return found[0]


def _make(gateway: Gateway, unit: Unit, draw: Callable[[], Drawing], uuid: str, slot: Slot) -> Laid:
    """Render and stamp in the place that is held for it, and have it proved."""
    drawing = draw()
    invoice = drawing.invoice
    issued_at = slot.replaced.issued_at if slot.replaced else slot.at
    content = ubl.Content(invoice, Heading(slot.number, uuid, moment_of_issue(issued_at)), slot.link)
    pem, follows = slot.csid.certificate.encode(), gateway.stamper.is_slow
    sign = shape() if follows else partial(gateway.stamper.sign, unit.key(slot.csid.id))
    document = stamped(content, read_certificate(pem), sign, slot.at)
    sets = UNSIGNED if follows else ALL_SETS
    proof = gateway.judges.ask(Case(document.xml, content, pem, slot.at, sets))
    finish = partial(_finished, gateway, unit.taxpayer_id, document, content, drawing, proof)
    return Laid(document.hash, (lambda: without_stamp(finish(), rendered(content))) if follows else finish)


def without_stamp(made: Made, body: bytes) -> Made:
    """The same while its stamp is still to follow: the bytes to be stamped, and nothing that could be shown."""
    return replace(made, xml=body, signature=b"", qr="", is_stamped=False)


def _finished(
    gateway: Gateway,
    taxpayer_id: str,
    document: stamp.Document,
    content: ubl.Content,
    drawing: Drawing,
    pending: Pending,
) -> Made:
    """The document once it is proved; NotCompliant names the rules that it breaks."""
    proof = pending.result()
    if proof.findings:  # what is allowed is asked only now: hardly any document breaks a rule
        proof.admit(allowed_rules(gateway, taxpayer_id))
    made = made_of(document, content.invoice, content.heading, proof)
    return replace(made, takes=drawing.takes, external=drawing.external, deductions=drawing.deductions)


def allowed_rules(gateway: Gateway, taxpayer_id: str) -> frozenset[str]:
    """The rules whose warnings a taxpayer lets stand, at this moment."""
    return frozenset(each.rule for each in gateway.ledger.allowed_warnings(taxpayer_id))


def made_of(document: stamp.Document, invoice: Invoice, heading: Heading, proof: Proof) -> Made:
    """What the ledger keeps of a finished document."""
    return Made(
        uuid=document.uuid,
        xml=document.xml,
        hash=document.hash,
        signature=document.raw_signature,
        qr=document.qr,
        issued_at=heading.issued_at,
        kind=invoice.kind,
        profile=invoice.profile,
        currency=invoice.currency,
        total=invoice.payable,
        vat=invoice.vat,
        rounding=invoice.rounding,
        rule_book=proof.rule_book,
        allowed=proof.findings,
        buyer_name=invoice.buyer.name if invoice.buyer else "",
        buyer_vat=invoice.buyer.vat if invoice.buyer else "",
        endpoint="clearance" if invoice.profile is Profile.STANDARD else "reporting",
        taxed=taxed_json(taxed_of(invoice)),
    )


def _sale(gateway: Gateway, request: Request, unit: Unit, connection: Connection) -> NewSale:
    order = request.order
    return NewSale(
        taxpayer_id=unit.taxpayer_id,
        unit_id=unit.id,
        connection_id=order.connection,
        order_id=order.id,
        thing=f"order:{order.id}",
        kind=KINDS[order.kind],
        digest=order.digest,
        order_json=order.canonical_json,
        version=order.version,
        idempotency_key=request.idempotency_key,
        invoice_number=order.invoice_number,
        link_back=connection.platform in STORES,
        postings=postings_for(gateway, connection, unit),
    )
