"""Every answer that the authority publishes as an example keeps its own schema and is understood."""

from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.authority import Endpoint, verdict_of
from gateway.authority.onboarding import credentials_of
from gateway.errors import BadInput, Unavailable
from gateway.finding import RuleSet, Severity
from gateway.verdict import Outcome, Verdict
from tests import published

_ENDPOINTS = {"clearance": Endpoint.CLEARANCE, "reporting": Endpoint.REPORTING}


class Read(NamedTuple):
    """How a published answer about a document is to be read: the outcome, and the findings as set and rule."""

    outcome: Outcome
    findings: tuple[tuple[RuleSet, str], ...] = ()
    severity: Severity = Severity.ERROR


def _rejected(*findings: tuple[RuleSet, str]) -> Read:
    return Read(Outcome.REJECTED, findings)


_XSD = _rejected((RuleSet.XSD, "XSD_ZATCA_INVALID"))
_HASH = _rejected((RuleSet.SIGNATURE, "InvoiceHash-Errors"))
_QR = _rejected((RuleSet.QR, "QRCODE_INVALID"))

DOCUMENTS = {
    "clearance 200 cleared": Read(Outcome.ACCEPTED),
    "clearance 202 cleared": Read(Outcome.ACCEPTED, ((RuleSet.KSA, "BR-KSA-51"),), Severity.WARNING),
    "clearance 208 cleared": Read(Outcome.DUPLICATE),
    "clearance 303": Read(Outcome.CLEARANCE_OFF),
    "clearance 400 InvalidInvoiceHash": _rejected((RuleSet.SIGNATURE, "invalid-invoice-hash")),
    "clearance 400 InvalidInvoiceHashInvalidBase64": _HASH,
    "clearance 400 Missing Invoice Hash": _HASH,
    "clearance 400 Missing Invoice": _XSD,
    "clearance 400 XML Schema Error": _XSD,
    "clearance 400 EN Rules Violation": _rejected((RuleSet.EN16931, "BR-KSA-F-06-C17")),
    "clearance 400 KSA Rules Violation": _rejected((RuleSet.KSA, "BR-KSA-14")),
    "clearance 401 Unuthorized": Read(Outcome.CREDENTIALS),
    "clearance 500 InternalServerError": Read(Outcome.UNKNOWN),
    "reporting 200 reported": Read(Outcome.ACCEPTED),
    "reporting 202 reported": Read(
        Outcome.ACCEPTED, ((RuleSet.EN16931, "BR-CO-17"), (RuleSet.KSA, "BR-KSA-98")), Severity.WARNING
    ),
    "reporting 400 InvalidInvoiceHash": _rejected(
        (RuleSet.SIGNATURE, "invalid-invoice-hash"), (RuleSet.QR, "invoiceHash_QRCODE_INVALID")
    ),
    "reporting 400 Missing Invoice Hash": _HASH,
    "reporting 400 Missing Invoice": _XSD,
    "reporting 400 XML Schema Error": _XSD,
    "reporting 400 EN Rules Violation": _rejected((RuleSet.EN16931, "BR-26")),
    "reporting 400 KSA Rules Violation": _rejected((RuleSet.KSA, "BR-KSA-06")),
    "reporting 400 Invalid QR Code": _QR,
    "reporting 400 Missing QR Code": _QR,
    "reporting 400 Invalid Signature": _rejected((RuleSet.SIGNATURE, "invalid-digital-signature")),
    "reporting 401 Unuthorized": Read(Outcome.CREDENTIALS),
    "reporting 406 Not Acceptable": Read(Outcome.NOT_RECEIVED),
    "reporting 409 conflict": Read(Outcome.DUPLICATE, ((RuleSet.KSA, "authority"),), Severity.WARNING),
    "reporting 500 InternalServerError": Read(Outcome.UNKNOWN),
}

_GRANTED = {"renewal 200": "ISSUED", "renewal 428": "NOT_COMPLIANT"}
_REFUSED = {
    "renewal 400 Missing OTP": "Missing-OTP",
    "renewal 400 Invalid OTP": "Invalid-OTP",
    "renewal 400 Missing CSR": "Missing-CSR",
    "renewal 400 Invalid CSR": "Invalid-CSR",
    "renewal 400 Missing currentCSID": "Missing-currentCSID",
    "renewal 400 Invalid currentCSID": "Invalid-currentCSID",
    "renewal 401 Unuthorized": "HTTP 401",
}
_NO_ANSWER = {"renewal 406 Not Acceptable": "HTTP 406", "renewal 500 InternalServerError": "HTTP 500"}
ALL = (*DOCUMENTS, *_GRANTED, *_REFUSED, *_NO_ANSWER)


def test_no_example_is_left_out(shared: Path) -> None:
    there = [name for api in published.COUNTS for name, _ in published.examples(shared, api)]
    assert sorted(there) == sorted(ALL)
    assert {api: sum(name.startswith(api) for name in there) for api in published.COUNTS} == published.COUNTS


@pytest.mark.parametrize("name", ALL)
def test_an_example_keeps_its_own_schema(shared: Path, name: str) -> None:
    example = published.example(shared, name)
    assert example.breaches(example.value) == []


def test_what_is_not_as_a_schema_says_is_seen(shared: Path) -> None:
    example = published.example(shared, "clearance 200 cleared")
    wrong = {**example.value, "clearanceStatus": "CLEAR", "clearedInvoice": None}
    wrong["validationResults"] = {**example.value["validationResults"], "warningMessages": [{"code": 1}], "status": 1}
    assert example.breaches(wrong) == [
        "answer.validationResults.warningMessages[0].code is no string",
        "answer.validationResults.status is no string",
        "answer.clearedInvoice is no string",
        "answer.clearanceStatus is none of ['CLEARED', 'NOT_CLEARED']",
    ]
    assert example.breaches([]) == ["answer is no object"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_answer_about_a_document_is_understood(shared: Path, name: str) -> None:
    example, read = published.example(shared, name), DOCUMENTS[name]
    endpoint = _ENDPOINTS[name.partition(" ")[0]]
    verdict = verdict_of(endpoint, example.status, {"Content-Type": example.media_type}, example.body)
    assert (verdict.outcome, verdict.status, verdict.body) == (read.outcome, example.status, example.body)
    assert tuple((finding.set, finding.rule) for finding in verdict.findings) == read.findings
    assert {finding.severity for finding in verdict.findings} <= {read.severity}
    assert bool(verdict.cleared_xml) == (endpoint is Endpoint.CLEARANCE and verdict.outcome.is_accepted)
    _says_why(verdict, example)


def _says_why(verdict: Verdict, example: published.Published) -> None:
    """What the authority says is kept: as findings of a verdict on the document, or else as its detail."""
    results = example.value.get("validationResults", {}) if isinstance(example.value, dict) else {}
    texts = [each["message"] for each in (*results.get("errorMessages", ()), *results.get("warningMessages", ()))]
    assert [finding.message.en for finding in verdict.findings] == texts
    if isinstance(example.value, dict) and example.value.get("message"):
        assert example.value["message"] in verdict.detail


@pytest.mark.parametrize("name", _GRANTED)
def test_a_certificate_that_is_granted_is_taken(shared: Path, name: str) -> None:
    example = published.example(shared, name)
    credentials = credentials_of(example.status, {}, example.body, is_compliance=False)
    answer = example.answer
    assert credentials.is_compliance == (example.status == 428)
    assert (credentials.token, credentials.secret) == (answer["binarySecurityToken"], answer["secret"])
    assert (credentials.request_id, credentials.disposition) == (str(answer["requestID"]), _GRANTED[name])
    assert credentials.certificate_der.startswith(b"\x30")


@pytest.mark.parametrize("name", _REFUSED)
def test_a_refusal_says_what_to_do(shared: Path, name: str) -> None:
    example = published.example(shared, name)
    with pytest.raises(BadInput, match=_REFUSED[name]) as refusal:
        credentials_of(example.status, {}, example.body, is_compliance=False)
    assert refusal.value.fix


@pytest.mark.parametrize("name", _NO_ANSWER)
def test_what_is_no_answer_is_asked_again(shared: Path, name: str) -> None:
    example = published.example(shared, name)
    with pytest.raises(Unavailable, match=_NO_ANSWER[name]):
        credentials_of(example.status, {}, example.body, is_compliance=False)
