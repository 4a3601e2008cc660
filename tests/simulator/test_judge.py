"""The judge against the official samples, against samples tampered with, and on its smallest parts."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.simulator.document import Document, compliance_steps, tag_bytes, tags_of, without_stamp
from gateway.simulator.judge import (
    chain_remarks,
    issuer_name,
    judge,
    permission_remarks,
    qr_remarks,
    seal_remarks,
)
from gateway.simulator.remark import of_finding
from gateway.simulator.state import Seen

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

# The official tool's word for what is wrong -> the codes the API answers with.
_CODES = {
    "hashedXml": "invoiceHash_QRCODE_INVALID",
    "certificate signature": "CERTIFICATE_SIGNATURE_QRCODE_INVALID",
    "sellerName": "QRCODE_INVALID",
    "invoice Total": "QRCODE_INVALID",
    "digital signature": "QRCODE_INVALID",
    "timeStamp": "invoiceTimeStamp_QRCODE_INVALID",
    "signatureValue": "invalid-digital-signature",
    "invoiceSignedDataDigestValue": "invalid-digital-signature",
    "xadesSignedPropertiesDigestValue": "signed-properties-hashing",
    "signingCertificateDigestValue": "invalid-signing-certificate",
    "X509IssuerName": "X509IssuerName",
    "X509SerialNumber": "X509SerialNumber",
}


@pytest.fixture(scope="module")
def certificate(shared: Path) -> x509.Certificate:
    """The public test certificate all official samples are stamped with."""
    text = (shared / "vectors" / "cert.pem").read_text()
    return x509.load_der_x509_certificate(base64.b64decode(text))


def _stamp_codes(document: Document, certificate: x509.Certificate) -> set[str]:
    return {r.code for r in (*qr_remarks(document, certificate), *seal_remarks(document, certificate))}


def test_tampered_samples_are_refused_for_the_official_reasons(shared: Path, certificate: x509.Certificate) -> None:
    folder = shared / "conformance" / "signature"
    cases = [json.loads(line) for line in (folder / "expected.jsonl").read_text().splitlines()]
    assert len(cases) == 20
    for case in cases:
        words = [*case["qr"]["errors"], *case["qr"]["warnings"], *case["signature"]]
        document = Document.read((folder / case["file"]).read_bytes())
        assert _stamp_codes(document, certificate) == {_CODES[word] for word in words}, case["file"]


def test_official_samples_are_whole(shared: Path, certificate: x509.Certificate) -> None:
    samples = sorted((shared / "conformance" / "samples").glob("*.xml"))
    assert len(samples) == 19
    for sample in samples:
        document = Document.read(sample.read_bytes())
        errors = [remark for remark in judge(document, certificate, now=NOW) if remark.is_error]
        assert errors == [], sample.name


def test_the_issuer_is_named_as_java_does(certificate: x509.Certificate) -> None:
    assert issuer_name(certificate) == "CN=PRZEINVOICESCA4-CA, DC=extgazt, DC=gov, DC=local"


def test_a_foreign_stamp_is_whole(enrolled: Any) -> None:
    till, credentials = enrolled
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)
    for profile in ("01", "02"):
        document = Document.read(till.document(profile).xml)
        assert judge(document, certificate, now=datetime.now(UTC)) == []


def test_a_simplified_document_without_stamp_or_qr_is_refused(enrolled: Any) -> None:
    till, credentials = enrolled
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)
    bare = Document(b"", without_stamp(Document.read(till.document("02").xml).root))
    assert _stamp_codes(bare, certificate) == {"QRCODE_INVALID", "invalid-digital-signature"}
    standard = Document(b"", without_stamp(Document.read(till.document("01").xml).root))
    assert _stamp_codes(standard, certificate) == set()


def test_a_self_billed_document_carries_the_buyers_certificate(enrolled: Any) -> None:
    till, credentials = enrolled
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)

    def swapped(code: str) -> Any:
        xml = till.document("01", edit=lambda xml: xml.replace("0100000", code)).xml.decode()
        xml = xml.replace(till.vat, "?").replace("311111111100003", till.vat).replace("?", "311111111100003")
        return list(permission_remarks(Document.read(xml.encode()), certificate))

    assert [remark.code for remark in swapped("0100000")] == ["certificate-permissions"]
    assert swapped("0100001") == []


def test_neighbours_in_the_chain_are_compared_whatever_the_order(enrolled: Any) -> None:
    till, _ = enrolled
    one, two = (Document.read(till.document("02").xml) for _ in range(2))
    assert list(chain_remarks(two, {})) == []
    assert list(chain_remarks(two, {1: Seen(one.hash_text, one.pih)})) == []
    assert list(chain_remarks(one, {2: Seen(two.hash_text, two.pih)})) == []
    assert [r.code for r in chain_remarks(two, {1: Seen("other", one.pih)})] == ["KSA-13"]
    assert [r.code for r in chain_remarks(one, {2: Seen(two.hash_text, "other")})] == ["KSA-13"]
    assert [r.code for r in chain_remarks(one, {1: Seen("other", one.pih)})] == ["KSA-16"]


@pytest.mark.parametrize("length", [0, 127, 128, 255, 256, 300])
def test_tags_of_every_length(length: int) -> None:
    value = b"x" * length
    qr = base64.b64encode(tag_bytes(1, value) + tag_bytes(9, b"end")).decode()
    assert tags_of(qr) == {1: value, 9: b"end"}


@pytest.mark.parametrize("broken", ["not base64!", "AQ==", "AQVh", "AYL/"])
def test_broken_tags_are_refused(broken: str) -> None:
    with pytest.raises(ValueError):
        tags_of(broken)


def test_steps_follow_the_kinds_of_documents_asked_for() -> None:
    assert compliance_steps("0100") == [
        "simplified-compliant",
        "simplified-credit-note-compliant",
        "simplified-debit-note-compliant",
    ]
    assert len(compliance_steps("1100")) == 6


def test_rules_are_worded_in_the_callers_language() -> None:
    finding = Finding("BR-26", Severity.ERROR, RuleSet.EN16931, "/", "BT-146", Text("price", "سعر"), Text("", ""))
    assert of_finding(finding, "ar").text == "[BR-26] - سعر"
    assert of_finding(finding, "fr").message() == {
        "type": "ERROR",
        "code": "BR-26",
        "category": "EN_16931",
        "message": "[BR-26] - price",
        "status": "ERROR",
    }
