"""Signed documents of every kind, byte for byte: whatever changes one of them is seen, and the rule books agree on all.

`make golden` writes them anew.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import fatoora
import pytest

from gateway import rules, ubl
from gateway.keys.curve import fast_signer, has_libsecp256k1, signer
from gateway.stamp import Document, stamp
from tests.stamp_documents import CERTIFICATE, KEY
from tests.ubl_documents import DOCUMENTS, HEADING, LINK

FOLDER = Path(__file__).parent
WRITE = bool(os.environ.get("GATEWAY_WRITE_GOLDEN"))
NOW = HEADING.issued_at + timedelta(hours=2)
LATE = HEADING.issued_at + timedelta(days=2)

IN_OPENSSL = signer(KEY)
SIGNERS = [pytest.param(IN_OPENSSL, id="cryptography")]
if has_libsecp256k1():
    SIGNERS.append(pytest.param(fast_signer(KEY), id="coincurve"))

OF_LATENESS = {"BR-KSA-98"}
"""What a document breaks by being old, whatever is in it."""


def made(name: str, sign=IN_OPENSSL) -> Document:
    body = ubl.render(DOCUMENTS[name], HEADING, LINK)
    return stamp(body, sign=sign, certificate=CERTIFICATE, signing_time=HEADING.issued_at)


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace(', ', ' ').replace(' ', '-')}.xml"


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("sign", SIGNERS)
def test_the_bytes_are_the_same_whichever_library_signs(name, sign):
    document = made(name, sign)
    if WRITE:
        file_of(name).write_bytes(document.xml)
    assert document.xml == file_of(name).read_bytes()


def test_there_is_no_golden_file_that_nothing_makes():
    assert sorted(FOLDER.glob("*.xml")) == sorted(map(file_of, DOCUMENTS))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_our_rule_book_finds_nothing(name):
    xml = file_of(name).read_bytes()
    for moment in (NOW, LATE):
        report = rules.check(xml, now=moment, certificate=CERTIFICATE, pih=LINK.pih)
        assert {finding.rule for finding in (*report.xsd, *report.findings)} <= OF_LATENESS
        assert report.stopped == ()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_independent_implementation_finds_nothing(name):
    xml = file_of(name).read_text(encoding="utf-8")
    assert set(findings_of_the_peer(xml, NOW)) == set()
    assert set(findings_of_the_peer(xml, LATE)) <= OF_LATENESS


def findings_of_the_peer(xml: str, now) -> Iterator[str]:
    with fatoora.Config() as config:
        report = fatoora.validate_zatca_invoice_from_str(
            config, xml, previous_invoice_hash=LINK.pih, evaluated_at=now.isoformat()
        )
    assert report["is_complete"]
    for stage in report["stages"]:
        assert stage["status"] == "completed", stage["stage"]
        yield from (finding["code"] for finding in stage["findings"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_stored_reads_back(name):
    xml = file_of(name).read_bytes()
    assert ubl.read(xml) == (DOCUMENTS[name], HEADING, LINK)
    assert fatoora.invoice_hash_base64_from_xml_str(xml.decode()) == made(name).hash
