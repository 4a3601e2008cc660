"""The certificate request equals the official ones byte for byte; certificates read in every form they come in."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.csid import (
    Certificate,
    CsrFields,
    StringType,
    certification_request_info,
    csr,
    fields_of,
    java_name,
    read_certificate,
)
from gateway.errors import BadInput
from gateway.invoice.facts import Party
from gateway.unit import Environment, Unit
from tests.stamp_documents import CERTIFICATE, CERTS, KEY, OTHER_CERTIFICATE, sign

FIELDS = CsrFields(
    common_name="TST-886431145-399999999900003",
    serial="1-TST|2-TST|3-ed22f1d8-e6a2-1118-9b58-d9a8f11e445f",
    vat="399999999900003",
    branch="Riyadh Branch",
    name="Maximum Speed Tech Supply LTD",
    invoice_types="1100",
    location="RRRD2929",
    industry="Supply activities",
    environment=Environment.PRODUCTION,
)
ARABIC = replace(
    FIELDS,
    branch="فرع الرياض",
    name="شركة توريد التكنولوجيا بأقصى سرعة المحدودة",
    industry="أنشطة توريدات",
)
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize(
    ("file", "fields", "template_string"),
    [
        ("csr-from-zatca-api-docs.pem", FIELDS, StringType.UTF8),
        ("csr-example-EN-nonprod.pem", replace(FIELDS, environment=Environment.SANDBOX), StringType.PRINTABLE),
        ("csr-example-AR-prod.pem", ARABIC, StringType.PRINTABLE),
    ],
)
def test_the_official_requests_are_rebuilt(shared, file, fields, template_string):
    text = (shared / "vectors" / file).read_bytes()
    official = x509.load_pem_x509_csr(text)
    key = official.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    info = certification_request_info(fields, public_key=key, template_string=template_string)
    assert info == official.tbs_certrequest_bytes
    rebuilt = csr(fields, public_key=key, sign=lambda _: official.signature, template_string=template_string)
    assert text.split()[: len(rebuilt.split())] == rebuilt.split()


def test_a_request_is_signed_by_its_own_key():
    request = x509.load_pem_x509_csr(csr(FIELDS, public_key=PUBLIC_KEY, sign=sign))
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == (
        "CN=TST-886431145-399999999900003,O=Maximum Speed Tech Supply LTD,OU=Riyadh Branch,C=SA"
    )


@pytest.mark.parametrize(
    ("environment", "template"),
    [
        (Environment.SANDBOX, b"TSTZATCA-Code-Signing"),
        (Environment.SIMULATION, b"PREZATCA-Code-Signing"),
        (Environment.PRODUCTION, b"ZATCA-Code-Signing"),
    ],
)
def test_each_environment_has_its_template(environment, template):
    request = x509.load_pem_x509_csr(csr(replace(FIELDS, environment=environment), public_key=PUBLIC_KEY, sign=sign))
    extension = request.extensions.get_extension_for_oid(ObjectIdentifier("1.3.6.1.4.1.311.20.2")).value
    assert extension.value == bytes((StringType.UTF8, len(template))) + template


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("vat", "39999999990000", "15 digits"),
        ("vat", "199999999900003", "15 digits"),
        ("vat", "399999999900001", "15 digits"),
        ("vat", "٣٩٩٩٩٩٩٩٩٩٠٠٠٠٣", "15 digits"),
        ("vat", "399999999910003", "ten-digit TIN"),
        ("invoice_types", "1200", "four digits"),
        ("invoice_types", "110", "four digits"),
        ("invoice_types", "1100\n", "four digits"),
        ("serial", "1-a|2-b", "form 1-solution"),
        ("serial", "1-a|2-b|3-c=d", "form 1-solution"),
        ("serial", "1-|2-b|3-c", "form 1-solution"),
        ("country", "SAU", "two capital letters"),
        ("common_name", "a_b", "common name .* characters"),
        ("name", "A & B", "organisation name .* characters"),
        ("branch", "50%", "branch .* characters"),
        ("location", "#1", "location .* characters"),
        ("industry", "a*b", "industry .* characters"),
        ("industry", " ", "industry .* is empty"),
        ("name", "x" * 201, "more than 200"),
        ("name", "a\nb", "control characters"),
    ],
)
def test_what_the_authority_would_refuse_is_refused_in_words(field, value, why):
    with pytest.raises(BadInput, match=why) as refused:
        replace(FIELDS, **{field: value})
    assert refused.value.ar


def test_every_problem_is_named_at_once():
    with pytest.raises(BadInput, match=r"VAT number .* invoice types"):
        replace(FIELDS, vat="1", invoice_types="x")


def test_a_vat_group_names_its_member():
    assert replace(FIELDS, vat="399999999910003", branch="3999999999").branch == "3999999999"


@pytest.mark.parametrize("key", [b"", PUBLIC_KEY[:-1], PUBLIC_KEY[::-1]])
def test_only_a_secp256k1_key_makes_a_request(key):
    with pytest.raises(BadInput, match="secp256k1"):
        csr(FIELDS, public_key=key, sign=sign)


def test_the_fields_of_a_unit():
    unit = Unit(
        id="ruh1",
        taxpayer_id="t1",
        seller=Party("Maximum Speed Tech Supply LTD", vat="399999999900003"),
        common_name=FIELDS.common_name,
        serial=FIELDS.serial,
        branch="Riyadh Branch",
        industry="Supply activities",
        location="RRRD2929",
        number_prefix="RUH1-",
        environment=Environment.PRODUCTION,
    )
    assert fields_of(unit) == FIELDS


# --- certificates


@pytest.mark.parametrize(
    "data",
    [
        CERTIFICATE.der,
        (CERTS / "unit.pem").read_bytes(),
        CERTIFICATE.text.encode(),
        b"\n" + CERTIFICATE.text.encode() + b"\n",
    ],
    ids=["DER", "PEM", "base64", "base64 with line ends"],
)
def test_a_certificate_reads_in_every_form(data):
    assert read_certificate(data) == CERTIFICATE


def test_what_the_official_certificate_says(shared):
    certificate = read_certificate((shared / "vectors" / "cert.pem").read_bytes())
    assert certificate.issuer == "CN=PRZEINVOICESCA4-CA, DC=extgazt, DC=gov, DC=local"
    assert certificate.serial == 379112742831380471835263969587287663520528387
    assert certificate.not_before == datetime(2024, 1, 11, 9, 19, 30, tzinfo=UTC)
    assert certificate.not_after == datetime(2029, 1, 9, 9, 19, 30, tzinfo=UTC)
    assert (certificate.vat, certificate.invoice_types) == ("399999999900003", "1100")
    assert certificate.common_name == "TST-886431145-399999999900003"
    assert len(certificate.public_key) == 88


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_what_is_no_certificate_is_refused(data):
    with pytest.raises(BadInput):
        read_certificate(data)


@settings(max_examples=200)
@given(st.integers(0, len(CERTIFICATE.der) - 1), st.integers(0, 255))
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_certificate_reads_or_is_refused(at, byte):
    damaged = bytearray(CERTIFICATE.der)
    damaged[at] = byte
    with suppress(BadInput):
        assert isinstance(read_certificate(bytes(damaged)), Certificate)


def test_a_certificate_of_a_megabyte_is_not_even_tried():
    with pytest.raises(BadInput, match="at most"):
        read_certificate(bytes(1_000_000))


def test_a_name_as_java_writes_it():
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "SA")]),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'A, "B"')]),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b.sa")]),
            x509.RelativeDistinguishedName([x509.NameAttribute(ObjectIdentifier("2.5.4.97"), "VAT")]),
        ]
    )
    assert java_name(name) == 'OID.2.5.4.97=VAT, EMAILADDRESS=a@b.sa, O="A, \\"B\\"", C=SA'


def test_a_signature_verifies_whichever_of_its_two_forms_it_has():
    signature = sign(b"message")
    r, s = decode_dss_signature(signature)
    twin = encode_dss_signature(r, ORDER - s)
    assert CERTIFICATE.verifies(signature, b"message")
    assert CERTIFICATE.verifies(twin, b"message")
    assert not CERTIFICATE.verifies(signature, b"another message")
    assert not OTHER_CERTIFICATE.verifies(signature, b"message")


@given(st.binary(max_size=80))
def test_no_rubbish_verifies(signature):
    assert not CERTIFICATE.verifies(signature, b"message")


def test_a_key_on_another_curve_verifies_nothing():
    key = ec.derive_private_key(7, ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert not replace(CERTIFICATE, public_key=spki).verifies(key.sign(b"m", ec.ECDSA(SHA256())), b"m")
