"""Making the seal of a package: a standard XAdES signature by signxml, over the digest of the manifest."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.xades.xades import XAdESDataObjectFormat, XAdESSigner

from gateway.verifier.seal import read_seal, seal_body

_FORMAT: Final = XAdESDataObjectFormat(Description="Package of e-invoices: its manifest", MimeType="application/xml")


def make_seal(manifest: bytes, key: ec.EllipticCurvePrivateKey, certificates: list[x509.Certificate]) -> bytes:
    """The seal over a manifest, by a key on P-256 and its certificate; it is read back before it is given."""
    signer = XAdESSigner(
        data_object_format=_FORMAT,
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    signed = signer.sign(seal_body(manifest), key=key, cert=certificates)
    seal = bytes(etree.tostring(signed.getroottree(), method="c14n", with_comments=False))
    read_seal(seal)
    return seal
