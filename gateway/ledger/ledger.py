"""The ledger as the other rooms see it."""

from types import TracebackType
from typing import Self

from sqlalchemy import select

from gateway.errors import GatewayError
from gateway.ledger.access import Access
from gateway.ledger.audit import Auditing
from gateway.ledger.breakers import Breakers
from gateway.ledger.certificates import Certificates
from gateway.ledger.contention import persistent
from gateway.ledger.database import Database
from gateway.ledger.deadlines import Deadlines
from gateway.ledger.inbox import Inbox
from gateway.ledger.issuing import Issuing
from gateway.ledger.leases import Leases
from gateway.ledger.line import Lines
from gateway.ledger.looking import Looking
from gateway.ledger.measures import Measures
from gateway.ledger.onboardings import Onboardings
from gateway.ledger.queries import Queries
from gateway.ledger.registry import Registry
from gateway.ledger.revocations import Revocations
from gateway.ledger.sending import Sending
from gateway.ledger.sharing import Sharing
from gateway.ledger.stamping import Stamping
from gateway.ledger.strictness import Strictness
from gateway.ledger.trends import Trends


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
    Measures,
    Inbox,
    Leases,
    Looking,
    Queries,
    Auditing,
    Access,
):
    """All there is on record. Every method is one transaction; any thread may call any method at any time.

    Methods raise Unavailable when the database is busy or its disk full, and then nothing was done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lines = Lines()

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the ledger at this SQLAlchemy URL, creating or migrating it if need be.

        Misconfigured: the folder cannot be written, the file is something else or damaged, its schema is newer.
        """
        return cls(Database.open(url))

    def health(self) -> str:
        """ "ok" if the ledger answers, else why not."""
        try:
            with self._database.reading() as connection:
                connection.execute(select(1))
        except GatewayError as error:
            return str(error)
        return "ok"

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
