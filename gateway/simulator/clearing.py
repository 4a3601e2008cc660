"""Clearing: the authority's own stamp and QR take the place of the sender's.

How the real authority writes its block is not published. In the published examples of a cleared document the signature,
its digests, its time and the QR tags 6 to 8 are renewed and all else stays. So it is here: what the hash covers does
not change, the certificate is that of the simulator's certification authority, and the QR has eight tags.
"""

import base64
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree
from lxml.builder import ElementMaker

from gateway.simulator.ca import CertificateAuthority
from gateway.simulator.document import (
    Document,
    hash_of,
    hex_digest,
    signed_properties_text,
    tag_bytes,
    without_stamp,
)
from gateway.simulator.judge import issuer_name
from gateway.xml import CAC, CBC, DS, EXT, XADES

_RIYADH: Final = ZoneInfo("Asia/Riyadh")
_OASIS: Final = "urn:oasis:names:specification:ubl"
_SIG: Final = f"{_OASIS}:schema:xsd:CommonSignatureComponents-2"
_SAC: Final = f"{_OASIS}:schema:xsd:SignatureAggregateComponents-2"
_SBC: Final = f"{_OASIS}:schema:xsd:SignatureBasicComponents-2"
_SHA256: Final = "http://www.w3.org/2001/04/xmlenc#sha256"
_C14N: Final = "http://www.w3.org/2006/12/xml-c14n11"
_XPATH: Final = "http://www.w3.org/TR/1999/REC-xpath-19991116"
_LEFT_OUT: Final = ("ext:UBLExtensions", "cac:Signature", "cac:AdditionalDocumentReference[cbc:ID='QR']")

_cac = ElementMaker(namespace=CAC, nsmap={"cac": CAC})
_cbc = ElementMaker(namespace=CBC, nsmap={"cbc": CBC})
_ext = ElementMaker(namespace=EXT, nsmap={"ext": EXT})
_ds = ElementMaker(namespace=DS, nsmap={"ds": DS})
_xades = ElementMaker(namespace=XADES, nsmap={"xades": XADES})
_sig = ElementMaker(namespace=_SIG, nsmap={"sig": _SIG})
_sac = ElementMaker(namespace=_SAC, nsmap={"sac": _SAC})
_sbc = ElementMaker(namespace=_SBC, nsmap={"sbc": _SBC})


def clear(document: Document, ca: CertificateAuthority, now: datetime) -> bytes:
    """The cleared document: the same content under the authority's stamp, with the QR the buyer scans."""
    digest = document.hash
    signature = base64.b64encode(ca.key.sign(digest, ec.ECDSA(SHA256()))).decode("ascii")
    root = without_stamp(document.root)
    _put_first(root, _extensions(document.hash_text, signature, ca, now))
    _put_before(root, "ProjectReference", _qr_reference(_qr(document, signature, ca)))
    _put_before(root, "AccountingSupplierParty", _signature_reference())
    assert hash_of(root) == digest, "clearing does not change what the hash covers"
    return bytes(etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8"))


def _put_first(root: etree._Element, extensions: etree._Element) -> None:
    """Directly after the start tag, so that the white space there stays the document's own."""
    extensions.tail, root.text = root.text, None
    root.insert(0, extensions)


def _put_before(root: etree._Element, name: str, element: etree._Element) -> None:
    """Where the schema has its place: before the first such element, else before the supplier, who is always there."""
    place = root.find(f"{{{CAC}}}{name}")
    if place is None:
        place = root.find(f"{{{CAC}}}AccountingSupplierParty")
    assert place is not None, "a document that passed the schema has a supplier"
    place.addprevious(element)


def _qr(document: Document, signature: str, ca: CertificateAuthority) -> str:
    key = ca.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    texts = (*document.qr_facts, document.hash_text, signature)
    values = (*(text.encode() for text in texts), key)
    return base64.b64encode(b"".join(tag_bytes(tag, value) for tag, value in enumerate(values, 1))).decode("ascii")


def _qr_reference(qr: str) -> etree._Element:
    embedded = _cbc.EmbeddedDocumentBinaryObject(qr, mimeCode="text/plain")
    return _cac.AdditionalDocumentReference(_cbc.ID("QR"), _cac.Attachment(embedded))


def _signature_reference() -> etree._Element:
    return _cac.Signature(
        _cbc.ID(f"{_OASIS}:signature:Invoice"),
        _cbc.SignatureMethod(f"{_OASIS}:dsig:enveloped:xades"),
    )


def _extensions(digest: str, signature: str, ca: CertificateAuthority, now: datetime) -> etree._Element:
    return _ext.UBLExtensions(
        _ext.UBLExtension(
            _ext.ExtensionURI(f"{_OASIS}:dsig:enveloped:xades"),
            _ext.ExtensionContent(
                _sig.UBLDocumentSignatures(
                    _sac.SignatureInformation(
                        _cbc.ID(f"{_OASIS}:signature:1"),
                        _sbc.ReferencedSignatureID(f"{_OASIS}:signature:Invoice"),
                        _signature_block(digest, signature, ca, now),
                    )
                )
            ),
        )
    )


def _signature_block(digest: str, signature: str, ca: CertificateAuthority, now: datetime) -> etree._Element:
    certificate = base64.b64encode(ca.certificate.public_bytes(Encoding.DER)).decode("ascii")
    properties = _signed_properties(certificate, ca, now)
    return _ds.Signature(
        _ds.SignedInfo(
            _ds.CanonicalizationMethod(Algorithm=_C14N),
            _ds.SignatureMethod(Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
            _ds.Reference(
                _ds.Transforms(
                    *(
                        _ds.Transform(_ds.XPath(f"not(//ancestor-or-self::{name})"), Algorithm=_XPATH)
                        for name in _LEFT_OUT
                    ),
                    _ds.Transform(Algorithm=_C14N),
                ),
                *_digest(digest),
                Id="invoiceSignedData",
                URI="",
            ),
            _ds.Reference(
                *_digest(hex_digest(signed_properties_text(properties).encode())),
                Type="http://www.w3.org/2000/09/xmldsig#SignatureProperties",
                URI="#xadesSignedProperties",
            ),
        ),
        _ds.SignatureValue(signature),
        _ds.KeyInfo(_ds.X509Data(_ds.X509Certificate(certificate))),
        _ds.Object(_xades.QualifyingProperties(properties, Target="signature")),
        Id="signature",
    )


def _signed_properties(certificate: str, ca: CertificateAuthority, now: datetime) -> etree._Element:
    return _xades.SignedProperties(
        _xades.SignedSignatureProperties(
            _xades.SigningTime(now.astimezone(_RIYADH).strftime("%Y-%m-%dT%H:%M:%S")),
            _xades.SigningCertificate(
                _xades.Cert(
                    _xades.CertDigest(*_digest(hex_digest(certificate.encode()))),
                    _xades.IssuerSerial(
                        _ds.X509IssuerName(issuer_name(ca.certificate)),
                        _ds.X509SerialNumber(str(ca.certificate.serial_number)),
                    ),
                )
            ),
        ),
        Id="xadesSignedProperties",
    )


def _digest(value: str) -> tuple[etree._Element, etree._Element]:
    return _ds.DigestMethod(Algorithm=_SHA256), _ds.DigestValue(value)
