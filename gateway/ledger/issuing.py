"""The one locked transaction that makes a document: number, link, hash, stamp and bytes are decided in it, or nothing.

Those that come while it runs are made together in the next one. It knows neither how a document is rendered nor how it
is judged or stamped: that is `make`, which is handed the place the document takes.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Insert, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.issued import Issued, Status
from gateway.ledger import entries
from gateway.ledger import tables as t
from gateway.ledger.documents import issued, issued_rows
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.fencing import Fencing
from gateway.ledger.group import Group, Place, appended
from gateway.ledger.line import Line, Waiting
from gateway.ledger.places import not_onboarded, number_taken, series, slot_at
from gateway.ledger.postings import ring_postings
from gateway.ledger.rows import Appended, Laid, Made, NewSale, Slot
from gateway.ledger.sales import existing_document, key_values, standing_document
from gateway.ledger.shop_tables import LINK_BACK
from gateway.ledger.statements import Head, UnitKey, head_of, head_row, sale_exists

# Statements are put together once.
_CHAIN, _UNIT = t.CHAIN.c, t.UNIT.c
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
_NEW_DEDUCTION, _NEW_AUDIT = insert(t.DEDUCTION), insert(t.AUDIT).inline()


class Issuing(Fencing):
    """Making documents."""

    _line: Line

    def append(
        self,
        sale: NewSale,
        make: Callable[[Slot], Made | Laid],
        *,
        actor: str,
        now: datetime,
        looks_back: bool = False,
    ) -> Appended:
        """The sale's document: the one it has, or a new one at the head of the unit's chain.

        Many may append at once: then they share a transaction, each with an outcome of its own. `make` is asked again,
        with another place, when somebody before it was refused or the chain has moved; where it `looks_back`, at what
        other documents have left, it is asked in the chain's lock and nowhere else.

        Conflict: the sale was issued with other content, the Idempotency-Key served another request, the number is
        taken. Unavailable: no certificate in use, the clock runs back, the chain is fenced; then, and if `make` raises,
        nothing is consumed. Unavailable too if a document was made and the head journal cannot be written: it stays.
        """
        self._settle()
        return self._line.stand(Waiting(sale, make, actor, now, looks_back))

    def find_sale(self, sale: NewSale) -> Appended | None:
        """The document the sale has already, without waiting for the chain; Conflict as `append` would raise it."""
        self._settle()
        if not (sale.idempotency_key or sale.replaces or sale_exists(self._database.look, sale)):
            return None
        with self._database.reading() as connection:
            found = existing_document(connection, sale)
        return Appended(found, created=False) if found else None

    def _issue(self, waiting: list[Waiting]) -> Callable[[], None]:
        """Those of the plain kind together; what is left to do then holds up nobody behind them."""
        places: list[Place] = []
        try:
            places = Group(self._database, self._admit).make([each for each in waiting if not _stands_alone(each)])
        except IntegrityError:
            pass  # in the way was what no look had shown: each of them finds out by itself, or is made
        except Exception as error:  # noqa: BLE001, raised where they wait
            for each in waiting:
                each.fail(error)

        def conclude() -> None:
            self._acknowledge(places)
            for each in waiting:
                if not each.is_decided:
                    self._issue_alone(each)

        return conclude

    def _acknowledge(self, places: list[Place]) -> None:
        """They are committed, and told of once the head journal has the last of each chain."""
        last = {each.slot.csid.chain_id or "": each for each in places}
        try:
            self._journalled((chain, each.slot.link.icv, each.made.hash, each.slot.at) for chain, each in last.items())
        except Exception as error:  # noqa: BLE001, raised where they wait
            for each in places:
                each.waiting.fail(error)
        else:
            for each in places:
                each.waiting.serve(appended(each))

    def _issue_alone(self, waiting: Waiting) -> None:
        try:
            waiting.serve(self._append_alone(waiting.sale, waiting.make, actor=waiting.actor, now=waiting.now))
        except Exception as error:  # noqa: BLE001, raised where it waits
            waiting.fail(error)

    def _append_alone(
        self, sale: NewSale, make: Callable[[Slot], Made | Laid], *, actor: str, now: datetime
    ) -> Appended:
        """In a transaction of its own: repeats, corrections, notes, and what was in the way of a group."""
        with self._database.writing() as connection:
            look = self._database.within(connection)
            row = head_row(look, UnitKey(sale.taxpayer_id, sale.unit_id), lock=not self._database.is_sqlite)
            standing = standing_document(connection, sale)
            if standing:
                return Appended(standing, created=False)
            if row is None:
                raise not_onboarded(sale)
            head = head_of(row)
            self._admit(head.csid.chain_id or "")
            slot = slot_at(head, _number(connection, sale, head), now, _replaced(connection, sale))
            laid = make(slot)
            made = laid if isinstance(laid, Made) else laid.finish()
            assert made.kind is sale.kind, "the document made is of the kind the sale asked for"
            assert made.issued_at <= slot.at, "a document is not issued after it was made"
            status = _insert(connection, sale, slot, made, held=head.is_held)
            _move_head(connection, slot, made)
            connection.execute(_NEW_AUDIT, entries.audit_values(sale, slot, made, actor=actor))
        self._journalled([(slot.csid.chain_id or "", slot.link.icv, made.hash, slot.at)])
        return Appended(entries.issued_of(sale, slot, made, status=status), created=True)


def _stands_alone(waiting: Waiting) -> bool:
    """Whether it depends on other documents, which must be looked at in the lock."""
    sale = waiting.sale
    return waiting.looks_back or sale.replaces is not None or sale.corrects is not None


def _number(connection: Connection, sale: NewSale, head: Head) -> str:
    """The caller's number if it gave one, else the next of the unit's series that is free."""
    if sale.invoice_number:
        if _is_taken(connection, sale, sale.invoice_number):
            raise number_taken(sale.invoice_number)
        return sale.invoice_number
    drawn = head.next_number
    while _is_taken(connection, sale, number := series(head, drawn)):
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
    snapshot = _inserted_id(connection, _NEW_SNAPSHOT, entries.snapshot_values(sale, slot))
    sale_id = _sale_id(connection, sale, made)
    connection.execute(_NEW_DOCUMENT, entries.document_values(sale, slot, made, sale_id, snapshot))
    if made.is_stamped:
        connection.execute(_NEW_STAMP, entries.stamp_values(sale, slot, made))
    else:
        connection.execute(insert(t.STAMPING), entries.stamping_values(sale, slot, made))
    for each in made.deductions:
        connection.execute(_NEW_DEDUCTION, entries.deduction_values(sale, made, each))
    if sale.replaces:
        _replace(connection, sale.replaces, by=made.uuid, sale_id=sale_id)
        ring_postings(connection, sale.replaces, slot.at, replaced=True)
    held_for = "original" if _must_wait(connection, sale) else "unit" if held else ""
    submission = entries.submission_values(sale, slot, made, held_for=held_for)
    connection.execute(_NEW_SUBMISSION, submission)
    if sale.idempotency_key:
        connection.execute(insert(t.IDEMPOTENCY_KEY), key_values(sale, made.uuid))
    if sale.link_back:
        connection.execute(_NEW_LINK_BACK, entries.link_back_values(sale, slot, made))
    for posting in entries.postings_values(sale, slot, made):
        connection.execute(insert(POSTING), posting)
    return Status(submission["status"])


def _sale_id(connection: Connection, sale: NewSale, made: Made) -> int:
    """The sale's row: the one that stands if a document is replaced, else a new one."""
    if sale.replaces:
        wanted = select(t.DOCUMENT.c.sale_id).where(t.DOCUMENT.c.uuid == sale.replaces)
        return int(connection.execute(wanted).scalar_one())
    return _inserted_id(connection, _NEW_SALE, entries.sale_values(sale, made))


def _inserted_id(connection: Connection, statement: Insert, values: dict[str, Any]) -> int:
    key = connection.execute(statement, values).inserted_primary_key
    assert key is not None
    return int(key[0])


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
