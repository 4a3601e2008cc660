"""The sealing key: one for the whole installation (P-256), made once, with a certificate of its own making.

It signs what must be provable later and elsewhere: checkpoints of the audit log, manifests of exports. The units' keys
stamp documents and sign nothing else. Whoever verifies has the certificate, or its fingerprint, by another way.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from gateway.errors import Conflict, Misconfigured
from gateway.keys.envelopes import EnvelopeStore, does_not_open, recognise
from gateway.keys.master import MasterKey

SEALING_KEY: Final = "sealing key"
CERTIFICATE: Final = "sealing_certificate"
"""The mark that holds the certificate (PEM), for those who look without the master key."""
_REF: Final = "installation"
_VALID: Final = timedelta(days=365 * 20)
"""Documents are kept for six years and more, and what was sealed has to be provable as long."""
_LENGTH_BYTES: Final = 4
_NOT_FOR: Final = (
    "key_encipherment data_encipherment key_agreement key_cert_sign crl_sign encipher_only decipher_only".split()
)


class SealingKey:
    """The private key and its certificate; it signs and does not show itself."""

    __slots__ = ("_private", "certificate")

    def __init__(self, private: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._private = _SigningOnly(private)
        self.certificate = certificate

    def sign(self, message: bytes) -> bytes:
        """ECDSA on P-256 over SHA-256 of the message, DER."""
        return self._private.sign(message, ec.ECDSA(SHA256()))

    @property
    def for_xades(self) -> tuple[ec.EllipticCurvePrivateKey, list[x509.Certificate]]:
        """Key and certificate as `signxml` takes them (`key=`, `cert=`). The key signs; it cannot be written out."""
        return self._private, [self.certificate]

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate (DER), hex."""
        return fingerprint(self.certificate)

    def __repr__(self) -> str:
        return "SealingKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealing key is not copied")


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate (DER), hex: as `openssl x509 -fingerprint -sha256` shows it, without its colons."""
    return certificate.fingerprint(SHA256()).hex()


def verifies(certificate: x509.Certificate, message: bytes, signature: bytes) -> bool:
    """Whether the certificate's key signed the message."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def sealing_key(master: MasterKey, store: EnvelopeStore, *, now: Callable[[], datetime]) -> SealingKey:
    """The installation's sealing key, made if there is none yet; when two make it at once, both get the first.

    Misconfigured: its envelope does not open, or the certificate on record is not the one in it.
    """
    recognise(master, store)
    sealed = store.load_envelope(kind=SEALING_KEY, ref=_REF)
    if sealed is None:
        sealed = master.seal(SEALING_KEY, _REF, _new(now()))
        try:
            store.save_envelope(kind=SEALING_KEY, ref=_REF, blob=sealed, replace=False)
        except Conflict:
            return sealing_key(master, store, now=now)
    key = _opened(master, sealed)
    if key is None:
        raise does_not_open(SEALING_KEY, _REF)
    if store.set_mark(CERTIFICATE, value=key.pem) != key.pem:
        raise Misconfigured(
            "The sealing certificate on record is not that of the sealing key: the ledger was changed.",
            fix="Run `gateway doctor`, keep the ledger as it is for whoever looks into it, and restore a sound backup.",
        )
    return key


def _new(now: datetime) -> bytes:
    """A key and its certificate, for sealing only: the length of the one, the one, the other (DER)."""
    private = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(private, now).public_bytes(Encoding.DER)
    return len(certificate).to_bytes(_LENGTH_BYTES, "big") + certificate + _written(private)


def _written(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _opened(master: MasterKey, sealed: bytes) -> SealingKey | None:
    content = master.open(SEALING_KEY, _REF, sealed)
    if content is None:
        return None
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "big")
    private = load_der_private_key(content[end:], password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey), "what was sealed is what was made"
    return SealingKey(private, x509.load_der_x509_certificate(content[_LENGTH_BYTES:end]))


def _certificate(private: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"gateway seal {serial:x}"[:40])])
    start = now.astimezone(UTC).replace(microsecond=0)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        **dict.fromkeys(_NOT_FOR, False),
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(private, SHA256())
    )


class _SigningOnly(ec.EllipticCurvePrivateKey):
    """A private key for libraries that ask for one: it signs, and refuses whatever would show it."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.__private = private

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.__private.curve

    @property
    def key_size(self) -> int:
        return self.__private.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.__private.public_key()

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        return self.__private.sign(data, signature_algorithm)

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        raise TypeError("a sealing key signs only")

    def private_numbers(self) -> NoReturn:
        raise TypeError("a sealing key does not show itself")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:  # noqa: A002
        raise TypeError("a sealing key does not show itself")

    def __copy__(self) -> "_SigningOnly":
        return self

    def __deepcopy__(self, memo: Any) -> "_SigningOnly":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealing key is not copied")

    def __repr__(self) -> str:
        return "SealingKey(...)"
