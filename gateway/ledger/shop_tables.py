"""The tables of what is asked of shops and renewed for them; see gateway/ledger/tables.py."""

from datetime import datetime
from typing import Final, cast

from sqlalchemy import Index, Table, Text
from sqlmodel import Field

from gateway.ledger.columns import Moment
from gateway.ledger.tables import OPEN, Row


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


POLL: Final = cast(Table, vars(Poll)["__table__"])
RENEWAL: Final = cast(Table, vars(Renewal)["__table__"])
