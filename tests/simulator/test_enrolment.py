"""What the simulator demands before it hands out a certificate, and what the client makes of its refusals."""

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.errors import BadInput
from gateway.simulator.ca import TEMPLATE, InvalidCsr, alternative_names, read_request
from gateway.simulator.state import World
from gateway.unit import Environment


def test_the_certificate_repeats_what_was_asked_for(talk: Any, till: Any, simulator: Any) -> None:
    credentials = talk(lambda authority: authority.compliance_csid(till.csr(), "123456"))
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)
    csr = x509.load_pem_x509_csr(till.csr())
    assert certificate.subject == csr.subject
    assert alternative_names(certificate) == alternative_names(csr)
    assert certificate.extensions.get_extension_for_oid(TEMPLATE).value.value == b"\x0c\x15TSTZATCA-Code-Signing"
    certificate.verify_directly_issued_by(simulator.state.ca.certificate)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 5 * 365
    assert credentials.is_compliance
    assert credentials.disposition == "ISSUED"
    assert credentials.secret not in repr(credentials)


@pytest.mark.parametrize(
    ("otp", "words"), [("111111", "Invalid-OTP"), ("222222", "expired"), ("12345", "six digits"), ("١٢٣٤٥٦", "six")]
)
def test_a_wrong_otp_is_refused_with_the_way_out(talk: Any, till: Any, otp: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refused:
        talk(lambda authority: authority.compliance_csid(till.csr(), otp))
    assert "Fatoora portal" in refused.value.fix
    assert "فاتورة" in refused.value.ar


def test_outside_the_developer_portal_an_otp_comes_from_the_portal_and_holds_once(
    talk: Any, tool: Any, simulator: Any
) -> None:
    environment = Environment.SIMULATION

    def ask(otp: str) -> Any:
        csr = tool.Till(environment=environment).csr()
        return talk(lambda authority: authority.compliance_csid(csr, otp), environment=environment)

    simulator.state.add_otp(World.SIMULATION, "123456")
    assert ask("123456").token
    with pytest.raises(BadInput, match="Invalid-OTP"):
        ask("123456")


def test_a_csr_is_good_for_one_certificate(talk: Any, till: Any) -> None:
    csr = till.csr()

    async def twice(authority: Any) -> None:
        await authority.compliance_csid(csr, "123456")
        await authority.compliance_csid(csr, "123456")

    with pytest.raises(BadInput, match="used before") as refused:
        talk(twice)
    assert "new key and CSR" in refused.value.fix


def test_missing_steps_are_named(talk: Any, tool: Any) -> None:
    till = tool.Till(types="0100")

    async def ask(authority: Any) -> Any:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        till.take(compliance)
        await authority.check_compliance(compliance, till.document("02", "381"))
        return await authority.production_csid(compliance)

    with pytest.raises(BadInput, match=r"\[simplified-compliant,simplified-debit-note-compliant\]") as refused:
        talk(ask)
    assert "compliance check" in refused.value.fix


def test_a_production_certificate_is_asked_for_with_its_own_compliance_certificate(
    talk: Any, tool: Any, enrolled: Any
) -> None:
    _, credentials = enrolled
    with pytest.raises(BadInput, match="401"):
        talk(lambda authority: authority.production_csid(credentials))


def test_a_renewal_stays_with_its_vat_number(talk: Any, tool: Any, enrolled: Any) -> None:
    _, credentials = enrolled
    stranger = tool.Till(vat="310122393500003")
    with pytest.raises(BadInput, match="VAT number is not that of the current CSID"):
        talk(lambda authority: authority.renew(credentials, stranger.csr(), "123456"))


def _read(csr: bytes, template: str = "TSTZATCA-Code-Signing") -> Any:
    return read_request(base64.b64encode(csr).decode(), frozenset({template}))


def test_a_csr_is_for_its_environment(till: Any) -> None:
    assert _read(till.csr()).vat == till.vat
    with pytest.raises(InvalidCsr, match="template"):
        _read(till.csr(), "ZATCA-Code-Signing")


def _foreign_csr(curve: ec.EllipticCurve, template: str, *names: tuple[x509.ObjectIdentifier, str]) -> bytes:
    parts = [x509.NameAttribute(oid, value) for oid, value in names]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "T")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    value = bytes((0x0C, len(template))) + template.encode()
    builder = builder.add_extension(x509.UnrecognizedExtension(TEMPLATE, value), critical=False)
    alternative = x509.SubjectAlternativeName([x509.DirectoryName(x509.Name(parts))])
    builder = builder.add_extension(alternative, critical=False)
    return builder.sign(ec.generate_private_key(curve), SHA256()).public_bytes(Encoding.PEM)


def test_csrs_that_cannot_be_granted(till: Any) -> None:
    serial, vat, types = (NameOID.SURNAME, "1-A|2-B|3-C"), (NameOID.USER_ID, till.vat), (NameOID.TITLE, "1100")
    place = (x509.ObjectIdentifier("2.5.4.26"), "RRRD2929")
    trade = (NameOID.BUSINESS_CATEGORY, "Retail")
    template = "TSTZATCA-Code-Signing"
    k1 = ec.SECP256K1()
    for csr, reason in (
        (b"nonsense", "cannot be read"),
        (_foreign_csr(ec.SECP256R1(), template, serial, vat, types, place, trade), "secp256k1"),
        (_foreign_csr(k1, template, vat, types, place, trade), "serial"),
        (_foreign_csr(k1, template, serial, (NameOID.USER_ID, "123"), types, place, trade), "VAT"),
        (_foreign_csr(k1, template, serial, vat, (NameOID.TITLE, "0011"), place, trade), "invoice types"),
        (_foreign_csr(k1, template, serial, vat, types, trade), "location"),
        (_foreign_csr(k1, template, serial, vat, types, place, (NameOID.BUSINESS_CATEGORY, "A&B")), "industry"),
        (_foreign_csr(k1, template, serial, vat, types, place, trade), "subject"),
    ):
        with pytest.raises(InvalidCsr, match=reason):
            _read(csr)


def test_a_vat_groups_member_gives_its_tin(tool: Any) -> None:
    group = tool.Till(vat="399999999910003")
    assert _read(group.csr(organization_unit_name="3999999999")).vat == group.vat


def test_official_requests_are_granted(shared: Any) -> None:
    official = (shared / "vectors" / "csr-from-zatca-api-docs.pem").read_bytes()
    names = {"TSTZATCA-Code-Signing", "PREZATCA-Code-Signing", "ZATCA-Code-Signing"}
    request = read_request(base64.b64encode(official).decode(), frozenset(names))
    assert (request.vat, request.invoice_types) == ("399999999900003", "1100")


def test_an_expired_certificate_opens_nothing(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)
    document = till.document("02")
    simulator.state.frozen_at = certificate.not_valid_after_utc.replace(year=certificate.not_valid_after_utc.year + 1)
    assert talk(lambda authority: authority.report(credentials, document)).status == 401
