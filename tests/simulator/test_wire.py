"""What HTTP carries besides bodies: the clock, headers, methods, connections that live, break and are refused."""

import base64
import http.client
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from gateway.simulator import Fault, Running, create, named
from gateway.simulator.calls import CALLS
from gateway.simulator.server import Place, _announcement
from gateway.unit import Environment

V2 = {"Accept-Version": "V2"}


def _base(simulator: Any) -> str:
    return str(simulator.url(Environment.SANDBOX))


def _post(simulator: Any, path: str, body: Any) -> httpx2.Response:
    return httpx2.post(f"{simulator.management_url}{path}", json=body, trust_env=False)


def test_every_answer_tells_the_simulators_time_and_what_it_is(simulator: Any) -> None:
    assert _post(simulator, "/clock", {"now": "2031-02-03T04:05:06+03:00"}).status_code == 204
    simulator.faults.add(named("unavailable"))
    with httpx2.Client(trust_env=False, headers=V2) as client:
        answers = [client.post(f"{_base(simulator)}/compliance", json={}) for _ in range(2)]
        answers += [client.get(f"{_base(simulator)}/{path}") for path in ("nowhere", "compliance")]
    assert [answer.status_code for answer in answers] == [503, 400, 404, 405]
    for answer in answers:
        assert answer.headers.get_list("date") == ["Mon, 03 Feb 2031 01:05:06 GMT"]
        assert answer.headers["x-simulator"] == "simulator; not the tax authority"
        assert "server" not in answer.headers


def test_a_free_form_answer_has_the_headers_it_was_given(simulator: Any) -> None:
    simulator.faults.add(Fault(status=200, body="[]", headers={"Content-Type": "text/csv", "Date": "yesterday"}))
    answer = httpx2.post(f"{_base(simulator)}/compliance", json={}, headers=V2, trust_env=False)
    assert answer.headers.get_list("content-type") == ["text/csv"]
    assert answer.headers.get_list("date") == ["yesterday"]


def test_a_clock_that_is_wrong_runs_on(simulator: Any) -> None:
    _post(simulator, "/clock", {"offset": 7200})
    ahead = parsedate_to_datetime(httpx2.get(f"{_base(simulator)}/", trust_env=False).headers["date"])
    assert timedelta(seconds=7195) < ahead - datetime.now(UTC) < timedelta(seconds=7205)
    _post(simulator, "/clock", {})
    right = parsedate_to_datetime(httpx2.get(f"{_base(simulator)}/", trust_env=False).headers["date"])
    assert abs(right - datetime.now(UTC)) < timedelta(seconds=5)


def test_headers_that_are_missing_are_forgiven_but_the_version(simulator: Any) -> None:
    address = urlsplit(_base(simulator))
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    for headers, status in ((V2, 400), ({"Accept-Version": "v2"}, 406), ({}, 406)):
        connection.putrequest("POST", f"{address.path}/compliance", skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": "2"}.items():
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == status
    assert text == b"This Version is not supported or not provided in the header."
    connection.close()


def test_one_connection_carries_many_calls(simulator: Any) -> None:
    address = urlsplit(_base(simulator))
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    connection.connect()
    first = connection.sock
    for _ in range(5):
        connection.request("POST", f"{address.path}/compliance", b"{}", V2)
        connection.getresponse().read()
    assert connection.sock is first
    connection.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(simulator: Any, method: str) -> None:
    with httpx2.Client(trust_env=False, headers=V2) as client:
        statuses = {client.request(method, f"{_base(simulator)}/{path}").status_code for _, path, _ in CALLS}
    assert statuses == {405}


def test_unknown_paths_are_not_found(simulator: Any) -> None:
    base = _base(simulator)
    paths = (f"{base}/compliance/", f"{base}/x", f"{base}/../x", f"{base.rpartition('/')[0]}/moon/compliance")
    with httpx2.Client(trust_env=False, headers=V2) as client:
        assert {client.post(path, json={}).status_code for path in paths} == {404}


def test_the_front_page_says_what_it_is_not(simulator: Any) -> None:
    answer = httpx2.get(_base(simulator).partition("/e-invoicing")[0], trust_env=False)
    assert "It is NOT the authority" in answer.text


def test_rules_are_worded_in_arabic_for_who_asks_so(enrolled: Any, simulator: Any) -> None:
    till, credentials = enrolled
    document = till.document("02", edit=lambda xml: xml.replace("<cbc:BuildingNumber>1234<", "<cbc:BuildingNumber>12<"))
    body = {
        "invoiceHash": document.hash,
        "uuid": document.uuid,
        "invoice": base64.b64encode(document.xml).decode(),
    }

    def message(language: str) -> str:
        simulator.state.by_hash.clear()
        auth = (credentials.token, credentials.secret)
        headers = V2 | {"Accept-Language": language}
        url = f"{_base(simulator)}/invoices/reporting/single"
        answer = httpx2.post(url, json=body, headers=headers, auth=auth, trust_env=False)
        return str(answer.json()["validationResults"]["warningMessages"][0]["message"])

    def has_arabic(text: str) -> bool:
        return any("\u0600" <= letter <= "\u06ff" for letter in text)

    assert [has_arabic(message(language)) for language in ("ar", "AR-SA", "en", "fr", "")] == [True, True] + [False] * 3


def test_a_reset_is_a_reset(simulator: Any) -> None:
    """No byte of an answer, and the connection is not ended in an orderly way."""
    simulator.faults.add(named("reset"))
    address = urlsplit(_base(simulator))
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as connection:
        connection.sendall(b"POST /e-invoicing/core/compliance HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_silent_answer_ends_in_a_reset_and_was_dealt_with(simulator: Any) -> None:
    simulator.faults.add(named("stall", delay=0.1))
    started = time.monotonic()
    with pytest.raises(httpx2.RequestError):
        httpx2.post(f"{_base(simulator)}/compliance", json={}, headers=V2, trust_env=False)
    assert time.monotonic() - started >= 0.1
    assert [(each.status, each.fault) for each in simulator.state.exchanges] == [(0, "stall")]


def test_the_port_is_shut_for_a_while_and_opens_again() -> None:
    with Running() as simulator:
        url = f"{_base(simulator)}/compliance"
        with httpx2.Client(trust_env=False, headers=V2) as client:
            assert client.post(url, json={}).status_code == 400
            assert _post(simulator, "/refuse", {"seconds": 60}).status_code == 204
            with pytest.raises(httpx2.RequestError):
                client.post(url, json={})  # the connection that was kept
            with pytest.raises(httpx2.ConnectError):
                client.post(url, json={})
            assert _post(simulator, "/refuse", {"seconds": 0}).status_code == 204
            _opened(client, url)
            simulator.faults.add(named("refused", refuse=60.0))
            with pytest.raises(httpx2.RequestError):
                client.post(url, json={})
            with pytest.raises(httpx2.ConnectError):
                client.post(url, json={})
            _post(simulator, "/refuse", {"seconds": 0.05})
            _opened(client, url)


def _opened(client: httpx2.Client, url: str) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            assert client.post(url, json={}).status_code == 400
        except httpx2.ConnectError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the port stayed shut")


def test_a_simulator_ends_while_its_port_is_shut() -> None:
    started = time.monotonic()
    with Running() as simulator:
        assert httpx2.get(f"{simulator.management_url}/state", trust_env=False).status_code == 200
        _post(simulator, "/refuse", {"seconds": 600})
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(), "http://127.0.0.1:8100/e-invoicing/core"),
        (Place(host="0.0.0.0", management_host="::"), "http://[::1]:8101"),  # noqa: S104
        (Place(), "NOT THE TAX AUTHORITY"),
    ],
)
def test_the_announcement(place: Place, words: str) -> None:
    assert words in _announcement(create(), place, [place.port, place.management_port])
