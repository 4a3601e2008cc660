"""Counts of the whole installation, for monitoring: cheap to ask, and naming no document and no buyer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import func, select

from gateway.ledger.database import Database
from gateway.ledger.erp_tables import POSTING
from gateway.ledger.shop_tables import LINK_BACK, NOTICE, POLL
from gateway.ledger.tables import ATTEMPT, CSID, DOCUMENT, SUBMISSION, TAXPAYER

_QUEUES: Final = {
    "submissions": SUBMISSION,
    "notices": NOTICE,
    "link_backs": LINK_BACK,
    "polls": POLL,
    "postings": POSTING,
}


class CertificateEnd(NamedTuple):
    """When the certificate that a unit issues with ends."""

    taxpayer_id: str
    unit_id: str
    not_after: datetime


class Measures:
    """What an operator's monitoring asks every few seconds."""

    _database: Database

    def submissions_by_status(self) -> Mapping[str, int]:
        """How many documents stand where, over all taxpayers."""
        status = SUBMISSION.c.status
        with self._database.reading() as connection:
            rows = connection.execute(select(status, func.count()).group_by(status)).all()
        return {row[0]: row[1] for row in rows}

    def attempts_by_outcome(self, *, since: datetime) -> Mapping[str, int]:
        """How the exchanges about documents made since then ended. Those of older documents are not looked at: no index
        leads to them, and they are many."""
        recent = DOCUMENT.c.taxpayer_id.in_(select(TAXPAYER.c.id)), DOCUMENT.c.made_at >= since
        outcome = ATTEMPT.c.outcome
        wanted = (
            select(outcome, func.count())
            .join_from(DOCUMENT, ATTEMPT, ATTEMPT.c.document_uuid == DOCUMENT.c.uuid)
            .where(*recent, ATTEMPT.c.phase == "ended", outcome.is_not(None))
            .group_by(outcome)
        )
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def queue_depths(self) -> Mapping[str, int]:
        """How many rows of each kind of work are not done, whether their time has come or not."""
        with self._database.reading() as connection:
            return {
                name: int(
                    connection.execute(
                        select(func.count()).select_from(queue).where(queue.c.next_at.is_not(None))
                    ).scalar_one()
                )
                for name, queue in _QUEUES.items()
            }

    def certificate_ends(self) -> tuple[CertificateEnd, ...]:
        """Of every unit that may issue."""
        wanted = select(CSID.c.taxpayer_id, CSID.c.unit_id, CSID.c.not_after).where(
            CSID.c.stage == "production", CSID.c.retired_at.is_(None)
        )
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(CSID.c.taxpayer_id, CSID.c.unit_id)).all()
        return tuple(CertificateEnd(*row) for row in rows)
