"""The rows that a new document consists of, and what they say together."""

from datetime import timedelta
from typing import Any

from gateway.invoice.facts import Profile
from gateway.issued import REPORTING_WINDOW, Issued, Status
from gateway.ledger.audit import note_values
from gateway.ledger.documents import findings_json
from gateway.ledger.postings import posting_values
from gateway.ledger.rows import LinkBackState, Made, NewSale, Slot, TakenOff


def snapshot_values(sale: NewSale, slot: Slot) -> dict[str, Any]:
    """What the origin said."""
    return {
        "taxpayer_id": sale.taxpayer_id,
        "connection_id": sale.connection_id,
        "order_id": sale.order_id,
        "version": sale.version,
        "digest": sale.digest,
        "order_json": sale.order_json,
        "received_at": slot.at,
    }


def sale_values(sale: NewSale, made: Made) -> dict[str, Any]:
    """The sale, which points to its document."""
    return {
        "taxpayer_id": sale.taxpayer_id,
        "connection_id": sale.connection_id,
        "thing": sale.thing,
        "kind": sale.kind.value,
        "order_id": sale.order_id,
        "document_uuid": made.uuid,
    }


def document_values(sale: NewSale, slot: Slot, made: Made, sale_id: int, snapshot: int) -> dict[str, Any]:
    """Its facts, its place in the chain and what it refers to."""
    return {
        "uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "unit_id": sale.unit_id,
        "chain_id": slot.csid.chain_id,
        "icv": slot.link.icv,
        "pih": slot.link.pih,
        "number": slot.number,
        "kind": made.kind.value,
        "profile": made.profile.value,
        "hash": made.hash,
        "issued_at": made.issued_at,
        "made_at": slot.at,
        "currency": made.currency,
        "total": made.total,
        "vat": made.vat,
        "rounding": made.rounding,
        "buyer_name": made.buyer_name,
        "buyer_vat": made.buyer_vat,
        "sale_id": sale_id,
        "snapshot_id": snapshot,
        "replaces": sale.replaces,
        "corrects": sale.corrects,
        "rule_book": made.rule_book,
        "allowed": findings_json(made.allowed),
        "takes": dict(made.takes),
        "external_number": made.external.number if made.external else "",
        "external_left": made.external.left if made.external else None,
        "taxed": made.taxed,
        "supplied_on": made.taxed["supplied_on"] if made.taxed else None,
    }


def deduction_values(sale: NewSale, made: Made, taken: TakenOff) -> dict[str, Any]:
    """What it takes off of a prepayment."""
    return {
        "document_uuid": made.uuid,
        "prepayment_uuid": taken.prepayment,
        "taxpayer_id": sale.taxpayer_id,
        "parts": taken.parts,
    }


def stamp_values(sale: NewSale, slot: Slot, made: Made) -> dict[str, Any]:
    """Its stamp, with the bytes that carry it."""
    return {
        "document_uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "csid_id": slot.csid.id,
        "signature": made.signature,
        "xml": made.xml,
        "qr": made.qr,
        "signed_at": slot.at,
    }


def stamping_values(sale: NewSale, slot: Slot, made: Made) -> dict[str, Any]:
    """The stamp that is to follow."""
    return {
        "document_uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "csid_id": slot.csid.id,
        "body": made.xml,
        "next_at": slot.at,
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "error": "",
    }


def submission_values(sale: NewSale, slot: Slot, made: Made, *, held_for: str) -> dict[str, Any]:
    """Its way to the authority; `held_for` is what it has to wait for, empty if nothing."""
    # A standard document has a buyer waiting for it; a simplified one has its day.
    held_for = held_for if made.is_stamped else "stamp"
    status = Status.UNSTAMPED if not made.is_stamped else Status.HELD if held_for else Status.ISSUED
    window = REPORTING_WINDOW if made.profile is Profile.SIMPLIFIED else timedelta()
    return {
        "document_uuid": made.uuid,
        "taxpayer_id": sale.taxpayer_id,
        "unit_id": sale.unit_id,
        "endpoint": made.endpoint,
        "status": status.value,
        "held_for": held_for,
        "due_by": made.issued_at + window,
        "next_at": None if held_for in ("original", "stamp") else slot.at,
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "findings": [],
        "alarmed": 0,
        "shared_at": None,
    }


def link_back_values(sale: NewSale, slot: Slot, made: Made) -> dict[str, Any]:
    """The report to the sale's origin."""
    return {
        "taxpayer_id": sale.taxpayer_id,
        "document_uuid": made.uuid,
        "connection_id": sale.connection_id,
        "state": LinkBackState.DUE.value,
        "next_at": None,  # until the authority has said something final
        "lease_until": None,
        "lease_by": None,
        "attempts": 0,
        "error": "",
        "receipt": "",
        "changed_at": slot.at,
    }


def postings_values(sale: NewSale, slot: Slot, made: Made) -> list[dict[str, Any]]:
    """Its ways into the books of ERPs."""
    return [
        posting_values(
            each, taxpayer_id=sale.taxpayer_id, uuid=made.uuid, now=slot.at, next_at=slot.at if each.at_once else None
        )
        for each in sale.postings
    ]


def audit_values(sale: NewSale, slot: Slot, made: Made, *, actor: str) -> dict[str, Any]:
    """What the audit log says of it."""
    detail: dict[str, Any] = {
        "number": slot.number,
        "unit": sale.unit_id,
        "csid": slot.csid.id,
        "icv": slot.link.icv,
        "hash": made.hash,
        "connection": sale.connection_id,
        "thing": sale.thing,
        "rule_book": made.rule_book,
    }
    if made.allowed:
        detail["allowed"] = sorted({finding.rule for finding in made.allowed})
    return note_values(
        taxpayer_id=sale.taxpayer_id,
        actor=actor,
        action="document.issued",
        target=made.uuid,
        now=slot.at,
        detail=detail,
    )


def issued_of(sale: NewSale, slot: Slot, made: Made, *, status: Status) -> Issued:
    """The document as it stands when it was made."""
    return Issued(
        uuid=made.uuid,
        number=slot.number,
        kind=made.kind,
        profile=made.profile,
        icv=slot.link.icv,
        hash=made.hash,
        issued_at=made.issued_at,
        status=status,
        total=made.total,
        vat=made.vat,
        rounding=made.rounding,
        currency=made.currency,
        connection=sale.connection_id,
        order_id=sale.order_id,
        qr=made.qr,
        rule_book=made.rule_book,
        allowed=made.allowed,
        replaces=sale.replaces,
        corrects=sale.corrects,
    )
