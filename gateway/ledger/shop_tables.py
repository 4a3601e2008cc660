"""The tables of the shops: what came from them, how far they were asked, and what is reported back to them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from gateway.ledger.columns import Json, Moment
from gateway.ledger.tables import OPEN, Row, core


class LinkBack(Row, table=True):
    __tablename__ = "link_back"
    __table_args__ = (
        UniqueConstraint("document_uuid", "connection_id"),
        Index("ix_link_back_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    document_uuid: str = Field(foreign_key="document.uuid")
    connection_id: str = Field(foreign_key="connection.id")
    state: str
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    changed_at: datetime = Field(sa_type=Moment)
    error: str = Field(sa_type=Text)
    receipt: str = Field(sa_type=Text)


class Notice(Row, table=True):
    """`body_digest` (hex SHA-256) stands for a body that is no longer kept, and is empty while it is. `payload` is the
    order as the shop gave it when it was looked at, kept where a person has to see it."""

    __table_args__ = (
        UniqueConstraint("connection_id", "delivery_id"),
        Index("ix_notice_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_notice_order", "connection_id", "order_id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index(None, "taxpayer_id", "state"),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    connection_id: str = Field(foreign_key="connection.id")
    topic: str
    order_id: str
    delivery_id: str
    body: bytes
    received_at: datetime = Field(sa_type=Moment)
    state: str
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    changed_at: datetime = Field(sa_type=Moment)
    reason: Any = Field(sa_type=Json)
    body_digest: str
    payload: bytes | None


class Poll(Row, table=True):
    """How far a shop was asked what changed: all before `since` was seen, a walk under way goes on at `page`, and the
    latest change that it has seen is `newest`. `told` is what was done about its webhooks when they were looked at."""

    __table_args__ = (Index("ix_poll_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),)

    connection_id: str = Field(primary_key=True, foreign_key="connection.id")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    since: datetime = Field(sa_type=Moment)
    page: str = Field(sa_type=Text)
    newest: datetime | None = Field(sa_type=Moment)
    told_at: datetime | None = Field(sa_type=Moment)
    told: str = Field(sa_type=Text)
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    changed_at: datetime = Field(sa_type=Moment)
    error: str = Field(sa_type=Text)


class Renewal(Row, table=True):
    """Who is about to spend a connection's refresh token, which can be spent once; `digest` is the token's, so that it
    can be told whether what it bought was stored. No lease: nobody is."""

    connection_id: str = Field(primary_key=True, foreign_key="connection.id")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    digest: str
    begun_at: datetime = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None


LINK_BACK: Final = core(LinkBack)
NOTICE: Final = core(Notice)
POLL: Final = core(Poll)
RENEWAL: Final = core(Renewal)
