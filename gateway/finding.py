"""One rule that does not hold: data, not an exception."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Severity(StrEnum):
    """As the official rule set grades it: an error makes a document invalid, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class RuleSet(StrEnum):
    """The stage of the official validation a finding belongs to, in the authority's order."""

    XSD = "XSD"
    EN16931 = "EN16931"
    KSA = "KSA"
    QR = "QR"
    SIGNATURE = "SIGNATURE"
    PIH = "PIH"


class Text(NamedTuple):
    """A sentence in English and Arabic."""

    en: str
    ar: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is the official id or code, `path` an XPath into the document, `term` the BT-/BG-/KSA- term,
    `order_field` the place in the order that the value came from, where it came from an order."""

    rule: str
    severity: Severity
    set: RuleSet
    path: str
    term: str
    message: Text
    fix: Text
    order_field: str = ""

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def where(self) -> str:
        """What to look at: the field of the order, else the business term, else the set."""
        return self.order_field or self.term or self.set.value

    def as_json(self) -> dict[str, Any]:
        """As programs read it, with its texts in both languages."""
        shown: dict[str, Any] = {
            "rule": self.rule,
            "severity": self.severity.value,
            "set": self.set.value,
            "path": self.path,
            "term": self.term,
            "message": self.message._asdict(),
            "fix": self.fix._asdict(),
        }
        return shown | ({"order_field": self.order_field} if self.order_field else {})
