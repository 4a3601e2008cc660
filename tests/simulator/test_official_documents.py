"""The judge against documents of the official samples and of another implementation, whole and tampered with.

The samples lie beside the project. The same tampering is done to documents made here, so that the proof stands alone.
"""

import base64
import json
import uuid as uuids
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fatoora
import pytest
from cryptography import x509

from gateway.authority import Submission
from gateway.simulator.document import Document
from gateway.simulator.judge import judge
from gateway.verdict import Outcome
from tests import published
from tests.simulator import tampering
from tests.simulator.tampering import CERTIFICATE, SIGNER, TAMPERINGS, UNREADABLE

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SHARED = Path(__file__).parents[3] / "shared" / "conformance"
SAMPLES = sorted(file.name for file in (SHARED / "samples").glob("*.xml")) or ["none beside the project"]
LATE = "BR-KSA-98"

TAMPERED: dict[str, set[str]] = {
    "certdigest.xml": {"signed-properties-hashing", "invalid-signing-certificate"},
    "comment-in-body.xml": set(),
    "crlf.xml": set(),
    "digest1.xml": {"invalid-digital-signature"},
    "entity.xml": set(),
    "extra-ws-in-body.xml": {"invoiceHash_QRCODE_INVALID", "invalid-digital-signature"},
    "issuer.xml": {"signed-properties-hashing", "X509IssuerName"},
    "line-amount.xml": {"invoiceHash_QRCODE_INVALID", "invalid-digital-signature"},
    "noxmldecl.xml": set(),
    "ok.xml": set(),
    "pih.xml": {"invoiceHash_QRCODE_INVALID", "invalid-digital-signature", "KSA-13"},
    "qr-certsig.xml": {"CERTIFICATE_SIGNATURE_QRCODE_INVALID"},
    "qr-hash.xml": {"invoiceHash_QRCODE_INVALID"},
    "qr-no9.xml": {"CERTIFICATE_SIGNATURE_QRCODE_INVALID"},
    "qr-seller.xml": {"QRCODE_INVALID"},
    "qr-time.xml": set(),  # a warning, as in the published answers
    "qr-total.xml": {"QRCODE_INVALID"},
    "serial.xml": {"signed-properties-hashing", "X509SerialNumber"},
    "signingtime.xml": {"signed-properties-hashing"},
    "sigvalue-garbage.xml": {"QRCODE_INVALID", "invalid-digital-signature"},
}
"""The official samples tampered with, and the authority's codes for which each is refused; accepted without any."""

_OFFICIAL_WORDS = {
    "hashedXml": "invoiceHash_QRCODE_INVALID",
    "certificate signature": "CERTIFICATE_SIGNATURE_QRCODE_INVALID",
    "sellerName": "QRCODE_INVALID",
    "invoice Total": "QRCODE_INVALID",
    "digital signature": "QRCODE_INVALID",
    "signatureValue": "invalid-digital-signature",
    "invoiceSignedDataDigestValue": "invalid-digital-signature",
    "xadesSignedPropertiesDigestValue": "signed-properties-hashing",
    "signingCertificateDigestValue": "invalid-signing-certificate",
    "X509IssuerName": "X509IssuerName",
    "X509SerialNumber": "X509SerialNumber",
    "KSA-13": "KSA-13",
}
"""What the official tool calls a fault, and the code the API has for it."""


@pytest.fixture(scope="module")
def official(shared: Path) -> x509.Certificate:
    """The public test certificate all official samples are stamped with."""
    return x509.load_der_x509_certificate(base64.b64decode((shared / "vectors" / "cert.pem").read_text()))


def errors_of(xml: bytes, certificate: x509.Certificate, now: datetime = NOW) -> set[str]:
    return {remark.code for remark in judge(Document.read(xml), certificate, now=now) if remark.is_error}


@pytest.mark.parametrize("name", SAMPLES)
def test_an_official_sample_is_accepted(shared: Path, official: x509.Certificate, name: str) -> None:
    remarks = judge(Document.read((shared / "conformance" / "samples" / name).read_bytes()), official, now=NOW)
    assert {remark.code for remark in remarks} <= {LATE}


def test_every_official_sample_is_there(shared: Path) -> None:
    assert len(SAMPLES) == 19


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_sample_is_refused_with_the_authoritys_code(
    shared: Path, official: x509.Certificate, name: str
) -> None:
    assert errors_of((shared / "conformance" / "signature" / name).read_bytes(), official) == TAMPERED[name]


def test_the_official_tool_finds_the_same_faults_in_them(shared: Path) -> None:
    lines = (shared / "conformance" / "signature" / "expected.jsonl").read_text().splitlines()
    cases = {case["file"]: case for case in map(json.loads, lines)}
    assert {
        file: {_OFFICIAL_WORDS[word] for word in (*case["qr"]["errors"], *case["signature"], *case["pih"])}
        for file, case in cases.items()
    } == TAMPERED


@pytest.mark.parametrize(
    ("api", "codes"),
    [("reporting", {LATE}), ("clearance", {"invoiceHash_QRCODE_INVALID", "invalid-digital-signature"})],
)
def test_the_published_requests_are_read(shared: Path, api: str, codes: set[str]) -> None:
    """The stamp of the standard one is that of another document: so it was published."""
    request = published.request(shared, api)
    document = Document.read(base64.b64decode(request["invoice"]))
    own = x509.load_der_x509_certificate(base64.b64decode(document.text("//ds:X509Certificate")))
    assert (document.hash_text, document.uuid) == (request["invoiceHash"], request["uuid"])
    assert {remark.code for remark in judge(document, own, now=NOW)} == codes


# --- documents that another implementation stamps ---------------------------------------------------------------------


@pytest.fixture
def document(tool: Any) -> str:
    """A simplified document, stamped by fatoority with the certificate of the tests."""
    return str(tool.Till(signer=SIGNER).document("02").xml.decode())


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_told_by_its_code(document: str, name: str) -> None:
    edit, codes, is_refused = TAMPERINGS[name]
    remarks = judge(Document.read(edit(document).encode()), CERTIFICATE, now=datetime.now(UTC))
    about_the_stamp = {remark.code for remark in remarks if not remark.code.startswith("BR-")} - {"GENERAL"}
    assert about_the_stamp == codes
    assert any(remark.is_error for remark in remarks) == is_refused


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_must_not_be_read_breaks_the_schema(talk: Any, enrolled: Any, name: str) -> None:
    till, credentials = enrolled
    whole = till.document("02")
    sent = whole._replace(xml=UNREADABLE[name](whole.xml.decode()).encode())
    verdict = talk(lambda authority: authority.report(credentials, sent))
    assert (verdict.outcome, [f.rule for f in verdict.findings]) == (Outcome.REJECTED, ["XSD_ZATCA_INVALID"])


def test_tampering_is_answered_over_http(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    documents = {name: resent(each.edit(till.document("02").xml.decode())) for name, each in TAMPERINGS.items()}

    async def send(authority: Any) -> dict[str, Any]:
        return {name: await authority.report(credentials, document) for name, document in documents.items()}

    for name, verdict in talk(send).items():
        codes, found = TAMPERINGS[name].codes, {finding.rule for finding in verdict.findings}
        assert verdict.outcome is (Outcome.REJECTED if TAMPERINGS[name].is_refused else Outcome.ACCEPTED), (name, found)
        assert codes <= found, (name, found)


def resent(xml: str) -> Submission:
    """A document as a till sends it that has computed the hash anew, by another implementation."""
    document = Document.read(xml.encode())
    return Submission(document.uuid, fatoora.invoice_hash_base64_from_xml_str(xml), document.source)


def test_official_samples_stamped_by_a_till_are_accepted_as_one_chain(shared: Path, talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled

    async def send(authority: Any) -> list[Any]:
        verdicts = []
        for icv, name in enumerate(SAMPLES, 1):
            document = linked((shared / "conformance" / "samples" / name).read_bytes().decode(), icv, till)
            call = authority.report if name.startswith("simplified") else authority.clear
            verdicts.append((name, await call(credentials, document)))
        return verdicts

    for name, verdict in talk(send):
        late = [LATE] if name.startswith("simplified") else []
        assert (verdict.outcome, [f.rule for f in verdict.findings]) == (Outcome.ACCEPTED, late), name


def linked(sample: str, icv: int, till: Any) -> Submission:
    """A sample as the next document of a till: its own number, link and stamp."""
    for edit in (
        tampering.text("cbc:UUID", lambda _: str(uuids.UUID(int=icv))),
        tampering.reference("ICV", tampering.text("cbc:UUID", lambda _: str(icv))),
        tampering.reference("PIH", tampering.text("cbc:EmbeddedDocumentBinaryObject", lambda _: str(till.last))),
    ):
        sample = edit(sample)
    stamped = till.signer.sign_xml(tampering.without_stamp(sample))
    # In a foreign currency the other implementation takes that total of VAT, the official files the one that is first.
    vat_total = dict(tampering.read(tampering.qr_of(sample)))[5]
    with_vat_total = tampering.qr_tags(lambda tags: [(tag, vat_total if tag == 5 else value) for tag, value in tags])
    document = resent(with_vat_total(stamped))
    till.last = document.hash
    return document
