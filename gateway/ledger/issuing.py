"""The one locked transaction that makes a document: number, link, hash, stamp and bytes are decided in it, or nothing.

It knows neither how a document is rendered nor how it is judged or stamped: that is `make`, which is handed the place
the document takes.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Insert, Row, bindparam, func, insert, select, update

from gateway.chain import Link
from gateway.errors import Conflict, Unavailable
from gateway.invoice.facts import Profile
from gateway.issued import REPORTING_WINDOW, Issued, Status
from gateway.ledger import tables as t
from gateway.ledger.audit import note
from gateway.ledger.certificates import csid_record
from gateway.ledger.documents import findings_json, issued, issued_rows
from gateway.ledger.fencing import Fencing
from gateway.ledger.rows import Appended, CsidRecord, LinkBackState, Made, NewSale, Slot, TakenOff
from gateway.ledger.sales import existing_document, key_values, standing_document
from gateway.ledger.shop_tables import LINK_BACK

MAX_CLOCK_STEP: Final = timedelta(seconds=60)
"""How far the clock may lie behind a chain's last document. Threads that waited for their turn come a moment late,
and get the last document's moment; a clock that was set back must not make documents at all."""

# Statements of the hot path are put together once.
_CSID, _CHAIN, _UNIT = t.CSID.c, t.CHAIN.c, t.UNIT.c
_HEAD: Final = (
    select(
        t.CSID, _CHAIN.head_icv, _CHAIN.head_hash, _CHAIN.head_at, _UNIT.held_at, _UNIT.number_prefix, _UNIT.next_number
    )
    .join_from(t.CSID, t.CHAIN, _CHAIN.id == _CSID.chain_id)
    .join(t.UNIT, (_UNIT.taxpayer_id == _CSID.taxpayer_id) & (_UNIT.id == _CSID.unit_id))
    .where(_CSID.taxpayer_id == bindparam("taxpayer"), _CSID.unit_id == bindparam("unit"))
    .where(_CSID.stage == "production", _CSID.retired_at.is_(None), _CHAIN.sealed_at.is_(None))
    .with_for_update(of=(t.CSID, t.CHAIN, t.UNIT), key_share=True)
)
_MOVE: Final = (
    update(t.CHAIN)
    .where(_CHAIN.id == bindparam("chain"))
    .values(head_icv=bindparam("icv"), head_hash=bindparam("hash"), head_at=bindparam("at"))
)
_DRAW: Final = (
    update(t.UNIT)
    .where(_UNIT.taxpayer_id == bindparam("taxpayer"), _UNIT.id == bindparam("unit"))
    .values(next_number=bindparam("next"))
)
_OWN_SALE = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == bindparam("replaces")).scalar_subquery()
_TAKEN: Final = (
    select(1)
    .select_from(t.DOCUMENT)
    .where(t.DOCUMENT.c.taxpayer_id == bindparam("taxpayer"), t.DOCUMENT.c.number == bindparam("number"))
    .where(t.DOCUMENT.c.sale_id != func.coalesce(_OWN_SALE, 0))
    .limit(1)
)
_NEW_SNAPSHOT, _NEW_SALE, _NEW_DOCUMENT = insert(t.ORDER_SNAPSHOT), insert(t.SALE), insert(t.DOCUMENT)
_NEW_STAMP, _NEW_SUBMISSION, _NEW_LINK_BACK = insert(t.STAMP), insert(t.SUBMISSION), insert(LINK_BACK)
_NEW_DEDUCTION = insert(t.DEDUCTION)


class Issuing(Fencing):
    """Making documents."""

    def append(self, sale: NewSale, make: Callable[[Slot], Made], *, actor: str, now: datetime) -> Appended:
        """The sale's document: the one it has, or a new one at the head of the unit's chain.

        Conflict: the sale was issued with other content, the Idempotency-Key served another request, the number is
        taken. Unavailable: no certificate in use, the clock runs back, the chain is fenced; then, and if `make` raises,
        nothing is consumed. Unavailable too if a document was made and the head journal cannot be written: it stays.
        """
        self._settle()
        with self._database.writing() as connection:
            head = _lock_head(connection, sale)
            standing = standing_document(connection, sale)
            if standing:
                return Appended(standing, created=False)
            if head is None:
                raise _not_onboarded(sale)
            self._admit(head.chain_id)
            slot = _slot(connection, sale, head, now)
            made = make(slot)
            assert made.kind is sale.kind, "the document made is of the kind the sale asked for"
            assert made.issued_at <= slot.at, "a document is not issued after it was made"
            status = _insert(connection, sale, slot, made, held=head.held_at is not None)
            _move_head(connection, slot, made)
            self._note_issue(connection, sale, slot, made, actor)
        self._acknowledge(head.chain_id, slot.link.icv, made.hash, slot.at)
        return Appended(_issued(sale, slot, made, status), created=True)

    def find_sale(self, sale: NewSale) -> Appended | None:
        """The document the sale has already, without waiting for the chain; Conflict as `append` would raise it."""
        self._settle()
        with self._database.reading() as connection:
            found = existing_document(connection, sale)
        return Appended(found, created=False) if found else None

    def _note_issue(self, connection: Connection, sale: NewSale, slot: Slot, made: Made, actor: str) -> None:
        detail: dict[str, Any] = {
            "number": slot.number,
            "unit": sale.unit_id,
            "csid": slot.csid.id,
            "icv": slot.link.icv,
            "hash": made.hash,
            "connection": sale.connection_id,
            "thing": sale.thing,
            "rule_book": made.rule_book,
        }
        if made.allowed:
            detail["allowed"] = sorted({finding.rule for finding in made.allowed})
        note(
            self._database,
            connection,
            taxpayer_id=sale.taxpayer_id,
            actor=actor,
            action="document.issued",
            target=made.uuid,
            now=slot.at,
            detail=detail,
        )


def _lock_head(connection: Connection, sale: NewSale) -> Row[Any] | None:
    """The unit with its certificate in use and its open chain, held until the transaction ends."""
    of_unit = {"taxpayer": sale.taxpayer_id, "unit": sale.unit_id}
    # PostgreSQL finds nothing where the certificate it waited for was retired meanwhile; the next one stands then.
    return connection.execute(_HEAD, of_unit).first() or connection.execute(_HEAD, of_unit).first()


def _not_onboarded(sale: NewSale) -> Unavailable:
    return Unavailable(
        f"Unit {sale.unit_id} has no certificate in use.",
        retry_after=3600,
        fix="Onboard it first: `gateway onboard`.",
        ar="لا توجد شهادة سارية لوحدة الإصدار. سجّل الوحدة لدى الهيئة أولاً.",
    )


def _slot(connection: Connection, sale: NewSale, head: Row[Any], now: datetime) -> Slot:
    at = _moment(head, now)
    return Slot(
        link=Link(head.head_icv + 1, head.head_hash),
        number=_number(connection, sale, head),
        csid=_valid(csid_record(head), at),
        at=at,
        replaced=_replaced(connection, sale),
    )


def _moment(head: Row[Any], now: datetime) -> datetime:
    last: datetime = head.head_at
    if last - now > MAX_CLOCK_STEP:
        raise Unavailable(
            f"The clock says {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, but the chain has reached"
            f" {last:%Y-%m-%d %H:%M:%S} already.",
            retry_after=60,
            fix="Set the clock right (NTP).",
            ar="وقت الخادم أسبق من وقت آخر مستند صادر. اضبط ساعة الخادم (NTP).",
        )
    return max(now, last)


def _valid(csid: CsidRecord, at: datetime) -> CsidRecord:
    if csid.revoked_at is not None:
        raise Unavailable(
            f"The certificate of unit {csid.unit_id} was revoked; it was found so on {csid.revoked_at:%Y-%m-%d}.",
            retry_after=3600,
            fix="Onboard the unit again: `gateway onboard` with a new OTP.",
            ar="أُلغيت شهادة وحدة الإصدار ولا يجوز الختم بها. أعد تسجيل الوحدة برمز تحقق (OTP) جديد.",
        )
    if not csid.not_before <= at <= csid.not_after:
        raise Unavailable(
            f"The certificate of unit {csid.unit_id} is valid only from {csid.not_before:%Y-%m-%d}"
            f" to {csid.not_after:%Y-%m-%d}.",
            retry_after=3600,
            fix="Onboard the unit again: `gateway onboard` with a new OTP.",
            ar="شهادة وحدة الإصدار خارج مدة صلاحيتها. أعد تسجيل الوحدة برمز تحقق (OTP) جديد.",
        )
    return csid


def _number(connection: Connection, sale: NewSale, head: Row[Any]) -> str:
    """The caller's number if it gave one, else the next of the unit's series that is free."""
    if sale.invoice_number:
        if _is_taken(connection, sale, sale.invoice_number):
            raise Conflict(
                f"Invoice number {sale.invoice_number} is taken by another document.",
                fix="Numbers never repeat within a taxpayer: give the next one, or none.",
                ar=f"رقم الفاتورة {sale.invoice_number} مستخدم في مستند آخر. لا تتكرر الأرقام لدى المكلف الواحد.",
            )
        return sale.invoice_number
    drawn = head.next_number
    while _is_taken(connection, sale, number := f"{head.number_prefix}{drawn:06d}"):
        drawn += 1
    connection.execute(_DRAW, {"taxpayer": sale.taxpayer_id, "unit": sale.unit_id, "next": drawn + 1})
    return number


def _is_taken(connection: Connection, sale: NewSale, number: str) -> bool:
    """Whether another sale's document has this number; the one being corrected may pass its own on."""
    found = connection.execute(_TAKEN, {"taxpayer": sale.taxpayer_id, "number": number, "replaces": sale.replaces})
    return found.first() is not None


def _replaced(connection: Connection, sale: NewSale) -> Issued | None:
    if not sale.replaces:
        return None
    return issued(connection.execute(issued_rows().where(t.DOCUMENT.c.uuid == sale.replaces)).one())


def _insert(connection: Connection, sale: NewSale, slot: Slot, made: Made, *, held: bool) -> Status:
    snapshot = _insert_snapshot(connection, sale, slot)
    sale_id = _sale_id(connection, sale, made)
    connection.execute(_NEW_DOCUMENT, _document_values(sale, slot, made, sale_id, snapshot))
    connection.execute(_NEW_STAMP, _stamp_values(sale, slot, made))
    for each in made.deductions:
        connection.execute(_NEW_DEDUCTION, _deduction_values(sale, made, each))
    if sale.replaces:
        _replace(connection, sale.replaces, by=made.uuid, sale_id=sale_id)
    held_for = "original" if _must_wait(connection, sale) else "unit" if held else ""
    submission = _submission_values(sale, slot, made, held_for)
    connection.execute(_NEW_SUBMISSION, submission)
    if sale.idempotency_key:
        connection.execute(insert(t.IDEMPOTENCY_KEY), key_values(sale, made.uuid))
    if sale.link_back:
        connection.execute(_NEW_LINK_BACK, _link_back_values(sale, slot, made))
    return Status(submission["status"])


def _insert_snapshot(connection: Connection, sale: NewSale, slot: Slot) -> int:
    values = {
        "taxpayer_id": sale.taxpayer_id,
        "connection_id": sale.connection_id,
        "order_id": sale.order_id,
        "version": sale.version,
        "digest": sale.digest,
        "order_json": sale.order_json,
        "received_at": slot.at,
    }
    return _inserted_id(connection, _NEW_SNAPSHOT, values)


def _sale_id(connection: Connection, sale: NewSale, made: Made) -> int:
    """The sale's row: the one that stands if a document is replaced, else a new one."""
    if sale.replaces:
        wanted = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == sale.replaces)
        return int(connection.execute(wanted).scalar_one())
    values = {
        "taxpayer_id": sale.taxpayer_id,
        "connection_id": sale.connection_id,
        "thing": sale.thing,
        "kind": sale.kind.value,
        "order_id": sale.order_id,
        "document_uuid": made.uuid,
    }
    return _inserted_id(connection, _NEW_SALE, values)


def _inserted_id(connection: Connection, statement: Insert, values: dict[str, Any]) -> int:
    key = connection.execute(statement, values).inserted_primary_key
    assert key is not None
    return int(key[0])


def _document_values(sale: NewSale, slot: Slot, made: Made, sale_id: int, snapshot: int) -> dict[str, Any]:
    return {
        "uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "unit_id": sale.unit_id,
        "chain_id": slot.csid.chain_id,
        "icv": slot.link.icv,
        "pih": slot.link.pih,
        "number": slot.number,
        "kind": made.kind.value,
        "profile": made.profile.value,
        "hash": made.hash,
        "issued_at": made.issued_at,
        "made_at": slot.at,
        "currency": made.currency,
        "total": made.total,
        "vat": made.vat,
        "rounding": made.rounding,
        "buyer_name": made.buyer_name,
        "buyer_vat": made.buyer_vat,
        "sale_id": sale_id,
        "snapshot_id": snapshot,
        "replaces": sale.replaces,
        "corrects": sale.corrects,
        "rule_book": made.rule_book,
        "allowed": findings_json(made.allowed),
        "takes": dict(made.takes),
        "external_number": made.external.number if made.external else "",
        "external_left": made.external.left if made.external else None,
        "taxed": made.taxed,
        "supplied_on": made.taxed["supplied_on"] if made.taxed else None,
    }


def _deduction_values(sale: NewSale, made: Made, taken: TakenOff) -> dict[str, Any]:
    return {
        "document_uuid": made.uuid,
        "prepayment_uuid": taken.prepayment,
        "taxpayer_id": sale.taxpayer_id,
        "parts": taken.parts,
    }


def _stamp_values(sale: NewSale, slot: Slot, made: Made) -> dict[str, Any]:
    return {
        "document_uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "csid_id": slot.csid.id,
        "signature": made.signature,
        "xml": made.xml,
        "qr": made.qr,
        "signed_at": slot.at,
    }


def _submission_values(sale: NewSale, slot: Slot, made: Made, held_for: str) -> dict[str, Any]:
    # A standard document has a buyer waiting for it; a simplified one has its day.
    window = REPORTING_WINDOW if made.profile is Profile.SIMPLIFIED else timedelta()
    return {
        "document_uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "unit_id": sale.unit_id,
        "endpoint": made.endpoint,
        "status": (Status.HELD if held_for else Status.ISSUED).value,
        "held_for": held_for,
        "due_by": made.issued_at + window,
        "next_at": None if held_for == "original" else slot.at,
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "findings": [],
        "alarmed": 0,
        "shared_at": None,
    }


def _link_back_values(sale: NewSale, slot: Slot, made: Made) -> dict[str, Any]:
    return {
        "taxpayer_id": sale.taxpayer_id,
        "document_uuid": made.uuid,
        "connection_id": sale.connection_id,
        "state": LinkBackState.DUE.value,
        "next_at": None,  # until the authority has said something final
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "error": "",
        "receipt": "",
        "changed_at": slot.at,
    }


def _must_wait(connection: Connection, sale: NewSale) -> bool:
    """Whether the note's original, or what replaced it, is still without acceptance."""
    if not (sale.waits_for_original and sale.corrects):
        return False
    original = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == sale.corrects).scalar_subquery()
    # Locked whatever they say: an acceptance on its way is awaited, or waits and then finds the note.
    found = connection.execute(
        select(t.SUBMISSION.c.status)
        .join(t.DOCUMENT, t.DOCUMENT.c.uuid == t.SUBMISSION.c.document_uuid)
        .where(t.DOCUMENT.c.sale_id == original)
        .with_for_update(read=True, of=t.SUBMISSION)
    )
    return not any(Status(status).is_accepted for status in found.scalars().all())


def _replace(connection: Connection, uuid: str, *, by: str, sale_id: int) -> None:
    former = t.SUBMISSION.c.document_uuid == uuid
    connection.execute(update(t.SUBMISSION).where(former).values(status=Status.REPLACED.value, next_at=None))
    connection.execute(update(t.SALE).where(t.SALE.c.id == sale_id).values(document_uuid=by))


def _move_head(connection: Connection, slot: Slot, made: Made) -> None:
    values = {"chain": slot.csid.chain_id, "icv": slot.link.icv, "hash": made.hash, "at": slot.at}
    connection.execute(_MOVE, values)


def _issued(sale: NewSale, slot: Slot, made: Made, status: Status) -> Issued:
    return Issued(
        uuid=made.uuid,
        number=slot.number,
        kind=made.kind,
        profile=made.profile,
        icv=slot.link.icv,
        hash=made.hash,
        issued_at=made.issued_at,
        status=status,
        total=made.total,
        vat=made.vat,
        rounding=made.rounding,
        currency=made.currency,
        connection=sale.connection_id,
        order_id=sale.order_id,
        qr=made.qr,
        rule_book=made.rule_book,
        allowed=made.allowed,
        replaces=sale.replaces,
        corrects=sale.corrects,
    )
