"""One document: its hash, stamp and QR, worked out from its bytes and compared with its place in the chain.

Made from the authority's Security Features Implementation Standards; where they leave room, its own files decide.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from gateway.verifier.report import Fault

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_MAPS = {
    "u": f"{_UBL}Invoice-2",
    "cac": f"{_UBL}CommonAggregateComponents-2",
    "cbc": f"{_UBL}CommonBasicComponents-2",
    "ext": f"{_UBL}CommonExtensionComponents-2",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xades": "http://uri.etsi.org/01903/v1.3.2#",
}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
_RIYADH = timedelta(hours=3)
_PARTS = 4
"""Elements of a stamp: the extensions with the signature in them, its reference, and the QR's."""
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1 (SEC 2, section 2.4.1)."""
_ACCEPTING = (200, 202, 208, 409)
"""HTTP statuses by which the authority accepts; the last two say that it had done so before."""
ACCEPTED = ("cleared", "reported")


class Key(NamedTuple):
    """What a certificate verifies by and is known by."""

    certificate: x509.Certificate
    text: str
    public_key: bytes
    verify: Callable[[bytes, bytes], bool]


@lru_cache(maxsize=256)
def key_of(der: bytes) -> Key:
    """A certificate from its DER; ValueError if it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        public = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"it is no certificate: {error}") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256K1):
        raise ValueError("its key is not on secp256k1")
    raw = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(certificate, base64.b64encode(der).decode(), raw, _verifier(public, raw))


def _verifier(public: ec.EllipticCurvePublicKey, raw: bytes) -> Callable[[bytes, bytes], bool]:
    """Verifies ECDSA with SHA-256: by libsecp256k1 where it is installed, which takes a tenth of the time and knows
    only the lower of the two forms of a signature, so it gets that; what it does not accept OpenSSL decides."""
    try:
        from coincurve import PublicKey

        fast = PublicKey(raw[-65:])
    except ImportError:
        fast = None

    def verify(signature: bytes, message: bytes) -> bool:
        try:
            if fast is not None and fast.verify(_low(signature), message):
                return True
            public.verify(signature, message, ec.ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


def _low(signature: bytes) -> bytes:
    """The same signature with the lower of the two values that s can have."""
    r, s = decode_dss_signature(signature)
    return signature if s <= _ORDER // 2 else encode_dss_signature(r, _ORDER - s)


def document_faults(link: dict[str, Any], xml: bytes, unit: Key | None, vat: str) -> Iterator[Fault]:
    """What is wrong with a document whose place in the chain is `link`, stamped with the certificate `unit`, of the
    taxpayer whose VAT number is `vat`."""
    part = link["file"]["path"]
    try:
        root = _parsed(xml)
    except ValueError as error:
        yield Fault("file.unreadable", part, str(error))
        return
    wrong = [name for name, same in _facts(link, root, vat) if not same]
    if wrong:
        yield Fault("document.facts", part, f"It differs in {', '.join(wrong)}.")
    stamp = _Stamp(root)
    found = stamp.hash()
    if found != link["hash"]:
        yield Fault("document.hash", part, f"{found} is not {link['hash']}.")
        return
    yield from _stamp_faults(link, stamp, found, unit)
    wrong = [str(tag) for tag, same in _qr(stamp, found) if not same]
    if wrong:
        yield Fault("document.qr", part, f"Tags {', '.join(wrong)} differ.")


def _parsed(xml: bytes) -> etree._Element:
    try:
        root = etree.fromstring(xml, _PARSER)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"it is not well-formed XML: {error}") from None
    if root.getroottree().docinfo.doctype or root.tag != f"{{{_MAPS['u']}}}Invoice":
        raise ValueError("it is not an invoice")
    return root


def _path(expression: str) -> etree.XPath:
    return etree.XPath(expression, namespaces=_MAPS)


_PROPERTIES = "ds:Object/xades:QualifyingProperties/xades:SignedProperties"
_SIGNED, _CERT = f"{_PROPERTIES}/xades:SignedSignatureProperties/", "xades:SigningCertificate/xades:Cert/"
_REFERENCE = "string(cac:AdditionalDocumentReference[cbc:ID='{}']/{})"
_OBJECT = "cac:Attachment/cbc:EmbeddedDocumentBinaryObject"
_PARTY = "cac:AccountingSupplierParty/cac:Party/"
_SAID = {
    "KSA-1": _path("string(cbc:UUID)"),
    "BT-1": _path("string(cbc:ID)"),
    "KSA-16": _path(_REFERENCE.format("ICV", "cbc:UUID")),
    "KSA-13": _path(_REFERENCE.format("PIH", _OBJECT)),
    "BT-3": _path("string(cbc:InvoiceTypeCode)"),
}
_LINKED = {"KSA-1": "uuid", "BT-1": "number", "KSA-16": "icv", "KSA-13": "pih", "BT-3": "kind"}
_CODE, _QR_TEXT = _path("string(cbc:InvoiceTypeCode/@name)"), _path(_REFERENCE.format("QR", _OBJECT))
_DATE, _TIME = _path("string(cbc:IssueDate)"), _path("string(cbc:IssueTime)")
_SELLER = _path(f"string({_PARTY}cac:PartyTaxScheme/cbc:CompanyID)")
_QR_FACTS = (
    _path(f"string({_PARTY}cac:PartyLegalEntity/cbc:RegistrationName)"),
    _SELLER,
    lambda root: _time_stamp(_DATE(root), _TIME(root)),
    _path("string(cac:LegalMonetaryTotal/cbc:PayableAmount)"),
    _path("string(cac:TaxTotal/cbc:TaxAmount)"),
)


def _facts(link: dict[str, Any], root: etree._Element, vat: str) -> Iterator[tuple[str, bool]]:
    for term, path in _SAID.items():
        yield term, path(root) == str(link[_LINKED[term]])
    yield "BT-31", _SELLER(root) == vat
    yield "BT-2", _time_stamp(_DATE(root), _TIME(root)) == _local(link["issued_at"])


def _time_stamp(date: str, time: str) -> str:
    """The moment of issue in Riyadh, without its zone; one in UTC (Z) is moved there."""
    if not time.endswith("Z"):
        return f"{date}T{time}"
    try:
        return (datetime.fromisoformat(f"{date}T{time[:-1]}") + _RIYADH).isoformat(timespec="seconds")
    except ValueError:
        return f"{date}T{time}"


def _local(moment: str) -> str:
    """A moment of the package (UTC) as documents write it."""
    try:
        utc = datetime.fromisoformat(moment).astimezone(UTC).replace(tzinfo=None, microsecond=0)
        return (utc + _RIYADH).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return ""


class _Stamp:
    """What a document's stamp says, read before the hash is made, for that takes the stamp out of the tree."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self.is_simplified = str(_CODE(root)).startswith("02")
        self.qr_text, self.qr_facts = str(_QR_TEXT(root)), [str(fact(root)) for fact in _QR_FACTS]
        signatures = list(root.iter(f"{{{_MAPS['ds']}}}Signature"))
        self.signature = signatures[0] if len(signatures) == 1 else None
        self.value = self.text("ds:SignatureValue")
        self.digest = self.text("ds:SignedInfo/ds:Reference[1]/ds:DigestValue")
        self.properties_digest = self.text("ds:SignedInfo/ds:Reference[2]/ds:DigestValue")
        self.certificate = self.text("ds:KeyInfo/ds:X509Data/ds:X509Certificate")
        self.signing_time = self.text(f"{_SIGNED}xades:SigningTime")
        self.certificate_digest = self.text(f"{_SIGNED}{_CERT}xades:CertDigest/ds:DigestValue")
        self.serial = self.text(f"{_SIGNED}{_CERT}xades:IssuerSerial/ds:X509SerialNumber")
        self.printed = self._printed_properties()
        self.parts = 0

    def text(self, path: str) -> str:
        """The text at a path in the signature; empty if there is none."""
        return "" if self.signature is None else (self.signature.findtext(path, "", _MAPS) or "")

    def _printed_properties(self) -> bytes:
        """SignedProperties as the official signer prints them for their digest."""
        found = None if self.signature is None else self.signature.find(_PROPERTIES, _MAPS)
        if found is None:
            return b""
        canonical = etree.tostring(found, method="c14n", exclusive=True, with_comments=False)
        return bytes(canonical).replace(b"></ds:DigestMethod>", b"/>")

    def hash(self) -> str:
        """SHA-256 (base64) of the canonical document without extensions, signatures and QR; the tree is spent then."""
        for part in list(self.root.iter("{*}UBLExtensions", "{*}Signature", "{*}AdditionalDocumentReference")):
            name = etree.QName(part).localname
            if name == "AdditionalDocumentReference" and part.findtext("cbc:ID", "", _MAPS) != "QR":
                continue
            self.parts += 1
            _take_out(part)
        canonical = etree.tostring(self.root.getroottree(), method="c14n", with_comments=False)
        return base64.b64encode(hashlib.sha256(canonical).digest()).decode()


def _take_out(part: etree._Element) -> None:
    """Remove an element and leave the text after it."""
    parent, before = part.getparent(), part.getprevious()
    if parent is None:
        return
    if before is None:
        parent.text = (parent.text or "") + (part.tail or "")
    else:
        before.tail = (before.tail or "") + (part.tail or "")
    part.tail = None
    parent.remove(part)


def _hex_digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).hexdigest().encode()).decode()


def _stamp_faults(link: dict[str, Any], stamp: _Stamp, found: str, unit: Key | None) -> Iterator[Fault]:
    part = link["file"]["path"]
    wrong = [what for what, holds in _stamp_checks(link, stamp, found, unit) if not holds]
    if wrong:
        yield Fault("document.stamp", part, f"Wrong: {', '.join(wrong)}.")


def _stamp_checks(link: dict[str, Any], stamp: _Stamp, found: str, unit: Key | None) -> Iterator[tuple[str, bool]]:
    yield "one stamp and no other part", stamp.signature is not None and stamp.parts == _PARTS
    yield "digest of the document", stamp.digest == found
    yield "digest of the signed properties", stamp.properties_digest == _hex_digest(stamp.printed)
    yield "digest of the certificate", stamp.certificate_digest == _hex_digest(stamp.certificate.encode())
    try:
        embedded = key_of(_decoded(stamp.certificate))
    except ValueError:
        yield "certificate", False
        return
    yield "certificate", embedded.text == stamp.certificate
    yield "serial number", stamp.serial.strip() == str(embedded.certificate.serial_number)
    if link["cleared"]:
        yield "signature", embedded.verify(_decoded(stamp.value), _decoded(found))
        yield "time of stamping", _is_within(stamp.signing_time, embedded.certificate)
        return
    yield "certificate of the unit", unit is None or embedded.public_key == unit.public_key
    yield "signature", stamp.value == link["signature"]  # which is verified with the link
    yield "time of stamping", stamp.signing_time == _local(link["signed_at"])


def _is_within(signing_time: str, certificate: x509.Certificate) -> bool:
    """Whether the authority stamped in the time of its certificate, give or take a day: it states no zone."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    try:
        at = datetime.fromisoformat(signing_time).replace(tzinfo=UTC)
    except ValueError:
        return False
    return start - timedelta(days=1) <= at <= end + timedelta(days=1)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _qr(stamp: _Stamp, found: str) -> Iterator[tuple[int, bool]]:
    """Each tag that a QR must have, and whether it says what the document says."""
    tags, is_whole = _tags(_decoded(stamp.qr_text))
    try:
        key: Key | None = key_of(_decoded(stamp.certificate))
    except ValueError:
        key = None
    expected = [*(fact.encode() for fact in stamp.qr_facts), found.encode(), stamp.value.encode()]
    expected.append(key.public_key if key else b"")
    if stamp.is_simplified:
        expected.append(key.certificate.signature if key else b"")
    yield 0, is_whole and set(tags) == set(range(1, len(expected) + 1))
    yield from ((number, tags.get(number) == value) for number, value in enumerate(expected, 1))


def _tags(data: bytes) -> tuple[dict[int, bytes], bool]:
    tags: dict[int, bytes] = {}
    at = 0
    while at + 1 < len(data):
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(data[at + 2 : start], "big")
        at = start + size
        if tag in tags or at > len(data):
            return tags, False
        tags[tag] = data[start:at]
    return tags, at == len(data) and bool(tags)


def link_faults(link: dict[str, Any], part: str, unit: Key | None, chain: str | None, here: str) -> Iterator[Fault]:
    """What is wrong with a place in the chain by itself: the unit's signature, its certificate, the time of stamping.
    That needs no document, so it is told of those too that are left out."""
    name = f"{part}, ICV {link['icv']}"
    if unit is None or chain != here:
        yield Fault("link.certificate", name, f"Certificate {link['csid']}.")
        return
    if not unit.verify(_decoded(link["signature"]), _decoded(link["hash"])):
        yield Fault("link.signature", name, f"Document {link['uuid']}.")
    start, end = unit.certificate.not_valid_before_utc, unit.certificate.not_valid_after_utc
    try:
        is_in_time = start <= datetime.fromisoformat(link["signed_at"]) < end + timedelta(seconds=1)
    except (ValueError, TypeError):
        is_in_time = False
    if not is_in_time:
        yield Fault("link.window", name, f"{link['signed_at']} is not from {start} to {end}.")


def answer_faults(link: dict[str, Any], xml: bytes, answers: dict[str, bytes]) -> Iterator[Fault]:
    """Whether an answer of the authority bears out the status: of what was cleared, the very document is in it."""
    if link["status"] not in ACCEPTED:
        return
    accepting = [each for each in link["answers"] if each["path"] and each["http_status"] in _ACCEPTING]
    if link["cleared"]:
        holds = any(_cleared_in(answers.get(each["path"], b"")) == xml for each in link["answers"])
    else:
        holds = bool(accepting)
    if not holds:
        yield Fault("document.answer", link["file"]["path"], f"Status {link['status']}.")


def _cleared_in(answer: bytes) -> bytes:
    try:
        return base64.b64decode(json.loads(answer)["clearedInvoice"])
    except (ValueError, TypeError, KeyError, binascii.Error):
        return b""
