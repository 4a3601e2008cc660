"""Every named fault has its shape, comes before or after the request is dealt with, and leads the client right."""

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from gateway.simulator import CATALOGUE, SURVIVABLE, named
from gateway.simulator.calls import CALLS
from gateway.simulator.catalogue import CHECK, CLEARANCE, COMPLIANCE, PRODUCTION, REPORTING
from gateway.simulator.document import Document
from gateway.simulator.judge import is_signed_by, qr_remarks, seal_remarks
from gateway.unit import Environment
from gateway.verdict import Outcome

DOCUMENTS = [name for name, row in CATALOGUE.items() if not row.fault.paths & {COMPLIANCE, PRODUCTION, CHECK}]
DOCUMENTS += ["warned", "machinery", "null-codes", "too-large", "too-large-page"]


@pytest.fixture
def send(simulator: Any, enrolled: Any) -> Any:
    """Sends a document as a plain HTTP client, and gives what comes back."""
    _, credentials = enrolled

    def to(path: str, submission: Any, language: str = "en") -> httpx2.Response:
        body = {
            "invoiceHash": submission.hash,
            "uuid": submission.uuid,
            "invoice": base64.b64encode(submission.xml).decode(),
        }
        headers = {"Accept-Version": "V2", "Accept-Language": language}
        url = f"{simulator.url(Environment.SANDBOX)}/{path}"
        with httpx2.Client(trust_env=False, auth=(credentials.token, credentials.secret)) as client:
            return client.post(url, json=body, headers=headers)

    return to


def _path(name: str) -> str:
    paths = CATALOGUE[name].fault.paths
    return CLEARANCE if paths == {CLEARANCE} else REPORTING


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_fault_does_what_it_says_and_the_client_gets_over_it(
    talk: Any, enrolled: Any, simulator: Any, name: str
) -> None:
    """Whatever is answered once, sending again (or going where the answer points) ends with one accepted document."""
    till, credentials = enrolled
    row, path = CATALOGUE[name], _path(name)
    document = till.document("01" if path == CLEARANCE else "02")
    simulator.faults.add(named(name, delay=0.0, refuse=0.0))

    async def send(authority: Any) -> tuple[Any, bool, Any]:
        call = authority.clear if path == CLEARANCE else authority.report
        first = await call(credentials, document)
        received = bool(simulator.state.accepted)
        if first.outcome is Outcome.CLEARANCE_OFF:
            call = authority.report
        return first, received, await call(credentials, document)

    first, was_received, second = talk(send)
    assert was_received is row.fault.accept
    assert simulator.state.exchanges[-2].fault == name
    assert first.outcome is not Outcome.REJECTED
    assert first.outcome.is_accepted <= was_received, "nothing is accepted that was not received"
    assert second.outcome.is_accepted
    assert len(simulator.state.accepted) == 1


def test_survivable_faults_never_make_a_client_give_up(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    waiting = {Outcome.UNKNOWN, Outcome.NOT_RECEIVED, Outcome.CLEARANCE_OFF}

    async def send(authority: Any) -> list[tuple[str, str]]:
        given_up = []
        for name in SURVIVABLE:
            for path in {REPORTING, CLEARANCE} & (CATALOGUE[name].fault.paths or {REPORTING, CLEARANCE}):
                simulator.faults.add(named(name, delay=0.0))
                call, profile = (authority.clear, "01") if path == CLEARANCE else (authority.report, "02")
                outcome = (await call(credentials, till.document(profile))).outcome
                if not outcome.is_accepted and outcome not in waiting:
                    given_up.append((name, path))
        return given_up

    assert talk(send) == []


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("internal-error", 500, {"category": "HTTP-Errors", "code": "500"}),
        ("system-failed", 500, {"code": "Invalid-Request", "message": "System failed to process your request"}),
        ("unauthorized", 401, {"status": 401, "error": "Unauthorized", "message": ""}),
        ("duplicate-flat", 409, {"reportingStatus": "REPORTED_SUCCESSFULLY_EARLIER"}),
        ("duplicate", 409, {"reportingStatus": "NOT_REPORTED"}),
        ("machinery", 400, {"reportingStatus": "NOT_REPORTED"}),
        ("warned", 202, {"reportingStatus": "REPORTED"}),
        ("switched-off", 303, {}),
        ("duplicate-cleared", 208, {"clearanceStatus": "CLEARED"}),
        ("duplicate-cleared-warned", 208, {"clearanceStatus": "CLEARED"}),
        ("nothing-cleared", 200, {"clearanceStatus": "CLEARED", "clearedInvoice": None}),
    ],
)
def test_shapes_in_json(send: Any, enrolled: Any, simulator: Any, name: str, status: int, body: Any) -> None:
    till, _ = enrolled
    path = _path(name)
    simulator.faults.add(named(name))
    answer = send(path, till.document("01" if path == CLEARANCE else "02"))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert body.items() <= answer.json().items()


def _messages(answer: httpx2.Response, kind: str) -> list[tuple[str | None, str | None]]:
    return [(each["code"], each["category"]) for each in answer.json()["validationResults"][kind]]


def test_codes_of_duplicates_and_disguises(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled

    def answer(name: str, profile: str = "02") -> httpx2.Response:
        simulator.faults.add(named(name))
        return send(_path(name), till.document(profile))

    assert _messages(answer("duplicate"), "errorMessages") == [(None, None)]
    assert _messages(answer("duplicate-coded"), "errorMessages") == [("Invoice-Errors", "Duplicate-Invoice")]
    assert _messages(answer("machinery"), "errorMessages") == [("GENERAL", "BUSINESS_RULES")]
    assert _messages(answer("warned"), "warningMessages") == [("BR-KSA-98", "KSA")]
    assert _messages(answer("null-codes"), "infoMessages") == [(None, None)]
    warned = answer("duplicate-cleared-warned", "01")
    assert _messages(warned, "warningMessages") == [("Invoice-Warning", "Duplicate-Invoice")]
    assert _messages(answer("duplicate-cleared", "01"), "warningMessages") == []


@pytest.mark.parametrize(
    ("name", "status", "kind", "words"),
    [
        ("unavailable", 503, "text/html", "<center>nginx</center>"),
        ("gateway-timeout", 504, "text/html", "504 Gateway Time-out"),
        ("bad-gateway", 502, "text/html", "502 Bad Gateway"),
        ("too-large", 413, "text/plain", ""),
        ("too-large-page", 413, "text/html", "413 Request Entity Too Large"),
        ("forbidden-page", 403, "text/html", "403 Forbidden"),
        ("unauthorized-page", 401, "text/html", "401 Authorization Required"),
        ("not-acceptable", 406, "text/plain;charset=UTF-8", "This Version is not supported"),
        ("page", 200, "text/html", "One moment"),
        ("list", 200, "application/json", "[]"),
        ("empty", 200, "application/json", ""),
        ("limited", 429, "text/plain", ""),
    ],
)
def test_shapes_that_are_no_json_object(
    send: Any, enrolled: Any, simulator: Any, name: str, status: int, kind: str, words: str
) -> None:
    till, _ = enrolled
    simulator.faults.add(named(name))
    answer = send(REPORTING, till.document("02"))
    assert (answer.status_code, answer.headers["content-type"].replace("; charset=utf-8", "")) == (status, kind)
    assert words in answer.text
    assert bool(answer.text) is bool(words)
    assert "Retry-After" not in answer.headers


def test_limits_say_how_long_by_the_simulators_clock(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    document = till.document("02")
    simulator.state.set_clock(datetime(2030, 1, 1, tzinfo=UTC), timedelta(0))
    simulator.faults.add(named("limited-seconds", retry_after=17))
    simulator.faults.add(named("limited-date", retry_after=17))
    assert send(REPORTING, document).headers["Retry-After"] == "17"
    answer = send(REPORTING, document)
    assert answer.headers["Date"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert parsedate_to_datetime(answer.headers["Retry-After"]) == datetime(2030, 1, 1, 0, 0, 17, tzinfo=UTC)


def test_cut_json_and_broken_base64(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    simulator.faults.add(named("cut-json"))
    cut = send(REPORTING, till.document("02"))
    with pytest.raises(json.JSONDecodeError):
        cut.json()
    assert cut.text.startswith('{"validationResults"')
    simulator.faults.add(named("cut-cleared"))
    half = send(CLEARANCE, till.document("01")).json()["clearedInvoice"]
    with pytest.raises(ValueError):
        base64.b64decode(half, validate=True)


def test_a_foreign_cleared_document_is_whole_but_not_ours(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    document = till.document("01")
    simulator.faults.add(named("foreign-cleared"))
    cleared = Document.read(base64.b64decode(send(CLEARANCE, document).json()["clearedInvoice"]))
    ca = simulator.state.ca.certificate
    assert cleared.uuid != document.uuid
    assert cleared.hash_text != document.hash
    assert [*seal_remarks(cleared, ca), *qr_remarks(cleared, ca)] == []
    assert is_signed_by(cleared, cleared.text("//ds:SignatureValue"), ca)


def test_what_reshapes_an_acceptance_leaves_a_rejection_as_it_is(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    bad = till.document("02")._replace(uuid="another")
    for name in ("duplicate", "duplicate-flat", "warned"):
        simulator.faults.add(named(name))
        assert send(REPORTING, bad).status_code == 400, name
    simulator.faults.add(named("null-codes"))
    assert _messages(send(REPORTING, bad), "errorMessages") == [(None, None)]
    for name in ("duplicate-cleared", "foreign-cleared", "cut-cleared", "nothing-cleared"):
        simulator.faults.add(named(name))
        assert send(CLEARANCE, bad).status_code == 400, name


def test_the_older_form_of_the_compliance_check(talk: Any, till: Any, simulator: Any) -> None:
    async def check(authority: Any) -> Any:
        compliance = await authority.compliance_csid(till.csr(), "123456")
        till.take(compliance)
        simulator.faults.add(named("older-form"))
        return await authority.check_compliance(compliance, till.document("02"))

    verdict = talk(check)
    assert verdict.outcome is Outcome.ACCEPTED
    assert isinstance(json.loads(verdict.body)["infoMessages"], dict)


@pytest.mark.parametrize("name", [name for name, row in CATALOGUE.items() if COMPLIANCE in row.fault.paths])
def test_refusals_of_certificates(simulator: Any, name: str) -> None:
    simulator.faults.add(named(name))
    url = f"{simulator.url(Environment.SANDBOX)}/compliance"
    answer = httpx2.post(url, json={}, headers={"Accept-Version": "V2"}, trust_env=False)
    shape = {
        "errors-listed": lambda body: body["errors"][0]["code"],
        "errors-as-strings": lambda body: body["errors"][0].startswith("The"),
        "flat-error": lambda body: body["errorCategory"],
        "bare-error": lambda body: body["code"],
        "not-compliant": lambda body: body["requestID"] == -1 and body["errors"][0].startswith("Invoice type"),
    }[name]
    assert answer.status_code == (200 if name == "not-compliant" else 400)
    assert shape(answer.json())


def test_a_named_fault_waits_for_the_calls_it_is_about(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    simulator.faults.add(named("switched-off"))
    assert send(REPORTING, till.document("02")).status_code == 200
    document = till.document("01")
    assert send(CLEARANCE, document).status_code == 303
    assert send(REPORTING, till.document("01")).status_code == 400
    assert send(REPORTING, document).status_code == 200
    again = send(CLEARANCE, document)
    assert (again.status_code, again.json()["clearanceStatus"]) == (208, "CLEARED")
    assert len(simulator.state.accepted) == 2


def test_an_outage_until_a_moment(send: Any, enrolled: Any, simulator: Any) -> None:
    till, _ = enrolled
    start = simulator.state.now()
    simulator.state.set_clock(start, timedelta(0))
    simulator.faults.add(named("unavailable", until=start + timedelta(hours=20)))
    document = till.document("02")
    statuses = [send(REPORTING, document).status_code for _ in range(3)]
    simulator.state.set_clock(start + timedelta(hours=20), timedelta(0))
    assert [*statuses, send(REPORTING, document).status_code] == [503, 503, 503, 200]
    assert simulator.faults.queue == []


def test_there_is_no_such_fault() -> None:
    with pytest.raises(ValueError, match="no fault 'x'"):
        named("x")


def test_every_fault_explains_itself_and_paths_are_calls() -> None:
    paths = {path for _, path, _ in CALLS}
    for row in CATALOGUE.values():
        assert row.meaning.endswith(".")
        assert row.fault.name == row.name
        assert row.fault.paths <= paths
