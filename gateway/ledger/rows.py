"""What goes into the ledger and what comes out of it, as frozen values.

Nothing here knows tables or SQL. Moments are aware and come back in UTC; money is `Decimal` and comes back as given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.chain import Link
from gateway.finding import Text
from gateway.invoice.facts import Kind, Profile
from gateway.issued import Issued, Status
from gateway.unit import Unit
from gateway.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """The VAT-registered legal person that everything else belongs to."""

    id: str
    name: str
    vat: str


class Stage(StrEnum):
    """A CSID's two lives: for the compliance checks first, then for issuing."""

    COMPLIANCE = "compliance"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class NewCsid:
    """A certificate as the authority handed it out; `token` is the user name of its API credentials, not the secret."""

    stage: Stage
    request_id: str
    token: str
    certificate: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class CsidRecord(NewCsid):
    """A CSID on record; `retired_at` is when a newer one took its place."""

    id: int
    taxpayer_id: str
    unit_id: str
    retired_at: datetime | None = None


class Chain(NamedTuple):
    """One CSID's chain: how far it goes, and when it was sealed."""

    csid_id: int
    head: Link  # the place the next document will take
    sealed_at: datetime | None


class Endpoint(StrEnum):
    """Where a document is sent: standard ones are cleared, simplified ones reported."""

    CLEARANCE = "clearance"
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class NewSale:
    """A thing to make a document for.

    `thing` names it within its connection ("order:46", "refund:46/58"); with connection and kind it is the natural
    key that makes a second document impossible. `content` is its canonical JSON and `digest` tells its versions
    apart. `number` is the caller's own invoice number; empty: the next of the unit's series. `replaces` is the
    rejected document this one corrects, `corrects` the invoice a note is about; with `waits_for_original` the note
    is not sent before that invoice is accepted.
    """

    unit: Unit
    connection: str
    order_id: str
    thing: str
    kind: Kind
    digest: str
    content: str
    version: str = ""
    idempotency_key: str = ""
    request_digest: str = ""
    number: str = ""
    replaces: str | None = None
    corrects: str | None = None
    waits_for_original: bool = False
    link_back: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """The place a document is made for, held while it is made.

    `at` is the moment of making: never before the chain's last document. `replaced` is the rejected document, whose
    moment of issue the new one keeps.
    """

    link: Link
    number: str
    csid: CsidRecord
    at: datetime
    replaced: Issued | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A document as it was rendered, judged and stamped: `xml` are the final bytes, `hash` base64, `qr` base64 TLV."""

    uuid: str
    xml: bytes
    hash: str
    signature: bytes
    qr: str
    issued_at: datetime
    signed_at: datetime
    kind: Kind
    profile: Profile
    endpoint: Endpoint
    currency: str
    total: Decimal
    vat: Decimal
    rounding: Decimal
    buyer_name: str = ""
    buyer_vat: str = ""


class Appended(NamedTuple):
    """The sale's document, and whether it was made just now."""

    issued: Issued
    created: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A document to send, leased to one worker. `attempts` is how often it was begun to be sent."""

    uuid: str
    taxpayer_id: str
    unit_id: str
    csid_id: int
    endpoint: Endpoint
    status: Status
    attempts: int
    profile: Profile
    number: str
    hash: str
    xml: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange with the authority. Without `ended_at` it was begun and nothing is known of its end."""

    number: int
    begun_at: datetime
    ended_at: datetime | None = None
    http_status: int = 0
    outcome: Outcome | None = None
    body: bytes = b""


class Task(StrEnum):
    """How a notice or a link back stands. Only DUE is worked on."""

    DUE = "due"
    DONE = "done"
    IGNORED = "ignored"  # nothing to do for it
    QUARANTINED = "quarantined"  # a person has to look
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class LinkBack:
    """What has to be told to the sale's origin, with the last error or the receipt."""

    id: int
    taxpayer_id: str
    connection: str
    uuid: str
    state: Task
    attempts: int
    error: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A webhook as it arrived; `reason` says why it was ignored, quarantined or given up."""

    id: int
    taxpayer_id: str
    connection: str
    topic: str
    order_id: str
    delivery_id: str
    body: bytes
    received_at: datetime
    state: Task
    attempts: int
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller's key; `hash` is all that is kept of its secret."""

    id: str
    taxpayer_id: str
    role: str
    hash: str
    label: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class Snapshot(NamedTuple):
    """What the origin said when a document was made."""

    order_id: str
    version: str
    digest: str
    content: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of a taxpayer's audit log; `hash` covers all the rest, `previous` included."""

    seq: int
    at: datetime
    taxpayer_id: str
    actor: str
    action: str
    object: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


class AuditBreak(NamedTuple):
    """Where the audit log does not hold, and why."""

    seq: int
    why: str


class Page(NamedTuple):
    """Some of a list, newest first; `next` is the cursor of what follows, None at the end."""

    items: tuple[Issued, ...]
    next: str | None
