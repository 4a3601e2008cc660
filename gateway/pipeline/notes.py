"""A document is corrected: by a credit note for what was undone, by a debit note for what was added.

The original stays as it is. Notes wait until it is accepted; a rejected one is corrected itself, never credited.
"""

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from gateway import ubl
from gateway.connection import Connection
from gateway.errors import Conflict
from gateway.invoice.edits import edit_id, edited
from gateway.invoice.facts import ZERO, Invoice, Kind
from gateway.invoice.notes import Original, Standing, credit_note, debit_note, standing
from gateway.invoice.policy import lines_by_id, read_policy
from gateway.issued import Issued, Status
from gateway.ledger import Appended, NewSale
from gateway.order import Addition, Order, Refund, read_addition, read_order, read_refund
from gateway.pipeline.earlier import notes_on, used_of
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import Drawing, Request, append, issue
from gateway.pipeline.postings import postings_for
from gateway.stores import STORES
from gateway.unit import Unit


@dataclass(frozen=True, slots=True)
class NoteRequest:
    """Which document is to be corrected, whose it is, and who asks. `replaces` is a note that was rejected."""

    taxpayer_id: str
    actor: str
    uuid: str
    idempotency_key: str | None = None
    replaces: str | None = None


def settle(gateway: Gateway, request: Request) -> Appended:
    """The order's document, and a credit note for each of its refunds, made now or earlier; the document."""
    made = issue(gateway, request)
    wanted = NoteRequest(request.taxpayer_id, request.actor, made.issued.uuid)
    for refund in request.order.refunds:
        credit(gateway, wanted, refund)
    return made


def credit(gateway: Gateway, request: NoteRequest, refund: Refund) -> Appended:
    """The credit note for a refund, made now or earlier; Conflict if more is given back than is left."""
    desk = _desk(gateway, request)
    sale = _sale(
        gateway, request, desk, Kind.CREDIT_NOTE, f"refund:{desk.issued.order_id}/{refund.id}", refund.canonical_json
    )
    draw = partial(_credited, gateway, request, desk, refund)
    return append(gateway, desk.unit, sale, draw, actor=request.actor)


def growth(gateway: Gateway, request: NoteRequest, whole: Refund) -> Refund | None:
    """What of a sum that a shop tells as one is not credited yet; None if all of it is.

    Conflict if that is not clear: a note that was made otherwise may be about the same money, and a sum cannot shrink.
    """
    notes = [each for each in _notes_of(gateway, request) if each.status is not Status.REPLACED]
    if not notes or any(each.status is Status.REJECTED for each in notes):
        return whole  # the first part; or the same again, and refused if it is another
    parts = [read_refund(gateway.ledger.snapshot(request.taxpayer_id, each.uuid).order_json) for each in notes]
    credited = sum((part.money or each.total for part, each in zip(parts, notes, strict=True)), ZERO)
    wanted = whole.money or ZERO
    if wanted == credited:
        return None
    if wanted < credited or any(part.id.partition(_TO)[0] != whole.id for part in parts):
        raise _unclear(notes, wanted, credited)
    return whole.model_copy(update={"id": f"{whole.id}{_TO}{wanted:.2f}", "money": wanted - credited})


_TO: Final = " to "


def _notes_of(gateway: Gateway, request: NoteRequest) -> list[Issued]:
    """The credit notes on a document."""
    of = gateway.ledger.invoice(request.taxpayer_id, request.uuid)
    made = gateway.ledger.order_documents(request.taxpayer_id, of.connection, of.order_id)
    return [each for each in made if each.kind is Kind.CREDIT_NOTE and each.corrects == request.uuid]


def _unclear(notes: list[Issued], told: Decimal, credited: Decimal) -> Conflict:
    numbers = ", ".join(each.number for each in notes)
    return Conflict(
        f"The shop says that {told:.2f} was given back in all, the credit notes {numbers} come to {credited:.2f}, and"
        " not all of them were made of what the shop says.",
        fix="Give back by `gateway credit` what is missing, so that both are equal, or dismiss it.",
        ar=f"يذكر المتجر أن مجموع المبالغ المسترجعة {told:.2f}، ومجموع الإشعارات {numbers} هو {credited:.2f}."
        " أصدر الإشعار بالفرق يدوياً إن لزم.",
    )


def debit(gateway: Gateway, request: NoteRequest, addition: Addition) -> Appended:
    """The debit note for what was added to a sale, made now or earlier."""
    desk = _desk(gateway, request)
    thing = f"addition:{desk.issued.order_id}/{addition.id}"
    sale = _sale(gateway, request, desk, Kind.DEBIT_NOTE, thing, addition.canonical_json)
    draw = partial(_debited, gateway, request, desk, addition)
    return append(gateway, desk.unit, sale, draw, actor=request.actor)


def amend(gateway: Gateway, request: NoteRequest, order: Order) -> tuple[Appended, ...]:
    """The notes for an order as it stands now, where it was edited after its invoice; none if it was not.

    Conflict if no note can tell the change, or if it was edited before: what then stands is for a person to say.
    """
    before = read_order(gateway.ledger.snapshot(request.taxpayer_id, request.uuid).order_json)
    if before.digest == order.digest:
        return ()
    _edited_once(gateway, request, order)
    connection = gateway.ledger.connection(request.taxpayer_id, order.connection)
    refund, addition = edited(before, order, read_policy(connection.settings))
    return (
        *([credit(gateway, request, refund)] if refund else []),
        *([debit(gateway, request, addition)] if addition else []),
    )


def _edited_once(gateway: Gateway, request: NoteRequest, order: Order) -> None:
    issued = gateway.ledger.invoice(request.taxpayer_id, request.uuid)
    for each in gateway.ledger.order_documents(request.taxpayer_id, issued.connection, issued.order_id):
        name = json.loads(gateway.ledger.snapshot(request.taxpayer_id, each.uuid).order_json)["id"]
        if each.corrects and name.startswith("edit-") and name != edit_id(order):
            raise Conflict(
                f"Order {order.number or order.id} was edited again after {each.number}.",
                fix="Say what changed since then by `gateway credit` or `gateway debit`.",
                ar=f"عُدّل الطلب {order.number or order.id} مرة أخرى بعد {each.number}. أصدر الإشعار المناسب يدوياً.",
            )


def left_of(gateway: Gateway, request: NoteRequest) -> Standing:
    """What credit notes have left of a document."""
    desk = _desk(gateway, request)
    return standing(_original(gateway, request, desk), notes_on(gateway, request.taxpayer_id, request.uuid))


def is_note(gateway: Gateway, taxpayer_id: str, uuid: str) -> bool:
    """Whether a document corrects another of this gateway; Unknown if there is none."""
    return gateway.ledger.invoice(taxpayer_id, uuid).corrects is not None


def correct_note(gateway: Gateway, taxpayer_id: str, actor: str, uuid: str, content: bytes) -> Appended:
    """A note in the place of one that was rejected, made of the corrected refund or addition under the same id."""
    rejected = gateway.ledger.invoice(taxpayer_id, uuid)
    assert rejected.corrects is not None, "a note corrects a document"
    request = NoteRequest(taxpayer_id, actor, rejected.corrects, replaces=uuid)
    if rejected.kind is Kind.CREDIT_NOTE:
        return credit(gateway, request, read_refund(content))
    return debit(gateway, request, read_addition(content))


class _Desk(NamedTuple):
    """The document to correct, the first document of its sale, and who issues for it."""

    issued: Issued
    first: str
    connection: Connection
    unit: Unit


def _desk(gateway: Gateway, request: NoteRequest) -> _Desk:
    ledger = gateway.ledger
    issued = ledger.invoice(request.taxpayer_id, request.uuid)
    if issued.status in (Status.REJECTED, Status.REPLACED):
        raise _not_accepted(issued)
    if issued.kind is Kind.CREDIT_NOTE:
        raise Conflict(
            f"{issued.number} is a credit note; a note corrects an invoice.",
            fix="Undo a credit note by a debit note on the invoice that it corrects.",
            ar=f"المستند {issued.number} إشعار دائن. صححه بإشعار مدين على الفاتورة الأصلية.",
        )
    connection = ledger.connection(request.taxpayer_id, issued.connection)
    unit = ledger.unit(request.taxpayer_id, ledger.unit_of(request.taxpayer_id, issued.uuid))
    return _Desk(issued, _first_of(gateway, request.taxpayer_id, issued), connection, unit)


def _first_of(gateway: Gateway, taxpayer_id: str, issued: Issued) -> str:
    """What stays the same of a sale however often its document was made anew."""
    while issued.replaces:
        issued = gateway.ledger.invoice(taxpayer_id, issued.replaces)
    return issued.uuid


def _sale(gateway: Gateway, request: NoteRequest, desk: _Desk, kind: Kind, thing: str, content: str) -> NewSale:
    return NewSale(
        taxpayer_id=request.taxpayer_id,
        unit_id=desk.unit.id,
        connection_id=desk.connection.id,
        order_id=desk.issued.order_id,
        thing=thing,
        kind=kind,
        # Of one document: the same refund on another is other content.
        digest=hashlib.sha256(f"{desk.first} {content}".encode()).hexdigest(),
        order_json=content,
        idempotency_key=request.idempotency_key,
        replaces=request.replaces,
        corrects=desk.issued.uuid,
        waits_for_original=True,
        link_back=desk.connection.platform in STORES,
        postings=postings_for(gateway, desk.connection, desk.unit),
    )


def _credited(gateway: Gateway, request: NoteRequest, desk: _Desk, refund: Refund) -> Drawing:
    notes = notes_on(gateway, request.taxpayer_id, request.uuid, but=request.replaces)
    policy = read_policy(desk.connection.settings)
    invoice, note = credit_note(_original(gateway, request, desk), notes, refund, policy=policy)
    return Drawing(invoice, takes=note.as_json())


def _debited(gateway: Gateway, request: NoteRequest, desk: _Desk, addition: Addition) -> Drawing:
    policy = read_policy(desk.connection.settings)
    order = _order_behind(gateway, request.taxpayer_id, desk.issued)
    return Drawing(debit_note(_original(gateway, request, desk), order, addition, policy=policy))


def _original(gateway: Gateway, request: NoteRequest, desk: _Desk) -> Original:
    facts = ubl.read(gateway.ledger.stamped_xml(request.taxpayer_id, request.uuid)).invoice
    used = used_of(gateway, request.taxpayer_id, request.uuid) if facts.kind is Kind.PREPAYMENT else ()
    return Original(desk.issued.number, facts, _lines(gateway, request, desk, facts), used)


def _lines(gateway: Gateway, request: NoteRequest, desk: _Desk, facts: Invoice) -> dict[str, str]:
    """The document's lines under their own ids, and under those that the order or addition behind it gives them."""
    made = [line.id for line in facts.lines]
    own = dict(zip(made, made, strict=True))
    snapshot = gateway.ledger.snapshot(request.taxpayer_id, request.uuid).order_json
    if "connection" in json.loads(snapshot):
        return own | lines_by_id(read_order(snapshot), read_policy(desk.connection.settings), made)
    return own | dict(zip((line.id for line in read_addition(snapshot).lines), made, strict=False))


def _order_behind(gateway: Gateway, taxpayer_id: str, issued: Issued) -> Order:
    """The order that a document was made of, or of a debit note the order of its invoice."""
    while issued.corrects:
        issued = gateway.ledger.invoice(taxpayer_id, issued.corrects)
    return read_order(gateway.ledger.snapshot(taxpayer_id, issued.uuid).order_json)


def _not_accepted(issued: Issued) -> Conflict:
    if issued.status is Status.REPLACED:
        return Conflict(
            f"{issued.number} ({issued.uuid}) was rejected and replaced; it cannot be corrected by a note.",
            fix="Correct the document that took its place.",
            ar=f"المستند {issued.number} مرفوض واستُبدل. أصدر الإشعار على المستند البديل.",
        )
    return Conflict(
        f"{issued.number} was rejected by the authority, so there is nothing to give back or to add to.",
        fix="Correct it: POST /v1/invoices/{uuid}/correction, or `gateway correct`.",
        ar=f"رفضت الهيئة المستند {issued.number}. صححه بمستند بديل، ولا يصدر عليه إشعار.",
    )
