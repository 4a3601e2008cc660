"""The seal: a standard XAdES signature (ETSI EN 319 132-1, enveloped, ECDSA on P-256) over the digest of the manifest.

Any XAdES verifier can check it. Here it is checked without one, and more strictly: not a byte of the file may differ
from its canonical form, so that nothing in it is unsigned.
"""

import base64
import hashlib
from datetime import datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from lxml import etree

SEAL_NAMESPACE = "urn:gateway:package:1"
_NS = {"p": SEAL_NAMESPACE, "ds": "http://www.w3.org/2000/09/xmldsig#", "xades": "http://uri.etsi.org/01903/v1.3.2#"}
_INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_ECDSA, _SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
_MOST = 100_000


class Sealed(NamedTuple):
    """What a seal that holds says: the digest (hex) of the manifest, and by which certificate and when."""

    manifest: str
    certificate: x509.Certificate
    at: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the sealing certificate, hex."""
        return self.certificate.fingerprint(SHA256()).hex()


class BrokenSeal(ValueError):
    """The seal does not hold, and why."""


def seal_body(manifest: bytes) -> etree._Element:
    """What is signed: the manifest's name and digest."""
    root = etree.Element(f"{{{SEAL_NAMESPACE}}}seal", nsmap={None: SEAL_NAMESPACE})
    digest = hashlib.sha256(manifest).hexdigest()
    etree.SubElement(root, f"{{{SEAL_NAMESPACE}}}file", path="manifest.json", sha256=digest)
    return root


def read_seal(data: bytes) -> Sealed:
    """A seal that holds; BrokenSeal if it does not."""
    if len(data) > _MOST:
        raise BrokenSeal("it is far too large")
    try:
        root = etree.fromstring(data, _parser())
        return _checked(root, data)
    except BrokenSeal:
        raise
    except (etree.LxmlError, ValueError, LookupError, TypeError, ArithmeticError, UnsupportedAlgorithm) as error:
        raise BrokenSeal(f"it cannot be read: {error}") from None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _checked(root: etree._Element, data: bytes) -> Sealed:
    if etree.tostring(root.getroottree(), method="c14n", with_comments=False) != data:
        raise BrokenSeal("it is not in canonical form")
    (signature,) = root.findall("ds:Signature", _NS)
    (info,) = signature.findall("ds:SignedInfo", _NS)
    certificate = _certificate(signature)
    _verify(certificate, _base64(_one(signature, "ds:SignatureValue").text), _canonical(info))
    if _one(info, "ds:SignatureMethod").get("Algorithm") != _ECDSA:
        raise BrokenSeal("it is signed by another algorithm")
    signed = [_reference(root, signature, each) for each in info.findall("ds:Reference", _NS)]
    properties = _one(signature, "ds:Object/xades:QualifyingProperties/xades:SignedProperties")
    if not {root, properties, _one(signature, "ds:KeyInfo")} <= set(signed):
        raise BrokenSeal("it leaves something unsigned")
    _nothing_beside(signature, properties)
    _names_its_certificate(properties, certificate)
    (file,) = root.findall("p:file", _NS)
    if file.get("path") != "manifest.json" or list(root) != [file, signature]:
        raise BrokenSeal("it is not over a manifest")
    return Sealed(str(file.get("sha256")), certificate, _one(properties, ".//xades:SigningTime").text or "")


def _one(element: etree._Element, path: str) -> etree._Element:
    found = element.findall(path, _NS)
    if len(found) != 1:
        raise BrokenSeal(f"it has {len(found)} of {path}")
    return found[0]


def _base64(text: str | None) -> bytes:
    """Base64 in its one spelling."""
    value = base64.b64decode("".join((text or "").split()), validate=True)
    if base64.b64encode(value).decode() != "".join((text or "").split()):
        raise BrokenSeal("its base64 is spelled unusually")
    return value


def _canonical(element: etree._Element) -> bytes:
    """Inclusive C14N 1.0 of an element with what is in it."""
    return bytes(etree.tostring(element, method="c14n", with_comments=False))


def _certificate(signature: etree._Element) -> x509.Certificate:
    der = _base64(_one(signature, "ds:KeyInfo/ds:X509Data/ds:X509Certificate").text)
    return x509.load_der_x509_certificate(der)


def _verify(certificate: x509.Certificate, value: bytes, message: bytes) -> None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BrokenSeal("its certificate has no key on P-256")
    half = len(value) // 2
    der = encode_dss_signature(int.from_bytes(value[:half], "big"), int.from_bytes(value[half:], "big"))
    try:
        key.verify(der, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise BrokenSeal("its signature does not verify") from None


def _reference(root: etree._Element, signature: etree._Element, reference: etree._Element) -> etree._Element:
    """The element that a reference is to, its digest compared."""
    uri, transforms = reference.get("URI"), [t.get("Algorithm") for t in reference.iterfind(".//ds:Transform", _NS)]
    if _one(reference, "ds:DigestMethod").get("Algorithm") != _SHA256:
        raise BrokenSeal("a digest is by another algorithm")
    if uri == "" and transforms == [_ENVELOPED, _INCLUSIVE]:
        target, content = root, _without(root, signature)
    elif uri and uri.startswith("#") and transforms in ([], [_INCLUSIVE]):  # which is what no transform means
        (target,) = [each for each in signature.iter() if each.get("Id") == uri[1:]]
        content = _canonical(target)
    else:
        raise BrokenSeal(f"a reference to {uri!r} is of another form")
    if hashlib.sha256(content).digest() != _base64(_one(reference, "ds:DigestValue").text):
        raise BrokenSeal(f"the digest of {uri or 'its content'} does not fit")
    return target


def _without(root: etree._Element, signature: etree._Element) -> bytes:
    copy = etree.fromstring(etree.tostring(root), _parser())
    place = list(root).index(signature)
    copy.remove(copy[place])
    return _canonical(copy)


def _nothing_beside(signature: etree._Element, properties: etree._Element) -> None:
    """What stands in the signature and is not signed carries no text and points where it should."""
    qualifying, outer = properties.getparent(), _one(signature, "ds:Object")
    bare = [signature, outer, qualifying]
    if any((each.text or "").strip("") for each in bare) or len(signature) != 4 or len(outer) != 1:
        raise BrokenSeal("something stands in it that is not signed")
    if qualifying is None or len(qualifying) != 1 or qualifying.get("Target") != f"#{signature.get('Id')}":
        raise BrokenSeal("its properties are of another signature")
    if any(each.tail for each in signature.iter()):
        raise BrokenSeal("text stands between its parts")


def _names_its_certificate(properties: etree._Element, certificate: x509.Certificate) -> None:
    named = _base64(_one(properties, ".//xades:CertDigest/ds:DigestValue").text)
    at = datetime.fromisoformat(_one(properties, ".//xades:SigningTime").text or "")
    if named != certificate.fingerprint(SHA256()):
        raise BrokenSeal("it names another certificate than it carries")
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise BrokenSeal("it was made outside the time of its certificate")
