"""What goes into the ledger and what comes out of it, as frozen values.

Nothing here knows tables or SQL. Moments are aware and come back in UTC; money is `Decimal` and comes back as given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple

from gateway.chain import Link
from gateway.finding import Finding
from gateway.invoice.facts import Kind, Profile
from gateway.issued import Issued, Status
from gateway.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """The VAT-registered legal person that everything else belongs to."""

    id: str
    name: str
    vat: str


Stage = Literal["compliance", "production"]
"""A CSID's two lives: for the compliance checks first, then for issuing."""

Endpoint = Literal["clearance", "reporting"]
"""Where a document is sent: standard ones are cleared, simplified ones reported."""


@dataclass(frozen=True, slots=True)
class NewCsid:
    """A certificate as the authority handed it out; `token` is the user name of its API credentials, not the secret."""

    id: str
    taxpayer_id: str
    unit_id: str
    stage: Stage
    request_id: str
    token: str
    certificate: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class CsidRecord(NewCsid):
    """A CSID on record; `retired_at` is when a newer one took its place, `revoked_at` when it was seen revoked.
    `chain_id` is the chain a production certificate serves."""

    retired_at: datetime | None
    chain_id: str | None
    revoked_at: datetime | None


class Chain(NamedTuple):
    """A unit's chain: how far it goes, and when it was sealed. It bears the id of the CSID that opened it."""

    id: str
    head: Link  # the place the next document will take
    sealed_at: datetime | None


class PostingMode(StrEnum):
    """What is done about a document in an ERP."""

    POST = "post"
    ATTACH = "attach"  # it ordered the document and has an entry of its own


class NewPosting(NamedTuple):
    """An ERP in whose books a document is to stand: at once, or when the authority has said something final."""

    connection_id: str
    mode: PostingMode
    at_once: bool


@dataclass(frozen=True, slots=True)
class NewSale:
    """A thing to make a document for.

    `thing` names it within its connection ("order:46", "refund:46/58"); with connection and kind it is the natural
    key that makes a second document impossible. `order_json` is what was sold in canonical JSON, and `digest` tells
    its versions apart. `request_digest` is of the whole request where an Idempotency-Key covers more than the order.
    `invoice_number` is the caller's own; without one the next of the unit's series is drawn. `replaces` is the
    rejected document this one corrects, `corrects` the invoice a note is about; with `waits_for_original` the note
    is not sent before that invoice is accepted. `postings` are the ERPs in whose books it is to stand.
    """

    taxpayer_id: str
    unit_id: str
    connection_id: str
    order_id: str
    thing: str
    kind: Kind
    digest: str
    order_json: str
    version: str = ""
    idempotency_key: str | None = None
    request_digest: str | None = None
    invoice_number: str | None = None
    replaces: str | None = None
    corrects: str | None = None
    waits_for_original: bool = False
    link_back: bool = False
    postings: tuple[NewPosting, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """The place a document is made for, held while it is made.

    `at` is the moment of making and so of issue: never before the chain's last document. Only the correction of a
    rejected document, `replaced`, keeps that one's moment of issue.
    """

    link: Link
    number: str
    csid: CsidRecord
    at: datetime
    replaced: Issued | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A document as it was rendered, judged and stamped: `xml` are the final bytes, `hash` base64, `qr` base64 TLV.

    `rule_book` is the release it was judged by, `allowed` are the warnings that the taxpayer let stand. `takes` is what
    a credit note takes of its original (JSON), `external` the original from elsewhere that a note corrects,
    `deductions` what is taken off of prepayments, `taxed` what it says of VAT (JSON of gateway/invoice/taxed.py).
    Where it is not stamped yet, `xml` are the bytes to be stamped.
    """

    uuid: str
    xml: bytes
    hash: str
    signature: bytes
    qr: str
    issued_at: datetime
    kind: Kind
    profile: Profile
    endpoint: Endpoint
    currency: str
    total: Decimal
    vat: Decimal
    rounding: Decimal
    rule_book: str
    allowed: tuple[Finding, ...] = ()
    buyer_name: str = ""
    buyer_vat: str = ""
    takes: Mapping[str, Any] = field(default_factory=dict)
    external: "ExternalOriginal | None" = None
    deductions: tuple["TakenOff", ...] = ()
    taxed: Mapping[str, Any] | None = None
    is_stamped: bool = True


class Laid(NamedTuple):
    """A document in its place: its hash, which the one after it needs, and how the rest of it is had once it is known
    that it may be made. `finish` raises why it may not."""

    hash: str
    finish: Callable[[], Made]


class ExternalOriginal(NamedTuple):
    """An invoice from elsewhere: its number, and what was left of it to give back."""

    number: str
    left: Decimal


class TakenOff(NamedTuple):
    """What one document takes off of a prepayment, by VAT group (JSON)."""

    prepayment: str
    parts: list[Any]


class ExternalNotes(NamedTuple):
    """What notes have done to an invoice from elsewhere: what was said to be left, and what they gave back of it."""

    left: Decimal | None
    given_back: Decimal


class Appended(NamedTuple):
    """The sale's document, and whether it was made just now."""

    issued: Issued
    created: bool


@dataclass(frozen=True, slots=True)
class Due:
    """A document to send, leased to `worker`. `attempts` is how often sending it was begun before."""

    uuid: str
    taxpayer_id: str
    unit_id: str
    csid_id: str
    endpoint: Endpoint
    status: Status
    attempts: int
    worker: str
    profile: Profile
    number: str
    hash: str
    xml: bytes
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class DueStamp:
    """A document to be stamped, leased to `worker`: the bytes to be stamped, and the warnings it may have."""

    uuid: str
    taxpayer_id: str
    unit_id: str
    csid_id: str
    number: str
    hash: str
    body: bytes
    made_at: datetime
    allowed: tuple[Finding, ...]
    worker: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How many documents may be under way to the authority at the same time, of all workers together."""

    total: int
    taxpayer: int


UNLIMITED: Final = Limits(10_000, 10_000)


@dataclass(frozen=True, slots=True)
class Turn:
    """A breaker that changed: the `line` is "authority" or "taxpayer/unit"; `open_until` is empty if it closed."""

    line: str
    open_until: datetime | None


class Cleared(NamedTuple):
    """A document as the authority cleared it, and the QR (base64 TLV) that it then carries."""

    xml: bytes
    qr: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of the two entries of an exchange with the authority: that it began, and how it ended.

    Without the second nothing is known of the end. `http_status` 0 means no answer; `body` is the raw answer. `wire` is
    the request's line, headers and digest in the first, the answer's headers in the second; secrets are left out.
    """

    number: int
    phase: Literal["begun", "ended"]
    at: datetime
    http_status: int | None = None
    outcome: Outcome | None = None
    body: bytes | None = None
    wire: Mapping[str, Any] = field(default_factory=dict)


class LinkBackState(StrEnum):
    """How the report to a sale's origin stands."""

    DUE = "due"
    DONE = "done"
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class DueLinkBack:
    """What has to be told to a sale's origin; `attempts` is how often that was tried before."""

    id: int
    taxpayer_id: str
    connection_id: str
    uuid: str
    attempts: int


@dataclass(frozen=True, slots=True)
class LinkBack(DueLinkBack):
    """A report to a sale's origin as it stands, with the last error or the receipt."""

    state: LinkBackState
    changed_at: datetime
    error: str
    receipt: str


class NoticeState(StrEnum):
    """How a webhook stands."""

    DUE = "due"
    DONE = "done"
    IGNORED = "ignored"  # nothing to do for it
    QUARANTINED = "quarantined"  # a person has to look
    FAILED = "failed"  # given up


@dataclass(frozen=True, slots=True)
class DueNotice:
    """A webhook as it arrived; `attempts` is how often it was worked on before."""

    id: int
    taxpayer_id: str
    connection_id: str
    topic: str
    order_id: str
    delivery_id: str
    body: bytes
    received_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Notice(DueNotice):
    """A webhook and what became of it; `reason` says why in English (`en`) and Arabic (`ar`), with both sums where they
    differ (`declared`, `computed`). `payload` is the order as the shop gave it, if a person has to see it."""

    state: NoticeState
    changed_at: datetime
    reason: Mapping[str, str]
    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class DuePoll:
    """A shop to be asked what changed; the fields are those of the table `poll`."""

    connection_id: str
    taxpayer_id: str
    since: datetime
    page: str
    newest: datetime | None
    told_at: datetime | None
    told: str
    attempts: int
    error: str
    changed_at: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll of a shop brought: the (order, delivery) pairs it named, how far the walk went, when to ask again."""

    orders: tuple[tuple[str, str], ...]
    since: datetime
    page: str
    newest: datetime | None
    next_at: datetime
    error: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A caller's key; `hash` is all that is kept of its secret. After `ends_at` it is worthless; `scope` narrows what
    it sees (`unit`, `from`, `to`)."""

    id: str
    taxpayer_id: str
    role: str
    hash: str
    label: str
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    ends_at: datetime | None = None
    scope: Mapping[str, str] = field(default_factory=dict)


class AllowedWarning(NamedTuple):
    """A rule whose warnings a taxpayer lets stand: since when, who decided, and why."""

    rule: str
    reason: str
    actor: str
    at: datetime


class Snapshot(NamedTuple):
    """What the origin said when a document was made."""

    order_id: str
    version: str
    digest: str
    order_json: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of a taxpayer's audit log; `hash` covers it and all before; both `seq` and `hash` come with its seal."""

    seq: int | None
    at: datetime
    taxpayer_id: str
    actor: str
    action: str
    object: str
    detail: Mapping[str, Any]
    hash: str | None


class AuditBreak(NamedTuple):
    """Where the audit log does not hold, and why."""

    seq: int
    why: str


class Page(NamedTuple):
    """Some of a list, newest first; `next` is the cursor of what follows, None at the end."""

    items: tuple[Issued, ...]
    next: str | None
