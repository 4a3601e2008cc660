"""The management port: what it lists, what it switches, and whom it answers."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from gateway import simulator as simulators
from gateway.commands.servers import simulate_command
from gateway.simulator import CATALOGUE, SURVIVABLE, Fault, Strict, create
from gateway.simulator.faults import MAX_QUEUED_TEXT
from gateway.simulator.guard import MAX_BODY
from gateway.simulator.management import MAX_PAGE
from gateway.unit import Environment


@pytest.fixture
def management(simulator: Any) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=simulator.management_url, trust_env=False) as client:
        yield client


def _call(simulator: Any) -> httpx2.Response:
    url = f"{simulator.url(Environment.SANDBOX)}/compliance"
    return httpx2.post(url, json={}, headers={"Accept-Version": "V2"}, trust_env=False)


def test_the_catalogue_is_listed_with_its_meanings(management: httpx2.Client) -> None:
    listed = management.get("/faults").json()["catalogue"]
    assert [row["name"] for row in listed] == list(CATALOGUE)
    assert {row["name"] for row in listed if row["survivable"]} == set(SURVIVABLE)
    assert all(row["meaning"].endswith(".") for row in listed)


def test_a_fault_is_queued_by_name_and_taken_back(management: httpx2.Client, simulator: Any) -> None:
    assert management.post("/faults", json={"name": "unavailable", "times": 2}).status_code == 204
    assert _call(simulator).status_code == 503
    queued = management.get("/faults").json()["queued"]
    assert [(fault["name"], fault["times"]) for fault in queued] == [("unavailable", 1)]
    assert management.delete("/faults").status_code == 204
    assert _call(simulator).status_code == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "nonsense"}, "no fault 'nonsense'"),
        ({"name": "unavailable", "status": 500}, "has its own status"),
        ({"name": "unavailable", "accept": True}, "has its own accept"),
        ({"status": 204, "body": "x"}, "no body"),
        ({"status": 200, "headers": {"A": "b\r\nC: d"}}, "cannot be sent"),
        ({"status": 200, "headers": {"Content-Length": "7"}}, "follows from the body"),
        ({"status": 1}, "200 to 599"),
        ({"retry_after": -1}, "retry_after"),
        ({"times": 0}, "times"),
    ],
)
def test_faults_that_cannot_be_are_refused(management: httpx2.Client, body: dict[str, Any], words: str) -> None:
    answer = management.post("/faults", json=body)
    assert answer.status_code == 422
    assert words in answer.text


def test_a_free_form_fault_may_reset_the_connection(management: httpx2.Client, simulator: Any) -> None:
    management.post("/faults", json={"reset": True})
    with pytest.raises(httpx2.RequestError):
        _call(simulator)
    assert management.get("/exchanges").json()[-1]["fault"] == "reset"


def test_strict_mode_is_switched_on_and_off(management: httpx2.Client, simulator: Any) -> None:
    strict = {"seed": 4, "rate": 1.0, "faults": ["unavailable"]}
    assert management.post("/strict", json=strict).status_code == 204
    assert strict.items() <= management.get("/state").json()["strict"].items()
    assert [_call(simulator).status_code for _ in range(3)] == [503] * 3
    assert management.delete("/strict").status_code == 204
    assert (_call(simulator).status_code, management.get("/state").json()["strict"]) == (400, None)
    assert management.post("/strict", json={"faults": ["nonsense"]}).status_code == 422
    assert management.post("/strict", json={"rate": 2}).status_code == 422


def test_documents_and_calls_come_in_pages(talk: Any, enrolled: Any, simulator: Any, management: httpx2.Client) -> None:
    till, credentials = enrolled
    documents = [till.document("02") for _ in range(3)]

    async def report(authority: Any) -> None:
        for document in documents:
            await authority.report(credentials, document)

    talk(report)
    page = management.get("/documents", params={"offset": 1, "limit": 1})
    assert page.headers["X-Total-Count"] == "3"
    assert [each["uuid"] for each in page.json()] == [documents[1].uuid]
    found = management.get("/documents", params={"uuid": documents[2].uuid}).json()
    assert [each["icv"] for each in found] == [3]
    calls = management.get("/exchanges", params={"limit": 2}).json()
    assert [each["uuid"] for each in calls] == [documents[1].uuid, documents[2].uuid]
    for wrong in ({"limit": 0}, {"limit": MAX_PAGE + 1}, {"limit": "x"}):
        assert management.get("/exchanges", params=wrong).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8101"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "127.0.0.1:1"}, 200),
        ({"Host": "[::1]:8101"}, 200),
        ({"Host": "10.1.2.3:8101"}, 200),
        ({"Host": "evil.example:8101"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[evil]"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ({"Host": "localhost:1", "Origin": "http://evil.example"}, 403),
        ({"Host": "localhost:1", "Origin": "null"}, 403),
    ],
)
def test_it_answers_only_to_its_own_names(management: httpx2.Client, headers: dict[str, str], status: int) -> None:
    assert management.get("/state", headers=headers).status_code == status


def test_a_name_is_allowed_on_request(management: httpx2.Client, simulator: Any) -> None:
    simulator.state.names.add("simulator")
    try:
        assert management.get("/state", headers={"Host": "simulator:8101"}).status_code == 200
    finally:
        simulator.state.names.clear()


def test_a_foreign_page_cannot_give_orders_without_asking(management: httpx2.Client) -> None:
    """What a browser sends across without asking first: a form, or text that looks like JSON."""
    order = b'{"seconds": 600}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert management.post("/latency", content=order, headers={"Content-Type": kind}).status_code == 422
    assert management.get("/state").json()["latency"] == 0.0


@pytest.mark.parametrize(
    "body",
    [
        {"now": "0001-01-01T00:00:00Z"},
        {"now": "2030-01-01"},
        {"advance": 1e300},
        {"offset": -3_162_240_000},
        {"now": "2000-01-01T00:00:00+14:00"},
        {"now": "2199-12-31T23:59:59-23:59"},
        {"now": "9999-12-31T23:59:59-12:00"},
    ],
)
def test_the_clock_stays_where_calendars_are(management: httpx2.Client, simulator: Any, body: dict[str, Any]) -> None:
    assert management.post("/clock", json=body).status_code == 422
    assert httpx2.get(f"{simulator._base}/crl", trust_env=False).status_code == 200


def test_the_management_reads_and_keeps_so_much(management: httpx2.Client, simulator: Any) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"name": '
        yield b'"stall"}'

    json = {"Content-Type": "application/json"}
    assert management.post("/faults", content=chunks(), headers=json).status_code == 204
    assert management.post("/faults", content=b" " * (MAX_BODY + 1), headers=json).status_code == 413
    assert management.post("/faults", content=(b" " * 1_000_000 for _ in range(11)), headers=json).status_code == 413
    simulator.faults.queue.extend(Fault(status=200, body="x" * (MAX_QUEUED_TEXT // 10)) for _ in range(10))
    answer = management.post("/faults", json={"status": 200, "body": "x"})
    assert (answer.status_code, "bodies of all faults" in answer.text) == (422, True)
    assert management.post("/faults", json={"name": "reset"}).status_code == 204


def test_its_address_tells_what_can_be_called(management: httpx2.Client) -> None:
    told = management.get("/")
    assert told.status_code == 200
    for call in ("GET    /documents", "POST   /faults", "DELETE /strict", "NOT the authority"):
        assert call in told.text


def test_a_clock_that_was_advanced_to_its_end(management: httpx2.Client) -> None:
    century = 100 * 365 * 86_400
    assert management.post("/clock", json={"advance": century}).status_code == 204
    assert management.post("/clock", json={"advance": century}).status_code == 422


def test_everything_is_forgotten_at_a_reset(management: httpx2.Client) -> None:
    before = management.get("/state").json()
    for path, body in (
        ("/faults", {"name": "stall"}),
        ("/strict", {"rate": 0.0}),
        ("/clock", {"offset": 60}),
        ("/clearance", {"on": False}),
        ("/renewal", {"direct": True}),
        ("/canned", {"on": True}),
        ("/rules", {"id": "BR-KSA-98", "severity": "off"}),
    ):
        assert management.post(path, json=body).status_code == 204
    changed = management.get("/state").json()
    assert sum(before[name] != changed[name] for name in before) == 7
    management.post("/reset")
    after = management.get("/state").json()
    assert before | {"now": ""} == after | {"now": ""}


def _started(*arguments: str) -> Any:
    """What `gateway simulate` serves, without serving."""
    served: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulators, "serve", lambda place, simulator: served.append((place, simulator)))
        result = CliRunner().invoke(simulate_command, arguments)
    return result, served


def test_the_command_passes_on_what_it_is_told() -> None:
    options = "--host 0.0.0.0 --port 9 --management-host :: --management-port 8 --allow-name sim --url http://sim:9"
    _, [(place, plain)] = _started(*options.split())
    assert (place.host, place.port, place.management_host, place.management_port) == ("0.0.0.0", 9, "::", 8)  # noqa: S104
    assert (place.names, place.url, plain.faults.strict) == (("sim",), "http://sim:9", None)
    chance = "--strict-clients --seed 9 --fault-rate 0.5 --fault stall --fault limited --stall 2 --latency 0.1"
    _, [(place, strict)] = _started(*chance.split())
    assert (place.host, place.management_host) == ("127.0.0.1", "127.0.0.1")
    assert strict.faults.strict == Strict(9, 0.5, ("stall", "limited"), delay=0.2, stall=2.0, retry_after=1)
    assert strict.faults.latency == 0.1


def test_the_command_refuses_faults_that_there_are_not() -> None:
    result, served = _started("--strict-clients", "--fault", "nonsense")
    assert (result.exit_code, served) == (2, [])
    assert "nonsense" in result.output


def test_strict_from_the_start_survives_a_reset() -> None:
    simulator = create(strict=Strict(seed=2))
    simulator.state.reset()
    assert simulator.faults.strict == Strict(seed=2)


def test_all_of_it_is_imported_by_its_own_name() -> None:
    """Without the rest of the gateway: a stranger's test suite starts it in a process of its own."""
    script = "import gateway.simulator, sys; sys.exit('gateway.pipeline' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
