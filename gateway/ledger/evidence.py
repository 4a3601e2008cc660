"""What an auditor proves the books by: every certificate of a unit, and its chains, link by link."""

from typing import Final, NamedTuple

from sqlalchemy import select

from gateway.issued import Status
from gateway.ledger import tables as t
from gateway.ledger.certificates import csid_record
from gateway.ledger.database import Database
from gateway.ledger.rows import CsidRecord

MAX_LINKS: Final = 1000


class ChainLink(NamedTuple):
    """A document in its place: counter, hash of the one before, its own hash."""

    icv: int
    pih: str
    hash: str
    uuid: str
    number: str
    csid_id: str
    status: Status


class Evidence:
    """Reading certificates and chains."""

    _database: Database

    def unit_csids(self, taxpayer_id: str, unit_id: str) -> tuple[CsidRecord, ...]:
        """Every certificate that a unit ever had, oldest first."""
        csid = t.CSID.c
        wanted = select(t.CSID).where(csid.taxpayer_id == taxpayer_id, csid.unit_id == unit_id)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(csid.created_at, csid.id)).all()
        return tuple(csid_record(row) for row in rows)

    def links(
        self, taxpayer_id: str, unit_id: str, chain_id: str, *, after: int = 0, limit: int = MAX_LINKS
    ) -> tuple[ChainLink, ...]:
        """Some of a chain's documents beyond the counter `after`; none if the unit has no such chain."""
        document, stamp, submission = t.DOCUMENT.c, t.STAMP.c, t.SUBMISSION.c
        wanted = (
            select(document.icv, document.pih, document.hash, document.uuid, document.number, stamp.csid_id)
            .add_columns(submission.status)
            .join(t.STAMP, stamp.document_uuid == document.uuid)
            .join(t.SUBMISSION, submission.document_uuid == document.uuid)
            .where(document.taxpayer_id == taxpayer_id, document.unit_id == unit_id)
            .where(document.chain_id == chain_id, document.icv > after)
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(document.icv).limit(min(limit, MAX_LINKS))).all()
        return tuple(ChainLink(*row)._replace(status=Status(row.status)) for row in rows)
