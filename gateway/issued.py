"""What became of a sale: the answer to the ERP, the accountant and the shop."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gateway.finding import Finding
from gateway.invoice.facts import Kind, Profile

REPORTING_WINDOW: Final = timedelta(hours=24)
"""Simplified documents are reported within this time of issue (BR-KSA-98)."""


class Status(StrEnum):
    """Where a document stands with the authority."""

    ISSUED = "issued"  # made, not yet sent
    SENDING = "sending"
    UNKNOWN = "unknown"  # sent, no answer
    CLEARED = "cleared"
    REPORTED = "reported"
    REJECTED = "rejected"
    REPLACED = "replaced"  # rejected, and corrected by another document
    UNSTAMPED = "unstamped"  # made, its place in the chain is taken; its stamp is still to follow
    HELD = "held"  # the unit is isolated, or a note waits for its original

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be sent for this document."""
        return self in (Status.CLEARED, Status.REPORTED, Status.REJECTED, Status.REPLACED)

    @property
    def is_accepted(self) -> bool:
        return self in (Status.CLEARED, Status.REPORTED)


@dataclass(frozen=True, slots=True)
class Issued:
    """One document as it stands. `total` is what the buyer pays (BT-115), `qr` the base64 TLV.

    `rule_book` is the release it was judged by before it was issued, `allowed` are the warnings that the taxpayer let
    stand then; `findings` are the authority's. `shared_uncleared`: it was given out before it was cleared.
    """

    uuid: str
    number: str
    kind: Kind
    profile: Profile
    icv: int
    hash: str
    issued_at: datetime
    status: Status
    total: Decimal
    vat: Decimal
    rounding: Decimal
    currency: str
    connection: str
    order_id: str
    qr: str
    rule_book: str
    allowed: tuple[Finding, ...] = ()
    findings: tuple[Finding, ...] = ()
    replaces: str | None = None
    corrects: str | None = None
    shared_uncleared: bool = False

    @property
    def awaits_clearance(self) -> bool:
        """Whether it is a standard document that buyers may not have yet, for only a cleared one is theirs. Where the
        authority has switched clearance off, it is accepted by reporting."""
        return self.profile is Profile.STANDARD and not self.status.is_accepted

    @property
    def buyers_qr(self) -> str:
        """The QR that a buyer may see; empty while there is none."""
        return "" if self.awaits_clearance and not self.shared_uncleared else self.qr

    @property
    def deadline(self) -> datetime | None:
        """Until when it must be reported; standard documents have none, for they are cleared before they are shared."""
        return self.issued_at + REPORTING_WINDOW if self.profile is Profile.SIMPLIFIED else None
