"""That the stamp is where it should be: QR, previous hash, signature. Whether it verifies is judged elsewhere."""

from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.everywhere import everywhere
from gateway.rules.ksa.contexts import ATTACHMENT, INVOICE, PIH_ATTACHMENT, SIMPLIFIED
from gateway.rules.parts import Attachment, BinaryObject, Invoice, TypeCode
from gateway.rules.view import single

SIGNATURE_ID: Final = "urn:oasis:names:specification:ubl:signature:Invoice"
INFORMATION_ID: Final = "urn:oasis:names:specification:ubl:signature:1"
SIGNATURE_METHOD: Final = "urn:oasis:names:specification:ubl:dsig:enveloped:xades"
PLAIN_TEXT: Final = "text/plain"


def _objects(invoice: Invoice, name: str) -> list[BinaryObject]:
    return [each.attachment.object for each in invoice.references_named(name) if each.attachment.object]


def _qr(invoice: Invoice) -> BinaryObject:
    return single(BinaryObject, _objects(invoice, "QR"))


@rule("BR-KSA-27", INVOICE, term="KSA-14", value=lambda _: "", severity=WARNING)
def simplified_document_carries_a_qr(invoice: Invoice) -> bool:
    if not everywhere(invoice).is_simplified:
        return True
    if not _objects(invoice, "QR"):
        return False
    # From here on the name has to be exactly QR, without blanks round it.
    exact = [each.attachment.object for each in invoice.references if each.id.text == "QR" and each.attachment.object]
    return bool(single(BinaryObject, exact).normal) and exact[0].mime == PLAIN_TEXT


@rule("BR-CL-KSA-14", INVOICE, term="KSA-14", place=_qr)
def qr_has_1_to_1000_characters(invoice: Invoice) -> bool:
    return not _objects(invoice, "QR") or 1 <= len(_qr(invoice).text) <= 1000


@rule("BR-KSA-61", INVOICE, term="KSA-13", value=lambda _: "", severity=WARNING)
def previous_hash_is_given(invoice: Invoice) -> bool:
    found = _objects(invoice, "PIH")
    return any(each.filled for each in found) and any(each.mime == PLAIN_TEXT for each in found)


@rule("BR-KSA-26", PIH_ATTACHMENT, term="KSA-13", place=lambda each: each.object, severity=WARNING)
def previous_hash_is_plain_text(attachment: Attachment) -> bool:
    return attachment.object.filled and attachment.object.mime == PLAIN_TEXT


@rule("BR-KSA-28", ATTACHMENT, term="KSA-15", value=lambda _: "")
def signature_information_is_identified(attachment: Attachment) -> bool:
    if not everywhere(attachment).is_simplified:
        return True
    return attachment.object.filled and INFORMATION_ID in everywhere(attachment).information_ids


@rule("BR-KSA-29", ATTACHMENT, term="KSA-15", value=lambda _: "", severity=WARNING)
def signature_refers_to_its_information(attachment: Attachment) -> bool:
    whole = everywhere(attachment)
    if not whole.is_simplified:
        return True
    return SIGNATURE_ID in whole.signature_ids and whole.referenced_signature.normal == SIGNATURE_ID


@rule("BR-KSA-30", ATTACHMENT, term="KSA-15", value=lambda _: "")
def signature_method_is_enveloped_xades(attachment: Attachment) -> bool:
    whole = everywhere(attachment)
    if not whole.is_simplified:
        return True
    return attachment.object.filled and SIGNATURE_METHOD in whole.signature_methods


@rule("BR-KSA-60", SIMPLIFIED, term="KSA-15", value=lambda _: "", severity=WARNING)
def simplified_document_is_signed(code: TypeCode) -> bool:
    return everywhere(code).is_signed
