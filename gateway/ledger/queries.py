"""Reading: what became of a sale, the bytes, the exchanges, the chain. Nothing of another taxpayer can be read."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, or_, select

from gateway.errors import BadInput, GatewayError, NotStamped, Unknown
from gateway.invoice.facts import Kind
from gateway.issued import Issued, Status
from gateway.ledger import tables as t
from gateway.ledger.database import Database
from gateway.ledger.documents import issued, issued_rows
from gateway.ledger.rows import Attempt, ExternalNotes, Page, Snapshot, TakenOff
from gateway.verdict import Outcome

MAX_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a list shows; what is left empty does not narrow it. `buyer` is a part of the name or the whole
    VAT number; `since` and `until` bound the moment of issue, the latter not included."""

    status: Status | None = None
    connection: str | None = None
    order: str | None = None
    number: str | None = None
    buyer: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    unit: str | None = None


class Queries:
    """Everything that is asked of the ledger about documents."""

    _database: Database

    def invoice(self, taxpayer_id: str, uuid: str) -> Issued:
        """One document; Unknown if the taxpayer has none of this UUID."""
        wanted = issued_rows().where(t.DOCUMENT.c.taxpayer_id == taxpayer_id, t.DOCUMENT.c.uuid == uuid)
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise no_document(uuid)
        return issued(row)

    def invoices(self, taxpayer_id: str, by: Filter = Filter(), *, cursor: str | None = None, limit: int = 50) -> Page:
        """Documents, newest first, at most MAX_PAGE at a time; `cursor` is what the page before gave as `next`."""
        size = max(1, min(limit, MAX_PAGE))
        made_at, uuid = t.DOCUMENT.c.made_at, t.DOCUMENT.c.uuid
        wanted = issued_rows(made_at).where(*_conditions(by)).where(t.DOCUMENT.c.taxpayer_id == taxpayer_id)
        if cursor:
            moment, last = read_cursor(cursor)
            wanted = wanted.where(or_(made_at < moment, (made_at == moment) & (uuid < last)))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(made_at.desc(), uuid.desc()).limit(size + 1)).all()
        more = cursor_of(rows[size - 1].made_at, rows[size - 1].uuid) if len(rows) > size else None
        return Page(tuple(issued(row) for row in rows[:size]), more)

    def any_owner(self, uuid: str) -> str | None:
        """Whose document this is: for a link that is yet to prove itself."""
        wanted = select(t.DOCUMENT.c.taxpayer_id).where(t.DOCUMENT.c.uuid == uuid)
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar()
        return None if found is None else str(found)

    def order_documents(self, taxpayer_id: str, connection_id: str, order_id: str) -> tuple[Issued, ...]:
        """All documents of an order and its refunds, in the order they were made."""
        wanted = issued_rows().where(
            t.SALE.c.taxpayer_id == taxpayer_id, t.SALE.c.connection_id == connection_id, t.SALE.c.order_id == order_id
        )
        with self._database.reading() as transaction:
            rows = transaction.execute(wanted.order_by(t.DOCUMENT.c.made_at, t.DOCUMENT.c.icv)).all()
        return tuple(issued(row) for row in rows)

    def sale_document(self, taxpayer_id: str, connection_id: str, thing: str, kind: Kind) -> Issued | None:
        """The current document of one sale, whatever its content; None if it has none."""
        wanted = issued_rows().where(
            t.SALE.c.taxpayer_id == taxpayer_id,
            t.SALE.c.connection_id == connection_id,
            t.SALE.c.thing == thing,
            t.SALE.c.kind == kind.value,
            t.SALE.c.document_uuid == t.DOCUMENT.c.uuid,
        )
        with self._database.reading() as transaction:
            row = transaction.execute(wanted).first()
        return issued(row) if row else None

    def xml(self, taxpayer_id: str, uuid: str) -> bytes:
        """The document to share and archive: the cleared one if it was cleared, else ours."""
        cleared = select(t.CLEARANCE.c.xml).where(
            t.CLEARANCE.c.taxpayer_id == taxpayer_id, t.CLEARANCE.c.document_uuid == uuid
        )
        with self._database.reading() as connection:
            found = connection.execute(cleared).scalar()
        return self.stamped_xml(taxpayer_id, uuid) if found is None else bytes(found)

    def stamped_xml(self, taxpayer_id: str, uuid: str) -> bytes:
        """The bytes as they were stamped and sent."""
        wanted = select(t.STAMP.c.xml).where(t.STAMP.c.taxpayer_id == taxpayer_id, t.STAMP.c.document_uuid == uuid)
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar()
        if found is None:
            raise self._without_stamp(taxpayer_id, uuid)
        return bytes(found)

    def has_document(self, uuid: str) -> bool:
        """Whether a document of any taxpayer has this UUID."""
        with self._database.reading() as connection:
            return connection.execute(select(1).where(t.DOCUMENT.c.uuid == uuid)).first() is not None

    def _without_stamp(self, taxpayer_id: str, uuid: str) -> GatewayError:
        document = t.DOCUMENT.c
        wanted = select(document.number).where(document.taxpayer_id == taxpayer_id, document.uuid == uuid)
        with self._database.reading() as connection:
            number = connection.execute(wanted).scalar()
        return no_document(uuid) if number is None else _not_stamped(str(number))

    def snapshot(self, taxpayer_id: str, uuid: str) -> Snapshot:
        """What the origin said when the document was made."""
        snapshot = t.ORDER_SNAPSHOT.c
        wanted = (
            select(snapshot.order_id, snapshot.version, snapshot.digest, snapshot.order_json, snapshot.received_at)
            .join(t.DOCUMENT, t.DOCUMENT.c.snapshot_id == snapshot.id)
            .where(t.DOCUMENT.c.taxpayer_id == taxpayer_id, t.DOCUMENT.c.uuid == uuid)
        )
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise no_document(uuid)
        if not row.order_json:
            raise _forgotten(uuid, row.digest)
        return Snapshot(*row)

    def takes(self, taxpayer_id: str, uuid: str, but: str | None = None) -> tuple[Mapping[str, Any], ...]:
        """What credit notes that stand, `but` one, have taken of a document, or of what it replaced."""
        sale = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == uuid).scalar_subquery()
        of_sale = select(t.DOCUMENT.c.uuid).where(t.DOCUMENT.c.sale_id == sale)
        note = t.DOCUMENT.alias().c
        wanted = (
            select(note.takes)
            .join(t.SUBMISSION, t.SUBMISSION.c.document_uuid == note.uuid)
            .where(note.taxpayer_id == taxpayer_id, note.corrects.in_(of_sale), note.kind == Kind.CREDIT_NOTE.value)
            .where(t.SUBMISSION.c.status != Status.REPLACED.value, note.uuid != (but or ""))
        )
        with self._database.reading() as connection:
            return tuple(row.takes for row in connection.execute(wanted.order_by(note.made_at, note.icv)))

    def deductions(self, taxpayer_id: str, prepayment: str, but: str | None = None) -> tuple[TakenOff, ...]:
        """What documents that stand take off of a prepayment."""
        deduction = t.DEDUCTION.c
        wanted = (
            select(deduction.prepayment_uuid, deduction.parts)
            .join(t.SUBMISSION, t.SUBMISSION.c.document_uuid == deduction.document_uuid)
            .where(deduction.taxpayer_id == taxpayer_id, deduction.prepayment_uuid == prepayment)
            .where(t.SUBMISSION.c.status != Status.REPLACED.value, deduction.document_uuid != (but or ""))
        )
        with self._database.reading() as connection:
            return tuple(TakenOff(*row) for row in connection.execute(wanted))

    def external_notes(self, taxpayer_id: str, number: str, but: str | None = None) -> ExternalNotes:
        """What notes that stand have done to an invoice from elsewhere; what was said first to be left counts."""
        document = t.DOCUMENT.c
        wanted = (
            select(document.kind, document.total, document.external_left)
            .join(t.SUBMISSION, t.SUBMISSION.c.document_uuid == document.uuid)
            .where(document.taxpayer_id == taxpayer_id, document.external_number == number)
            .where(t.SUBMISSION.c.status != Status.REPLACED.value, document.uuid != (but or ""))
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(document.made_at, document.icv)).all()
        given_back = sum((row.total for row in rows if row.kind == Kind.CREDIT_NOTE.value), Decimal(0))
        return ExternalNotes(rows[0].external_left if rows else None, given_back)

    def unit_of(self, taxpayer_id: str, uuid: str) -> str:
        """The unit that issued a document."""
        document = t.DOCUMENT.c
        wanted = select(document.unit_id).where(document.taxpayer_id == taxpayer_id, document.uuid == uuid)
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar()
        if found is None:
            raise no_document(uuid)
        return str(found)

    def attempts(self, taxpayer_id: str, uuid: str) -> tuple[Attempt, ...]:
        """The exchanges with the authority about a document, in their order."""
        attempt = t.ATTEMPT.c
        wanted = select(t.ATTEMPT).where(attempt.taxpayer_id == taxpayer_id, attempt.document_uuid == uuid)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(attempt.number, attempt.phase)).all()
        return tuple(_attempt(row) for row in rows)  # "begun" sorts before "ended"

    def counts(self, taxpayer_id: str) -> dict[Status, int]:
        """How many documents stand where."""
        status = t.SUBMISSION.c.status
        wanted = select(status, func.count()).where(t.SUBMISSION.c.taxpayer_id == taxpayer_id).group_by(status)
        with self._database.reading() as connection:
            return {Status(row[0]): row[1] for row in connection.execute(wanted)}


def _conditions(by: Filter) -> Iterator[ColumnElement[bool]]:
    document = t.DOCUMENT.c
    if by.status:
        yield t.SUBMISSION.c.status == by.status.value
    if by.connection:
        yield t.SALE.c.connection_id == by.connection
    if by.order:
        yield t.SALE.c.order_id == by.order
    if by.number:
        yield document.number == by.number
    if by.buyer:
        yield or_(document.buyer_name.contains(by.buyer, autoescape=True), document.buyer_vat == by.buyer)
    if by.unit:
        yield document.unit_id == by.unit
    if by.since:
        yield document.issued_at >= by.since
    if by.until:
        yield document.issued_at < by.until


def cursor_of(made_at: datetime, uuid: str) -> str:
    """What a page gives so that the next begins behind this document."""
    return base64.urlsafe_b64encode(f"{made_at.isoformat()} {uuid}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Moment of making and UUID of the document that a cursor stands for; BadInput if it is none."""
    try:
        moment, _, uuid = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return _aware(datetime.fromisoformat(moment)), uuid
    except (ValueError, OverflowError, binascii.Error):
        raise BadInput("This cursor cannot be read.", fix="Use the one the page before gave.") from None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a cursor's moment has its zone")
    return moment.astimezone(UTC)


def no_document(uuid: str) -> Unknown:
    """The taxpayer has no document of this UUID."""
    return Unknown(f"There is no document {uuid}.", ar=f"لا يوجد مستند بالمعرّف {uuid}.")


def _forgotten(uuid: str, digest: str) -> Unknown:
    return Unknown(
        f"The order of document {uuid} is no longer kept, only its digest {digest}.",
        fix="GATEWAY_RAW_PAYLOADS_DAYS says how long it is. Correct the document as one from elsewhere: by its number.",
        ar=f"لم يعد محتوى طلب المستند {uuid} محفوظاً بعد انتهاء مدة الاحتفاظ. صحّحه بالإشارة إلى رقم الفاتورة.",
    )


def _not_stamped(number: str) -> NotStamped:
    return NotStamped(
        f"Document {number} waits for its stamp: its place is taken, and nothing of it is sent or shown yet.",
        fix="Ask again in a moment. If it lasts, see whether the signer answers: `gateway doctor`.",
        ar=f"المستند {number} بانتظار الختم، ولا يُرسل ولا يُعرض قبل ختمه. أعد المحاولة بعد قليل.",
    )


def _attempt(row: Row[Any]) -> Attempt:
    outcome = Outcome(row.outcome) if row.outcome else None
    return Attempt(row.number, row.phase, row.at, row.http_status, outcome, row.body, row.wire)
