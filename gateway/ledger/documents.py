"""How a document's rows become an `Issued`, and findings JSON; shared by all that read documents."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, func, select

from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.invoice.facts import Kind, Profile
from gateway.issued import Issued, Status
from gateway.ledger.tables import CLEARANCE, DOCUMENT, SALE, STAMP, SUBMISSION


def issued_rows(*more: Any) -> Select[Any]:
    """Everything an Issued says, one row a document; `more` columns beside."""
    document = DOCUMENT.c
    return (
        select(
            document.uuid,
            document.number,
            document.kind,
            document.profile,
            document.icv,
            document.hash,
            document.issued_at,
            document.total,
            document.vat,
            document.rounding,
            document.currency,
            document.replaces,
            document.corrects,
            document.rule_book,
            document.allowed,
            SALE.c.connection_id,
            SALE.c.order_id,
            # What the buyer may see: the cleared one. None while the stamp is still to follow.
            func.coalesce(CLEARANCE.c.qr, STAMP.c.qr, "").label("qr"),
            SUBMISSION.c.status,
            SUBMISSION.c.findings,
            SUBMISSION.c.shared_at,
            *more,
        )
        .join_from(DOCUMENT, SALE, SALE.c.id == document.sale_id)
        .outerjoin(STAMP, STAMP.c.document_uuid == document.uuid)
        .join(SUBMISSION, SUBMISSION.c.document_uuid == document.uuid)
        .outerjoin(CLEARANCE, CLEARANCE.c.document_uuid == document.uuid)
    )


def issued(row: Row[Any]) -> Issued:
    """The document of a row of `issued_rows`; its moment of issue is in UTC."""
    return Issued(
        uuid=row.uuid,
        number=row.number,
        kind=Kind(row.kind),
        profile=Profile(row.profile),
        icv=row.icv,
        hash=row.hash,
        issued_at=row.issued_at,
        status=Status(row.status),
        total=row.total,
        vat=row.vat,
        rounding=row.rounding,
        currency=row.currency,
        connection=row.connection_id,
        order_id=row.order_id,
        qr=row.qr,
        rule_book=row.rule_book,
        allowed=findings_of(row.allowed),
        findings=findings_of(row.findings),
        replaces=row.replaces,
        corrects=row.corrects,
        shared_uncleared=row.shared_at is not None,
    )


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as they are stored."""
    return [
        {
            "rule": finding.rule,
            "severity": finding.severity.value,
            "set": finding.set.value,
            "path": finding.path,
            "term": finding.term,
            "message": list(finding.message),
            "fix": list(finding.fix),
            "order_field": finding.order_field,
        }
        for finding in findings
    ]


def findings_of(stored: list[dict[str, Any]]) -> tuple[Finding, ...]:
    """The way back from `findings_json`."""
    return tuple(
        Finding(
            rule=item["rule"],
            severity=Severity(item["severity"]),
            set=RuleSet(item["set"]),
            path=item["path"],
            term=item["term"],
            message=Text(*item["message"]),
            fix=Text(*item["fix"]),
            order_field=item["order_field"],
        )
        for item in stored
    )
