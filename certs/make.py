"""Makes the certificates the tests sign with: a small authority and one unit, the same bytes every time.

    python certs/make.py

The keys are derived from sentences that stand below, so anyone can have them: they protect nothing. Names, extensions
and lifetimes imitate what the authority's own CA puts into a unit's certificate.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

FOLDER: Final = Path(__file__).parent / "test"
NOT_BEFORE: Final = datetime(2024, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(2049, 12, 31, tzinfo=UTC)
VAT: Final = "399999999900003"

_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_REGISTERED_ADDRESS: Final = ObjectIdentifier("2.5.4.26")
_APPLICATION_POLICIES: Final = ObjectIdentifier("1.3.6.1.4.1.311.21.10")
# SEQUENCE of two policies, code signing and client authentication.
_POLICIES: Final = bytes.fromhex("3018300a06082b06010505070303300a06082b06010505070302")


def key_of(sentence: str) -> ec.EllipticCurvePrivateKey:
    """The secp256k1 key that belongs to a sentence. Never do this for a key that is to protect something."""
    number = int.from_bytes(hashlib.sha256(sentence.encode()).digest(), "big")
    return ec.derive_private_key(number % (_SECP256K1_ORDER - 1) + 1, ec.SECP256K1())


def name(*attributes: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


CA_NAME: Final = name(
    (NameOID.DOMAIN_COMPONENT, "local"),
    (NameOID.DOMAIN_COMPONENT, "gov"),
    (NameOID.DOMAIN_COMPONENT, "gateway-test"),
    (NameOID.COMMON_NAME, "GATEWAY-TEST-CA"),
)
UNIT_NAME: Final = name(
    (NameOID.COUNTRY_NAME, "SA"),
    (NameOID.ORGANIZATION_NAME, "Test Trading Company"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "Riyadh Branch"),
    (NameOID.COMMON_NAME, f"TST-GATEWAY-{VAT}"),
)
UNIT_FACTS: Final = name(
    (NameOID.SURNAME, "1-Gateway|2-Test|3-00000000-0000-4000-8000-000000000001"),
    (NameOID.USER_ID, VAT),
    (NameOID.TITLE, "1100"),
    (_REGISTERED_ADDRESS, "RRRD2929"),
    (NameOID.BUSINESS_CATEGORY, "Retail"),
)


def authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate of the authority's CA, signed by itself."""
    return (
        _begun(CA_NAME, key, serial=1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256(), ecdsa_deterministic=True)
    )


def unit(key: ec.EllipticCurvePrivateKey, ca_key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate of a unit, with the extensions of a real one."""
    where = x509.UniformResourceIdentifier("http://gateway-test.invalid/ca.crt")
    template = ObjectIdentifier("1.3.6.1.4.1.311.21.8.1.2.3.4")
    return (
        _begun(UNIT_NAME, key, serial=0x11000000010000000000000000000000000001)
        .add_extension(x509.SubjectAlternativeName([x509.DirectoryName(UNIT_FACTS)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]),
            critical=False,
        )
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.MSCertificateTemplate(template, major_version=100, minor_version=18), critical=False)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.UnrecognizedExtension(_APPLICATION_POLICIES, _POLICIES), critical=False)
        .sign(ca_key, SHA256(), ecdsa_deterministic=True)
    )


def _begun(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, serial: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(CA_NAME, subject, key.public_key(), serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def files() -> dict[str, bytes]:
    """What lies in certs/test, by file name."""
    ca_key, unit_key = key_of("the test authority of gateway"), key_of("the test unit of gateway")
    return {
        "ca.key": _pem(ca_key),
        "ca.pem": authority(ca_key).public_bytes(Encoding.PEM),
        "unit.key": _pem(unit_key),
        "unit.pem": unit(unit_key, ca_key).public_bytes(Encoding.PEM),
    }


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, content in files().items():
        (FOLDER / file).write_bytes(content)
        print(FOLDER / file)
