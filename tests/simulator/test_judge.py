"""What the judge knows beyond rules and tampering: whose certificate it is, what time it is, who stood before."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from gateway import dom4j, xml
from gateway.finding import Finding, RuleSet, Severity, Text
from gateway.simulator.document import (
    Document,
    compliance_steps,
    signed_properties_text,
    tag_bytes,
    tags_of,
    without_stamp,
)
from gateway.simulator.judge import (
    FIRST_PIH,
    chain_remarks,
    issuer_name,
    judge,
    permission_remarks,
    qr_remarks,
    seal_remarks,
)
from gateway.simulator.remark import has_errors, of_finding
from gateway.simulator.state import Seen
from tests.simulator import tampering
from tests.simulator.tampering import CERTIFICATE, SIGNER
from tests.stamp_documents import stamped
from tests.ubl_documents import HEADING

GOLDEN = Path(__file__).parents[1] / "golden"


def codes_of(xml: str, *, now: datetime | None = None) -> set[str]:
    """Of all remarks on a document that is stamped with the certificate of the tests."""
    return {remark.code for remark in judge(Document.read(xml.encode()), CERTIFICATE, now=now or datetime.now(UTC))}


@pytest.fixture
def signed(tool: Any) -> Callable[..., str]:
    """Documents of a till that has the certificate of the tests; the edit comes before the stamp."""
    return lambda profile="02", **how: str(tool.Till(signer=SIGNER).document(profile, **how).xml.decode())


def _stamp_codes(document: Document, certificate: x509.Certificate) -> set[str]:
    return {r.code for r in (*qr_remarks(document, certificate), *seal_remarks(document, certificate))}


def test_the_issuer_is_named_as_java_does(shared: Path) -> None:
    official = x509.load_der_x509_certificate(base64.b64decode((shared / "vectors" / "cert.pem").read_text()))
    assert issuer_name(official) == "CN=PRZEINVOICESCA4-CA, DC=extgazt, DC=gov, DC=local"
    assert issuer_name(CERTIFICATE) == "CN=GATEWAY-TEST-CA, DC=gateway-test, DC=gov, DC=local"


def test_a_foreign_stamp_is_whole(enrolled: Any) -> None:
    till, credentials = enrolled
    certificate = x509.load_der_x509_certificate(credentials.certificate_der)
    for profile in ("01", "02"):
        document = Document.read(till.document(profile).xml)
        assert judge(document, certificate, now=datetime.now(UTC)) == []


@pytest.mark.parametrize("name", [file.stem for file in sorted(GOLDEN.glob("*.xml"))])
def test_nothing_is_said_against_documents_of_ours(name: str) -> None:
    assert codes_of((GOLDEN / f"{name}.xml").read_bytes().decode(), now=HEADING.issued_at + timedelta(hours=2)) == set()


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


def test_a_chain_begins_at_one_and_only_its_first_document_names_the_fixed_hash(signed: Any) -> None:
    def remarks(icv: int, pih: str) -> list[str]:
        return [remark.code for remark in chain_remarks(Document.read(signed(icv=icv, pih=pih).encode()), {})]

    zero = Document.read(tampering.reference("ICV", tampering.text("cbc:UUID", lambda _: "0"))(signed()).encode())
    assert "KSA-16" in {remark.code for remark in chain_remarks(zero, {})}
    some_hash = base64.b64encode(bytes(32)).decode()
    assert (remarks(1, FIRST_PIH), remarks(2, some_hash)) == ([], [])
    assert (remarks(1, some_hash), remarks(2, FIRST_PIH)) == (["KSA-13"], ["KSA-13"])


@pytest.mark.parametrize("pih", ["", "AAAA", "no base64", base64.b64encode(bytes(31)).decode(), FIRST_PIH[:-4]])
def test_a_link_that_is_no_hash_is_refused(signed: Any, pih: str) -> None:
    assert "KSA-13" in codes_of(signed(edit=lambda xml: xml.replace(FIRST_PIH, pih)))


@pytest.mark.parametrize(
    ("profile", "hours", "codes"), [("02", 23, set()), ("02", 25, {"BR-KSA-98"}), ("01", 100, set())]
)
def test_a_day_after_its_issue_a_simplified_document_is_late(
    signed: Any, profile: str, hours: int, codes: set[str]
) -> None:
    xml, now = signed(profile), datetime.now(UTC) + timedelta(hours=hours)
    remarks = judge(Document.read(xml.encode()), CERTIFICATE, now=now)
    assert ({remark.code for remark in remarks}, has_errors(remarks)) == (codes, False)


@pytest.mark.parametrize("age", [timedelta(days=-9000), timedelta(days=4000)])
def test_no_stamp_is_made_with_an_expired_certificate(signed: Any, age: timedelta) -> None:
    """One made before the certificate is no fault, for many write the time of issue."""
    assert ("invalid-signing-certificate" in codes_of(signed(age=age))) == (age < timedelta(0))


def test_a_third_party_stamps_with_the_sellers_certificate(signed: Any) -> None:
    third_party = tampering.replaced('name="0200000"', 'name="0210000"')
    assert codes_of(signed(edit=third_party)) == set()
    other_seller = tampering.replaced("399999999900003", "310122393500003")
    assert codes_of(signed(edit=lambda xml: other_seller(third_party(xml)))) == {"certificate-permissions"}


@pytest.mark.parametrize(
    "edit",
    [
        tampering.text("cbc:RegistrationName", lambda name: f" {name}\n"),
        tampering.replaced("<Invoice", "<?page a?><Invoice"),
        tampering.replaced("<cac:AccountingSupplierParty>", "<!-- seller --><cac:AccountingSupplierParty>"),
    ],
    ids=["blanks in the name", "instruction before the root", "comment"],
)
def test_what_is_unusual_when_it_is_stamped_is_accepted(signed: Any, edit: Any) -> None:
    assert codes_of(signed(edit=edit)) == set()


@pytest.mark.parametrize("letters", [63, 64, 127, 128, 140])
def test_a_name_has_its_length_in_ber_whatever_it_is(signed: Any, letters: int) -> None:
    name = tampering.text("cbc:RegistrationName", lambda _: "ش" * letters)
    assert codes_of(stamped(tampering.without_stamp(name(signed())).encode()).xml.decode()) == set()


def test_rules_that_cannot_be_executed_are_not_passed(signed: Any) -> None:
    assert codes_of(signed(edit=tampering.reference("ICV", lambda found: found * 2))) == {"GENERAL"}


def test_the_last_hours_of_time_are_read(signed: Any) -> None:
    day, hour = (
        tampering.text("cbc:IssueDate", lambda _: "9999-12-31"),
        tampering.text("cbc:IssueTime", lambda _: "23:00:00Z"),
    )
    assert {"BR-KSA-04", "invoiceTimeStamp_QRCODE_INVALID"} <= codes_of(hour(day(signed())))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<ds:A/>",
        "\n <ds:A>x &amp; &lt;y&gt; \"z\" 'w'</ds:A>\n",
        '<ds:A B="a &quot; \' &lt; &gt; &amp;"><ds:C> </ds:C></ds:A>',
        "<!-- a --><ds:A><?page b?>c<!-- d -->e</ds:A>",
        '<ds:A xmlns:f="urn:f"><f:B/><ds:C xmlns:g="urn:g"/></ds:A>',
        '<A xmlns="urn:a"><B xmlns=""/></A>',
    ],
)
def test_signed_properties_are_printed_as_another_reading_prints_them(content: str) -> None:
    root = xml.parse(f'<r xmlns:ds="{xml.DS}" xmlns:xades="{xml.XADES}"><xades:P>{content}</xades:P></r>'.encode())
    assert signed_properties_text(root[0]) == dom4j.printed(root[0])


@pytest.mark.parametrize("length", [0, 127, 128, 255, 256, 300])
def test_tags_of_every_length(length: int) -> None:
    value = b"x" * length
    qr = base64.b64encode(tag_bytes(1, value) + tag_bytes(9, b"end")).decode()
    assert tags_of(qr) == {1: value, 9: b"end"}


@pytest.mark.parametrize("broken", ["not base64!", "AQ==", "AQVh", "AYL/", "AYA=", "AQFhAQFh", "AQFh\n", " AQFh"])
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
