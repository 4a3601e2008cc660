"""Clearing changes nothing but the stamp, and that is whole: two other implementations say so."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fatoora
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway import rules, stamp
from gateway.csid import Certificate, read_certificate
from gateway.simulator.ca import CertificateAuthority
from gateway.simulator.clearing import clear
from gateway.simulator.document import Document, without_stamp
from gateway.xml import canonical, parse
from tests.simulator import tampering
from tests.simulator.tampering import SIGNER
from tests.ubl_documents import HEADING, LINK

GOLDEN = Path(__file__).parents[1] / "golden"
STANDARD = sorted(file.stem for file in GOLDEN.glob("*.xml") if b'name="01' in file.read_bytes())
NOW = HEADING.issued_at + timedelta(hours=2)
CA = CertificateAuthority(datetime(2026, 11, 1, tzinfo=UTC))
PROJECT = "<cac:ProjectReference><cbc:ID>P-1</cbc:ID></cac:ProjectReference><cac:AccountingSupplierParty>"

UNUSUAL = {
    "instruction before the root": tampering.replaced("<Invoice", "<?page a?><Invoice"),
    "comments": tampering.replaced("<Invoice", "<!-- a --><Invoice"),
    "project": tampering.replaced("<cac:AccountingSupplierParty>", PROJECT),
    "lines ended as on Windows": lambda xml: xml.replace("\n", "\r\n"),
}


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.xml").read_bytes().decode()


def cleared(sent: str) -> str:
    return clear(Document.read(sent.encode()), CA, NOW).decode()


@pytest.mark.parametrize("name", STANDARD)
def test_the_hash_stays_and_the_stamp_is_the_authoritys(name: str) -> None:
    _is_whole(golden(name), cleared(golden(name)))


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_document_is_cleared_as_well(name: str) -> None:
    sent = SIGNER.sign_xml(UNUSUAL[name](tampering.without_stamp(golden("standard-invoice"))))
    _is_whole(sent, cleared(sent))


def test_a_document_without_a_stamp_is_cleared_too() -> None:
    sent = tampering.without_stamp(golden("standard-invoice"))
    _is_whole(sent, cleared(sent))


def _is_whole(sent: str, back: str) -> None:
    hashes = [fatoora.invoice_hash_base64_from_xml_str(each) for each in (sent, back)]
    assert hashes[0] == hashes[1]
    assert canonical(without_stamp(parse(back.encode()))) == canonical(without_stamp(parse(sent.encode())))
    _is_stamped_by_the_authority(back, hashes[0])
    assert {stamp.invoice_hash(each.encode()) for each in (sent, back)} == {hashes[0]}
    report = rules.check(back.encode(), now=NOW, certificate=_certificate(), pih=LINK.pih)
    assert (report.xsd, report.findings) == ((), ())


def _certificate() -> Certificate:
    return read_certificate(CA.certificate.public_bytes(Encoding.DER))


def _is_stamped_by_the_authority(back: str, invoice_hash: str) -> None:
    signature = base64.b64decode(tampering.text_of("ds:SignatureValue", back))
    CA.key.public_key().verify(signature, base64.b64decode(invoice_hash), ec.ECDSA(SHA256()))
    assert tampering.text_of("ds:DigestValue", back) == invoice_hash
    assert tampering.text_of("ds:X509SerialNumber", back) == str(CA.certificate.serial_number)
    assert (
        tampering.text_of("ds:X509IssuerName", back)
        == "CN=SIMULATED-NOT-THE-AUTHORITY-CA, DC=simulator, DC=gateway, DC=local"
    )
    tags = dict(tampering.read(tampering.qr_of(back)))
    key = CA.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert sorted(tags) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (tags[6], base64.b64decode(tags[7]), tags[8]) == (invoice_hash.encode(), signature, key)


def test_another_implementation_verifies_the_authoritys_signature_block() -> None:
    """It looks at blocks of simplified documents only; those are never cleared, but the block is the same."""
    back = cleared(golden("simplified-invoice"))
    with fatoora.Config() as config:
        report = fatoora.validate_zatca_invoice_from_str(
            config, back, previous_invoice_hash=LINK.pih, evaluated_at=NOW.isoformat()
        )
    found = {stage["stage"]: (stage["status"], stage["findings"]) for stage in report["stages"]}
    assert {found[name] == ("completed", []) for name in ("xsd", "signature", "previous_invoice_hash")} == {True}


def test_clearing_again_gives_the_same_content_under_a_new_signature() -> None:
    once = cleared(golden("standard-invoice"))
    again = clear(Document.read(once.encode()), CA, NOW + timedelta(minutes=1)).decode()
    assert tampering.text_of("ds:SignatureValue", once) != tampering.text_of("ds:SignatureValue", again)
    assert stamp.invoice_hash(once.encode()) == stamp.invoice_hash(again.encode())
