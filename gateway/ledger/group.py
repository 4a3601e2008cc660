"""Documents that are made together: each has its own outcome, all share one transaction.

Only plain ones, of new sales that depend on no other document. In SQLite, whose one lock would keep everybody from
writing, their places are foreseen: they are laid and proved before it is taken, and laid anew only if the chain has
moved meanwhile. On PostgreSQL the lock is the chain's alone, so they are laid in it. What is refused consumes no place:
those behind it move up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from gateway.issued import Status
from gateway.ledger import entries, statements
from gateway.ledger.columns import iso
from gateway.ledger.database import Database
from gateway.ledger.line import Waiting
from gateway.ledger.places import series, slot_at
from gateway.ledger.rows import Appended, Laid, Made, NewSale, Slot
from gateway.ledger.sales import key_values
from gateway.ledger.statements import Head, Look, UnitKey

_HeadRows = Mapping[UnitKey, tuple[Any, ...] | None]


class Place(NamedTuple):
    """One document in its place."""

    waiting: Waiting
    head: Head
    slot: Slot
    laid: Laid
    made: Made

    @property
    def number(self) -> tuple[str, str]:
        """Its number, which nobody else of the taxpayer may have."""
        return self.waiting.sale.taxpayer_id, self.slot.number


class Group:
    """Some that wait, and the transaction that makes their documents. What it leaves undecided is of no plain kind."""

    def __init__(self, database: Database, admit: Callable[[str], None]) -> None:
        self._database = database
        self._admit = admit
        self._known: dict[Waiting, Place] = {}

    def make(self, waiting: Sequence[Waiting]) -> list[Place]:
        """Make the documents of all that can be; these are committed, and nobody has heard of them yet."""
        rows: _HeadRows = {}
        if self._database.is_sqlite:
            waiting = _new_sales(self._database.look, waiting)
            rows = self._heads(self._database.look, waiting)
            self._lay(waiting, rows)
            waiting = [each for each in waiting if not each.is_decided]
        if not waiting:
            return []
        with self._database.writing() as connection:
            look = self._database.within(connection)
            waiting = _new_sales(look, waiting)
            locked = self._heads(look, waiting, lock=not self._database.is_sqlite)
            places = self._lay(waiting, locked)
            while used := statements.taken(look, [each.number for each in places]):
                places = self._lay([each.waiting for each in places if each.number not in used], locked)
            if places:
                self._write(connection, look, places)
        return places

    def _heads(self, look: Look, waiting: Iterable[Waiting], *, lock: bool = False) -> _HeadRows:
        units = sorted({UnitKey(each.sale.taxpayer_id, each.sale.unit_id) for each in waiting})
        return {unit: statements.head_row(look, unit, lock=lock) for unit in units}

    def _lay(self, waiting: Iterable[Waiting], rows: _HeadRows) -> list[Place]:
        """A place and a proved document for each, in order; who cannot have one is told, and those behind move up."""
        heads = {unit: statements.head_of(row) for unit, row in rows.items() if row}
        while True:
            laid = self._laid([each for each in waiting if not each.is_decided], dict(heads))
            places = [place for each in laid if (place := self._proved(each))]
            if len(places) == len(laid):
                return places

    def _laid(self, waiting: Iterable[Waiting], heads: dict[UnitKey, Head]) -> list[tuple[Waiting, Head, Slot, Laid]]:
        found = []
        for each in waiting:
            unit = UnitKey(each.sale.taxpayer_id, each.sale.unit_id)
            if unit not in heads:
                continue
            head = heads[unit]
            number = each.sale.invoice_number or series(head, head.next_number)
            try:
                self._admit(head.csid.chain_id or "")
                slot = slot_at(head, number, each.now)
                laid = self._laid_in(each, slot)
            except Exception as error:  # noqa: BLE001, raised where it waits
                each.fail(error)
                continue
            drawn = 0 if each.sale.invoice_number else 1
            heads[unit] = head._replace(
                icv=slot.link.icv, hash=laid.hash, at=slot.at, next_number=head.next_number + drawn
            )
            found.append((each, head, slot, laid))
        return found

    def _laid_in(self, waiting: Waiting, slot: Slot) -> Laid:
        """The document in this place: the one that was laid there before, or one that is made now."""
        known = self._known.get(waiting)
        if known and known.slot == slot:
            return known.laid
        laid = waiting.make(slot)
        return Laid(laid.hash, lambda: laid) if isinstance(laid, Made) else laid

    def _proved(self, laid: tuple[Waiting, Head, Slot, Laid]) -> Place | None:
        waiting, head, slot, document = laid
        known = self._known.get(waiting)
        if known and known.laid is document:
            return known._replace(head=head)
        try:
            made = document.finish()
            assert made.kind is waiting.sale.kind, "the document made is of the kind the sale asked for"
            assert made.issued_at <= slot.at, "a document is not issued after it was made"
            assert made.hash == document.hash, "the document that was proved is the one that was laid"
        except Exception as error:  # noqa: BLE001, raised where it waits
            waiting.fail(error)
            return None
        place = self._known[waiting] = Place(waiting, head, slot, document, made)
        return place

    def _write(self, connection: Connection, look: Look, places: Sequence[Place]) -> None:
        ids = statements.next_ids(look, len(places), is_sqlite=self._database.is_sqlite)
        numbered = list(zip(places, ids, strict=True))
        with self._database.sending(connection) as send:
            send(statements.SNAPSHOT.sql, [_snapshot(place, snapshot) for place, (snapshot, _) in numbered])
            send(statements.SALE.sql, [_sale(place, sale) for place, (_, sale) in numbered])
            for place, (snapshot, sale) in numbered:
                values = entries.document_values(*_facts(place), sale, snapshot)
                send(statements.DOCUMENT.sql, [statements.DOCUMENT.row(values)])
                # The guards of the chain see each document follow the head, and the head each document.
                slot = place.slot
                send(statements.MOVE_HEAD, [(slot.link.icv, place.made.hash, iso(slot.at), slot.csid.chain_id)])
            for statement, rows in _other_rows(places):
                if rows:
                    send(statement, rows)


def _snapshot(place: Place, number: int) -> tuple[Any, ...]:
    return statements.SNAPSHOT.row({**entries.snapshot_values(place.waiting.sale, place.slot), "id": number})


def _sale(place: Place, number: int) -> tuple[Any, ...]:
    return statements.SALE.row({**entries.sale_values(place.waiting.sale, place.made), "id": number})


def _facts(place: Place) -> tuple[NewSale, Slot, Made]:
    return place.waiting.sale, place.slot, place.made


def _other_rows(places: Sequence[Place]) -> Iterable[tuple[str, list[tuple[Any, ...]]]]:
    """What else a document consists of, statement by statement."""
    done = [each for each in places if each.made.is_stamped]
    yield statements.STAMP.sql, [statements.STAMP.row(entries.stamp_values(*_facts(each))) for each in done]
    to_follow = [each for each in places if not each.made.is_stamped]
    yield (
        statements.STAMPING.sql,
        [statements.STAMPING.row(entries.stamping_values(*_facts(each))) for each in to_follow],
    )
    yield statements.SUBMISSION.sql, [statements.SUBMISSION.row(_submission(each)) for each in places]
    said = [entries.audit_values(*_facts(each), actor=each.waiting.actor) for each in places]
    yield statements.AUDIT.sql, [statements.AUDIT.row(values) for values in said]
    keyed = [each for each in places if each.waiting.sale.idempotency_key]
    yield (
        statements.IDEMPOTENCY_KEY.sql,
        [statements.IDEMPOTENCY_KEY.row(key_values(each.waiting.sale, each.made.uuid)) for each in keyed],
    )
    told = [each for each in places if each.waiting.sale.link_back]
    yield (
        statements.LINK_BACK.sql,
        [statements.LINK_BACK.row(entries.link_back_values(*_facts(each))) for each in told],
    )
    booked = [values for each in places for values in entries.postings_values(*_facts(each))]
    yield statements.POSTING.sql, [statements.POSTING.row(values) for values in booked]
    drawn = {
        UnitKey(each.waiting.sale.taxpayer_id, each.waiting.sale.unit_id): each.head.next_number + 1
        for each in places
        if not each.waiting.sale.invoice_number
    }
    yield statements.DRAW, [(number, *unit) for unit, number in drawn.items()]


def _submission(place: Place) -> dict[str, Any]:
    return entries.submission_values(*_facts(place), held_for="unit" if place.head.is_held else "")


def appended(place: Place) -> Appended:
    """What the caller hears of a document that was made."""
    status = Status(_submission(place)["status"])
    return Appended(entries.issued_of(*_facts(place), status=status), created=True)


def _new_sales(look: Look, waiting: Sequence[Waiting]) -> list[Waiting]:
    """Those whose sale and Idempotency-Key nobody has, neither on record nor before them in the group."""
    seen = statements.standing(look, [each.sale for each in waiting])
    found = []
    for each in waiting:
        sale = each.sale
        names: set[tuple[str, ...]] = {statements.natural_key(sale)}
        if sale.idempotency_key:
            names.add((sale.taxpayer_id, sale.idempotency_key))
        if sale.invoice_number:
            names.add((sale.taxpayer_id, "number", sale.invoice_number))
        if not (names & seen):
            found.append(each)
        seen |= names
    return found
