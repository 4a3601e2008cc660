"""What the judge has to say, in the form the authority says it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.finding import Finding, RuleSet


class Remark(NamedTuple):
    """One message of an answer; `code` and `category` are the authority's where they are known."""

    code: str
    category: str
    text: str
    is_error: bool = True

    def message(self) -> dict[str, str]:
        kind = "ERROR" if self.is_error else "WARNING"
        return {
            "type": kind,
            "code": self.code,
            "category": self.category,
            "message": self.text,
            "status": kind,
        }


_CATEGORY = {RuleSet.EN16931: "EN_16931", RuleSet.KSA: "KSA"}


def of_finding(finding: Finding, language: str) -> Remark:
    """A rule that does not hold, worded in the caller's language."""
    text = finding.message.ar if language == "ar" else finding.message.en
    category = _CATEGORY.get(finding.set, "KSA")
    return Remark(finding.rule, category, f"[{finding.rule}] - {text}", finding.is_error)


def schema_invalid(detail: str = "") -> Remark:
    text = "Schema validation failed; XML does not comply with UBL 2.1 standards in line with ZATCA specifications"
    return Remark("XSD_ZATCA_INVALID", "XSD validation", f"{text}. ERROR: {detail}" if detail else text)


def not_executable() -> Remark:
    """What comes of a document on which the official rules stop with an error of their own."""
    return Remark("GENERAL", "BUSINESS_RULES", "Unable to execute Business Rules validation")


_SCHEMA_VALID = {
    "type": "INFO",
    "code": "XSD_ZATCA_VALID",
    "category": "XSD validation",
    "message": "Complied with UBL 2.1 standards in line with ZATCA specifications",
    "status": "PASS",
}


def has_errors(remarks: Iterable[Remark]) -> bool:
    return any(remark.is_error for remark in remarks)


def validation_results(remarks: Iterable[Remark]) -> dict[str, Any]:
    """The validationResults of an answer."""
    errors = [remark.message() for remark in remarks if remark.is_error]
    warnings = [remark.message() for remark in remarks if not remark.is_error]
    is_schema_valid = all(error["category"] not in ("XSD validation", "Invalid-InvoiceHash") for error in errors)
    return {
        "infoMessages": [_SCHEMA_VALID] if is_schema_valid else [],
        "warningMessages": warnings,
        "errorMessages": errors,
        "status": "ERROR" if errors else "WARNING" if warnings else "PASS",
    }
