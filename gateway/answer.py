"""What programs read of an issued document: the answer's JSON, the same on the API and the command line."""

from typing import Any

from gateway.invoice.facts import RIYADH
from gateway.issued import Issued


def answer(issued: Issued, *, base_url: str) -> dict[str, Any]:
    """The document as it stands; money as decimal strings, moments in Riyadh's zone."""
    here = f"{base_url}/v1/invoices/{issued.uuid}"
    return {
        "uuid": issued.uuid,
        "number": issued.number,
        "kind": issued.kind.word,
        "profile": issued.profile.word,
        "icv": issued.icv,
        "hash": issued.hash,
        "issued_at": issued.issued_at.astimezone(RIYADH).isoformat(),
        "status": issued.status.value,
        "total": f"{issued.total:.2f}",
        "vat": f"{issued.vat:.2f}",
        "rounding": f"{issued.rounding:.2f}",
        "currency": issued.currency,
        "order": {"connection": issued.connection, "id": issued.order_id},
        "qr": issued.buyers_qr or None,
        "rule_book": issued.rule_book,
        "allowed": [finding.as_json() for finding in issued.allowed],
        "findings": [finding.as_json() for finding in issued.findings],
        "deadline": issued.deadline.astimezone(RIYADH).isoformat() if issued.deadline else None,
        "links": {"xml": f"{here}/xml", "pdf": f"{here}/pdf", "qr": f"{here}/qr.svg"},
        "replaces": issued.replaces,
        "corrects": issued.corrects,
        "shared_uncleared": issued.shared_uncleared,
    }
