"""Lists of revoked certificates as they were fetched last, and the certificates that were found on one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from gateway.ledger.audit import SYSTEM, note
from gateway.ledger.database import Database
from gateway.ledger.rows import CsidRecord
from gateway.ledger.tables import CSID, REVOCATION_LIST


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list of revoked certificates (CRL, DER) with the moments it was fetched and the next one is promised for."""

    url: str
    fetched_at: datetime
    next_update: datetime
    body: bytes


class Revocations:
    """Keeping lists, and taking a certificate out of use."""

    _database: Database

    def keep_revocation_list(self, kept: KeptList) -> None:
        """In place of the one that was kept of this address."""
        here = REVOCATION_LIST.c.url == kept.url
        with self._database.writing() as connection:
            if connection.execute(update(REVOCATION_LIST).where(here).values(**asdict(kept))).rowcount == 0:
                connection.execute(insert(REVOCATION_LIST), asdict(kept))

    def revocation_list(self, url: str) -> KeptList | None:
        """The list as it was fetched last, however old it is."""
        with self._database.reading() as connection:
            row = connection.execute(select(REVOCATION_LIST).where(REVOCATION_LIST.c.url == url)).first()
        return KeptList(row.url, row.fetched_at, row.next_update, bytes(row.body)) if row else None

    def revoke_csid(self, csid: CsidRecord, *, detail: Mapping[str, Any], now: datetime, actor: str = SYSTEM) -> bool:
        """Never stamp with this certificate again; False if that was decided before."""
        here = (CSID.c.id == csid.id, CSID.c.revoked_at.is_(None))
        with self._database.writing() as connection:
            if connection.execute(update(CSID).where(*here).values(revoked_at=now)).rowcount == 0:
                return False
            note(
                connection,
                taxpayer_id=csid.taxpayer_id,
                actor=actor,
                action="csid.revoked",
                target=csid.id,
                now=now,
                detail={"unit": csid.unit_id, **detail},
            )
        return True
