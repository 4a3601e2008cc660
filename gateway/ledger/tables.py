"""The tables, as SQLModel classes; the statements in the other modules use them through SQLAlchemy Core.

Every row belongs to a taxpayer, but for `mark` and the sealing key, which belong to the installation. Which rows never
change is decided by triggers in the migrations, not here.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from sqlalchemy import ForeignKeyConstraint, Index, MetaData, PrimaryKeyConstraint, Table, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from gateway.ledger.columns import Json, Moment, Money

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

OPEN: Final = text("next_at IS NOT NULL")
"""Rows somebody still has to work on; an index over these alone stays small however long the ledger grows."""
LEASED: Final = text("lease_until IS NOT NULL")
WAITING: Final = text("seq IS NULL")


class Row(SQLModel, registry=registry(metadata=METADATA)):
    """Base of all tables, with metadata of its own."""


def _of_unit() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["taxpayer_id", "unit_id"], ["unit.taxpayer_id", "unit.id"])


class Taxpayer(Row, table=True):
    id: str = Field(primary_key=True)
    name: str
    vat: str
    created_at: datetime = Field(sa_type=Moment)


class Unit(Row, table=True):
    __table_args__ = (PrimaryKeyConstraint("taxpayer_id", "id"), UniqueConstraint("taxpayer_id", "number_prefix"))

    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    id: str
    seller: Any = Field(sa_type=Json)
    common_name: str
    serial: str
    branch: str
    industry: str
    location: str
    number_prefix: str
    invoice_types: str
    environment: str
    next_number: int
    held_at: datetime | None = Field(sa_type=Moment)
    held_reason: str
    created_at: datetime = Field(sa_type=Moment)


class Csid(Row, table=True):
    """`chain_id` is the chain a production certificate serves."""

    __table_args__ = (_of_unit(), Index(None, "taxpayer_id", "unit_id"))

    id: str = Field(primary_key=True)
    taxpayer_id: str
    unit_id: str
    stage: str
    request_id: str
    token: str = Field(sa_type=Text)
    certificate: str = Field(sa_type=Text)
    not_before: datetime = Field(sa_type=Moment)
    not_after: datetime = Field(sa_type=Moment)
    created_at: datetime = Field(sa_type=Moment)
    retired_at: datetime | None = Field(sa_type=Moment)
    chain_id: str | None
    revoked_at: datetime | None = Field(sa_type=Moment)


class Chain(Row, table=True):
    """Bears the id of the CSID that opened it, `head_icv` and `head_hash` are of the last document, made `head_at`."""

    __table_args__ = (_of_unit(),)

    id: str = Field(primary_key=True, foreign_key="csid.id")
    taxpayer_id: str
    unit_id: str
    head_icv: int
    head_hash: str
    head_at: datetime = Field(sa_type=Moment)
    sealed_at: datetime | None = Field(sa_type=Moment)


class Onboarding(Row, table=True):
    """A run to get a certificate; its id is that of the production CSID to come. `passed` are compliance documents."""

    __table_args__ = (_of_unit(), Index(None, "taxpayer_id", "unit_id"))

    id: str = Field(primary_key=True)
    taxpayer_id: str
    unit_id: str
    purpose: str
    request_digest: str
    step: str
    compliance_csid_id: str | None = Field(foreign_key="csid.id")
    passed: Any = Field(sa_type=Json)
    error: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)


class RevocationList(Row, table=True):
    """A list of revoked certificates (CRL, DER) as it was fetched last; it belongs to no taxpayer."""

    __tablename__ = "revocation_list"

    url: str = Field(primary_key=True)
    fetched_at: datetime = Field(sa_type=Moment)
    next_update: datetime = Field(sa_type=Moment)
    body: bytes


class Connection(Row, table=True):
    """The id is unique in the whole installation: a webhook's address names nothing else."""

    __table_args__ = (_of_unit(), UniqueConstraint("taxpayer_id", "id"))

    id: str = Field(primary_key=True)
    taxpayer_id: str
    unit_id: str
    platform: str
    base_url: str
    settings: Any = Field(sa_type=Json)
    cutover: datetime | None = Field(sa_type=Moment)
    created_at: datetime = Field(sa_type=Moment)


class ApiKey(Row, table=True):
    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id", index=True)
    role: str
    hash: str
    label: str
    created_at: datetime = Field(sa_type=Moment)
    last_used_at: datetime | None = Field(sa_type=Moment)
    revoked_at: datetime | None = Field(sa_type=Moment)
    ends_at: datetime | None = Field(sa_type=Moment)
    scope: Any = Field(sa_type=Json)


class Envelope(Row, table=True):
    """What belongs to the installation has no taxpayer."""

    kind: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    taxpayer_id: str | None = Field(foreign_key="taxpayer.id")
    blob: bytes


class OrderSnapshot(Row, table=True):
    __tablename__ = "order_snapshot"
    __table_args__ = (Index(None, "taxpayer_id", "connection_id", "order_id"),)

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    connection_id: str = Field(foreign_key="connection.id")
    order_id: str
    version: str
    digest: str
    order_json: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=Moment)


class Sale(Row, table=True):
    """`document_uuid` points to the sale's current document: the only thing here that moves."""

    __table_args__ = (
        UniqueConstraint("taxpayer_id", "connection_id", "thing", "kind"),
        Index(None, "taxpayer_id", "connection_id", "order_id"),
        ForeignKeyConstraint(["taxpayer_id", "connection_id"], ["connection.taxpayer_id", "connection.id"]),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str
    connection_id: str
    thing: str
    kind: str
    order_id: str
    document_uuid: str


class IdempotencyKey(Row, table=True):
    __tablename__ = "idempotency_key"

    taxpayer_id: str = Field(primary_key=True, foreign_key="taxpayer.id")
    key: str = Field(primary_key=True)
    request_digest: str
    document_uuid: str = Field(foreign_key="document.uuid")


class Document(Row, table=True):
    """`rule_book` is the release it was judged by, `allowed` what that found and the taxpayer let stand.

    `takes` is what a credit note takes of its original; `external_number` names an original from elsewhere, of which
    `external_left` was left. `taxed` is what it says of VAT, absent of documents from before that was kept;
    `supplied_on` of that the day of supply (KSA-5), to look for.
    """

    __table_args__ = (
        _of_unit(),
        UniqueConstraint("chain_id", "icv"),
        Index(
            "uq_document_number",
            "taxpayer_id",
            "number",
            unique=True,
            sqlite_where=text("replaces IS NULL"),
            postgresql_where=text("replaces IS NULL"),
        ),
        Index(None, "taxpayer_id", "number"),
        Index(None, "taxpayer_id", "made_at", "uuid"),
        Index(None, "taxpayer_id", "external_number"),
    )

    uuid: str = Field(primary_key=True)
    taxpayer_id: str
    unit_id: str
    chain_id: str = Field(foreign_key="chain.id")
    icv: int
    pih: str
    number: str
    kind: str
    profile: str
    hash: str
    issued_at: datetime = Field(sa_type=Moment)
    made_at: datetime = Field(sa_type=Moment)
    currency: str
    total: Decimal = Field(sa_type=Money)
    vat: Decimal = Field(sa_type=Money)
    rounding: Decimal = Field(sa_type=Money)
    buyer_name: str
    buyer_vat: str
    sale_id: int = Field(foreign_key="sale.id", index=True)
    snapshot_id: int = Field(foreign_key="order_snapshot.id")
    replaces: str | None = Field(foreign_key="document.uuid", unique=True)
    corrects: str | None = Field(foreign_key="document.uuid", index=True)
    rule_book: str
    allowed: Any = Field(sa_type=Json)
    takes: Any = Field(sa_type=Json)
    external_number: str
    external_left: Decimal | None = Field(sa_type=Money)
    taxed: Any = Field(sa_type=Json, nullable=True)
    supplied_on: str | None


class Deduction(Row, table=True):
    """What a document takes off of a prepayment, by VAT group."""

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    prepayment_uuid: str = Field(primary_key=True, foreign_key="document.uuid", index=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    parts: Any = Field(sa_type=Json)


class Stamp(Row, table=True):
    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    csid_id: str = Field(foreign_key="csid.id")
    signature: bytes
    xml: bytes
    qr: str = Field(sa_type=Text)
    signed_at: datetime = Field(sa_type=Moment)


class Stamping(Row, table=True):
    """A document whose stamp follows, or has followed: `body` is what is stamped, `next_at` is empty when it is."""

    __table_args__ = (Index("ix_stamping_open", "next_at", sqlite_where=OPEN, postgresql_where=OPEN),)

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    csid_id: str = Field(foreign_key="csid.id")
    body: bytes
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    error: str = Field(sa_type=Text)


class Submission(Row, table=True):
    """`next_at` is when to send (again), empty when nothing is left to send; `due_by` decides who goes first. `alarmed`
    is the last alarm raised about it, in hours after issue; `shared_at` is when it was given out uncleared."""

    __table_args__ = (
        _of_unit(),
        Index(None, "taxpayer_id", "status"),
        Index(None, "status", "due_by"),
        Index("ix_submission_leased", "lease_until", sqlite_where=LEASED, postgresql_where=LEASED),
        Index("ix_submission_open", "due_by", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    taxpayer_id: str
    unit_id: str
    endpoint: str
    status: str
    held_for: str
    due_by: datetime = Field(sa_type=Moment)
    next_at: datetime | None = Field(sa_type=Moment)
    lease_until: datetime | None = Field(sa_type=Moment)
    lease_by: str | None
    attempts: int
    findings: Any = Field(sa_type=Json)
    alarmed: int
    shared_at: datetime | None = Field(sa_type=Moment)


class Attempt(Row, table=True):
    """Two rows an attempt: one when it begins, one when it has ended. `wire` is what went over the line beside document
    and answer: the request's line, headers and digest in the first row, the answer's headers in the second."""

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    number: int = Field(primary_key=True)
    phase: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    at: datetime = Field(sa_type=Moment)
    http_status: int | None
    outcome: str | None
    body: bytes | None
    wire: Any = Field(sa_type=Json)


class Breaker(Row, table=True):
    """The state of gateway/breaker.py for the authority as a whole (scope "authority", always there) or for a unit
    (scope "taxpayer/unit", there if it ever failed). It belongs to no taxpayer."""

    scope: str = Field(primary_key=True)
    failures: int
    opened: int
    open_until: datetime | None = Field(sa_type=Moment)
    probe: str
    since: datetime = Field(sa_type=Moment)
    changed_at: datetime = Field(sa_type=Moment)
    reason: str = Field(sa_type=Text)


class Warning(Row, table=True):  # noqa: A001, the authority's word for it
    """A warning the authority accepted a document with, kept to see trends by rule."""

    __table_args__ = (Index(None, "taxpayer_id", "at"),)

    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    rule: str = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    at: datetime = Field(sa_type=Moment)
    message: str = Field(sa_type=Text)


class Clearance(Row, table=True):
    document_uuid: str = Field(primary_key=True, foreign_key="document.uuid")
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    xml: bytes
    qr: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Moment)


class AllowedWarning(Row, table=True):
    __tablename__ = "allowed_warning"

    taxpayer_id: str = Field(primary_key=True, foreign_key="taxpayer.id")
    rule: str = Field(primary_key=True)
    reason: str = Field(sa_type=Text)
    actor: str
    at: datetime = Field(sa_type=Moment)


class Looks(Row, table=True):
    """`unit_id` is empty where they are the taxpayer's; `logo` is an SVG."""

    taxpayer_id: str = Field(primary_key=True, foreign_key="taxpayer.id")
    unit_id: str = Field(primary_key=True)
    colour: str
    accent: str
    logo: str = Field(sa_type=Text)
    footer: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_type=Moment)


class Audit(Row, table=True):
    """`seq` is the place in the taxpayer's log and `hash` covers all up to there: given once, when it is sealed."""

    __table_args__ = (
        UniqueConstraint("taxpayer_id", "seq"),
        Index("ix_audit_waiting", "taxpayer_id", "id", sqlite_where=WAITING, postgresql_where=WAITING),
    )

    id: int | None = Field(primary_key=True)
    taxpayer_id: str = Field(foreign_key="taxpayer.id")
    at: datetime = Field(sa_type=Moment)
    actor: str
    action: str
    object: str
    detail: Any = Field(sa_type=Json)
    seq: int | None
    hash: str | None


class AuditBatch(Row, table=True):
    """Entries of a taxpayer's audit log that were sealed together: those up to `last_seq`, whose hash is `digest`."""

    __tablename__ = "audit_batch"

    taxpayer_id: str = Field(primary_key=True, foreign_key="taxpayer.id")
    number: int = Field(primary_key=True)
    last_seq: int
    digest: str
    sealed_at: datetime = Field(sa_type=Moment)
    previous: str
    hash: str


class Mark(Row, table=True):
    """What the installation remembers about itself, such as the check value of the master key."""

    name: str = Field(primary_key=True)
    value: str


def core(model: type[SQLModel]) -> Table:
    """A class's table, as SQLAlchemy Core uses it."""
    return cast(Table, vars(model)["__table__"])


TAXPAYER: Final = core(Taxpayer)
UNIT: Final = core(Unit)
CSID: Final = core(Csid)
CHAIN: Final = core(Chain)
ONBOARDING: Final = core(Onboarding)
REVOCATION_LIST: Final = core(RevocationList)
CONNECTION: Final = core(Connection)
API_KEY: Final = core(ApiKey)
ENVELOPE: Final = core(Envelope)
ORDER_SNAPSHOT: Final = core(OrderSnapshot)
SALE: Final = core(Sale)
IDEMPOTENCY_KEY: Final = core(IdempotencyKey)
DOCUMENT: Final = core(Document)
DEDUCTION: Final = core(Deduction)
STAMP: Final = core(Stamp)
STAMPING: Final = core(Stamping)
SUBMISSION: Final = core(Submission)
ATTEMPT: Final = core(Attempt)
BREAKER: Final = core(Breaker)
WARNING: Final = core(Warning)
CLEARANCE: Final = core(Clearance)
ALLOWED_WARNING: Final = core(AllowedWarning)
LOOKS: Final = core(Looks)
AUDIT: Final = core(Audit)
AUDIT_BATCH: Final = core(AuditBatch)
MARK: Final = core(Mark)
