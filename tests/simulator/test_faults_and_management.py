"""Answers that go wrong on demand, the management port, and starting and stopping."""

import base64
import json
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from gateway.errors import Misconfigured
from gateway.simulator import Fault, Faults, Running, create
from gateway.simulator.calls import CALLS
from gateway.unit import Environment
from gateway.verdict import Outcome


def test_a_lost_answer_is_told_from_a_lost_request(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    never_arrived, answer_lost = till.document("02"), till.document("02")

    async def send(authority: Any) -> list[Any]:
        simulator.faults.add(Fault(status=504, body="<html>504</html>"))
        simulator.faults.add(Fault(status=504, body="<html>504</html>", accept=True))
        documents = (never_arrived, answer_lost)
        return [await authority.report(credentials, d) for _ in range(2) for d in documents]

    verdicts = talk(send)
    assert [(v.outcome, v.status) for v in verdicts] == [
        (Outcome.UNKNOWN, 504),
        (Outcome.UNKNOWN, 504),
        (Outcome.ACCEPTED, 200),
        (Outcome.DUPLICATE, 409),
    ]
    assert len(simulator.state.accepted) == 2


def test_a_connection_breaks_off_before_or_after_accepting(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled

    async def send(authority: Any) -> list[Any]:
        simulator.faults.add(Fault(drop=True, endpoint="invoices/clearance/single"))
        simulator.faults.add(Fault(drop=True, accept=True, endpoint="invoices/clearance/single"))
        first, second = till.document("01"), till.document("01")
        return [await authority.clear(credentials, d) for d in (first, second, first, second)]

    verdicts = talk(send)
    assert [(v.outcome, v.status) for v in verdicts] == [
        (Outcome.UNKNOWN, 0),
        (Outcome.UNKNOWN, 0),
        (Outcome.ACCEPTED, 200),
        (Outcome.DUPLICATE, 208),
    ]
    exchanges = list(simulator.state.exchanges)[-4:]
    assert [exchange.status for exchange in exchanges] == [0, 0, 200, 208]
    assert [each.sent for each in exchanges[:2]] == [each.sent for each in exchanges[2:]], "the same bytes again"
    assert exchanges[0].sent != exchanges[1].sent


def test_an_answer_slower_than_the_client_waits_is_unknown(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("02")
    simulator.faults.add(Fault(delay=0.3))
    verdict = talk(lambda authority: authority.report(credentials, document), timeout=0.15)
    assert (verdict.outcome, verdict.status, verdict.body) == (Outcome.UNKNOWN, 0, b"")
    assert "No answer" in verdict.detail
    until = time.monotonic() + 5
    while not simulator.state.accepted and time.monotonic() < until:
        time.sleep(0.01)
    assert talk(lambda authority: authority.report(credentials, document)).outcome is Outcome.DUPLICATE


def test_faults_wait_for_their_endpoint_and_are_used_up() -> None:
    faults = Faults(queue=[Fault(status=500, endpoint="compliance", times=2), Fault(status=503)])
    assert [f.status if (f := faults.next(path)) else None for path in ("x", "compliance", "compliance", "x")] == [
        503,
        500,
        500,
        None,
    ]


@pytest.mark.parametrize("wrong", [{"status": 99}, {"delay": -1.0}, {"times": 0}])
def test_impossible_faults_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Fault(**wrong)


def test_management_shows_what_was_accepted(talk: Any, enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("02")
    talk(lambda authority: authority.report(credentials, document))
    with httpx2.Client(base_url=simulator.management_url, trust_env=False) as management:
        (shown,) = management.get("/documents").json()
        exchanges = management.get("/exchanges").json()
        assert "BEGIN CERTIFICATE" in management.get("/ca.pem").text
    assert (shown["uuid"], shown["hash"], shown["icv"]) == (document.uuid, document.hash, 1)
    assert (shown["csid"], shown["status"]) == (credentials.request_id, "REPORTED")
    assert base64.b64decode(shown["xml"]) == document.xml
    assert exchanges[-1].pop("at")
    assert len(exchanges[-1].pop("sent")) == 64
    assert exchanges[-1] == {
        "endpoint": "invoices/reporting/single",
        "status": 200,
        "uuid": document.uuid,
        "world": "developer-portal",
        "fault": "",
    }


def test_management_sets_faults_clock_clearance_otp_and_forgets(simulator: Any) -> None:
    with httpx2.Client(base_url=simulator.management_url, trust_env=False) as management:
        assert management.post("/faults", json={"status": 503, "headers": {"Retry-After": "7"}}).status_code == 204
        assert management.post("/faults", json={"status": 1}).status_code == 422
        assert management.post("/faults", json={"no": 1}).status_code == 422
        assert management.post("/clearance", json={"on": False}).status_code == 204
        assert management.post("/latency", json={"seconds": 0.01}).status_code == 204
        assert management.post("/clock", json={"now": "2030-01-01T00:00:00+03:00"}).status_code == 204
        assert management.post("/clock", json={"advance": 60}).status_code == 204
        otp = management.post("/otps", json={"world": "core"}).json()["otp"]
        state = management.get("/state").json()
        assert management.post("/reset").status_code == 204
        after = management.get("/state").json()
    assert len(otp) == 6
    assert state["faults"][0]["headers"] == {"Retry-After": "7"}
    assert (state["clearance_on"], state["latency"]) == (False, 0.01)
    assert state["now"] == "2030-01-01T00:01:00+03:00"
    assert (after["faults"], after["clearance_on"], after["documents"]) == ([], True, 0)


def test_a_version_other_than_v2_is_not_acceptable(simulator: Any) -> None:
    url = f"{simulator.url(Environment.SANDBOX)}/invoices/reporting/single"
    with httpx2.Client(trust_env=False) as client:
        old = client.post(url, json={}, headers={"Accept-Version": "V1"})
        nobody = client.post(url, json={}, headers={"Accept-Version": "V2"})
        elsewhere = client.post(url.replace("developer-portal", "moon"), json={})
        too_large = client.post(url, content=b"x" * 5_000_001, headers={"Accept-Version": "V2"})
    assert (old.status_code, old.headers["content-type"]) == (406, "text/plain;charset=UTF-8")
    assert nobody.status_code == 401
    assert nobody.json() | {"timestamp": 0} == {"timestamp": 0, "status": 401, "error": "Unauthorized", "message": ""}
    assert elsewhere.status_code == 404
    assert too_large.status_code == 413


_DOCTYPE = b'<!DOCTYPE x [<!ENTITY e "e">]><Invoice>&e;</Invoice>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'{"invoice": 7, "invoiceHash": [], "uuid": {}}',
        b'{"invoice": "%", "invoiceHash": "%", "uuid": null}',
        json.dumps({"invoiceHash": "A" * 43 + "=", "invoice": base64.b64encode(b"<a/>").decode()}).encode(),
        json.dumps({"invoiceHash": "A" * 43 + "=", "invoice": base64.b64encode(_DOCTYPE).decode()}).encode(),
        b'{"csr": "%", "compliance_request_id": []}',
        b'{"csr": [], "compliance_request_id": null}',
    ],
)
def test_odd_bodies_are_refused_and_break_nothing(enrolled: Any, simulator: Any, body: bytes) -> None:
    _, credentials = enrolled
    headers = {"Accept-Version": "V2", "OTP": "123456"}
    with httpx2.Client(auth=(credentials.token, credentials.secret), trust_env=False) as client:
        for method, path, _ in CALLS:
            answer = client.request(
                method, f"{simulator.url(Environment.SANDBOX)}/{path}", content=body, headers=headers
            )
            assert answer.status_code in (400, 401), path


def test_clearance_status_0_provokes_a_303_in_the_developer_portal(enrolled: Any, simulator: Any) -> None:
    _, credentials = enrolled
    url = f"{simulator.url(Environment.SANDBOX)}/invoices/clearance/single"
    headers = {"Accept-Version": "V2", "Clearance-Status": "0"}
    with httpx2.Client(auth=(credentials.token, credentials.secret), trust_env=False) as client:
        answer = client.post(url, json={}, headers=headers)
    assert (answer.status_code, list(answer.json())) == (303, ["message"])


def test_a_taken_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"127.0.0.1:{port}"), Running(port=port):
            pass


def test_each_simulator_has_a_certification_authority_of_its_own() -> None:
    assert create().state.ca.certificate != create().state.ca.certificate


def test_the_clock_is_an_argument(now_fixed: Any) -> None:
    state = create(clock=lambda: now_fixed).state
    assert state.now() == now_fixed
    state.frozen_at = now_fixed + timedelta(days=1)
    assert state.now() - now_fixed == timedelta(days=1)


@pytest.fixture
def now_fixed() -> Any:
    return datetime(2026, 11, 23, 10, tzinfo=UTC)


def test_serving_says_what_it_is_not_and_ends_on_a_signal() -> None:
    script = "from gateway.simulator import Place, serve; serve(Place(port=0, management_port=0))"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        banner = [process.stderr.readline() for _ in range(8)]
        url = next(line.split()[-1] for line in banner if "management" in line)
        with httpx2.Client(trust_env=False) as client:
            assert client.get(f"{url}/state").status_code == 200
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
    assert "NOT THE TAX AUTHORITY" in "".join(banner)
    assert process.returncode == 0
    assert time.monotonic() - started < 5
