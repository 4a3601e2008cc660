"""The authority's answer about one document, in our words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from gateway.finding import Finding


class Outcome(StrEnum):
    """What an answer means.

    ACCEPTED, DUPLICATE, REJECTED and TOO_LARGE are final. After any other the very same bytes are sent again.
    """

    ACCEPTED = "accepted"  # 200, 202 (warnings are kept as findings)
    DUPLICATE = "duplicate"  # 208 clearance, 409 reporting: an earlier sending was accepted
    REJECTED = "rejected"  # 400: the document keeps its place in the chain; correct with a new one
    TOO_LARGE = "too_large"  # 413: never received and never will be
    CLEARANCE_OFF = "clearance_off"  # 303: send the same document to reporting
    CREDENTIALS = "credentials"  # 401: says nothing about the document; the unit is held
    LIMITED = "limited"  # 429: not received; send again when the authority has time
    PROTOCOL = "protocol"  # 406: the request is not in the authority's form; not received
    UNKNOWN = "unknown"  # timeout, reset, 5xx, an answer that cannot be read

    @classmethod
    def _missing_(cls, value: object) -> "Outcome | None":
        # What 406 and 429 were in ledgers older than r0005, whose attempts never change.
        return cls.LIMITED if value == "not_received" else None

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def is_accepted(self) -> bool:
        return self in (Outcome.ACCEPTED, Outcome.DUPLICATE)


_FINAL = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REJECTED, Outcome.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` is the HTTP status (0: no answer), `body` the raw answer with its `headers` (names in small letters),
    `retry_after` seconds if it gave them, `date` what the authority's clock said when it answered."""

    outcome: Outcome
    status: int
    body: bytes
    findings: tuple[Finding, ...] = ()
    cleared_xml: bytes | None = None
    retry_after: float | None = None
    date: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    detail: str = ""
