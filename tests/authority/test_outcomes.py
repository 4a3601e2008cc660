"""What every answer means: the table, row by row, and the bodies that do not fit it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authority import Endpoint, verdict_of
from gateway.authority.outcomes import OUTCOMES
from gateway.finding import RuleSet, Severity
from gateway.verdict import Outcome

CHECK, REPORTING, CLEARANCE = Endpoint.COMPLIANCE_CHECK, Endpoint.REPORTING, Endpoint.CLEARANCE
XML = b"<Invoice/>"
CLEARED = base64.b64encode(XML).decode()
HTML = b"<html><body><h1>504 Gateway Time-out</h1></body></html>"


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _error(code: str | None = "BR-KSA-14", category: str | None = "KSA", message: str = "wrong") -> dict[str, Any]:
    return {"type": "ERROR", "code": code, "category": category, "message": message, "status": "ERROR"}


def _results(*errors: Any, warnings: Any = (), infos: Any = ()) -> dict[str, Any]:
    status = "ERROR" if errors else "WARNING" if warnings else "PASS"
    return {
        "infoMessages": infos,
        "warningMessages": list(warnings),
        "errorMessages": list(errors),
        "status": status,
    }


REPORTED = _body(validationResults=_results(), reportingStatus="REPORTED")
CLEARED_BODY = _body(validationResults=_results(), clearanceStatus="CLEARED", clearedInvoice=CLEARED)
REFUSED = _body(validationResults=_results(_error()), reportingStatus="NOT_REPORTED")
REFUSED_CLEARANCE = _body(validationResults=_results(_error()), clearanceStatus="NOT_CLEARED", clearedInvoice=None)
ALREADY = _body(
    validationResults=_results(_error(None, None, "Invoice was already Reported successfully earlier.")),
    reportingStatus="NOT_REPORTED",
)
CHECKED = _body(
    validationResults=_results(),
    reportingStatus=None,
    clearanceStatus="CLEARED",
    qrSellertStatus=None,
    qrBuyertStatus=None,
)

# One good example for every row of the table.
EXAMPLES: list[tuple[Endpoint, int, bytes, Outcome]] = [
    (REPORTING, 200, REPORTED, Outcome.ACCEPTED),
    (REPORTING, 202, REPORTED, Outcome.ACCEPTED),
    (REPORTING, 208, REPORTED, Outcome.DUPLICATE),
    (REPORTING, 400, REFUSED, Outcome.REJECTED),
    (REPORTING, 401, b'{"status":401}', Outcome.CREDENTIALS),
    (REPORTING, 406, b"This Version is not supported", Outcome.PROTOCOL),
    (REPORTING, 409, ALREADY, Outcome.DUPLICATE),
    (REPORTING, 413, b"", Outcome.TOO_LARGE),
    (REPORTING, 429, b"", Outcome.LIMITED),
    (REPORTING, 500, _body(category="HTTP-Errors", code="500", message="wrong"), Outcome.UNKNOWN),
    (REPORTING, 503, HTML, Outcome.UNKNOWN),
    (REPORTING, 504, HTML, Outcome.UNKNOWN),
    (CLEARANCE, 200, CLEARED_BODY, Outcome.ACCEPTED),
    (CLEARANCE, 202, CLEARED_BODY, Outcome.ACCEPTED),
    (CLEARANCE, 208, CLEARED_BODY, Outcome.DUPLICATE),
    (CLEARANCE, 303, _body(message="Clearance is deactiviated."), Outcome.CLEARANCE_OFF),
    (CLEARANCE, 400, REFUSED_CLEARANCE, Outcome.REJECTED),
    (CLEARANCE, 401, b"", Outcome.CREDENTIALS),
    (CLEARANCE, 406, b"", Outcome.PROTOCOL),
    (CLEARANCE, 409, CLEARED_BODY, Outcome.DUPLICATE),
    (CLEARANCE, 413, HTML, Outcome.TOO_LARGE),
    (CLEARANCE, 429, HTML, Outcome.LIMITED),
    (CLEARANCE, 500, HTML, Outcome.UNKNOWN),
    (CLEARANCE, 503, HTML, Outcome.UNKNOWN),
    (CLEARANCE, 504, HTML, Outcome.UNKNOWN),
    (CHECK, 200, CHECKED, Outcome.ACCEPTED),
    (CHECK, 202, CHECKED, Outcome.ACCEPTED),
    (CHECK, 208, b"{}", Outcome.DUPLICATE),
    (CHECK, 400, REFUSED, Outcome.REJECTED),
    (CHECK, 401, b"", Outcome.CREDENTIALS),
    (CHECK, 406, b"", Outcome.PROTOCOL),
    (CHECK, 409, b"{}", Outcome.DUPLICATE),
    (CHECK, 413, b"", Outcome.TOO_LARGE),
    (CHECK, 429, b"", Outcome.LIMITED),
    (CHECK, 500, b"", Outcome.UNKNOWN),
    (CHECK, 503, b"", Outcome.UNKNOWN),
    (CHECK, 504, b"", Outcome.UNKNOWN),
]


@pytest.mark.parametrize(
    ("endpoint", "status"), [(REPORTING, 208), (REPORTING, 409), (CLEARANCE, 409), (CLEARANCE, 303), (REPORTING, 401)]
)
def test_what_only_the_authority_can_say_is_not_believed_of_anybody_on_the_way(endpoint: Endpoint, status: int) -> None:
    assert verdict_of(endpoint, status, {}, b"<html>proxy</html>").outcome is Outcome.UNKNOWN


def test_a_text_that_no_database_takes_is_cleaned() -> None:
    body = REFUSED.replace(b'"code": "', b'"code": "\\ud800\\u0000')
    assert body != REFUSED
    for finding in verdict_of(REPORTING, 400, {}, body).findings:
        assert "\0" not in finding.rule + finding.message.en
        assert (finding.rule + finding.message.en).encode()


@pytest.mark.parametrize(("endpoint", "status", "body", "outcome"), EXAMPLES)
def test_each_row_of_the_table(endpoint: Endpoint, status: int, body: bytes, outcome: Outcome) -> None:
    verdict = verdict_of(endpoint, status, {}, body)
    assert (verdict.outcome, verdict.status, verdict.body) == (outcome, status, body)


def test_no_row_is_without_example() -> None:
    assert {(endpoint, status) for endpoint, status, _, _ in EXAMPLES} == set(OUTCOMES)


@pytest.mark.parametrize(
    ("endpoint", "status", "body"),
    [
        (REPORTING, 200, b""),
        (REPORTING, 200, HTML),
        (REPORTING, 200, REPORTED[:-9]),
        (REPORTING, 200, b"[]"),
        (REPORTING, 200, b"\xff\xfe"),
        (REPORTING, 200, b"[" * 100_000),
        (REPORTING, 200, _body(validationResults=_results(), reportingStatus="NOT_REPORTED")),
        (REPORTING, 200, CHECKED),
        (REPORTING, 204, b""),
        (CLEARANCE, 200, REPORTED),
        (CLEARANCE, 200, _body(clearanceStatus="NOT_CLEARED", clearedInvoice=CLEARED)),
        (CLEARANCE, 200, _body(clearanceStatus="CLEARED", clearedInvoice=None)),
        (CLEARANCE, 200, _body(clearanceStatus="CLEARED", clearedInvoice="")),
        (CLEARANCE, 200, _body(clearanceStatus="CLEARED", clearedInvoice="%%%")),
        (CLEARANCE, 202, _body(clearanceStatus="CLEARED", clearedInvoice=base64.b64encode(b"<cut").decode())),
        (CLEARANCE, 208, _body(clearanceStatus="CLEARED")),
        (CLEARANCE, 409, b""),
        (REPORTING, 303, b""),
        (REPORTING, 400, HTML),
        (REPORTING, 400, b""),
        (REPORTING, 400, b"{}"),
        (REPORTING, 400, _body(validationResults=_results(_error()), reportingStatus="REPORTED")),
        (REPORTING, 400, _body(validationResults=_results(_error("GENERAL", "BUSINESS_RULES")))),
        (REPORTING, 400, _body(code="Invalid-Request", message="System failed to process your request")),
        (REPORTING, 403, HTML),
        (REPORTING, 404, b""),
        (REPORTING, 428, b"{}"),
        (REPORTING, 502, HTML),
        (CLEARANCE, 302, b""),
    ],
)
def test_what_does_not_say_clearly_is_unknown(endpoint: Endpoint, status: int, body: bytes) -> None:
    verdict = verdict_of(endpoint, status, {}, body)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.cleared_xml is None
    assert verdict.findings == ()


def test_an_unlisted_success_counts_if_its_body_says_so() -> None:
    assert verdict_of(REPORTING, 201, {}, REPORTED).outcome is Outcome.ACCEPTED


def test_the_cleared_document_comes_decoded() -> None:
    assert verdict_of(CLEARANCE, 200, {}, CLEARED_BODY).cleared_xml == XML
    assert verdict_of(REPORTING, 200, {}, REPORTED).cleared_xml is None


def test_the_older_form_of_the_compliance_check_is_understood() -> None:
    info = {"type": "INFO", "code": "XSD_ZATCA_VALID", "category": "XSD validation", "message": "ok", "status": "PASS"}
    good = _body(infoMessages=info, warningMessages=[], errorMessages=[], status="PASS")
    bad = _body(infoMessages=info, warningMessages=[], errorMessages=[_error()], status="ERROR")
    assert verdict_of(CHECK, 200, {}, good).outcome is Outcome.ACCEPTED
    assert verdict_of(CHECK, 400, {}, bad).outcome is Outcome.REJECTED


def test_messages_become_findings_of_their_set() -> None:
    messages = [
        ("XSD_ZATCA_INVALID", "XSD validation", RuleSet.XSD),
        ("BR-CO-17", "EN_16931", RuleSet.EN16931),
        ("BR-KSA-14", "KSA", RuleSet.KSA),
        ("QRCODE_INVALID", "QRCODE_VALIDATION", RuleSet.QR),
        ("invalid-digital-signature", "SIGNATURE_ERRORS", RuleSet.SIGNATURE),
        ("certificate-permissions", "CERTIFICATE_ERRORS", RuleSet.SIGNATURE),
        ("invalid-invoice-hash", "INVOICE_HASHING_ERRORS", RuleSet.SIGNATURE),
        ("BR-CO-10", None, RuleSet.EN16931),
        ("BR-KSA-04", None, RuleSet.KSA),
        ("invoiceHash_QRCODE_INVALID", None, RuleSet.QR),
    ]
    errors = [_error(code, category) for code, category, _ in messages]
    verdict = verdict_of(REPORTING, 400, {}, _body(validationResults=_results(*errors)))
    assert [(f.rule, f.set) for f in verdict.findings] == [(code, found_in) for code, _, found_in in messages]
    assert all(f.fix.en and f.fix.ar and f.severity is Severity.ERROR for f in verdict.findings)


def test_warnings_of_an_accepted_document_are_kept() -> None:
    late = _error("BR-KSA-98", "KSA", "24 hours") | {"type": "WARNING", "status": "WARNING"}
    body = _body(validationResults=_results(warnings=[late]), reportingStatus="REPORTED")
    (finding,) = verdict_of(REPORTING, 202, {}, body).findings
    assert (finding.rule, finding.severity, finding.message.en) == ("BR-KSA-98", Severity.WARNING, "24 hours")


def test_a_duplicate_has_no_errors_though_its_body_lists_one() -> None:
    (finding,) = verdict_of(REPORTING, 409, {}, ALREADY).findings
    assert (finding.rule, finding.severity) == ("authority", Severity.WARNING)


@pytest.mark.parametrize(
    ("body", "rule", "text"),
    [
        (_body(errors=["Invoice is wrong"]), "authority", "Invoice is wrong"),
        (_body(errors="Invoice is wrong"), "authority", "Invoice is wrong"),
        (_body(errors={"code": "X-1", "message": "wrong"}), "X-1", "wrong"),
        (_body(errorCode="400", errorCategory="X-2", errorMessage="wrong"), "X-2", "wrong"),
        (_body(code="X-3", message="wrong"), "X-3", "wrong"),
        (_body(validationResults={"errorMessages": _error(None, "X-4")}), "X-4", "wrong"),
        (_body(validationResults={"errorMessages": [None, 7, "plain"]}), "authority", "plain"),
        (_body(validationResults=None, errors=[{"code": 400, "message": 7}]), "400", "7"),
    ],
)
def test_errors_are_found_in_every_shape(body: bytes, rule: str, text: str) -> None:
    verdict = verdict_of(REPORTING, 400, {}, body)
    assert [(f.rule, f.message.en) for f in verdict.findings] == [(rule, text)]
    assert verdict.outcome is Outcome.REJECTED


def test_what_is_said_without_judging_is_kept_as_detail() -> None:
    verdict = verdict_of(REPORTING, 500, {}, _body(code="Invalid-Request", message="System failed"))
    assert (verdict.findings, verdict.detail) == ((), "Invalid-Request: System failed")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"Retry-After": "999999999999"}, 86_400.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:00:00 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 10:00:30 GMT"}, None),
        ({"Retry-After": "Mon, 99 Nov 99999 10:00:30 GMT", "Date": "x"}, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert verdict_of(REPORTING, 429, headers, b"").retry_after == seconds


_names = st.sampled_from(
    "validationResults errorMessages warningMessages infoMessages errors status message code category errorMessage "
    "reportingStatus clearanceStatus clearedInvoice value".split()
) | st.text(max_size=5)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.sampled_from(Endpoint), st.integers(100, 599), _JSON.map(json.dumps).map(str.encode) | st.binary(max_size=50))
def test_no_body_raises_and_nothing_unreadable_is_final(endpoint: Endpoint, status: int, body: bytes) -> None:
    verdict = verdict_of(endpoint, status, {}, body)
    if verdict.outcome is Outcome.ACCEPTED:
        assert b"REPORTED" in body or b"CLEARED" in body or endpoint is CHECK
    if verdict.outcome is Outcome.REJECTED:
        assert verdict.findings or b"NOT_" in body
