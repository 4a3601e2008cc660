"""The books agree: what a shop sold is posted to the ERPs of its unit, and each ERP hears how its documents stand.

Of what an ERP ordered itself the gateway makes no entry; status, XML and PDF go to the one it has.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import structlog

from gateway import ubl
from gateway.connection import Connection
from gateway.erps import ERPS, erp_of
from gateway.erps.erp import Booking, Entry, Erp, File, Paid, PostWhen, post_when
from gateway.errors import BadInput, Conflict, GatewayError, NotCleared, NotStamped, Throttled, Unavailable, Unknown
from gateway.finding import Text
from gateway.invoice.facts import ZERO, Kind
from gateway.issued import Issued, Status
from gateway.ledger import DuePosting, NewPosting, Posting, PostingMode, PostingState
from gateway.order import Order, read_order
from gateway.pipeline.credentials import ready
from gateway.pipeline.gateway import Gateway, Lines
from gateway.pipeline.readable import as_xml, readable
from gateway.stores import STORES
from gateway.unit import Unit

log = structlog.get_logger()

GIVE_UP_AFTER: Final = 50
"""Attempts; at the longest wait between them this is about four hours of an ERP that keeps refusing."""

LONGEST_POSTING: Final = 200.0
"""Seconds for all exchanges about one document; after a worker's lease another would take over."""

_LOOK_AGAIN: Final = 60.0
"""Seconds until a document that waits for another one's entry is looked at again."""

_NEVER_POSTED: Final = Text(
    "The authority rejected it before it was posted; what replaces it will be.",
    "رفضته الهيئة قبل ترحيله، وسيُرحَّل المستند البديل.",
)


class _Waits(Unavailable):
    """Another document's entry comes first, however long that takes."""


class _End(NamedTuple):
    """How the work on a posting went."""

    state: PostingState
    reason: Text | None = None
    told: str | None = None
    receipt: str | None = None


def postings_for(gateway: Gateway, origin: Connection, unit: Unit) -> tuple[NewPosting, ...]:
    """The ERPs in whose books a document of this origin is to stand: those of the unit if a shop sold it, the ERP that
    ordered it; none for what any other caller ordered."""
    if origin.platform in ERPS:
        return (_planned(origin, PostingMode.ATTACH),)
    if origin.platform not in STORES:
        return ()
    erps = gateway.ledger.connections_of(unit.taxpayer_id, unit.id, ERPS)
    return tuple(_planned(each, PostingMode.POST) for each in erps)


def _planned(erp: Connection, mode: PostingMode) -> NewPosting:
    return NewPosting(erp.id, mode, at_once=post_when(erp) is PostWhen.ISSUED)


async def post(gateway: Gateway, lines: Lines, due: DuePosting, again: timedelta) -> None:
    """See to one document in one ERP, and record how it stands there, what a person has to decide, or when to try
    again."""
    next_at = None
    try:
        async with asyncio.timeout(LONGEST_POSTING):
            end = await _post(gateway, lines, due)
    except (Unavailable, NotStamped, TimeoutError) as error:
        end = _later(due, error)
        asked = timedelta(seconds=error.retry_after) if isinstance(error, Unavailable) else again
        next_at = gateway.now() + max(again, asked) if end.state is PostingState.DUE else None
        if isinstance(error, Throttled):
            await gateway.offload(gateway.ledger.leave_alone, due.connection_id, until=gateway.now() + asked)
    except (BadInput, Conflict) as error:
        end = _End(PostingState.HELD, _reason(error))
    except GatewayError as error:
        end = _End(PostingState.FAILED, _reason(error))
    except Exception as error:  # tried again and again, it would be seen by none
        log.exception("posting_broke", connection=due.connection_id, uuid=due.uuid)
        end = _End(PostingState.HELD, _unreadable(error))
    await gateway.offload(
        gateway.ledger.end_posting,
        due.id,
        state=end.state,
        reason=end.reason._asdict() if end.reason else None,
        next_at=next_at,
        told=end.told,
        receipt=end.receipt,
        now=gateway.now(),
    )


def _later(due: DuePosting, error: Exception) -> _End:
    if due.attempts >= GIVE_UP_AFTER and not isinstance(error, _Waits):
        return _End(PostingState.FAILED, _reason(error))
    return _End(PostingState.DUE, _reason(error))


def _reason(error: Exception) -> Text:
    if isinstance(error, GatewayError):
        return Text(str(error), error.ar or str(error))
    return Text("The ERP takes too long.", "لم يستجب نظام ERP في الوقت المحدد.")


def _unreadable(error: Exception) -> Text:
    return Text(
        f"The answer of the ERP cannot be read here ({type(error).__name__}). The log says more.",
        "تعذرت قراءة رد نظام ERP. راجع السجل لمزيد من التفاصيل.",
    )


async def _post(gateway: Gateway, lines: Lines, due: DuePosting) -> _End:
    connection = await ready(gateway, lines, due.taxpayer_id, due.connection_id)
    erp = erp_of(connection.platform)
    booking = await gateway.offload(_booking, gateway, connection, due)
    status = booking.issued.status
    if status in (Status.REJECTED, Status.REPLACED) and not booking.ordered_here:
        entry = await erp.state(connection, lines.outside, booking)
        if entry is None:
            return _End(PostingState.IGNORED, _NEVER_POSTED, told=status.value)
    else:
        entry = await erp.post(connection, lines.outside, booking)
    await _noted(gateway, due, entry)
    files = await gateway.offload(_files, gateway, due) if status.is_accepted else ()
    receipt = await erp.attach(connection, lines.outside, booking, entry, files)
    if status is Status.REPLACED:
        await _looked_at(gateway, lines, due, erp, connection, booking)
    return _End(PostingState.DONE, told=status.value, receipt=receipt)


async def _looked_at(
    gateway: Gateway, lines: Lines, due: DuePosting, erp: Erp, connection: Connection, booking: Booking
) -> None:
    """An entry that was taken out of the books stands otherwise now."""
    entry = await erp.state(connection, lines.outside, booking)
    if entry is not None:
        await _noted(gateway, due, entry)


async def _noted(gateway: Gateway, due: DuePosting, entry: Entry) -> None:
    await gateway.offload(
        gateway.ledger.note_entry,
        due.id,
        entry_id=entry.id,
        number=entry.number,
        state=entry.state.value,
        total=entry.total,
        url=entry.url,
    )


def _files(gateway: Gateway, due: DuePosting) -> tuple[File, ...]:
    """The XML and the PDF of a document that was accepted."""
    actor = f"erp:{due.connection_id}"
    try:
        xml = as_xml(gateway, due.taxpayer_id, due.uuid, actor=actor)
        pdf = readable(gateway, due.taxpayer_id, due.uuid, actor=actor)
    except NotCleared as error:
        raise Unavailable(str(error), retry_after=_LOOK_AGAIN) from None
    return File(xml.name, "application/xml", xml.content), File(pdf.name, "application/pdf", pdf.content)


# -- what is to stand in the books ----------------------------------------------------------------------------


def _booking(gateway: Gateway, connection: Connection, due: DuePosting) -> Booking:
    issued = gateway.ledger.invoice(due.taxpayer_id, due.uuid)
    if not issued.status.is_final:  # on its way: how far is nothing to the books
        issued = replace(issued, status=Status.ISSUED)
    invoice = ubl.read(gateway.ledger.stamped_xml(due.taxpayer_id, due.uuid)).invoice
    order = _order_behind(gateway, due.taxpayer_id, issued)
    ordered_here = due.mode is PostingMode.ATTACH
    if issued.replaces and not ordered_here:
        _former_is_out(gateway, due, issued.replaces)
    return Booking(
        issued=issued,
        invoice=invoice,
        origin=issued.connection,
        order_name=order.number or issued.order_id if order else issued.order_id,
        payments=tuple(_payments(issued, order)),
        corrects=None if ordered_here else _corrected_entry(gateway, due, issued),
        corrects_number=invoice.references[0] if invoice.references else "",
        ordered_here=ordered_here,
    )


def _former_is_out(gateway: Gateway, due: DuePosting, replaced: str) -> None:
    """What it replaces is taken out of the books first, for both may have the same number."""
    former = gateway.ledger.posting_at(due.taxpayer_id, replaced, due.connection_id)
    if former and former.state is not PostingState.IGNORED and former.told != Status.REPLACED.value:
        raise _waits_for(former, "what it replaces is taken out of the books", "سحب المستند السابق من الدفاتر")


def _corrected_entry(gateway: Gateway, due: DuePosting, issued: Issued) -> str | None:
    """The entry of what a note corrects; None if it has none, and will have none."""
    if not issued.corrects:
        return None
    corrected = gateway.ledger.current_of(due.taxpayer_id, issued.corrects)
    original = gateway.ledger.posting_at(due.taxpayer_id, corrected, due.connection_id)
    if original is None or original.state is PostingState.IGNORED:
        return None
    if not original.entry_id:
        raise _waits_for(original, "the invoice that it corrects stands in the books", "ترحيل الفاتورة الأصلية")
    return original.entry_id


def _waits_for(other: Posting, what: str, ar: str) -> _Waits:
    return _Waits(
        f"It waits until {what}: {other.number}, posting {other.id}, is {other.state.value}.",
        retry_after=_LOOK_AGAIN,
        ar=f"بانتظار {ar}: {other.number} (القيد {other.id}).",
    )


def _order_behind(gateway: Gateway, taxpayer_id: str, issued: Issued) -> Order | None:
    """The order that a document, or what it corrects, was made of."""
    while issued.corrects:
        issued = gateway.ledger.invoice(taxpayer_id, issued.corrects)
    if issued.kind.is_note:
        return None
    try:
        return read_order(gateway.ledger.snapshot(taxpayer_id, issued.uuid).order_json)
    except (Unknown, BadInput):  # forgotten, or the caller wrote the document itself
        return None


def _payments(issued: Issued, order: Order | None) -> Iterator[Paid]:
    """What was paid of a document, never more than it says. A credit note is paid back as the order was paid first, if
    all of that was paid; of a debit note nothing is known."""
    received = [each for each in order.payments if each.state == "paid"] if order else []
    if not received or issued.kind is Kind.DEBIT_NOTE:
        return
    if issued.kind is Kind.CREDIT_NOTE:
        if order and len(received) == len(order.payments):
            yield Paid(received[0].method, issued.total)
        return
    left = issued.total
    for each in received:
        amount = min(left, left if each.amount is None and len(received) == 1 else each.amount or Decimal(0))
        if amount > ZERO:
            yield Paid(each.method, amount)
            left -= amount
