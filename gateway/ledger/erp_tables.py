"""The table of the ERPs: what is to stand in their books, and what of it does."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from gateway.ledger.columns import Json, Moment, Money
from gateway.ledger.tables import OPEN, Row, core


class Posting(Row, table=True):
    """A document in the books of one ERP. `mode` is post, or attach where the ERP ordered it itself. `entry_` are what
    the ERP said of its record, empty until it is known; `told` is the status that it was told last."""

    __table_args__ = (
        UniqueConstraint("document_uuid", "connection_id"),
        Index("ix_posting_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index(None, "taxpayer_id", "state"),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    document_uuid: str = Field(foreign_key="document.uuid")
    connection_id: str = Field(foreign_key="connection.id")
    mode: str
    state: str
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    changed_at: datetime = Field(sa_type=Moment)
    entry_id: str
    entry_number: str
    entry_state: str
    entry_total: Decimal | None = Field(sa_type=Money)
    entry_url: str
    told: str
    reason: Any = Field(sa_type=Json)
    receipt: str = Field(sa_type=Text)


POSTING: Final = core(Posting)
