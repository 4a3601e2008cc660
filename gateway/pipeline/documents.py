"""A document that an ERP writes itself: judged by the whole rule book, linked, stamped and sent as any other.

The ERP owns number (BT-1), dates and sums; the gateway owns UUID (unless one is given), counter, previous hash, QR and
signature. Its number is the natural key: the same document again is the one that was made, another one under that
number is refused. Whatever is refused has consumed nothing.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from gateway import rules, ubl
from gateway.chain import first_link
from gateway.connection import Connection
from gateway.errors import BadInput, Conflict, Unavailable, UnusableOrder
from gateway.finding import Finding
from gateway.foreign import Foreign, linked, read_foreign
from gateway.invoice.facts import RIYADH, ZERO, Invoice, Kind, Tax
from gateway.invoice.prepayment import Prior
from gateway.issued import Issued, Status
from gateway.ledger import Appended, Filter, NewSale
from gateway.pipeline.clocks import MAX_SKEW
from gateway.pipeline.earlier import priors_named, taken_off
from gateway.pipeline.gateway import Gateway
from gateway.pipeline.issue import Drawing, allowed_rules, append, is_foreign
from gateway.pipeline.postings import postings_for
from gateway.pipeline.preview import CONTENT, NO_UUID, OF_THE_STAMP, totals
from gateway.pipeline.proof import LATENESS, Proof
from gateway.pipeline.rendered import must_fit
from gateway.stores import STORES
from gateway.unit import Unit

OLDEST: Final = timedelta(hours=24)
"""How far back the moment of issue may lie: as long as a simplified invoice may take to be reported."""
_GONE: Final = frozenset({Status.REJECTED, Status.REPLACED})


@dataclass(frozen=True, slots=True)
class Handed:
    """A document on its way in: whose it is, who sends it over which connection, and the XML. `unit` is another unit
    than the connection's, `replaces` a document of the same number that the authority rejected."""

    taxpayer_id: str
    actor: str
    connection_id: str
    body: bytes
    unit: str = ""
    idempotency_key: str | None = None
    replaces: str | None = None


class Judged(NamedTuple):
    """What would become of a document: its facts, the unsigned XML as the first of a chain, and what is wrong."""

    number: str
    invoice: Invoice
    xml: bytes
    findings: tuple[Finding, ...]

    def as_json(self) -> dict[str, Any]:
        """As programs read it; `valid` where it would be issued."""
        return {
            "valid": not self.findings,
            "number": self.number,
            "kind": self.invoice.kind.word,
            "profile": self.invoice.profile.word,
            "totals": totals(self.invoice),
            "findings": [each.as_json() for each in self.findings],
            "xml": self.xml.decode(),
        }


def hand_in(gateway: Gateway, handed: Handed) -> Appended:
    """The document, made now or earlier; BadInput and its kin, Conflict and Unavailable say why there can be none."""
    desk = _desk(gateway, handed)
    sale = _sale(gateway, handed, desk)
    draw = partial(_drawn, gateway, handed, desk, sale)
    looks_back = bool(handed.idempotency_key or desk.content.invoice.kind.is_note or desk.content.invoice.deductions)
    uuid = desk.foreign.uuid
    return append(gateway, desk.unit, sale, draw, actor=handed.actor, looks_back=looks_back, uuid=uuid)


def judge(gateway: Gateway, handed: Handed) -> Judged:
    """A dry run: what is wrong with the document by the rules; all other refusals are raised as by `hand_in`. Nothing
    of it is kept."""
    desk = _desk(gateway, handed)
    sale = _sale(gateway, handed, desk)
    if gateway.ledger.find_sale(sale) is None:
        _admit(gateway, handed, desk, sale)
        _priors(gateway, handed, desk.content.invoice)
    allowed = allowed_rules(gateway, handed.taxpayer_id)
    refused = tuple(each for each in desk.findings if each.is_error or each.rule not in allowed)
    return Judged(desk.foreign.number, desk.content.invoice, desk.body, refused)


class _Desk(NamedTuple):
    """What lies on the table: the document as it came, what it says in the first place of a chain and what the rule
    book says of that, and who is to issue it."""

    foreign: Foreign
    body: bytes
    content: ubl.Content
    findings: tuple[Finding, ...]
    connection: Connection
    unit: Unit


def _desk(gateway: Gateway, handed: Handed) -> _Desk:
    connection = gateway.ledger.connection(handed.taxpayer_id, handed.connection_id)
    if connection.platform in STORES:
        raise Conflict(
            f"{connection.id} is a shop, whose orders become documents here.",
            fix="Hand documents in over the connection of your ERP; `gateway connect NAME --unit UNIT` makes one.",
            ar="هذا الربط لمتجر. أرسل المستندات عبر ربط نظام المحاسبة.",
        )
    unit = gateway.ledger.unit(handed.taxpayer_id, handed.unit or connection.unit_id)
    foreign = read_foreign(handed.body)
    body = linked(foreign, uuid=foreign.uuid or NO_UUID, link=first_link())
    must_fit(body)
    findings, is_stopped = _found(body, gateway.now())
    return _Desk(foreign, body, _content(body, findings, is_stopped), findings, connection, unit)


def _found(body: bytes, now: datetime) -> tuple[tuple[Finding, ...], bool]:
    """What the rule book says of the content, stamp and lateness aside."""
    report = rules.check(body, now=now, sets=CONTENT)
    content = (each for each in report.findings if each.term not in OF_THE_STAMP and each.rule != LATENESS)
    return (*report.xsd, *content), bool(report.stopped)


def _content(body: bytes, findings: tuple[Finding, ...], is_stopped: bool) -> ubl.Content:
    """The facts; where there are none to be had, what the rule book says, else why."""
    try:
        content = ubl.read(body)
        if not is_stopped:
            return content
        why = "The official rules end midway on this document."
    except BadInput as error:
        why = str(error)
    Proof("", tuple(each for each in findings if each.is_error)).admit(frozenset())
    raise UnusableOrder(
        why,
        problems=(("/", why),),
        fix="Correct the document; nothing was consumed.",
        ar="تعذرت قراءة المستند أو لا تتطابق مجاميعه مع بنوده. صححه ثم أعد إرساله.",
    )


def _sale(gateway: Gateway, handed: Handed, desk: _Desk) -> NewSale:
    original = _original(gateway, handed, desk.content.invoice)
    document = {"document": base64.b64encode(handed.body).decode()}
    return NewSale(
        taxpayer_id=desk.unit.taxpayer_id,
        unit_id=desk.unit.id,
        connection_id=desk.connection.id,
        order_id=original.order_id if original else desk.foreign.number,
        thing=f"document:{desk.foreign.number}",
        kind=desk.content.invoice.kind,
        digest=desk.foreign.digest,
        order_json=json.dumps(document),
        idempotency_key=handed.idempotency_key,
        invoice_number=desk.foreign.number,
        replaces=handed.replaces,
        corrects=original.uuid if original else None,
        waits_for_original=original is not None,
        postings=postings_for(gateway, desk.connection, desk.unit),
    )


def _drawn(gateway: Gateway, handed: Handed, desk: _Desk, sale: NewSale) -> Drawing:
    """The document's facts, once everything that speaks against it was asked."""
    _admit(gateway, handed, desk, sale)
    proof = Proof("", desk.findings)
    proof.admit(allowed_rules(gateway, handed.taxpayer_id) if proof.findings else frozenset())
    priors = _priors(gateway, handed, desk.content.invoice)
    taken = taken_off(desk.content.invoice, priors)
    return Drawing(desk.content.invoice, deductions=taken, foreign=desk.foreign)


def _admit(gateway: Gateway, handed: Handed, desk: _Desk, sale: NewSale) -> None:
    """Refuse what the rule book cannot know to be wrong."""
    _must_be_sold_here(desk)
    _must_be_new(gateway, desk.foreign.uuid)
    issued_at = desk.content.heading.issued_at
    if handed.replaces:
        _must_keep_moment(gateway.ledger.invoice(handed.taxpayer_id, handed.replaces), issued_at)
    else:
        _must_be_now(issued_at, gateway.now(), desk.connection)
    if sale.corrects:
        _must_be_left(gateway, handed, desk.content.invoice, sale.corrects)


def _must_be_sold_here(desk: _Desk) -> None:
    seller, ours = desk.content.invoice.seller, desk.unit.seller
    if seller.vat != ours.vat:
        raise _refused(
            "cac:AccountingSupplierParty",
            f"The seller (BT-31) is {seller.vat or 'not named'}, unit {desk.unit.id} issues for {ours.vat}.",
            "Send it over a connection of the seller's own.",
            f"الرقم الضريبي للبائع في المستند ليس رقم هذه المنشأة {ours.vat}.",
        )


def _must_be_new(gateway: Gateway, uuid: str) -> None:
    if uuid and gateway.ledger.has_document(uuid):
        raise Conflict(
            f"The UUID {uuid} was used before.",
            fix="Give every document a UUID of its own, or none.",
            ar="المعرّف UUID مستخدم في مستند آخر. استخدم معرّفاً جديداً أو اتركه فارغاً.",
        )


def _must_keep_moment(rejected: Issued, issued_at: datetime) -> None:
    if rejected.issued_at != issued_at:
        kept = rejected.issued_at.astimezone(RIYADH).replace(tzinfo=None).isoformat(sep=" ")
        raise _refused(
            "cbc:IssueDate",
            f"{rejected.number} was issued at {kept} (Riyadh); what takes its place keeps that moment.",
            "Send it with the date and time of the rejected document.",
            f"يحتفظ المستند البديل بتاريخ ووقت المستند المرفوض {kept}.",
        )


def _must_be_now(issued_at: datetime, now: datetime, connection: Connection) -> None:
    """The moment of issue is the ERP's, within limits: it has come, within the day, and since the connection issues."""
    ahead = issued_at - now
    if timedelta() < ahead <= MAX_SKEW:
        raise Unavailable(
            f"The document is issued in {ahead.total_seconds():.0f} seconds, by the clock here.",
            retry_after=ahead.total_seconds() + 1,
            fix="Send it again then; set the clocks right (NTP).",
            ar="وقت إصدار المستند لم يحن بعد بحسب ساعة هذا النظام. أعد الإرسال بعد ثوانٍ.",
        )
    begins = max(now - OLDEST, connection.cutover or now - OLDEST)
    if not begins <= issued_at <= now:
        moment = issued_at.astimezone(RIYADH).replace(tzinfo=None).isoformat(sep=" ")
        raise _refused(
            "cbc:IssueDate",
            f"The document is issued at {moment} (Riyadh), not within the 24 hours before now or before this connection"
            " issues.",
            "IssueDate and IssueTime are the moment of issue; the day of an earlier supply is ActualDeliveryDate"
            " (KSA-5).",
            f"وقت الإصدار {moment} ليس ضمن آخر 24 ساعة. تاريخ التوريد السابق يذكر في KSA-5.",
        )


def _original(gateway: Gateway, handed: Handed, note: Invoice) -> Issued | None:
    """The document of this gateway that a note corrects; None where it corrects one from elsewhere."""
    if not note.kind.is_note:
        return None
    found = [each for number in note.references if (each := _numbered(gateway, handed, number))]
    if not found:
        return None
    [original, *others] = found
    snapshot = gateway.ledger.snapshot(handed.taxpayer_id, original.uuid).order_json
    if others or len(note.references) > 1 or not is_foreign(snapshot) or original.kind is Kind.CREDIT_NOTE:
        raise Conflict(
            f"This note cannot correct {', '.join(each.number for each in found)}.",
            fix="A note handed in as a document corrects one invoice that was handed in too; others are corrected by"
            " POST /v1/invoices/{uuid}/credit-notes and /debit-notes.",
            ar="لا يصحح هذا الإشعار إلا فاتورة واحدة أرسلها نظامكم كمستند.",
        )
    return original


def _numbered(gateway: Gateway, handed: Handed, number: str) -> Issued | None:
    """The document of this number; of one that was replaced, what stands in its place."""
    named = gateway.ledger.invoices(handed.taxpayer_id, Filter(number=number)).items
    standing = [each for each in named if each.status is not Status.REPLACED and each.uuid != handed.replaces]
    return standing[0] if standing else None


def _must_be_left(gateway: Gateway, handed: Handed, note: Invoice, uuid: str) -> None:
    """Conflict if the original was rejected, or credit notes would come to more than it."""
    original = gateway.ledger.invoice(handed.taxpayer_id, uuid)
    if original.status in _GONE:
        raise Conflict(
            f"{original.number} was rejected by the authority, so there is nothing to give back or to add to.",
            fix="Correct it: POST /v1/documents?replaces=UUID.",
            ar=f"رفضت الهيئة المستند {original.number}. صححه بمستند بديل، ولا يصدر عليه إشعار.",
        )
    if note.kind is not Kind.CREDIT_NOTE:
        return
    if (original.connection, original.currency) != (handed.connection_id, note.currency):
        raise Conflict(
            f"{original.number} was issued in {original.currency} over connection {original.connection}.",
            fix="Send its credit note over the same connection, and in the same currency.",
            ar=f"صدر المستند {original.number} بعملة {original.currency} عبر الربط {original.connection}،"
            " ويصدر إشعاره الدائن عبر الربط نفسه وبالعملة نفسها.",
        )
    of_sale = gateway.ledger.order_documents(handed.taxpayer_id, original.connection, original.order_id)
    credits_ = (each for each in of_sale if each.kind is Kind.CREDIT_NOTE and each.status not in _GONE)
    left = original.total - sum((each.total for each in credits_ if each.uuid != handed.replaces), ZERO)
    if note.payable > left:
        raise _too_much(note.payable, left, original.number)


def _priors(gateway: Gateway, handed: Handed, invoice: Invoice) -> dict[str, Prior]:
    """The prepayments of ours that the document takes off; Conflict if more than is left of one."""
    numbers = {each.number for each in invoice.deductions}
    priors = priors_named(gateway, handed.taxpayer_id, sorted(numbers), but=handed.replaces)
    taken: dict[tuple[str, Tax], Decimal] = {}
    for each in invoice.deductions:
        taken[each.number, each.tax] = taken.get((each.number, each.tax), ZERO) + each.taxable
    for (number, tax), taxable in taken.items():
        left = _left(priors, number, tax)
        if left is not None and taxable > left:
            raise _too_much(taxable, left, number)
    return priors


def _left(priors: Mapping[str, Prior], number: str, tax: Tax) -> Decimal | None:
    if number not in priors:
        return None
    return sum((part.taxable for part in priors[number].left if part.tax == tax), ZERO)


def _too_much(wanted: Decimal, left: Decimal, number: str) -> Conflict:
    return Conflict(
        f"{wanted} of {number} cannot be taken: {left} is left of it.",
        fix="Credit notes and deductions together never exceed their original.",
        ar=f"لا يمكن خصم {wanted} من {number}؛ المتبقي منها {left}.",
    )


def _refused(place: str, what: str, fix: str, ar: str) -> UnusableOrder:
    return UnusableOrder(what, problems=((place, what),), fix=fix, ar=ar)
