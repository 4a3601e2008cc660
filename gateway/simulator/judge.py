"""The simulator's verdict on a document, in the authority's order: schema, rules, QR, stamp, chain.

Codes are those of the authority's published answers; for what it publishes none (ICV, PIH, a used UUID) the term's
id stands in. It judges by its own reading and its own cryptography, with the rule book for the rules alone.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.finding import RuleSet
from gateway.rules import check
from gateway.simulator.ca import INVOICE_TYPES, VAT, alternative_names
from gateway.simulator.document import Document, hex_digest, reference, tags_of
from gateway.simulator.remark import Remark, not_executable, of_finding, schema_invalid
from gateway.simulator.seal import RIYADH, Seal, doubled_parts, moment_of
from gateway.simulator.state import Seen

RULE_SETS: Final = frozenset({RuleSet.XSD, RuleSet.EN16931, RuleSet.KSA})

FIRST_PIH: Final = hex_digest(b"0")
"""What the first document of every chain names as the one before it."""


def judge(document: Document, certificate: x509.Certificate, *, now: datetime, language: str = "en") -> list[Remark]:
    """All that can be said of a document by itself and its unit's certificate; empty if nothing is wrong."""
    report = check(document.source, now=now, sets=RULE_SETS)
    if report.xsd:
        return [schema_invalid(report.xsd[0].message.en)]
    remarks = [not_executable()] if report.stopped else []
    remarks += [of_finding(finding, language) for finding in report.findings]
    remarks += permission_remarks(document, certificate)
    remarks += qr_remarks(document, certificate)
    remarks += seal_remarks(document, certificate)
    remarks += link_remarks(document)
    return remarks


def permission_remarks(document: Document, certificate: x509.Certificate) -> Iterator[Remark]:
    """The certificate speaks for one VAT number and for some kinds of documents."""
    names = alternative_names(certificate)
    owner = {document.vat_number("Supplier")}
    if document.is_self_billed:
        owner.add(document.vat_number("Customer"))
    if names.get(VAT) not in owner:
        yield _certificate_error(
            "certificate-permissions",
            "User only allowed to use the vat number that exists in the authentication certificate",
        )
    covered = names.get(INVOICE_TYPES, "0000")
    if covered[1 if document.is_simplified else 0] != "1":
        kind = "Simplified" if document.is_simplified else "Standard"
        yield _certificate_error("certificate-permissions", f"Production CSID does not cover {kind} documents")


def seal_remarks(document: Document, certificate: x509.Certificate) -> Iterator[Remark]:
    """The signature block: mandatory in simplified documents, and right wherever there is one."""
    doubled = ", ".join(doubled_parts(document))
    if doubled:
        yield _signature_error(f"The document has more than one of: {doubled}")
        return
    seal = Seal.read(document)
    if seal is None:
        if document.is_simplified:
            yield _signature_error("The document has no cryptographic stamp")
        return
    inside = _decoded(seal.certificate)
    if inside != certificate.public_bytes(Encoding.DER):
        what = "is stamped with another certificate" if inside[:1] == b"\x30" else "has a certificate that is none"
        yield _certificate_error("invalid-signing-certificate", f"The document {what}")
        return
    yield from _signature_remarks(document, seal, certificate)
    yield from _property_remarks(seal, certificate)
    yield from _validity_remarks(seal, certificate)


def _decoded(text: str) -> bytes:
    """Base64 in one piece; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _signature_remarks(document: Document, seal: Seal, certificate: x509.Certificate) -> Iterator[Remark]:
    if seal.invoice_digest != document.hash_text:
        yield _signature_error("The digest in the signature is not that of the document")
    if not is_signed_by(document, seal.signature, certificate):
        yield _signature_error("Invalid digital signature")


def is_signed_by(document: Document, signature: str, certificate: x509.Certificate) -> bool:
    """Whether base64 DER `signature` is ECDSA with SHA-256 over the 32 bytes of the document's hash."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(_decoded(signature), document.hash, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _property_remarks(seal: Seal, certificate: x509.Certificate) -> Iterator[Remark]:
    if seal.properties_digest != hex_digest(seal.signed_properties.encode()):
        yield _certificate_error("signed-properties-hashing", "The digest of the signed properties is wrong")
    if seal.certificate_digest != hex_digest(seal.certificate.encode()):
        yield _certificate_error("invalid-signing-certificate", "The digest of the certificate is wrong")
    if seal.issuer != issuer_name(certificate):
        yield _certificate_error("X509IssuerName", "The issuer's name is not that of the certificate")
    if seal.serial != str(certificate.serial_number):
        yield _certificate_error("X509SerialNumber", "The serial number is not that of the certificate")


def _validity_remarks(seal: Seal, certificate: x509.Certificate) -> Iterator[Remark]:
    """No stamp is made with an expired certificate. One older than it is no fault: many write the time of issue."""
    code = "invalid-signing-certificate"
    if seal.signing_time is None:
        yield _certificate_error(code, "The signing time is missing or cannot be read")
    elif seal.signing_time > certificate.not_valid_after_utc:
        yield _certificate_error(code, "The certificate had expired at the signing time")


_SHORT_NAMES: Final = {"2.5.4.3": "CN", "0.9.2342.19200300.100.1.25": "DC", "2.5.4.6": "C", "2.5.4.10": "O"}


def issuer_name(certificate: x509.Certificate) -> str:
    """The issuer as Java prints it: last part first, a comma and a blank between."""
    parts = reversed(list(certificate.issuer))
    return ", ".join(f"{_SHORT_NAMES.get(p.oid.dotted_string, p.oid.dotted_string)}={p.value!s}" for p in parts)


def qr_remarks(document: Document, certificate: x509.Certificate) -> Iterator[Remark]:
    """The QR: mandatory in simplified documents; every tag against the document and the certificate."""
    if not document.qr:
        if document.is_simplified:
            yield _qr_error("QRCODE_INVALID", "Invalid QR code format, Please follow the ZATCA QR code specifications")
        return
    try:
        tags = tags_of(document.qr)
    except (ValueError, binascii.Error):
        yield _qr_error("QRCODE_INVALID", "Failed to validate QR code")
        return
    if list(tags) != sorted(_TAGS & tags.keys()):
        yield _qr_error("QRCODE_INVALID", "Invalid QR code format, Please follow the ZATCA QR code specifications")
        return
    for tag, (code, what, due) in _due_tags(document, certificate).items():
        if tags.get(tag) != due:
            yield _qr_error(code, f"{what} does not match with qr code (tag {tag})")
    if tags.get(3, b"").decode("utf-8", "replace") not in _timestamps(document):
        yield Remark(
            "invoiceTimeStamp_QRCODE_INVALID",
            "QRCODE_VALIDATION",
            "Invoice timestamp does not match with qr code timestamp",
            is_error=3 not in tags,
        )


_TAGS: Final = frozenset(range(1, 10))
"""The specification knows these, and in this order."""


def _due_tags(document: Document, certificate: x509.Certificate) -> Mapping[int, tuple[str, str, bytes]]:
    """Code, name and right value of every tag but the time."""
    seal, facts = Seal.read(document), document.qr_facts
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    due = {
        1: ("QRCODE_INVALID", "Seller name", facts.seller_name.encode()),
        2: ("QRCODE_INVALID", "Seller VAT number", facts.seller_vat.encode()),
        4: ("QRCODE_INVALID", "Invoice total", facts.total.encode()),
        5: ("QRCODE_INVALID", "VAT total", facts.vat_total.encode()),
        6: ("invoiceHash_QRCODE_INVALID", "Invoice xml hash", document.hash_text.encode()),
        7: ("QRCODE_INVALID", "Digital signature", (seal.signature if seal else "").encode()),
        8: ("QRCODE_INVALID", "Public key", key),
    }
    if document.is_simplified:
        due[9] = ("CERTIFICATE_SIGNATURE_QRCODE_INVALID", "Certificate signature", certificate.signature)
    return due


def _timestamps(document: Document) -> set[str]:
    """Tag 3: date and time as they stand; a time in UTC (Z) is also good as Riyadh time."""
    written = document.qr_facts.time_stamp
    issued_at = moment_of(written)
    try:
        return {written, issued_at.astimezone(RIYADH).strftime("%Y-%m-%dT%H:%M:%S")} if issued_at else {written}
    except OverflowError:
        return {written}  # the last hours of the year 9999


def link_remarks(document: Document) -> Iterator[Remark]:
    """KSA-13 by itself: there is one, and it is a hash (base64 of 32 bytes) or what the first document names."""
    if document.count(reference("PIH")) > 1:
        yield _chain_error("KSA-13", "The document names more than one previous invoice hash")
    elif document.pih != FIRST_PIH and len(_decoded(document.pih)) != _HASH_BYTES:
        yield _chain_error("KSA-13", "The previous invoice hash is no SHA-256 hash in base64")


_HASH_BYTES: Final = 32


def chain_remarks(document: Document, chain: Mapping[int, Seen]) -> Iterator[Remark]:
    """The document against what is known of its chain; sending order is free, so unknown neighbours are no fault."""
    icv = document.icv
    if icv is None:
        return
    if icv < 1:
        yield _chain_error("KSA-16", "The invoice counter value begins at 1")
    known = chain.get(icv)
    if known and known.hash != document.hash_text:
        yield _chain_error("KSA-16", f"The invoice counter value {icv} was already used by another document")
    before, after = chain.get(icv - 1), chain.get(icv + 1)
    due = FIRST_PIH if icv == 1 else before.hash if before else document.pih
    if document.pih != due or (icv > 1 and document.pih == FIRST_PIH):
        yield _chain_error("KSA-13", "The previous invoice hash is not that of the document before")
    if after and after.pih != document.hash_text:
        yield _chain_error("KSA-13", "The document after this one carries another previous invoice hash")


def _certificate_error(code: str, text: str) -> Remark:
    return Remark(code, "CERTIFICATE_ERRORS", text)


def _signature_error(text: str) -> Remark:
    return Remark("invalid-digital-signature", "SIGNATURE_ERRORS", text)


def _qr_error(code: str, text: str) -> Remark:
    return Remark(code, "QRCODE_VALIDATION", text)


def _chain_error(code: str, text: str) -> Remark:
    return Remark(code, "PIH", text)
