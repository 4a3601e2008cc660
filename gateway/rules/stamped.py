"""Judges the stamp of any document as the official SDK does: its sets QR, SIGNATURE and PIH, with its own codes.

The SDK judges the stamps of simplified documents only, for standard ones get theirs from the authority. Whoever names a
certificate wants the stamp proved, so then every document must have one, made with that certificate. Four codes are not
the SDK's: `certificate-permissions` and `invalid-signing-certificate` are the API's, and the two beginning with GW- are
ours. Whatever a document holds, the answer is faults, never an error.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway import qr, qr_facts, stamp
from gateway.chain import FIRST_PIH
from gateway.csid import Certificate, read_certificate
from gateway.errors import BadInput
from gateway.finding import RuleSet, Severity
from gateway.rules.fault import Fault
from gateway.xml import CAC, DS, EXT, NAMESPACES

_INVOICE: Final = "/ubl:Invoice"
_SIGNATURE: Final = f"{_INVOICE}/ext:UBLExtensions//ds:Signature"
_REFERENCE: Final = f"{_SIGNATURE}/ds:SignedInfo/ds:Reference"
_CERTIFICATE: Final = f"{_SIGNATURE}/ds:KeyInfo/ds:X509Data/ds:X509Certificate"
_SIGNING_CERTIFICATE: Final = f"{_SIGNATURE}//xades:SigningCertificate/xades:Cert"
_REFERENCED: Final = "cac:AdditionalDocumentReference[normalize-space(cbc:ID)='{}']/cac:Attachment"
_QR: Final = f"{_INVOICE}/{_REFERENCED.format('QR')}/cbc:EmbeddedDocumentBinaryObject"
_PIH: Final = f"{_INVOICE}/{_REFERENCED.format('PIH')}/cbc:EmbeddedDocumentBinaryObject"


def faults(root: etree._Element, *, certificate: Certificate | None = None, pih: str | None = None) -> Iterator[Fault]:
    """What does not hold of a document's stamp and of its place in the chain; the tree is left as it is.

    `certificate` is the one the stamp has to be made with, `pih` the hash (base64) of the document before. Without
    `pih` only the form of KSA-13 is judged.
    """
    code = qr_facts.transaction_code(root)
    if certificate is not None or qr_facts.is_simplified_code(code):
        found = _read(root, code)
        yield from _qr_faults(root, found)
        yield from _signature_faults(found, certificate)
    yield from _pih_faults(root, pih)


class _Stamp(NamedTuple):
    """A stamp as it stands in a document, empty where something is missing, beside the document's true hash."""

    transaction_code: str
    facts: qr_facts.QrFacts
    signature: etree._Element | None
    properties: etree._Element | None
    is_ambiguous: bool
    hash: str
    digest: str
    properties_digest: str
    value: str
    certificate_text: str
    certificate: Certificate | None
    certificate_digest: str
    issuer: str
    serial: str


def _path(path: str) -> etree.XPath:
    return etree.XPath(path, namespaces=NAMESPACES)


_signature_of: Final = _path("(ext:UBLExtensions//ds:Signature)[1]")
_properties_of: Final = _path("(.//xades:SignedProperties)[1]")
_digest_of: Final = _path("string(ds:SignedInfo/ds:Reference[1]/ds:DigestValue)")
_properties_digest_of: Final = _path("string(ds:SignedInfo/ds:Reference[2]/ds:DigestValue)")
_value_of: Final = _path("string(ds:SignatureValue)")
_certificate_of: Final = _path("string(ds:KeyInfo/ds:X509Data/ds:X509Certificate)")
_certificate_digest_of: Final = _path("string(.//xades:CertDigest/ds:DigestValue)")
_issuer_of: Final = _path("string(.//xades:IssuerSerial/ds:X509IssuerName)")
_serial_of: Final = _path("string(.//xades:IssuerSerial/ds:X509SerialNumber)")
_pih_of: Final = _path(f"string({_PIH})")


def _read(root: etree._Element, code: str) -> _Stamp:
    parts = _parts(root)
    signature = next(iter(_signature_of(root)), None)
    properties = next(iter(_properties_of(signature)), None) if signature is not None else None
    certificate_text = _text(signature, _certificate_of)
    return _Stamp(
        transaction_code=code,
        facts=qr_facts.qr_facts(root),
        signature=signature,
        properties=properties,
        is_ambiguous=parts is None or _is_ambiguous(root, parts),
        hash="" if parts is None else _hash(root, parts),
        digest=_text(signature, _digest_of),
        properties_digest=_text(signature, _properties_digest_of),
        value=_text(signature, _value_of),
        certificate_text=certificate_text,
        certificate=_certificate(certificate_text),
        certificate_digest=_text(properties, _certificate_digest_of),
        issuer=_text(properties, _issuer_of).strip(),
        serial=_text(properties, _serial_of).strip(),
    )


def _text(element: etree._Element | None, path: etree.XPath) -> str:
    return "" if element is None else str(path(element))


def _parts(root: etree._Element) -> list[etree._Element] | None:
    """What the hash leaves out; None if that is far more than a stamp ever has."""
    try:
        return stamp.stamp_parts(root)
    except BadInput:
        return None


def _hash(root: etree._Element, parts: list[etree._Element]) -> str:
    """The document's invoice hash; empty, which no digest may equal, if there is none."""
    try:
        return stamp.hash_of(root, parts)
    except BadInput:
        return ""


def _certificate(text: str) -> Certificate | None:
    """The certificate in the document, which must be the plain base64 of its DER."""
    der = _decoded(text)
    try:
        return read_certificate(der) if der.startswith(b"\x30") else None
    except BadInput:
        return None


def _decoded(text: str) -> bytes:
    """Base64 as the official implementation reads it, no white space allowed; empty if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


# --- QR ---------------------------------------------------------------------------------------------------------------


def _qr_faults(root: etree._Element, found: _Stamp) -> Iterator[Fault]:
    """Each tag must say what the document says."""
    text = qr_facts.qr_of(root)
    try:
        tags = qr.decode(text)
    except BadInput:
        tags = ()
    values = {tag.number: tag for tag in tags}
    if not values or len(values) < len(tags):
        yield Fault(RuleSet.QR, "QR-Code", Severity.ERROR, _QR, text)
        return
    for number, code, expected in _expected_tags(found):
        tag = values.get(number)
        if tag is None or tag.value != expected:
            severity = Severity.WARNING if code == "timeStamp" else Severity.ERROR
            yield Fault(RuleSet.QR, code, severity, _QR, tag.shown if tag else "")


def _expected_tags(found: _Stamp) -> Iterator[tuple[int, str, bytes]]:
    """The tags a document's QR must have, with the code for each that it has not."""
    facts = found.facts
    yield 1, "sellerName", facts.seller_name.encode()
    yield 2, "vatRegistrationNumber", facts.seller_vat.encode()
    yield 3, "timeStamp", facts.time_stamp.encode()
    yield 4, "invoice Total", facts.total.encode()
    yield 5, "vatTotal", facts.vat_total.encode()
    yield 6, "hashedXml", found.hash.encode()
    yield 7, "digital signature", found.value.encode()
    yield 8, "publicKey", found.certificate.public_key if found.certificate else b""
    if qr_facts.is_simplified_code(found.transaction_code):
        yield 9, "certificate signature", found.certificate.ca_signature if found.certificate else b""


# --- SIGNATURE --------------------------------------------------------------------------------------------------------


def _signature_faults(found: _Stamp, expected: Certificate | None) -> Iterator[Fault]:
    if found.signature is None:
        yield _fault("GW-STAMP-MISSING", _INVOICE)
        return
    if found.is_ambiguous:
        yield _fault("GW-STAMP-AMBIGUOUS", _INVOICE)
    if found.certificate is None:
        yield _fault("certificate", _CERTIFICATE, found.certificate_text)
        yield from _digest_faults(found)
        return
    wrong = [*_digest_faults(found), *_certificate_faults(found, found.certificate, expected or found.certificate)]
    yield from wrong
    # What the official checks do not see is worth saying of a stamp that they find right.
    if not wrong:
        yield from _authority_faults(found, found.certificate, expected or found.certificate)


def _fault(rule: str, path: str, value: str = "") -> Fault:
    return Fault(RuleSet.SIGNATURE, rule, Severity.ERROR, path, value)


_SIGNATURE_TAG: Final = f"{{{DS}}}Signature"
_PARTS: Final = frozenset(
    {_SIGNATURE_TAG, f"{{{EXT}}}UBLExtensions", f"{{{CAC}}}Signature", f"{{{CAC}}}AdditionalDocumentReference"}
)


def _is_ambiguous(root: etree._Element, parts: list[etree._Element]) -> bool:
    """Whether there is more than one of a stamp's parts, or one where none belongs: what is in it would be unsigned."""
    tags = [part.tag for part in parts]
    at_home = all(part.tag == _SIGNATURE_TAG or part.getparent() is root for part in parts)
    return len(set(tags)) < len(tags) or not at_home or not _PARTS.issuperset(tags)


def _digest_faults(found: _Stamp) -> Iterator[Fault]:
    if found.digest != found.hash or not found.hash:
        yield _fault("invoiceSignedDataDigestValue", f"{_REFERENCE}[1]/ds:DigestValue", found.digest)
    if found.properties is None or not _is_digest_of(found.properties, found.properties_digest):
        yield _fault("xadesSignedPropertiesDigestValue", f"{_REFERENCE}[2]/ds:DigestValue", found.properties_digest)


def _is_digest_of(properties: etree._Element, digest: str) -> bool:
    try:
        return digest == stamp.signed_properties_digest(properties)
    except BadInput:
        return False


def _certificate_faults(found: _Stamp, embedded: Certificate, expected: Certificate) -> Iterator[Fault]:
    """The signature must be by the certificate in the document; issuer and serial are those of the expected one."""
    if not embedded.verifies(_decoded(found.value), _decoded(found.hash)):
        yield _fault("signatureValue", f"{_SIGNATURE}/ds:SignatureValue", found.value)
    if found.certificate_digest != stamp.hex_digest(found.certificate_text):
        path = f"{_SIGNING_CERTIFICATE}/xades:CertDigest/ds:DigestValue"
        yield _fault("signingCertificateDigestValue", path, found.certificate_digest)
    if found.issuer != expected.issuer:
        yield _fault("X509IssuerName", f"{_SIGNING_CERTIFICATE}/xades:IssuerSerial/ds:X509IssuerName", found.issuer)
    if found.serial != str(expected.serial):
        yield _fault("X509SerialNumber", f"{_SIGNING_CERTIFICATE}/xades:IssuerSerial/ds:X509SerialNumber", found.serial)


_THIRD_PARTY, _SELF_BILLED = 2, 6  # Positions in KSA-2 of flags by which another than the seller stamps.


def _authority_faults(found: _Stamp, embedded: Certificate, expected: Certificate) -> Iterator[Fault]:
    """What the authority refuses of a sound stamp."""
    if embedded.der != expected.der:
        yield _fault("invalid-signing-certificate", _CERTIFICATE, embedded.common_name)
    code, seller_vat = found.transaction_code, found.facts.seller_vat
    by_another = "1" in (code[_THIRD_PARTY : _THIRD_PARTY + 1], code[_SELF_BILLED : _SELF_BILLED + 1])
    if embedded.vat and embedded.vat != seller_vat and not by_another:
        path = f"{_INVOICE}/cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID"
        yield _fault("certificate-permissions", path, seller_vat)


# --- PIH --------------------------------------------------------------------------------------------------------------

_HASH_BYTES: Final = 32


def _pih_faults(root: etree._Element, pih: str | None) -> Iterator[Fault]:
    """KSA-13 is the hash of the document before; of the first document it is the hash the authority has set."""
    text = str(_pih_of(root))
    holds = text == pih if pih is not None else text == FIRST_PIH or len(_decoded(text)) == _HASH_BYTES
    if not holds:
        yield Fault(RuleSet.PIH, "KSA-13", Severity.ERROR, _PIH, text)
