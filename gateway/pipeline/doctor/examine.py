"""One document and all that is kept of it, examined: its bytes, hash, stamp, certificate and QR, its row, what the
authority cleared, its answers. Pure, so that many processes may do it.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Final

from lxml import etree

from gateway import qr_facts, stamp
from gateway.csid import Certificate, read_certificate
from gateway.errors import BadInput
from gateway.invoice.facts import RIYADH, Profile
from gateway.invoice.taxed import taxed_from
from gateway.issued import Status
from gateway.ledger import Kept, iso
from gateway.pipeline.doctor.symptoms import Symptom, symptom
from gateway.pipeline.vat_proof import stated_in, vat_differences
from gateway.rules import stamped
from gateway.verdict import Outcome
from gateway.xml import NAMESPACES, parse

_ACCEPTING: Final = frozenset(each.value for each in Outcome if each.is_accepted)
_REFUSING: Final = frozenset({Outcome.REJECTED.value, Outcome.TOO_LARGE.value})
_KNOWN: Final = frozenset(each.value for each in Status)


def where(kept: Kept) -> dict[str, str | int]:
    """The place of a document."""
    return {
        "taxpayer": kept.taxpayer_id, "chain": kept.chain_id, "icv": kept.icv, "number": kept.number, "uuid": kept.uuid
    }  # fmt: skip


def examine(documents: list[Kept]) -> list[list[Symptom]]:
    """What is wrong with each of these documents."""
    return [list(_symptoms(kept)) for kept in documents]


def _symptoms(kept: Kept) -> Iterator[Symptom]:
    if kept.thing is None:
        yield symptom("document.unsold", where(kept))
    yield from _references(kept)
    yield from _standing(kept)
    if kept.xml is None:
        if kept.status == Status.UNSTAMPED.value:
            return  # its signer is still to sign it; see gateway.ledger.stamping
        yield symptom("document.unstamped", where(kept))
        return
    try:
        root = parse(_bytes(kept.xml))
    except BadInput as error:
        yield symptom("document.bytes", where(kept), what=error.what)
        return
    yield from _row(kept, root)
    yield from _stamp(kept, root)
    if kept.cleared_xml is not None:
        yield from _clearance(kept)
    elif any(_cleared_in(answer) for answer in kept.answers):
        yield symptom("clearance.other", where(kept), what="is missing")


def _bytes(value: object) -> bytes:
    """A stored value as bytes, whatever it was made to be."""
    return value.encode(errors="replace") if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]


# --- what it refers to, and where it stands --------------------------------------------------------------------------


def _references(kept: Kept) -> Iterator[Symptom]:
    if kept.corrects is not None and kept.corrected_number is None:
        yield symptom("document.refers", where(kept), what="corrects")
    if kept.replaces is not None and kept.replaced_sale != kept.sale_id:
        yield symptom("document.refers", where(kept), what="replaces")


def _standing(kept: Kept) -> Iterator[Symptom]:
    if kept.status is None:
        yield symptom("document.unsubmitted", where(kept))
        return
    accepted, refused = _ACCEPTING.intersection(kept.outcomes), _REFUSING.intersection(kept.outcomes)
    claims_acceptance = kept.status in (Status.CLEARED.value, Status.REPORTED.value)
    claims_refusal = kept.status in (Status.REJECTED.value, Status.REPLACED.value)
    if (claims_acceptance and not accepted) or (claims_refusal and not refused) or kept.status not in _KNOWN:
        yield symptom("status.unproved", where(kept), status=kept.status)
    elif accepted and not claims_acceptance and not refused:
        yield symptom("status.ignored", where(kept), status=kept.status)
    if kept.attempts != kept.begun:
        yield symptom("status.attempts", where(kept), counted=kept.attempts, begun=kept.begun)


# --- the row against the bytes ---------------------------------------------------------------------------------------


@cache
def _qualified(path: str) -> str:
    parts = (part.partition(":") for part in path.split("/"))
    return "/".join(f"{{{NAMESPACES[prefix]}}}{name}" for prefix, _, name in parts)


def _text(root: etree._Element, path: str) -> str:
    return str(root.findtext(_qualified(path), ""))


_BUYER: Final = "cac:AccountingCustomerParty/cac:Party/"
_TOTALS: Final = "cac:LegalMonetaryTotal/"


def _row(kept: Kept, root: etree._Element) -> Iterator[Symptom]:
    wrong = [term for term, same in _compared(kept, root) if not same]
    if wrong:
        yield symptom("document.facts", where(kept), what=", ".join(wrong))


def _compared(kept: Kept, root: etree._Element) -> Iterator[tuple[str, bool]]:
    """Each term that both row and bytes have, and whether they say the same."""
    code = qr_facts.transaction_code(root)
    icv, pih = _link(root)
    yield "KSA-1", _text(root, "cbc:UUID") == kept.uuid
    yield "KSA-16", icv == str(kept.icv)
    yield "KSA-13", pih == kept.pih
    yield "BT-1", _text(root, "cbc:ID") == kept.number
    yield "BT-3", _text(root, "cbc:InvoiceTypeCode") == kept.kind
    yield "KSA-2", kept.profile == (Profile.SIMPLIFIED if qr_facts.is_simplified_code(code) else Profile.STANDARD).value
    yield "BT-2", _moment(root) == kept.issued_at
    yield "BT-5", _text(root, "cbc:DocumentCurrencyCode") == kept.currency
    yield "BT-115", _same(_text(root, f"{_TOTALS}cbc:PayableAmount"), kept.total)
    yield "BT-114", _same(_text(root, f"{_TOTALS}cbc:PayableRoundingAmount") or "0", kept.rounding)
    yield "BT-110", _same(_vat(root), kept.vat)
    yield "BT-44", _text(root, f"{_BUYER}cac:PartyLegalEntity/cbc:RegistrationName") == kept.buyer_name
    yield "BT-48", _text(root, f"{_BUYER}cac:PartyTaxScheme/cbc:CompanyID") == kept.buyer_vat
    if kept.taxed is not None:
        yield "BG-23 and the day of supply", _says_the_same_vat(kept, kept.taxed, root)
    if corrected := kept.corrected_number or kept.external_number:
        yield "BT-25", _text(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == corrected


def _says_the_same_vat(kept: Kept, text: str, root: etree._Element) -> bool:
    """Whether what is kept of a document's VAT, which the VAT report adds up, is what the document says."""
    try:
        taxed = taxed_from(json.loads(text))
        said = stated_in(root)
    except (ValueError, KeyError, TypeError, ArithmeticError, BadInput):
        return False
    supplied_on = _text(root, "cac:Delivery/cbc:ActualDeliveryDate") or None
    days = (kept.supplied_on, taxed.supplied_on.isoformat() if taxed.supplied_on else None)
    return not any(vat_differences(taxed, said)) and days == (supplied_on, supplied_on)


def _link(root: etree._Element) -> tuple[str, str]:
    icv = pih = ""
    for reference in root.iterchildren(_qualified("cac:AdditionalDocumentReference")):
        match _text(reference, "cbc:ID"):
            case "ICV":
                icv = _text(reference, "cbc:UUID")
            case "PIH":
                pih = _text(reference, "cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
    return icv, pih


def _moment(root: etree._Element) -> str:
    """BT-2 and KSA-25 as the ledger writes moments."""
    try:
        local = datetime.fromisoformat(f"{_text(root, 'cbc:IssueDate')}T{_text(root, 'cbc:IssueTime')}")
    except ValueError:
        return ""
    return local.replace(tzinfo=RIYADH).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _vat(root: etree._Element) -> str:
    for total in root.iterchildren(_qualified("cac:TaxTotal")):
        if total.find(_qualified("cac:TaxSubtotal")) is not None:
            return _text(total, "cbc:TaxAmount")
    return ""


def _same(written: str, kept: str) -> bool:
    try:
        return Decimal(written) == Decimal(kept)
    except (InvalidOperation, TypeError):
        return False


# --- hash, stamp and QR ----------------------------------------------------------------------------------------------


def _stamp(kept: Kept, root: etree._Element) -> Iterator[Symptom]:
    certificate = _certificate(kept)
    if certificate is None or kept.csid_chain != kept.chain_id:
        what = "cannot be read or is not on record" if certificate is None else "is of another chain"
        yield symptom("document.certificate", where(kept), what=what)
    signed_at = _stored_moment(kept.signed_at)
    if certificate is not None:
        yield from _window(kept, certificate, signed_at)
    if certificate is None or signed_at is None or not _is_as_made(kept, root, certificate, signed_at):
        yield from _what_is_wrong(kept, root, certificate)


def _certificate(kept: Kept) -> Certificate | None:
    try:
        return read_certificate((kept.certificate or "").encode())
    except BadInput:
        return None


def _stored_moment(text: str | None) -> datetime | None:
    """None if it is not spelled as the ledger spells moments; Python reads more."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo and iso(moment) == text else None


def _window(kept: Kept, certificate: Certificate, signed_at: datetime | None) -> Iterator[Symptom]:
    start, end = certificate.not_before, certificate.not_after
    # Certificates count whole seconds; what is stamped in the last of them is in time.
    in_time = signed_at is not None and start <= signed_at < end + timedelta(seconds=1)
    on_record = (_stored_moment(kept.csid_from), _stored_moment(kept.csid_until)) == (start, end)
    if not in_time:
        yield symptom("document.window", where(kept), at=kept.signed_at, start=start, end=end)
    if not on_record:
        yield symptom("document.certificate", where(kept), what="is on record with another time")
    if str(kept.signed_at) < kept.made_at:  # later, where the stamp followed
        yield symptom("document.facts", where(kept), what="the moments of making and of stamping")


def _is_as_made(kept: Kept, root: etree._Element, certificate: Certificate, signed_at: datetime) -> bool:
    signature = base64.b64encode(_bytes(kept.signature)).decode()
    document = stamp.Document(kept.uuid, _bytes(kept.xml), kept.hash, signature, str(kept.qr))
    try:
        return stamp.is_as_made(document, root, certificate, signed_at.astimezone(RIYADH).replace(microsecond=0))
    except (BadInput, ValueError):
        return False


def _what_is_wrong(kept: Kept, root: etree._Element, certificate: Certificate | None) -> Iterator[Symptom]:
    """The long way, which tells what the short one does not."""
    before = 0
    try:
        found = stamp.hash_of(root)
    except BadInput:
        found = ""
    if found != kept.hash:
        before += 1
        yield symptom("document.hash", where(kept), found=found or "nothing", kept=kept.hash)
    if qr_facts.qr_of(root) != kept.qr:
        before += 1
        yield symptom("document.qr", where(kept))
    faults = list(dict.fromkeys(each.rule for each in stamped.faults(root, certificate=certificate, pih=kept.pih)))
    if faults:
        yield symptom("document.stamp", where(kept), what=", ".join(faults))
    elif not before:
        yield symptom("document.spelling", where(kept))


# --- what was cleared ------------------------------------------------------------------------------------------------


def _clearance(kept: Kept) -> Iterator[Symptom]:
    xml = _bytes(kept.cleared_xml)
    try:
        root = parse(xml)
        found = stamp.hash_of(root)
    except BadInput:
        yield symptom("clearance.other", where(kept), what="cannot be read")
        return
    if found != kept.hash:
        yield symptom("clearance.other", where(kept), what="is not the one that was sent")
    elif kept.cleared_owner != kept.taxpayer_id:
        yield symptom("clearance.other", where(kept), what="is another taxpayer's")
    elif not any(_cleared_in(answer) == xml for answer in kept.answers):
        yield symptom("clearance.other", where(kept), what="is not the one in the authority's answer")
    if (qr_facts.qr_of(root) or kept.qr) != kept.cleared_qr:
        yield symptom("clearance.qr", where(kept))


def _cleared_in(answer: bytes) -> bytes | None:
    try:
        said = json.loads(answer)
        return base64.b64decode(said["clearedInvoice"])
    except (ValueError, TypeError, KeyError, binascii.Error):
        return None
