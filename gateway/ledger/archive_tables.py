"""The tables of the archive: what is kept of each document, how long, what may not be deleted, and what was.

The bytes are elsewhere; here are their digests, which stay for ever.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import Index, Text
from sqlmodel import Field

from gateway.ledger.columns import Moment
from gateway.ledger.tables import OPEN, Row, core


class ArchiveTask(Row, table=True):
    """A document with something to archive: there from its final answer on, open while `next_at` is set."""

    __tablename__ = "archive_task"
    __table_args__ = (Index("ix_archive_task_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),)

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    error: str = Field(sa_type=Text)


class Archived(Row, table=True):
    """A file in the archive. `name` says what it is of its document: "document", or of what was cleared "cleared";
    "answer-1", "pdf". `key` is its name in the store, `sha256` the hex digest of its bytes, `keep_until` the end of its
    lawful retention."""

    __table_args__ = (Index(None, "taxpayer_id", "keep_until"),)

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    name: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    key: str = Field(unique=True)
    sha256: str
    size: int
    at: datetime = Field(sa_type=Moment)
    keep_until: datetime = Field(sa_type=Moment)


class LegalHold(Row, table=True):
    """What must not be deleted whatever its age: one document's files, or with none named all of the taxpayer. One
    with `until` ends by itself and cannot be lifted: a longer retention."""

    __tablename__ = "legal_hold"
    __table_args__ = (Index(None, "taxpayer_id", "document_uuid"),)

    id: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    document_uuid: str | None = Field(foreign_key="document.uuid")
    reason: str = Field(sa_type=Text)
    actor: str
    at: datetime = Field(sa_type=Moment)
    until: datetime | None = Field(sa_type=Moment)
    lifted_at: datetime | None = Field(sa_type=Moment)
    lifted_by: str


class Disposal(Row, table=True):
    """A proposal to delete files whose time ended before `ended_before`; it counts once another person confirmed it,
    and never once it was withdrawn."""

    __table_args__ = (Index(None, "taxpayer_id"),)

    id: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    ended_before: datetime = Field(sa_type=Moment)
    reason: str = Field(sa_type=Text)
    proposed_by: str
    proposed_at: datetime = Field(sa_type=Moment)
    confirmed_by: str
    confirmed_at: datetime | None = Field(sa_type=Moment)
    withdrawn_by: str
    withdrawn_at: datetime | None = Field(sa_type=Moment)


class Disposed(Row, table=True):
    """A file whose bytes are no longer there, and by which disposal."""

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    name: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    disposal_id: str = Field(foreign_key="disposal.id", index=True)
    at: datetime = Field(sa_type=Moment)


ARCHIVE_TASK: Final = core(ArchiveTask)
ARCHIVED: Final = core(Archived)
LEGAL_HOLD: Final = core(LegalHold)
DISPOSAL: Final = core(Disposal)
DISPOSED: Final = core(Disposed)
