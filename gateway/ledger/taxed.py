"""Documents as the VAT return looks at them: some at a time, with their bytes where those are needed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from gateway.invoice.facts import Kind, Profile
from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.database import Database

BATCH: Final = 500
"""Documents read at once; with their bytes some 8 MB."""

_D, _U = t.DOCUMENT.c, t.SUBMISSION.c
_ORIGINAL = t.DOCUMENT.alias("original")
_TAXED: Final = (
    select(
        *(_D[name] for name in "uuid number kind profile unit_id issued_at made_at buyer_name buyer_vat".split()),
        *(_D.taxed, _D.corrects, _U.status),
        *(_ORIGINAL.c[name].label(f"original_{name}") for name in ("kind", "issued_at", "taxed")),
    )
    .join(t.SUBMISSION, _U.document_uuid == _D.uuid)
    .outerjoin(_ORIGINAL, and_(_ORIGINAL.c.uuid == _D.corrects, _ORIGINAL.c.taxpayer_id == _D.taxpayer_id))
)


class Place(NamedTuple):
    """Where reading goes on: behind the document made then."""

    made_at: datetime
    uuid: str


class Original(NamedTuple):
    """A document that a note corrects: its kind, its moment of issue, what is kept of its VAT."""

    kind: Kind
    issued_at: datetime
    taxed: Mapping[str, Any] | None


class TaxedRow(NamedTuple):
    """A document; `taxed` as the books keep it, `xml` the bytes that count: the cleared ones, else those stamped.

    `original` is the document that a note corrects.
    """

    uuid: str
    number: str
    kind: Kind
    profile: Profile
    unit_id: str
    issued_at: datetime
    made_at: datetime
    buyer_name: str
    buyer_vat: str
    taxed: Mapping[str, Any] | None
    corrects: str | None
    status: Status
    original: Original | None
    xml: bytes | None


class Taxing:
    """Reading what documents say of VAT."""

    _database: Database

    def taxed(
        self,
        taxpayer_id: str,
        *,
        since: datetime,
        until: datetime,
        supplied_until: date | None = None,
        unit: str = "",
        after: Place | None = None,
        with_xml: bool = False,
    ) -> Iterator[list[TaxedRow]]:
        """A taxpayer's documents issued from `since` to before `until`, in the order they were made, in batches each
        seen in a single state; with `supplied_until` also those issued later that name a day of supply up to that
        one. Where nothing is kept of a document's VAT its bytes come with it."""
        conditions = _conditions(taxpayer_id, since, until, supplied_until, unit)
        wanted = _TAXED.where(*conditions).order_by(_D.made_at, _D.uuid).limit(BATCH)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(_behind(wanted, after)).all()
                needed = [row.uuid for row in rows if with_xml or row.taxed is None]
                xmls = final_xmls(connection, taxpayer_id, needed) if needed else {}
            if rows:
                yield [_row(row, xmls.get(row.uuid)) for row in rows]
            if len(rows) < BATCH:
                return
            after = Place(rows[-1].made_at, rows[-1].uuid)


def _conditions(
    taxpayer_id: str, since: datetime, until: datetime, supplied_until: date | None, unit: str
) -> Iterator[ColumnElement[bool]]:
    # Nothing is made before it is issued, and an index leads to the moment of making.
    yield from (_D.taxpayer_id == taxpayer_id, _D.made_at >= since, _D.issued_at >= since)
    if supplied_until is None:
        yield _D.issued_at < until
    else:
        yield or_(_D.issued_at < until, _D.taxed.is_(None), _D.supplied_on <= supplied_until.isoformat())
    if unit:
        yield _D.unit_id == unit


def _behind(wanted: Select[Any], place: Place | None) -> Select[Any]:
    if place is None:
        return wanted
    # The first comparison is what the index is entered by.
    later = or_(_D.made_at > place.made_at, _D.uuid > place.uuid)
    return wanted.where(_D.made_at >= place.made_at, later)


def final_xmls(connection: Connection, taxpayer_id: str, uuids: Sequence[str]) -> dict[str, bytes]:
    """The bytes that count of a taxpayer's documents, by UUID: the cleared ones, else those stamped."""
    wanted = (
        select(t.STAMP.c.document_uuid, func.coalesce(t.CLEARANCE.c.xml, t.STAMP.c.xml))
        .outerjoin(t.CLEARANCE, t.CLEARANCE.c.document_uuid == t.STAMP.c.document_uuid)
        .where(t.STAMP.c.taxpayer_id == taxpayer_id, t.STAMP.c.document_uuid.in_(uuids))
    )
    return {row[0]: bytes(row[1]) for row in connection.execute(wanted)}


def _row(row: Row[Any], xml: bytes | None) -> TaxedRow:
    return TaxedRow(
        uuid=row.uuid,
        number=row.number,
        kind=Kind(row.kind),
        profile=Profile(row.profile),
        unit_id=row.unit_id,
        issued_at=row.issued_at,
        made_at=row.made_at,
        buyer_name=row.buyer_name,
        buyer_vat=row.buyer_vat,
        taxed=row.taxed,
        corrects=row.corrects,
        status=Status(row.status),
        original=_original(row),
        xml=xml,
    )


def _original(row: Row[Any]) -> Original | None:
    if row.original_kind is None:
        return None
    return Original(Kind(row.original_kind), row.original_issued_at, row.original_taxed)
