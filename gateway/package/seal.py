"""Making the seal of a package: a standard XAdES signature by signxml, over the digest of the manifest."""

from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.xades import XAdESDataObjectFormat, XAdESSigner

from gateway.verifier.seal import read_seal, seal_body

_FORMAT: Final = XAdESDataObjectFormat(Description="Package of e-invoices: its manifest", MimeType="application/xml")


class Sealer(Protocol):
    """The installation's sealing key, wherever it is: on P-256, with a certificate."""

    @property
    def certificate(self) -> x509.Certificate:
        """The sealing certificate."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA with SHA-256, in DER."""


def make_seal(manifest: bytes, sealer: Sealer) -> bytes:
    """The seal over a manifest, read back before it is given."""
    signer = XAdESSigner(
        data_object_format=_FORMAT,
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    key: Any = _Elsewhere(sealer.sign, sealer.certificate)
    signed = signer.sign(seal_body(manifest), key=key, cert=[sealer.certificate])
    seal = bytes(etree.tostring(signed.getroottree(), method="c14n", with_comments=False))
    read_seal(seal)
    return seal


class _Elsewhere(ec.EllipticCurvePrivateKey):
    """A private key that signxml can use and nobody can have: all it does is sign."""

    def __init__(self, sign: Callable[[bytes], bytes], certificate: x509.Certificate) -> None:
        self._sign, self._certificate = sign, certificate

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        return self._sign(bytes(data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = self._certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey), "a sealing key is on P-256"
        return key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.public_key().curve

    @property
    def key_size(self) -> int:
        return self.public_key().key_size

    def exchange(self, *_: Any) -> NoReturn:
        raise NotImplementedError("it only signs")

    def private_numbers(self) -> NoReturn:
        raise NotImplementedError("it only signs")

    def private_bytes(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("it only signs")

    def __copy__(self) -> "_Elsewhere":
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> "_Elsewhere":
        return self
