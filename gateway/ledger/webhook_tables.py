"""The tables of outgoing webhooks: where events are delivered to, and each delivery."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from gateway.ledger.columns import Json, Moment
from gateway.ledger.tables import OPEN, Row, core


class Webhook(Row, table=True):
    """`types` are the events it wants, all where there are none; deliveries were made of all events up to number
    `seen`. The former secret signs until `former_until`. `off_reason` says why nothing is sent any more."""

    __table_args__ = (Index(None, "taxpayer_id"),)

    id: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    url: str = Field(sa_type=Text)
    types: Any = Field(sa_type=Json)
    seen: int
    created_at: datetime = Field(sa_type=Moment)
    former_until: datetime | None = Field(sa_type=Moment)
    off_at: datetime | None = Field(sa_type=Moment)
    off_reason: str = Field(sa_type=Text)
    deleted_at: datetime | None = Field(sa_type=Moment)


class Delivery(Row, table=True):
    """One event to one webhook: `body` is what is sent, the same each time, and `event_id` its webhook-id. `next_at`
    is empty when nothing is left to send; `http_status` and `error` are of the last attempt."""

    __table_args__ = (
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_delivery_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    webhook_id: str = Field(foreign_key="webhook.id")
    event_id: str
    type: str
    body: str = Field(sa_type=Text)
    made_at: datetime = Field(sa_type=Moment)
    state: str
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    http_status: int | None
    error: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_type=Moment)


WEBHOOK: Final = core(Webhook)
DELIVERY: Final = core(Delivery)
