"""Signed documents of every kind, byte for byte: whatever changes one of them is seen, and the rule books agree on all.

`make golden` writes them anew.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

import fatoora
import pytest

from gateway import rules, ubl
from gateway.invoice.facts import Profile
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
    invoice, xml = DOCUMENTS[name], file_of(name).read_text(encoding="utf-8")
    # The peer looks at stamps of simplified documents only, and knows transaction codes of seven digits only.
    newest = {"SIGNATURE_APPLICABILITY"} if len(invoice.transaction_code) == 9 else set()
    stages = stages_of_the_peer(xml, NOW)
    assert {code for codes in stages.values() for code in codes} == newest
    assert {"xsd", "cen", "ksa", "previous_invoice_hash"} <= stages.keys()
    assert ({"signature", "qr"} <= stages.keys()) == (invoice.profile is Profile.SIMPLIFIED)
    late = {code for codes in stages_of_the_peer(xml, LATE).values() for code in codes} - newest
    assert late == (OF_LATENESS if invoice.profile is Profile.SIMPLIFIED else set())


def stages_of_the_peer(xml: str, now: datetime) -> dict[str, list[str]]:
    """What each stage that was gone through found."""
    with fatoora.Config() as config:
        report = fatoora.validate_zatca_invoice_from_str(
            config, xml, previous_invoice_hash=LINK.pih, evaluated_at=now.isoformat()
        )
    done = [stage for stage in report["stages"] if stage["status"] == "completed"]
    return {stage["stage"]: [finding["code"] for finding in stage["findings"]] for stage in done}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_stored_reads_back(name):
    xml = file_of(name).read_bytes()
    assert ubl.read(xml) == (DOCUMENTS[name], HEADING, LINK)
    assert fatoora.invoice_hash_base64_from_xml_str(xml.decode()) == made(name).hash
