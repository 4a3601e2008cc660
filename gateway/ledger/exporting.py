"""Reading for a package that is carried away: a chain's links with all that is said of each, documents and answers, a
part at a time, and the span of the audit log.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import String, func, select, type_coerce

from gateway.ledger import tables as t
from gateway.ledger.archive_tables import ARCHIVED, DISPOSED
from gateway.ledger.archiving import FINAL
from gateway.ledger.certificates import csid_record
from gateway.ledger.database import Database
from gateway.ledger.rows import CsidRecord
from gateway.ledger.taxed import final_xmls

_D, _S, _U, _C = t.DOCUMENT.c, t.STAMP.c, t.SUBMISSION.c, t.CLEARANCE.c
_LATER = t.DOCUMENT.alias("later")


class ExportLink(NamedTuple):
    """A document's place in its chain and what a package says of it. Moments and money are the texts that are stored.
    `deleted_at` is when its archived file was deleted by two people, `archived_sha256` what that was."""

    icv: int
    uuid: str
    pih: str
    hash: str
    number: str
    kind: str
    profile: str
    issued_at: str
    made_at: str
    currency: str
    total: str
    vat: str
    buyer_name: str
    buyer_vat: str
    corrects: str | None
    replaces: str | None
    replaced_by: str | None
    csid_id: str
    signature: bytes
    signed_at: str
    status: str
    is_cleared: bool
    deleted_at: str | None
    archived_sha256: str | None


class ExportAnswer(NamedTuple):
    """How an attempt ended: the raw answer, None if none came."""

    uuid: str
    number: int
    at: str
    http_status: int | None
    outcome: str
    body: bytes | None


class AuditSpan(NamedTuple):
    """A stretch of the audit log: its first and last entry, 0 if there is none, and the hash before the first; and the
    batches from the one that the first entry is in, to the newest, and the hash before these."""

    first: int
    last: int
    previous: str
    first_batch: int
    last_batch: int
    before_batch: str


def _raw(column: Any) -> Any:
    return type_coerce(column, String).label(column.key)


# The cleared one, which sorts first, where there are two.
_DELETED = (
    select(_raw(DISPOSED.c.at))
    .where(DISPOSED.c.document_uuid == _D.uuid, DISPOSED.c.name.in_(FINAL))
    .order_by(DISPOSED.c.name)
    .limit(1)
    .scalar_subquery()
)
_ARCHIVED = (
    select(ARCHIVED.c.sha256)
    .where(ARCHIVED.c.document_uuid == _D.uuid, ARCHIVED.c.name.in_(FINAL))
    .order_by(ARCHIVED.c.name)
    .limit(1)
    .scalar_subquery()
)
_LINK: Final = (
    select(
        *(_D[name] for name in "icv uuid pih hash number kind profile".split()),
        *(_raw(_D[name]) for name in "issued_at made_at currency total vat buyer_name buyer_vat".split()),
        *(_D.corrects, _D.replaces, _LATER.c.uuid, _S.csid_id, _S.signature, _raw(_S.signed_at), _U.status),
        *(_C.document_uuid.is_not(None), _DELETED, _ARCHIVED),
    )
    .join_from(t.DOCUMENT, t.STAMP, _S.document_uuid == _D.uuid)
    .join(t.SUBMISSION, _U.document_uuid == _D.uuid)
    .outerjoin(t.CLEARANCE, _C.document_uuid == _D.uuid)
    .outerjoin(_LATER, _LATER.c.replaces == _D.uuid)
)


class Exporting:
    """Reading what is exported."""

    _database: Database

    def export_links(
        self, taxpayer_id: str, chain_id: str, *, after: int, until: int, limit: int
    ) -> tuple[ExportLink, ...]:
        """The next links of a chain beyond the counter `after`, up to `until`."""
        page = _LINK.where(_D.taxpayer_id == taxpayer_id, _D.chain_id == chain_id, _D.icv > after, _D.icv <= until)
        with self._database.reading() as connection:
            rows = connection.execute(page.order_by(_D.icv).limit(limit)).all()
        return tuple(ExportLink._make((*row[:21], bool(row[21]), *row[22:])) for row in rows)

    def export_documents(self, taxpayer_id: str, uuids: Sequence[str]) -> dict[str, bytes]:
        """The final XML of documents: the cleared one where there is one."""
        with self._database.reading() as connection:
            return final_xmls(connection, taxpayer_id, uuids)

    def export_answers(self, taxpayer_id: str, uuids: Sequence[str]) -> Iterator[ExportAnswer]:
        """How the attempts at these documents ended, in their order."""
        attempt = t.ATTEMPT.c
        columns = (attempt.document_uuid, attempt.number, _raw(attempt.at), attempt.http_status, attempt.outcome)
        wanted = select(*columns, attempt.body).where(
            attempt.taxpayer_id == taxpayer_id, attempt.document_uuid.in_(uuids), attempt.phase == "ended"
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(attempt.document_uuid, attempt.number)).all()
        yield from (ExportAnswer(*row) for row in rows)

    def serving(self, taxpayer_id: str, chain_id: str) -> tuple[CsidRecord, ...]:
        """The certificates of a chain, oldest first."""
        csid = t.CSID.c
        mine = select(t.CSID).where(csid.taxpayer_id == taxpayer_id, csid.chain_id == chain_id)
        with self._database.reading() as connection:
            rows = connection.execute(mine.order_by(csid.created_at, csid.id)).all()
        return tuple(csid_record(row) for row in rows)

    def audit_span(self, taxpayer_id: str, since: datetime | None, until: datetime | None) -> AuditSpan:
        """The entries of the audit log from a moment to another, the latter not included."""
        audit = t.AUDIT.c
        wanted = select(func.min(audit.seq), func.max(audit.seq)).where(audit.taxpayer_id == taxpayer_id)
        wanted = wanted.where(audit.at >= since) if since else wanted
        wanted = wanted.where(audit.at < until) if until else wanted
        with self._database.reading() as connection:
            first, last = connection.execute(wanted).one()
            if first is None:
                return AuditSpan(0, 0, "", 0, 0, "")
            before = select(audit.hash).where(audit.taxpayer_id == taxpayer_id, audit.seq == first - 1)
            previous = connection.execute(before).scalar() or ""
            batch, mine = t.AUDIT_BATCH.c, t.AUDIT_BATCH.c.taxpayer_id == taxpayer_id
            within = select(func.min(batch.number)).where(mine, batch.last_seq >= first)
            begin = connection.execute(within).scalar_one()
            end = connection.execute(select(func.max(batch.number)).where(mine)).scalar_one()
            earlier = connection.execute(select(batch.hash).where(mine, batch.number == begin - 1)).scalar() or ""
            return AuditSpan(first, last, previous, begin, end, earlier)
