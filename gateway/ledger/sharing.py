"""What a buyer was given: the cleared document, or for once the uncleared one, which is on record then."""

from datetime import datetime

from sqlalchemy import select, update

from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.tables import CLEARANCE, SUBMISSION


class Sharing:
    """The buyer's copy of standard documents."""

    _database: Database

    def cleared_xml(self, taxpayer_id: str, uuid: str) -> bytes | None:
        """The document as the authority cleared it; None if it has not."""
        clearance = CLEARANCE.c
        wanted = select(clearance.xml).where(clearance.taxpayer_id == taxpayer_id, clearance.document_uuid == uuid)
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar()
        return None if found is None else bytes(found)

    def note_shared_uncleared(self, taxpayer_id: str, uuid: str, *, now: datetime, actor: str = SYSTEM) -> bool:
        """Put on record that the uncleared document was given out; False if it was before."""
        mine = (SUBMISSION.c.taxpayer_id == taxpayer_id, SUBMISSION.c.document_uuid == uuid)
        with self._database.writing() as connection:
            first = update(SUBMISSION).where(*mine, SUBMISSION.c.shared_at.is_(None))
            if connection.execute(first.values(shared_at=now)).rowcount == 0:
                return False
            note(
                connection,
                taxpayer_id=taxpayer_id,
                actor=actor,
                action="document.shared_uncleared",
                target=uuid,
                now=now,
            )
        return True
