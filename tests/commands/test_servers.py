"""What keeps running: it starts, says where, stops when asked, and says so when its port is taken."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx2
import pytest

from gateway.demo.run import Result, Row
from tests.commands.conftest import complaint, run
from tests.installation import order


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_serve_on_a_taken_port(installed, taken, monkeypatch):
    monkeypatch.setenv("GATEWAY_PORT", str(taken))
    assert "choose another port" in complaint(run("serve"), f":{taken}")


def test_simulate_on_a_taken_port(taken):
    for option in ("--port", "--management-port"):
        arguments = {"--port": free_port(), "--management-port": free_port()} | {option: taken}
        complaint(run("simulate", *[part for pair in arguments.items() for part in pair]), str(taken))


def test_one_home_is_served_once(installed):
    with (installed.settings.home / "serve.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        complaint(run("serve"), str(installed.settings.home))


def test_serve_on_an_address_that_is_not_ours(installed, monkeypatch):
    monkeypatch.setenv("GATEWAY_HOST", "192.0.2.1")
    complaint(run("serve"), "192.0.2.1")


def answer_of(url, **more):
    until = time.monotonic() + 30
    while True:
        try:
            return httpx2.request(more.pop("method", "GET"), url, timeout=10, **more)
        except httpx2.TransportError:
            assert time.monotonic() < until, f"nothing answers at {url}"
            time.sleep(0.05)


def process(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


def test_serve_answers_and_stops_when_asked(installed):
    port = free_port()
    with process("serve", GATEWAY_PORT=str(port), GATEWAY_LOG_FORMAT="json") as server:
        try:
            url = f"http://127.0.0.1:{port}"
            assert answer_of(f"{url}/readyz").status_code == 200
            headers = {"Authorization": f"Bearer {installed.key}", "Prefer": "wait=20"}
            made = httpx2.post(f"{url}/v1/orders", json=order(1), headers=headers, timeout=30)
            assert (made.status_code, made.json()["status"]) == (201, "reported")
            server.send_signal(signal.SIGTERM)
            out, err = server.communicate(timeout=20)
        finally:
            server.kill()
    assert f"http://127.0.0.1:{port}" in err.decode()
    assert "Traceback" not in (out + err).decode()
    assert installed.key not in (out + err).decode()
    logged = [json.loads(line) for line in (out + err).decode().splitlines() if line.startswith("{")]
    assert [each["outcome"] for each in logged if each["event"] == "submitted"] == ["accepted"]


def test_simulate_is_an_authority_that_says_it_is_none():
    port, management = free_port(), free_port()
    with process("simulate", "--port", port, "--management-port", management) as simulator:
        try:
            assert answer_of(f"http://127.0.0.1:{management}/state").json()["documents"] == 0
            answer = answer_of(f"http://127.0.0.1:{port}/e-invoicing/developer-portal/compliance", method="POST")
            assert answer.status_code == 406
            simulator.send_signal(signal.SIGTERM)
            _, err = simulator.communicate(timeout=20)
        finally:
            simulator.kill()
    assert "NOT THE TAX AUTHORITY" in err.decode()
    assert "Traceback" not in err.decode()


def test_a_worker_alone_does_what_is_due_and_stops_when_asked(installed, tmp_path):
    file = tmp_path / "order.json"
    file.write_text(json.dumps(order(1)))
    (issued,) = run("issue", "--no-wait", "--json", file).rows
    with process("work") as worker:
        try:
            until = time.monotonic() + 30
            while run("status", "--json", issued["uuid"]).rows[0]["status"] != "reported":
                assert time.monotonic() < until
                time.sleep(0.1)
            worker.send_signal(signal.SIGINT)
            out, err = worker.communicate(timeout=20)
        finally:
            worker.kill()
    assert "Traceback" not in (out + err).decode()


# -- demo: what it shows of a result; the run itself is in tests/demo ------------------------------------------

ROW = Row("shop/1", "RUH1-000001", "1", "simplified invoice", "115.00 SAR", "15.00", "reported", "yes")


@pytest.fixture
def result(monkeypatch):
    """The result that the demo will have, in the test's hand."""
    result, asked = Result(rows=[ROW], proofs=["it held"]), {}
    result.asked = asked

    def run_demo(**options):
        asked.update(options)
        return result

    monkeypatch.setattr("gateway.demo.run.run_demo", run_demo)
    return result


def test_the_demo_shows_a_table_and_what_was_verified(result):
    result.waiting.append(("shop order 9", "does not close: 10.00 and 9.00"))
    ended = run("demo")
    assert ended.code == 0
    for part in (*ROW, "it held", "shop order 9", "does not close: 10.00 and 9.00"):
        assert part in ended.out
    assert result.asked == {"orders": None, "keep": False}


def test_a_demo_that_did_not_hold_is_exit_1(result):
    result.problems.append("the chain breaks")
    ended = run("demo", "--orders", "30", "--keep")
    assert ended.code == 1
    assert "FAILED the chain breaks" in ended.out
    assert result.asked == {"orders": 30, "keep": True}


def test_the_demo_for_programs(result):
    assert run("demo", "--json").rows == [ROW._asdict()]


@pytest.mark.parametrize("number", ["0", "1001", "x"])
def test_a_number_of_orders_that_is_none(number):
    complaint(run("demo", "--orders", number), "Usage: ")
