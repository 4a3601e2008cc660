"""The cryptographic identity of a unit: the request for a certificate (CSR), and what the certificate (CSID) says.

The request is assembled in DER here, because a library that signs requests wants the private key itself, and that never
leaves its keeper: all that is asked of it is a signature. Knows neither keys nor the API's secrets.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID

from gateway import tlv
from gateway.errors import BadInput
from gateway.unit import Environment, Unit

MAX_CERTIFICATE_BYTES: Final = 16_000
"""Largest certificate read; the authority's have about 1,000 bytes."""

TEMPLATES: Final = {
    Environment.SANDBOX: "TSTZATCA-Code-Signing",
    Environment.SIMULATION: "PREZATCA-Code-Signing",
    Environment.PRODUCTION: "ZATCA-Code-Signing",
}
"""The certificate template each of the authority's worlds issues by."""


class StringType(IntEnum):
    """The ASN.1 string type of the template's name: UTF8String in the requests of the authority's API documentation
    (its Java SDK), PrintableString in those of its .NET SDK. Both are accepted."""

    UTF8 = 0x0C
    PRINTABLE = 0x13


# --- the request ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CsrFields:
    """What a request says of a unit. `vat` is the taxpayer's (of a VAT group: the group's), `branch` the organisation
    unit, `invoice_types` four digits of which the first is standard and the second simplified documents."""

    common_name: str
    serial: str
    vat: str
    branch: str
    name: str
    invoice_types: str
    location: str
    industry: str
    country: str = "SA"
    environment: Environment = Environment.SANDBOX

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise BadInput(
                " ".join(problem.en for problem in problems), ar=" ".join(problem.ar for problem in problems)
            )


def fields_of(unit: Unit) -> CsrFields:
    """The request of a unit; BadInput says which of its settings the authority would refuse."""
    return CsrFields(
        common_name=unit.common_name,
        serial=unit.serial,
        vat=unit.seller.vat,
        branch=unit.branch,
        name=unit.seller.name,
        invoice_types=unit.invoice_types,
        location=unit.location,
        industry=unit.industry,
        environment=unit.environment,
    )


class _Problem(NamedTuple):
    en: str
    ar: str


_FORBIDDEN: Final = re.compile(r"[!@#$%&*_]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_VAT: Final = re.compile(r"3[0-9]{13}3")
_TIN: Final = re.compile(r"[0-9]{10}")
_TYPES: Final = re.compile(r"[01]{4}")
_SERIAL: Final = re.compile(r"1-[^=]+\|2-[^=]+\|3-[^=]+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_MAX_CHARACTERS: Final = 200  # A bound of ours; the authority states none.
_GROUP_DIGIT: Final = 10  # The eleventh digit of a VAT group's number is 1.


def _problems(fields: CsrFields) -> Iterator[_Problem]:
    """The checks the official SDK makes before it writes a request, and the bounds of the fields."""
    for english, arabic, value in (
        ("common name", "الاسم الشائع", fields.common_name),
        ("organisation name", "اسم المنشأة", fields.name),
        ("branch", "اسم الفرع", fields.branch),
        ("location", "الموقع", fields.location),
        ("industry", "نشاط المنشأة", fields.industry),
    ):
        yield from _text_problems(english, arabic, value)
    if not _VAT.fullmatch(fields.vat):
        yield _Problem(
            f"The VAT number {fields.vat!r} is not 15 digits that begin and end with 3.",
            f"رقم التسجيل الضريبي {fields.vat!r} يجب أن يتكون من 15 رقمًا يبدأ وينتهي بالرقم 3.",
        )
    elif fields.vat[_GROUP_DIGIT] == "1" and not _TIN.fullmatch(fields.branch):
        yield _Problem(
            f"The VAT number {fields.vat} is a VAT group's, so the branch is the member's ten-digit TIN, "
            f"not {fields.branch!r}.",
            f"الرقم الضريبي {fields.vat} لمجموعة ضريبية، لذا يجب أن يكون الفرع هو الرقم المميز للعضو (10 أرقام).",
        )
    if not _TYPES.fullmatch(fields.invoice_types):
        yield _Problem(
            f"The invoice types {fields.invoice_types!r} are not four digits of 0 and 1, such as 1100.",
            f"أنواع الفواتير {fields.invoice_types!r} يجب أن تكون أربع خانات من 0 و1 مثل 1100.",
        )
    if len(fields.serial) > _MAX_CHARACTERS or _CONTROL.search(fields.serial) or not _SERIAL.fullmatch(fields.serial):
        yield _Problem(
            f"The serial {fields.serial!r} is not of the form 1-solution|2-model|3-serial, without an equals sign.",
            f"الرقم التسلسلي {fields.serial!r} يجب أن يكون بالصيغة 1-solution|2-model|3-serial وبدون علامة =.",
        )
    if not _COUNTRY.fullmatch(fields.country):
        yield _Problem(
            f"The country {fields.country!r} is not a code of two capital letters.",
            f"رمز الدولة {fields.country!r} يجب أن يتكون من حرفين لاتينيين كبيرين.",
        )


def _text_problems(english: str, arabic: str, value: str) -> Iterator[_Problem]:
    if not value.strip() or len(value) > _MAX_CHARACTERS or _CONTROL.search(value):
        yield _Problem(
            f"The {english} {value[:40]!r} is empty, has more than {_MAX_CHARACTERS} characters or control characters.",
            f"الحقل «{arabic}» فارغ أو يتجاوز {_MAX_CHARACTERS} حرفًا أو يحتوي على رموز تحكم.",
        )
    elif _FORBIDDEN.search(value):
        yield _Problem(
            f"The {english} {value!r} has one of the characters ! @ # $ % & * _ which the authority refuses.",
            f"الحقل «{arabic}» يحتوي على أحد الرموز غير المقبولة لدى الهيئة: ! @ # $ % & * _",
        )


# DER tags (X.690) and encoded object identifiers.
_INTEGER, _BITS, _OCTETS, _OID, _SEQUENCE, _SET, _CONTEXT_0, _CONTEXT_4 = 2, 3, 4, 6, 0x30, 0x31, 0xA0, 0xA4
_UTF8, _PRINTABLE = StringType.UTF8, StringType.PRINTABLE
_COUNTRY_NAME = bytes.fromhex("550406")  # 2.5.4.6
_BRANCH_NAME = bytes.fromhex("55040b")  # 2.5.4.11, organizationalUnitName
_ORGANISATION_NAME = bytes.fromhex("55040a")  # 2.5.4.10
_COMMON_NAME = bytes.fromhex("550403")  # 2.5.4.3
_SERIAL_NAME = bytes.fromhex("550404")  # 2.5.4.4, by name the surname
_VAT_NAME = bytes.fromhex("0992268993f22c640101")  # 0.9.2342.19200300.100.1.1, userId
_TYPES_NAME = bytes.fromhex("55040c")  # 2.5.4.12, title
_LOCATION_NAME = bytes.fromhex("55041a")  # 2.5.4.26, registeredAddress
_INDUSTRY_NAME = bytes.fromhex("55040f")  # 2.5.4.15, businessCategory
_TEMPLATE_NAME = bytes.fromhex("2b0601040182371402")  # 1.3.6.1.4.1.311.20.2
_ALTERNATIVE_NAME = bytes.fromhex("551d11")  # 2.5.29.17
_EXTENSION_REQUEST = bytes.fromhex("2a864886f70d01090e")  # 1.2.840.113549.1.9.14
_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")  # 1.2.840.10045.4.3.2
_SECP256K1_KEY = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")  # what every such key begins with
_SECP256K1_KEY_BYTES: Final = 88


def certification_request_info(
    fields: CsrFields, *, public_key: bytes, template_string: StringType = StringType.UTF8
) -> bytes:
    """What a request's signature covers (RFC 2986, 4.1), byte for byte as the official SDKs write it.

    `public_key` is a SubjectPublicKeyInfo in DER, secp256k1 with its point uncompressed.
    """
    if len(public_key) != _SECP256K1_KEY_BYTES or not public_key.startswith(_SECP256K1_KEY):
        raise BadInput("The public key is not an uncompressed secp256k1 key.", fix="Make a new key for the unit.")
    subject = _name(
        (_COUNTRY_NAME, _PRINTABLE, fields.country),
        (_BRANCH_NAME, _UTF8, fields.branch),
        (_ORGANISATION_NAME, _UTF8, fields.name),
        (_COMMON_NAME, _UTF8, fields.common_name),
    )
    unit = _name(
        (_SERIAL_NAME, _UTF8, fields.serial),
        (_VAT_NAME, _UTF8, fields.vat),
        (_TYPES_NAME, _UTF8, fields.invoice_types),
        (_LOCATION_NAME, _UTF8, fields.location),
        (_INDUSTRY_NAME, _UTF8, fields.industry),
    )
    extensions = tlv.write(
        _SEQUENCE,
        _extension(_TEMPLATE_NAME, tlv.write(template_string, TEMPLATES[fields.environment].encode())),
        _extension(_ALTERNATIVE_NAME, tlv.write(_SEQUENCE, tlv.write(_CONTEXT_4, unit))),
    )
    attribute = tlv.write(_SEQUENCE, tlv.write(_OID, _EXTENSION_REQUEST), tlv.write(_SET, extensions))
    return tlv.write(_SEQUENCE, tlv.write(_INTEGER, b"\0"), subject, public_key, tlv.write(_CONTEXT_0, attribute))


def _name(*attributes: tuple[bytes, StringType, str]) -> bytes:
    """A distinguished name, one attribute to each RDN."""
    return tlv.write(
        _SEQUENCE,
        *(
            tlv.write(_SET, tlv.write(_SEQUENCE, tlv.write(_OID, oid), tlv.write(kind, text.encode())))
            for oid, kind, text in attributes
        ),
    )


def _extension(oid: bytes, value: bytes) -> bytes:
    return tlv.write(_SEQUENCE, tlv.write(_OID, oid), tlv.write(_OCTETS, value))


def csr(
    fields: CsrFields,
    *,
    public_key: bytes,
    sign: Callable[[bytes], bytes],
    template_string: StringType = StringType.UTF8,
) -> bytes:
    """The request in PEM. `sign` returns the ECDSA signature over SHA-256 of its message, in DER."""
    info = certification_request_info(fields, public_key=public_key, template_string=template_string)
    algorithm = tlv.write(_SEQUENCE, tlv.write(_OID, _ECDSA_SHA256))
    request = tlv.write(_SEQUENCE, info, algorithm, tlv.write(_BITS, b"\0", sign(info)))
    text = base64.b64encode(request).decode()
    lines = (text[at : at + 64] for at in range(0, len(text), 64))
    return "\n".join(("-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", "")).encode()


# --- the certificate --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """What a unit's certificate says. `text` is its DER in base64 on one line, as documents carry it; `issuer` is
    written as Java writes it, last RDN first; `public_key` is a SubjectPublicKeyInfo and `ca_signature` an ECDSA
    signature, both in DER; `vat` and `invoice_types` are empty in certificates that are no unit's."""

    der: bytes
    text: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    public_key: bytes
    ca_signature: bytes
    common_name: str
    vat: str
    invoice_types: str

    @cached_property
    def digest(self) -> str:
        """CertDigest of a signature: base64 of the hex SHA-256 of `text`, not of the DER."""
        return base64.b64encode(hashlib.sha256(self.text.encode()).hexdigest().encode()).decode()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` (DER) is this certificate's ECDSA signature on secp256k1 over SHA-256 of `message`."""
        key = self._key
        if key is None:
            return False
        # libsecp256k1 is ten times faster but admits low s only; what it does not accept, OpenSSL decides.
        if self._fast_verify is not None and self._fast_verify(signature, message):
            return True
        try:
            key.verify(signature, message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    @cached_property
    def _key(self) -> ec.EllipticCurvePublicKey | None:
        key = load_der_public_key(self.public_key)
        return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256K1) else None

    @cached_property
    def _fast_verify(self) -> Callable[[bytes, bytes], bool] | None:
        try:
            from coincurve import PublicKey
        except ImportError:
            return None
        key = PublicKey(self.public_key[-65:])

        def verify(signature: bytes, message: bytes) -> bool:
            try:
                return bool(key.verify(signature, message))
            except ValueError:
                return False

        return verify


@lru_cache(maxsize=1024)
def read_certificate(data: bytes) -> Certificate:
    """A certificate from its DER, its PEM or the base64 of its DER; BadInput if it is none."""
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise BadInput(f"A certificate of {len(data)} bytes is not read; at most {MAX_CERTIFICATE_BYTES} are.")
    try:
        return _facts(_der(data))
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        x509.InvalidVersion,
    ):
        raise BadInput(
            "This is not a certificate that can be read.",
            fix="Give it in DER, in PEM, or as the base64 text of its DER, whole.",
            ar="تعذرت قراءة الشهادة. يجب أن تكون بصيغة DER أو PEM أو نص base64 كامل.",
        ) from None


_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


def _der(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    pem = _PEM.search(data)
    return base64.b64decode(b"".join((pem[1] if pem else data).split()), validate=True)


def _facts(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    unit = _unit_name(certificate)
    return Certificate(
        der=der,
        text=base64.b64encode(der).decode(),
        issuer=java_name(certificate.issuer),
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ca_signature=certificate.signature,
        common_name=_first(certificate.subject, NameOID.COMMON_NAME),
        vat=_first(unit, NameOID.USER_ID),
        invoice_types=_first(unit, NameOID.TITLE),
    )


def _unit_name(certificate: x509.Certificate) -> x509.Name:
    """The directory name among the alternative names, where the unit's facts are; empty if there is none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return x509.Name([])
    return next(iter(names.get_values_for_type(x509.DirectoryName)), x509.Name([]))


def _first(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    return next((str(each.value) for each in name.get_attributes_for_oid(oid)), "")


# Keywords of sun.security.x509.AVA, by which Java's X509Certificate.getIssuerDN().getName() writes a name.
_KEYWORDS: Final = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SURNAME",
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "T",
    "2.5.4.42": "GIVENNAME",
    "2.5.4.43": "INITIALS",
    "2.5.4.44": "GENERATION",
    "2.5.4.46": "DNQ",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "EMAILADDRESS",
}
_NEEDS_QUOTES: Final = re.compile(r'[,+=\n<>#;\\"]|^ | $|  ')


def java_name(name: x509.Name) -> str:
    """A distinguished name as X509IssuerName has it: last RDN first, ", " between them."""
    return ", ".join(" + ".join(_java_attribute(each) for each in rdn) for rdn in reversed(name.rdns))


def _java_attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    oid = attribute.oid.dotted_string
    value = attribute.value if isinstance(attribute.value, str) else attribute.value.hex()
    if _NEEDS_QUOTES.search(value):
        value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{_KEYWORDS.get(oid, f'OID.{oid}')}={value}"
