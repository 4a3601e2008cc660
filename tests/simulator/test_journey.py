"""A foreign till, our client and the simulator over real HTTP: from the first request to cleared documents."""

import base64
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import fatoora
import pytest
from cryptography import x509

from gateway.errors import BadInput
from gateway.simulator.document import Document
from gateway.simulator.judge import FIRST_PIH, chain_remarks, is_signed_by, qr_remarks, seal_remarks
from gateway.simulator.state import DUPLICATE_MEMORY, World
from gateway.unit import Environment
from gateway.verdict import Outcome


def test_a_till_is_enrolled_and_reports_a_chain(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    documents = [till.document("02", kind) for kind in ("388", "381", "383")]

    async def report(authority: Any) -> list[Any]:
        return [await authority.report(credentials, document) for document in documents]

    verdicts = talk(report)
    assert [(v.outcome, v.status, v.findings) for v in verdicts] == [(Outcome.ACCEPTED, 200, ())] * 3
    assert [(d.uuid, d.hash, d.icv, d.status) for d in simulator.state.accepted] == [
        (document.uuid, document.hash, icv, "REPORTED") for icv, document in enumerate(documents, 1)
    ]


def test_a_cleared_document_keeps_its_hash_under_the_authoritys_stamp(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    sent = till.document("01")
    verdict = talk(lambda authority: authority.clear(credentials, sent))
    assert (verdict.outcome, verdict.status) == (Outcome.ACCEPTED, 200)

    cleared = Document.read(verdict.cleared_xml)
    ca = simulator.state.ca.certificate
    assert cleared.hash_text == sent.hash == fatoora.invoice_hash_base64_from_xml_str(verdict.cleared_xml.decode())
    assert list(seal_remarks(cleared, ca)) == []
    assert list(qr_remarks(cleared, ca)) == []
    assert not is_signed_by(Document.read(sent.xml), _signature(cleared), x509_of(credentials))


def _signature(document: Document) -> str:
    return document.text("//ds:SignatureValue")


def x509_of(credentials: Any) -> x509.Certificate:
    return x509.load_der_x509_certificate(credentials.certificate_der)


def test_another_implementation_finds_the_cleared_document_whole(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    verdict = talk(lambda authority: authority.clear(credentials, till.document("01")))
    # Its own clock is read in UTC, where a document of the first hours of a day in Riyadh is one of tomorrow.
    report = fatoora.validate_zatca_invoice_from_str(
        fatoora.Config(), verdict.cleared_xml.decode(), evaluated_at=datetime.now(ZoneInfo("Asia/Riyadh")).isoformat()
    )
    faults = [f for stage in report["stages"] for f in stage["findings"] if f["severity"] == "error"]
    assert faults == []
    assert {stage["stage"] for stage in report["stages"] if stage["status"] == "completed"} == {"xsd", "cen", "ksa"}
    assert fatoora.parse_signed_invoice_xml(verdict.cleared_xml.decode()).uuid() == verdict_uuid(verdict)


def verdict_uuid(verdict: Any) -> str:
    return Document.read(verdict.cleared_xml).uuid


def test_the_same_bytes_again_are_a_duplicate(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    simplified, standard = till.document("02"), till.document("01")

    async def twice(authority: Any) -> list[Any]:
        calls = ((authority.report, simplified), (authority.clear, standard))
        return [await call(credentials, document) for call, document in calls for _ in range(2)]

    reported, again, cleared, once_more = talk(twice)
    assert (reported.status, again.status, again.outcome) == (200, 409, Outcome.DUPLICATE)
    assert (cleared.status, once_more.status, once_more.outcome) == (200, 208, Outcome.DUPLICATE)
    assert once_more.cleared_xml == cleared.cleared_xml
    assert len(simulator.state.accepted) == 2


def test_a_duplicate_is_forgotten_after_a_day_but_counted_once(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("02")
    first = talk(lambda authority: authority.report(credentials, document))
    simulator.state.frozen_at = simulator.state.now() + DUPLICATE_MEMORY * 1.1
    again = talk(lambda authority: authority.report(credentials, document))
    assert (first.status, again.status) == (200, 202)
    assert [finding.rule for finding in again.findings] == ["BR-KSA-98"]
    assert len(simulator.state.accepted) == 1


def test_an_old_document_is_accepted_with_a_warning(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    late = till.document("02", age=timedelta(hours=30))
    verdict = talk(lambda authority: authority.report(credentials, late))
    assert (verdict.outcome, verdict.status) == (Outcome.ACCEPTED, 202)
    assert [finding.rule for finding in verdict.findings] == ["BR-KSA-98"]


def test_clearance_switched_off_sends_standard_documents_to_reporting(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("01")
    at_reporting = talk(lambda authority: authority.report(credentials, document))
    simulator.state.clearance_on = False
    switched_off = talk(lambda authority: authority.clear(credentials, document))
    reported = talk(lambda authority: authority.report(credentials, document))
    assert (at_reporting.outcome, at_reporting.status) == (Outcome.REJECTED, 400)
    assert (switched_off.outcome, switched_off.status) == (Outcome.CLEARANCE_OFF, 303)
    assert (reported.outcome, reported.status) == (Outcome.ACCEPTED, 200)


def test_the_wrong_endpoint_refuses(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    verdict = talk(lambda authority: authority.clear(credentials, till.document("02")))
    assert (verdict.outcome, verdict.status) == (Outcome.REJECTED, 400)
    assert [finding.rule for finding in verdict.findings] == ["XML-INVOICE-ERROR"]


def test_documents_may_come_in_any_order(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    documents = [till.document("02") for _ in range(5)]

    async def backwards(authority: Any) -> list[Any]:
        return [await authority.report(credentials, document) for document in reversed(documents)]

    assert {verdict.status for verdict in talk(backwards)} == {200}


def test_a_counter_cannot_be_used_twice_and_links_must_hold(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    first = till.document("02")
    twin = till.document("02", icv=1, pih=FIRST_PIH)
    loose = till.document("02", icv=2, pih=twin.hash)

    async def send(authority: Any) -> list[Any]:
        return [await authority.report(credentials, document) for document in (first, twin, loose)]

    good, used, broken = talk(send)
    assert good.outcome is Outcome.ACCEPTED
    assert [(used.outcome, f.rule) for f in used.findings] == [(Outcome.REJECTED, "KSA-16")]
    assert [(broken.outcome, f.rule) for f in broken.findings] == [(Outcome.REJECTED, "KSA-13")]


def test_a_rejected_document_keeps_its_place_in_the_chain(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    wrong = till.document("02", edit=lambda xml: xml.replace(till.vat, "310122393500003"))
    following = till.document("02")
    detached = till.document("02", icv=2, pih=following.hash)

    async def send(authority: Any) -> list[Any]:
        return [await authority.report(credentials, document) for document in (wrong, following)]

    rejected, accepted = talk(send)
    assert rejected.outcome is Outcome.REJECTED
    assert accepted.outcome is Outcome.ACCEPTED
    verdict = talk(lambda authority: authority.report(credentials, detached))
    assert {finding.rule for finding in verdict.findings} == {"KSA-16", "KSA-13"}


def test_a_uuid_is_used_for_one_document_only(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    first = till.document("02")
    second = till.document("02", uuid=first.uuid)

    async def send(authority: Any) -> list[Any]:
        return [await authority.report(credentials, document) for document in (first, second)]

    _, verdict = talk(send)
    assert [finding.rule for finding in verdict.findings] == ["KSA-1"]


def test_hash_and_uuid_of_the_body_are_those_of_the_document(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    document = till.document("02")
    other_hash = document._replace(hash=base64.b64encode(bytes(32)).decode())

    async def send(authority: Any) -> list[Any]:
        wrong = (other_hash, document._replace(uuid="x"), document._replace(hash="?"), document._replace(xml=b"<x"))
        return [await authority.report(credentials, submission) for submission in wrong]

    verdicts = talk(send)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.REJECTED}
    assert [verdict.findings[0].rule for verdict in verdicts] == [
        "invalid-invoice-hash",
        "KSA-1",
        "InvoiceHash-Errors",
        "XSD_ZATCA_INVALID",
    ]


def test_another_tills_certificate_is_refused(talk: Any, tool: Any, enrolled: Any) -> None:
    _, credentials = enrolled
    stranger = tool.Till()

    async def send(authority: Any) -> Any:
        await tool.enrol(authority, stranger)
        return await authority.report(credentials, stranger.document("02"))

    verdict = talk(send)
    assert verdict.outcome is Outcome.REJECTED
    assert "invalid-signing-certificate" in {finding.rule for finding in verdict.findings}


def test_the_sellers_vat_number_is_the_certificates(talk: Any, enrolled: Any) -> None:
    till, credentials = enrolled
    document = till.document("02", edit=lambda xml: xml.replace(till.vat, "310122393500003"))
    verdict = talk(lambda authority: authority.report(credentials, document))
    assert [finding.rule for finding in verdict.findings] == ["certificate-permissions"]


def test_a_unit_for_standard_documents_reports_no_simplified_ones(talk: Any, tool: Any) -> None:
    till = tool.Till(types="1000")

    async def send(authority: Any) -> Any:
        credentials = await tool.enrol(authority, till)
        return await authority.report(credentials, till.document("02"))

    assert [finding.rule for finding in talk(send).findings] == ["certificate-permissions"]


@pytest.mark.parametrize("environment", list(Environment))
def test_every_environment_has_its_own_credentials(
    talk: Any, tool: Any, simulator: Any, environment: Environment
) -> None:
    till = tool.Till(environment=environment)
    simulator.state.add_otp(World.of(environment), "654321")
    credentials = talk(lambda authority: tool.enrol(authority, till, "654321"), environment=environment)
    document = till.document("02")
    others = [other for other in Environment if other is not environment]
    assert talk(lambda a: a.report(credentials, document), environment=environment).status == 200
    assert {talk(lambda a: a.report(credentials, document), environment=other).outcome for other in others} == {
        Outcome.CREDENTIALS
    }


def test_renewal_leads_through_the_compliance_check_to_a_new_chain(talk: Any, tool: Any, enrolled: Any) -> None:
    till, old = enrolled
    renewed = tool.Till()

    async def renew(authority: Any) -> Any:
        compliance = await authority.renew(old, renewed.csr(), "123456")
        assert compliance.is_compliance
        with pytest.raises(BadInput, match="Missing-ComplianceSteps"):
            await authority.production_csid(compliance)
        await tool.comply(authority, renewed, compliance)
        new = await authority.production_csid(compliance)
        renewed.take(new)
        return [
            await authority.report(new, renewed.document("02")),
            await authority.report(old, till.document("02")),
        ]

    first_of_new, still_old = talk(renew)
    assert (first_of_new.status, still_old.status) == (200, 200)


def test_a_compliance_csid_reports_nothing(talk: Any, till: Any) -> None:
    async def send(authority: Any) -> Any:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        till.take(compliance)
        return await authority.report(compliance, till.document("02"))

    assert talk(send).outcome is Outcome.CREDENTIALS


def test_the_first_document_names_the_fixed_hash(enrolled: Any) -> None:
    till, _ = enrolled
    document = Document.read(till.document("02", pih=base64.b64encode(bytes(32)).decode()).xml)
    assert [remark.code for remark in chain_remarks(document, {})] == ["KSA-13"]
