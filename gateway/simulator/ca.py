"""The simulator's certification authority, thrown away with the process, and what it demands of a CSR."""

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

TEMPLATE: Final = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2")
SERIAL: Final = NameOID.SURNAME  # 2.5.4.4, where the authority expects the device's serial number
VAT: Final = NameOID.USER_ID
INVOICE_TYPES: Final = NameOID.TITLE
LOCATION: Final = x509.ObjectIdentifier("2.5.4.26")
INDUSTRY: Final = NameOID.BUSINESS_CATEGORY

VALIDITY: Final = timedelta(days=5 * 365)
CRL_LIFE: Final = timedelta(days=6)
"""How long a revocation list may be used; the real ones hold for a week and are renewed before."""
_FORBIDDEN = re.compile(r"[!@#$%&*_<=]")


class InvalidCsr(Exception):
    """The request cannot be granted; the text says why."""


@dataclass(frozen=True)
class Request:
    """What a CSR asks for: `template` as it stands in its extension, `invoice_types` the digits TSCZ."""

    csr: x509.CertificateSigningRequest
    template: str
    vat: str
    invoice_types: str

    @property
    def fingerprint(self) -> bytes:
        """The same for the same request only."""
        return self.csr.public_bytes(Encoding.DER)


def read_request(encoded: str, templates: frozenset[str]) -> Request:
    """The CSR in base64 of its PEM text; InvalidCsr unless all of it is as the authority demands."""
    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(encoded, validate=True))
        _check_key(csr)
        request = _facts(csr)
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise InvalidCsr(f"The provided CSR cannot be read: {error}") from None
    if request.template not in templates:
        raise InvalidCsr(f"The template name {request.template!r} is not one of {', '.join(sorted(templates))}")
    _check_subject(csr, request.vat)
    return request


def _check_key(csr: x509.CertificateSigningRequest) -> None:
    key = csr.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256K1):
        raise InvalidCsr("The key is not on the curve secp256k1")
    if not isinstance(csr.signature_hash_algorithm, SHA256) or not csr.is_signature_valid:
        raise InvalidCsr("The CSR is not signed with its own key and SHA-256")


def _facts(csr: x509.CertificateSigningRequest) -> Request:
    """Template name and alternative name, each checked for its form."""
    extension = csr.extensions.get_extension_for_oid(TEMPLATE).value
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise InvalidCsr("The template name is missing")
    # A bare DER string: tag (UTF8String or PrintableString), one byte of length, text.
    template = extension.value[2:].decode("ascii")
    names = alternative_names(csr)
    if not re.fullmatch(r"1-[^=|]+\|2-[^=|]+\|3-[^=|]+", names.get(SERIAL, "")):
        raise InvalidCsr("The serial number (SN) is not 1-...|2-...|3-...")
    if not re.fullmatch(r"3[0-9]{13}3", names.get(VAT, "")):
        raise InvalidCsr("The VAT number (UID) does not have 15 digits from 3 to 3")
    if names.get(INVOICE_TYPES) not in ("1000", "0100", "1100"):
        raise InvalidCsr("The invoice types (title) are not 1000, 0100 or 1100")
    for oid, what in ((LOCATION, "location"), (INDUSTRY, "industry")):
        if not names.get(oid) or _FORBIDDEN.search(names[oid]):
            raise InvalidCsr(f"The {what} is missing or has forbidden characters")
    return Request(csr, template, names[VAT], names[INVOICE_TYPES])


def _check_subject(csr: x509.CertificateSigningRequest, vat: str) -> None:
    subject = {part.oid: str(part.value) for part in csr.subject}
    for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME):
        if not subject.get(oid) or _FORBIDDEN.search(subject[oid]):
            raise InvalidCsr(f"The subject has no usable {oid._name}")
    if subject.get(NameOID.COUNTRY_NAME) != "SA":
        raise InvalidCsr("The country is not SA")
    is_group = vat[10] == "1"
    if is_group and not re.fullmatch(r"[0-9]{10}", subject[NameOID.ORGANIZATIONAL_UNIT_NAME]):
        raise InvalidCsr("A member of a VAT group gives its ten-digit TIN as organisation unit")


def alternative_names(owner: x509.CertificateSigningRequest | x509.Certificate) -> dict[x509.ObjectIdentifier, str]:
    """The parts of the directory name in the subject alternative name; empty if there is none."""
    try:
        extension = owner.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}
    return {part.oid: str(part.value) for name in extension.get_values_for_type(x509.DirectoryName) for part in name}


class CertificateAuthority:
    """Issues certificates under a name with DC parts, as the real one has; key and name live with this object.

    `address` is where the simulator's own port is reached, for the addresses that stand in certificates.
    """

    def __init__(self, now: datetime, address: str = "http://127.0.0.1:8100") -> None:
        self.address = address
        self.key = ec.generate_private_key(ec.SECP256K1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "local"),
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "gateway"),
                x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "simulator"),
                x509.NameAttribute(NameOID.COMMON_NAME, "SIMULATED-NOT-THE-AUTHORITY-CA"),
            ]
        )
        public = self.key.public_key()
        extensions: _Extensions = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(digital_signature=True, key_cert_sign=True, crl_sign=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
        ]
        self.certificate = self._sign(self.name, public, now, extensions)

    @property
    def der(self) -> bytes:
        """Its own certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    def issue(self, request: Request, now: datetime, *, is_compliance: bool = False) -> x509.Certificate:
        """A certificate of five years with the request's subject, alternative name and template name."""
        kept: _Extensions = [
            (e.value, e.critical)
            for e in request.csr.extensions
            if e.oid in (TEMPLATE, x509.SubjectAlternativeName.oid)
        ]
        key = request.csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey), "read_request has looked at the key"
        more = self._of_compliance() if is_compliance else self._of_production(key)
        return self._sign(request.csr.subject, key, now, kept + more)

    def _of_compliance(self) -> "_Extensions":
        """Real compliance certificates have little more than the names."""
        return [(x509.BasicConstraints(ca=False, path_length=None), True), self._revocation_list()]

    def _of_production(self, key: ec.EllipticCurvePublicKey) -> "_Extensions":
        """The extensions of a real certificate, in their order."""
        where = x509.UniformResourceIdentifier(f"{self.address}/ca.crt")
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)
        return [
            (x509.SubjectKeyIdentifier.from_public_key(key), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False),
            self._revocation_list(),
            (x509.AuthorityInformationAccess([access]), False),
            (_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        ]

    def _revocation_list(self) -> tuple[x509.ExtensionType, bool]:
        where = x509.UniformResourceIdentifier(f"{self.address}/crl")
        point = x509.DistributionPoint(full_name=[where], relative_name=None, reasons=None, crl_issuer=None)
        return x509.CRLDistributionPoints([point]), False

    def revocation_list(self, revoked: Iterable[tuple[int, datetime]], now: datetime) -> bytes:
        """The CRL in DER: serial numbers, each with the moment of its revocation."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now)
            .next_update(now + CRL_LIFE)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.CRLNumber(max(0, int(now.timestamp() * 1000))), critical=False)
        )
        for serial, moment in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.DER)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, extensions: "_Extensions"
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(int.from_bytes(secrets.token_bytes(16)) >> 1 | 1)
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + VALIDITY)
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        return builder.sign(self.key, SHA256())


_Extensions = list[tuple[x509.ExtensionType, bool]]


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def canned_request(template: str) -> Request:
    """A request under a key that nobody has: what the developer portal's one certificate for all is made of."""
    key = ec.generate_private_key(ec.SECP256K1())
    subject = (
        (NameOID.COUNTRY_NAME, "SA"),
        (NameOID.ORGANIZATION_NAME, "Maximum Speed Tech Supply LTD"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Riyadh Branch"),
        (NameOID.COMMON_NAME, "TST-886431145-399999999900003"),
    )
    names = (
        (SERIAL, "1-TST|2-TST|3-ed22f1d8-e6a2-1118-9b58-d9a8f11e445f"),
        (VAT, "399999999900003"),
        (INVOICE_TYPES, "1100"),
        (LOCATION, "RRRD2929"),
        (INDUSTRY, "Supply activities"),
    )
    alternative = x509.SubjectAlternativeName([x509.DirectoryName(_name(names))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(subject))
    value = bytes((0x0C, len(template))) + template.encode("ascii")
    builder = builder.add_extension(x509.UnrecognizedExtension(TEMPLATE, value), critical=False)
    csr = builder.add_extension(alternative, critical=False).sign(key, SHA256())
    return Request(csr, template, "399999999900003", "1100")


def _name(parts: Iterable[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
