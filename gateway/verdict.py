"""The authority's answer about one document, in our words."""

from dataclasses import dataclass
from enum import StrEnum

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
    NOT_RECEIVED = "not_received"  # 406, 429: send again, later
    UNKNOWN = "unknown"  # timeout, reset, 5xx, an answer that cannot be read

    @property
    def is_final(self) -> bool:
        return self in _FINAL

    @property
    def is_accepted(self) -> bool:
        return self in (Outcome.ACCEPTED, Outcome.DUPLICATE)


_FINAL = frozenset({Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.REJECTED, Outcome.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` is the HTTP status (0: no answer), `body` the raw answer, `retry_after` seconds if it gave them."""

    outcome: Outcome
    status: int
    body: bytes
    findings: tuple[Finding, ...] = ()
    cleared_xml: bytes | None = None
    retry_after: float | None = None
    detail: str = ""
