"""What the books hold, row by row and unconverted, for whoever examines them: a value that was changed by hand may be
none any more, and has to be seen as it is. Nothing here judges.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, CompoundSelect, Connection, Select, String, and_, except_, func, select, type_coerce

from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.columns import iso
from gateway.ledger.sealing import AuditBatch, Sealing

BATCH: Final = 200
"""Documents read at once: with the cleared ones some 5 MB."""

ISSUED: Final = "document.issued"
NO_NUMBER: Final = 2**62
"""Stands for a counter that is no number any more."""

LONG: Final = timedelta(minutes=10)
"""How long a lease may be over before it is strange that nobody took the row up again."""


class ChainHead(NamedTuple):
    """A chain and its head, as they stand."""

    id: str
    taxpayer_id: str
    unit_id: str
    head_icv: int
    head_hash: str


class Kept(NamedTuple):
    """All that is kept of one document; what is None is not there. Moments and money are the texts that are stored."""

    uuid: str
    taxpayer_id: str
    unit_id: str
    chain_id: str
    icv: int
    pih: str
    number: str
    kind: str
    profile: str
    hash: str
    issued_at: str
    made_at: str
    currency: str
    total: str
    vat: str
    rounding: str
    buyer_name: str
    buyer_vat: str
    corrects: str | None
    replaces: str | None
    external_number: str
    csid_id: str | None
    signature: bytes | None
    xml: bytes | None
    qr: str | None
    signed_at: str | None
    status: str | None
    attempts: int | None
    cleared_xml: bytes | None
    cleared_qr: str | None
    cleared_owner: str | None
    thing: str | None
    certificate: str | None
    csid_chain: str | None
    csid_from: str | None
    csid_until: str | None
    corrected_number: str | None
    replaced_sale: int | None
    sale_id: int
    taxed: str | None
    supplied_on: str | None
    outcomes: tuple[str, ...] = ()
    """How its attempts ended, in their order."""
    begun: int = 0
    """How many attempts are on record."""
    answers: tuple[bytes, ...] = ()
    """The answers to a document that was cleared."""


class Entry(NamedTuple):
    """An entry of the audit log, as its texts stand; `seq` and `hash` are None until it is sealed."""

    id: int
    seq: int | None
    at: str
    taxpayer_id: str
    actor: str
    action: str
    object: str
    detail: str
    hash: str | None


class Witnessed(NamedTuple):
    """What the rows say of a document that the audit log speaks of."""

    uuid: str
    number: str
    unit: str
    csid: str | None
    icv: int
    hash: str
    connection: str | None
    thing: str | None
    rule_book: str
    made_at: str


class Loose(NamedTuple):
    """A row that belongs to nothing, or says what cannot be: what is wrong (a code), whose it is, and which."""

    code: str
    taxpayer_id: str
    key: str


class Claim(NamedTuple):
    """What one document takes of another: `other` is a UUID, or the number of an invoice from elsewhere."""

    other: str
    taxpayer_id: str
    uuid: str
    value: str


def _raw(column: Any) -> Any:
    return type_coerce(column, String).label(column.key)


_D, _S, _U, _C = t.DOCUMENT.c, t.STAMP.c, t.SUBMISSION.c, t.CLEARANCE.c
_CORRECTED, _REPLACED = t.DOCUMENT.alias("corrected"), t.DOCUMENT.alias("replaced")
_KEPT: Final = (
    select(
        *(_D[name] for name in "uuid taxpayer_id unit_id chain_id icv pih number kind profile hash".split()),
        *(_raw(_D[name]) for name in "issued_at made_at currency total vat rounding buyer_name buyer_vat".split()),
        *(_D.corrects, _D.replaces, _D.external_number),
        *(_S.csid_id, _S.signature, _S.xml, _S.qr, _raw(_S.signed_at)),
        *(_U.status, _U.attempts, _C.xml, _C.qr, _C.taxpayer_id, t.SALE.c.thing),
        *(t.CSID.c.certificate, t.CSID.c.chain_id, _raw(t.CSID.c.not_before), _raw(t.CSID.c.not_after)),
        *(_CORRECTED.c.number, _REPLACED.c.sale_id, _D.sale_id, _raw(_D.taxed), _D.supplied_on),
    )
    .select_from(t.DOCUMENT)
    .outerjoin(t.STAMP, and_(_S.document_uuid == _D.uuid, _S.taxpayer_id == _D.taxpayer_id))
    .outerjoin(t.SUBMISSION, and_(_U.document_uuid == _D.uuid, _U.taxpayer_id == _D.taxpayer_id))
    .outerjoin(t.CLEARANCE, _C.document_uuid == _D.uuid)
    .outerjoin(t.SALE, and_(t.SALE.c.id == _D.sale_id, t.SALE.c.taxpayer_id == _D.taxpayer_id))
    .outerjoin(t.CSID, and_(t.CSID.c.id == _S.csid_id, t.CSID.c.taxpayer_id == _D.taxpayer_id))
    .outerjoin(_CORRECTED, and_(_CORRECTED.c.uuid == _D.corrects, _CORRECTED.c.taxpayer_id == _D.taxpayer_id))
    .outerjoin(_REPLACED, _REPLACED.c.uuid == _D.replaces)
)
_A: Final = t.AUDIT.c
_ENTRY: Final = select(_A.id, _A.seq, *(_raw(_A[name]) for name in Entry._fields[2:]))


class Looking(Sealing):
    """Reading everything, to examine it."""

    @property
    def place(self) -> str:
        """The file, or the name of the database on its server."""
        return self._database.name

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of ours (SQLite)."""
        return self._database.is_sqlite

    @property
    def engine(self) -> str:
        """What keeps it, and of what release where that is ours to choose."""
        return f"SQLite {sqlite3.sqlite_version}" if self.is_embedded else "PostgreSQL"

    def every_chain(self) -> tuple[ChainHead, ...]:
        """The chains of all units."""
        chain = t.CHAIN.c
        wanted = select(chain.id, chain.taxpayer_id, chain.unit_id, chain.head_icv, chain.head_hash)
        with self._database.reading() as connection:
            return tuple(ChainHead(*row) for row in connection.execute(wanted.order_by(chain.taxpayer_id, chain.id)))

    def count_documents(self) -> int:
        """How many documents there are."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(t.DOCUMENT)).scalar_one())

    def last_before(self, chain_id: str, moment: datetime) -> int:
        """The counter of a chain's last document made before a moment; 0 if there is none."""
        earlier = select(func.max(_D.icv)).where(_D.chain_id == chain_id, _raw(_D.made_at).element < iso(moment))
        with self._database.reading() as connection:
            return int(connection.execute(earlier).scalar() or 0)

    def hash_at(self, chain_id: str, icv: int) -> str | None:
        """The hash of the document at a place; None if none stands there."""
        with self._database.reading() as connection:
            return connection.execute(select(_D.hash).where(_D.chain_id == chain_id, _D.icv == icv)).scalar()

    def kept(self, chain_id: str, after: int) -> Iterator[list[Kept]]:
        """A chain's documents beyond the counter `after`, in order, some at a time, each seen in a single state."""
        while True:
            page = _KEPT.where(_D.chain_id == chain_id, _D.icv > after).order_by(_D.icv).limit(BATCH)
            with self._database.reading() as connection:
                documents = [_kept(row) for row in connection.execute(page)]
                documents = _with_attempts(connection, documents)
            if documents:
                yield documents
            if len(documents) < BATCH or documents[-1].icv == NO_NUMBER:
                return
            after = documents[-1].icv

    def entries(self, taxpayer_id: str, after: int) -> Iterator[tuple[list[Entry], dict[str, Witnessed]]]:
        """What is sealed of the audit log beyond entry `after`, some at a time, then what waits; with the documents
        that it says were issued."""
        mine = _ENTRY.where(_A.taxpayer_id == taxpayer_id)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(mine.where(_A.seq > after).order_by(_A.seq).limit(BATCH)).all()
                is_last = len(rows) < BATCH
                waiting = connection.execute(mine.where(_A.seq.is_(None)).order_by(_A.id)).all() if is_last else ()
                entries = [Entry(*row) for row in (*rows, *waiting)]
                witnessed = _witnessed(connection, [each.object for each in entries if each.action == ISSUED])
            if entries:
                yield entries, witnessed
            if is_last:
                return
            after = rows[-1].seq

    def entry_hash_at(self, taxpayer_id: str, seq: int) -> str | None:
        """The hash of an entry of the audit log; None if there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(_A.hash).where(_A.taxpayer_id == taxpayer_id, _A.seq == seq)).scalar()

    def batches(self, taxpayer_id: str, after: int) -> Iterator[tuple[AuditBatch, str | None]]:
        """What was sealed after batch `after`, and the hash of the entry each batch ends at; None: there is none."""
        batches = self.audit_batches(taxpayer_id, after=after)
        while some := list(islice(batches, BATCH)):
            places = [each.last_seq for each in some]
            wanted = select(_A.seq, _A.hash).where(_A.taxpayer_id == taxpayer_id, _A.seq.in_(places))
            with self._database.reading() as connection:
                there = {row.seq: row.hash for row in connection.execute(wanted)}
            yield from ((each, there.get(each.last_seq)) for each in some)

    def owners(self) -> tuple[str, ...]:
        """Every taxpayer that has an audit log or is on record."""
        with self._database.reading() as connection:
            known = set(connection.execute(select(t.TAXPAYER.c.id)).scalars())
            return tuple(sorted(known | set(connection.execute(select(_A.taxpayer_id).distinct()).scalars())))

    def loose_ends(self, now: datetime) -> Iterator[Loose]:
        """Rows that belong to nothing, sales with no document or two, leases that are long over."""
        for code, wanted in _loose(now):
            with self._database.reading() as connection:
                found = connection.execute(wanted.limit(BATCH)).all()
            yield from (Loose(code, *map(str, row)) for row in found)

    def deducted(self) -> Iterator[Claim]:
        """What documents that stand take off of prepayments, by prepayment."""
        deduction = t.DEDUCTION.c
        wanted = (
            select(deduction.prepayment_uuid, deduction.taxpayer_id, deduction.document_uuid, _raw(deduction.parts))
            .outerjoin(t.SUBMISSION, _U.document_uuid == deduction.document_uuid)
            .where(func.coalesce(_U.status, "") != Status.REPLACED.value)
        )
        return self._claims(wanted, deduction.prepayment_uuid, deduction.document_uuid)

    def credited(self) -> Iterator[Claim]:
        """What credit notes that stand give back of documents, by the first document of the sale."""
        note, original = t.DOCUMENT.alias("note"), t.DOCUMENT.alias("original")
        wanted = (
            select(original.c.uuid, note.c.taxpayer_id, note.c.uuid, _raw(note.c.total))
            .select_from(note)
            .join(t.SUBMISSION, _U.document_uuid == note.c.uuid)
            .join(_CORRECTED, _CORRECTED.c.uuid == note.c.corrects)
            .join(original, and_(original.c.sale_id == _CORRECTED.c.sale_id, original.c.replaces.is_(None)))
            .where(note.c.kind == "381", _U.status.not_in([Status.REPLACED.value, Status.REJECTED.value]))
        )
        return self._claims(wanted, original.c.uuid, note.c.uuid)

    def credited_elsewhere(self) -> Iterator[Claim]:
        """The same of invoices from elsewhere, by number; `value` is what is given back and what was left, or empty."""
        value = func.coalesce(_raw(_D.total).element, "") + " " + func.coalesce(_raw(_D.external_left).element, "")
        wanted = (
            select((_D.taxpayer_id + " " + _D.external_number).label("other"), _D.taxpayer_id, _D.uuid, value)
            .join(t.SUBMISSION, _U.document_uuid == _D.uuid)
            .where(_D.external_number != "", _D.kind == "381", _U.status != Status.REPLACED.value)
        )
        return self._claims(wanted, _D.taxpayer_id + " " + _D.external_number, _D.uuid)

    def worth(self, uuid: str) -> tuple[Decimal, Decimal, bytes] | None:
        """Total and VAT of a document as its row has them, and its bytes; None if it is not there or no numbers."""
        wanted = select(_raw(_D.total), _raw(_D.vat), _S.xml).join(t.STAMP, _S.document_uuid == _D.uuid)
        with self._database.reading() as connection:
            row = connection.execute(wanted.where(_D.uuid == uuid)).first()
        try:
            return (Decimal(row[0]), Decimal(row[1]), bytes(row[2])) if row else None
        except (InvalidOperation, TypeError):
            return None

    def _claims(self, wanted: Select[Any], *order: Any) -> Iterator[Claim]:
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(wanted.order_by(*order)):
                yield Claim(*row)


def _kept(row: Iterable[Any]) -> Kept:
    kept = Kept._make((*row, (), 0, ()))
    return kept if isinstance(kept.icv, int) else kept._replace(icv=NO_NUMBER)


def _with_attempts(connection: Connection, documents: Sequence[Kept]) -> list[Kept]:
    attempt = t.ATTEMPT.c
    uuids = [each.uuid for each in documents]
    wanted = select(attempt.document_uuid, attempt.phase, attempt.outcome).where(attempt.document_uuid.in_(uuids))
    outcomes: dict[str, list[str]] = {}
    begun: dict[str, int] = {}
    for uuid, phase, outcome in connection.execute(wanted.order_by(attempt.document_uuid, attempt.number)):
        if phase == "begun":
            begun[uuid] = begun.get(uuid, 0) + 1
        else:
            outcomes.setdefault(uuid, []).append(str(outcome))
    cleared = [each.uuid for each in documents if each.cleared_xml is not None or each.status == Status.CLEARED.value]
    bodies: dict[str, list[bytes]] = {}
    for uuid, body in connection.execute(
        select(attempt.document_uuid, attempt.body).where(attempt.document_uuid.in_(cleared), attempt.body.is_not(None))
    ):
        bodies.setdefault(uuid, []).append(body)
    return [
        each._replace(
            outcomes=tuple(outcomes.get(each.uuid, ())),
            begun=begun.get(each.uuid, 0),
            answers=tuple(bodies.get(each.uuid, ())),
        )
        for each in documents
    ]


def _witnessed(connection: Connection, uuids: Sequence[str]) -> dict[str, Witnessed]:
    csid = func.coalesce(_S.csid_id, t.STAMPING.c.csid_id)
    wanted = (
        select(_D.uuid, _D.number, _D.unit_id, csid, _D.icv, _D.hash, t.SALE.c.connection_id, t.SALE.c.thing)
        .add_columns(_D.rule_book, _raw(_D.made_at))
        .select_from(t.DOCUMENT)
        .outerjoin(t.STAMP, _S.document_uuid == _D.uuid)
        .outerjoin(t.STAMPING, t.STAMPING.c.document_uuid == _D.uuid)
        .outerjoin(t.SALE, t.SALE.c.id == _D.sale_id)
        .where(_D.uuid.in_(uuids))
    )
    return {row[0]: Witnessed(*row) for row in connection.execute(wanted)} if uuids else {}


def _loose(now: datetime) -> Iterator[tuple[str, Select[Any] | CompoundSelect[Any]]]:
    for table in (t.STAMP, t.STAMPING, t.SUBMISSION, t.CLEARANCE, t.ATTEMPT, t.IDEMPOTENCY_KEY):
        yield f"loose.{table.name}", _without_document(table, table.c.document_uuid)
    of_sale = and_(_D.uuid == t.SALE.c.document_uuid, _D.sale_id == t.SALE.c.id)
    nowhere = select(t.SALE.c.taxpayer_id, t.SALE.c.id).outerjoin(t.DOCUMENT, of_sale).where(_D.uuid.is_(None))
    yield "sale.nowhere", nowhere
    accepted = [each.value for each in Status if each.is_accepted]
    of_one = select(_D.taxpayer_id, _D.sale_id).join(t.SUBMISSION, _U.document_uuid == _D.uuid)
    twice = of_one.where(_U.status.in_(accepted)).group_by(_D.taxpayer_id, _D.sale_id).having(func.count() > 1)
    yield "sale.twice", twice
    homeless = select(_D.taxpayer_id, _D.uuid).outerjoin(t.CHAIN, t.CHAIN.c.id == _D.chain_id)
    yield "chain.missing", homeless.where(t.CHAIN.c.id.is_(None))
    # As a difference of sets: joined, SQLite would compare every document with every entry.
    said = select(_A.taxpayer_id, _A.object).where(_A.action == ISSUED)
    yield "document.unaudited", except_(select(_D.taxpayer_id, _D.uuid), said)
    to_stamp = select(_U.taxpayer_id, _U.document_uuid).where(_U.status == Status.UNSTAMPED.value)
    unkept = to_stamp.outerjoin(t.STAMPING, t.STAMPING.c.document_uuid == _U.document_uuid)
    yield "document.unstampable", unkept.where(t.STAMPING.c.document_uuid.is_(None))
    late = type_coerce(_U.lease_until, String) < iso(now - LONG)
    yield "lease.overdue", select(_U.taxpayer_id, _U.document_uuid).where(late, _U.next_at.is_not(None))


def _without_document(table: Any, uuid: Column[Any]) -> Select[Any]:
    return select(table.c.taxpayer_id, uuid).outerjoin(t.DOCUMENT, _D.uuid == uuid).where(_D.uuid.is_(None)).distinct()
