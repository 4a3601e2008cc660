"""The ledger as the other rooms see it."""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from sqlalchemy import insert, select, update

from gateway.errors import GatewayError
from gateway.ledger.access import Access
from gateway.ledger.appearance import Appearance
from gateway.ledger.archiving import Archiving
from gateway.ledger.audit import Auditing
from gateway.ledger.audit_pages import AuditPages
from gateway.ledger.breakers import Breakers
from gateway.ledger.certificates import Certificates
from gateway.ledger.checkpoints import Checkpointing
from gateway.ledger.contention import persistent
from gateway.ledger.database import Database
from gateway.ledger.deadlines import Deadlines
from gateway.ledger.events import Events
from gateway.ledger.evidence import Evidence
from gateway.ledger.exporting import Exporting
from gateway.ledger.inbox import Inbox
from gateway.ledger.issuing import Issuing
from gateway.ledger.leases import Leases
from gateway.ledger.line import AT_ONCE, AT_ONCE_IN_LOCK, Line
from gateway.ledger.looking import Looking
from gateway.ledger.measures import Measures
from gateway.ledger.nights import Nights
from gateway.ledger.onboardings import Onboardings
from gateway.ledger.polls import Polls, Renewals
from gateway.ledger.postings import Postings
from gateway.ledger.queries import Queries
from gateway.ledger.reconciling import Reconciling
from gateway.ledger.registry import Registry
from gateway.ledger.revocations import Revocations
from gateway.ledger.sending import Sending
from gateway.ledger.sharing import Sharing
from gateway.ledger.stamping import Stamping
from gateway.ledger.strictness import Strictness
from gateway.ledger.tables import MARK
from gateway.ledger.taxed import Taxing
from gateway.ledger.trends import Trends
from gateway.ledger.webhooks import Webhooks

_PROOF: Final = "written"
_PROOF_BYTES: Final = 100_000


@persistent
class Ledger(
    Registry,
    Certificates,
    Onboardings,
    Revocations,
    Strictness,
    Issuing,
    Sending,
    Stamping,
    Breakers,
    Sharing,
    Deadlines,
    Trends,
    Taxing,
    Measures,
    Inbox,
    Polls,
    Renewals,
    Postings,
    Reconciling,
    Leases,
    Archiving,
    Exporting,
    Looking,
    Checkpointing,
    Nights,
    Queries,
    Evidence,
    Auditing,
    AuditPages,
    Events,
    Webhooks,
    Access,
    Appearance,
):
    """All there is on record. Every method is one transaction; any thread may call any method at any time.

    Methods raise Unavailable when the database is busy or its disk full, and then nothing was done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = Line(self._issue, AT_ONCE if database.is_sqlite else AT_ONCE_IN_LOCK)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the ledger at this SQLAlchemy URL, creating or migrating it if need be.

        Misconfigured: the folder cannot be written, the file is something else or damaged, its schema is newer.
        """
        return cls(Database.open(url))

    def health(self) -> str:
        """ "ok" if the ledger answers and, where it could not be written before, can be again; else why not."""
        try:
            with self._database.reading() as connection:
                connection.execute(select(1))
            if self._database.trouble:
                self._prove_writing()
        except GatewayError as error:
            return str(error)
        return "ok"

    def refusals(self) -> Mapping[str, int]:
        """How often this process could not work with the ledger since it opened it, by why: busy, full, gone."""
        return dict(self._database.refusals)

    def _prove_writing(self) -> None:
        """As much as a large document is written: a disk that has hardly any room takes a small row all the same."""
        for value in (os.urandom(_PROOF_BYTES // 2).hex(), ""):
            with self._database.writing() as connection:
                mine = update(MARK).where(MARK.c.name == _PROOF).values(value=value)
                if not connection.execute(mine).rowcount:
                    connection.execute(insert(MARK), {"name": _PROOF, "value": value})
        self._database.trouble = None

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
