"""The client over real HTTP: what it sends, and that nothing which goes wrong on the way becomes an exception."""

import asyncio
import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.authority import BASE_URLS, Authority, Credentials, Submission
from gateway.authority.client import MAX_ANSWER
from gateway.errors import BadInput, Misconfigured, Unavailable
from gateway.unit import Environment
from gateway.verdict import Outcome

CREDENTIALS = Credentials("42", "TOKEN", "s3cret", "ISSUED", is_compliance=False)
DOCUMENT = Submission("uuid-1", "aGFzaA==", b"<Invoice/>")
GRANTED = {
    "requestID": 1,
    "dispositionMessage": "ISSUED",
    "binarySecurityToken": base64.b64encode(base64.b64encode(b"\x30\x00")).decode(),
    "secret": "s",
}


class _Recorder(ThreadingHTTPServer):
    """Answers everything with `answer` and keeps what it was asked."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] = (500, {}, b"")

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/e-invoicing/core/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Recorder

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers, json.loads(body)))
        status, extra, content = self.server.answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_PATCH(self) -> None:
        self.do_POST()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[_Recorder]:
    with _Recorder() as recorder:
        thread = threading.Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()


def _talk(url: str, conversation: Any, *, timeout: float = 5.0, language: str = "en") -> Any:
    async def main() -> Any:
        async with Authority(url, timeout=timeout, language=language) as authority:
            return await conversation(authority)

    return asyncio.run(main())


def _granting(server: _Recorder) -> None:
    server.answer = (200, {}, json.dumps(GRANTED).encode())


def test_documents_are_sent_as_the_api_wants_them(server: _Recorder) -> None:
    async def all_three(authority: Authority) -> None:
        await authority.report(CREDENTIALS, DOCUMENT)
        await authority.clear(CREDENTIALS, DOCUMENT)
        await authority.check_compliance(CREDENTIALS, DOCUMENT)

    _talk(server.url, all_three, language="ar")
    assert [(method, path) for method, path, _, _ in server.asked] == [
        ("POST", "/e-invoicing/core/invoices/reporting/single"),
        ("POST", "/e-invoicing/core/invoices/clearance/single"),
        ("POST", "/e-invoicing/core/compliance/invoices"),
    ]
    for _, _, headers, body in server.asked:
        assert body == {
            "invoiceHash": DOCUMENT.hash,
            "uuid": DOCUMENT.uuid,
            "invoice": base64.b64encode(DOCUMENT.xml).decode(),
        }
        assert headers["authorization"] == "Basic " + base64.b64encode(b"TOKEN:s3cret").decode()
        assert (headers["accept-version"], headers["accept-language"]) == ("V2", "ar")
        assert (headers["accept"], headers["content-type"]) == ("application/json", "application/json")
    assert [headers.get("clearance-status") for _, _, headers, _ in server.asked] == ["1", "1", None]


def test_certificates_are_asked_for_as_the_api_wants_it(server: _Recorder) -> None:
    _granting(server)

    async def all_three(authority: Authority) -> None:
        await authority.compliance_csid(b"PEM", "123456")
        await authority.production_csid(CREDENTIALS)
        await authority.renew(CREDENTIALS, b"PEM", "654321")

    _talk(server.url, all_three)
    csr = {"csr": base64.b64encode(b"PEM").decode()}
    asked = [(m, p, h.get("otp"), "authorization" in h, b) for m, p, h, b in server.asked]
    assert asked == [
        ("POST", "/e-invoicing/core/compliance", "123456", False, csr),
        ("POST", "/e-invoicing/core/production/csids", None, True, {"compliance_request_id": "42"}),
        ("PATCH", "/e-invoicing/core/production/csids", "654321", True, csr),
    ]


def test_connections_are_kept_and_shared(server: _Recorder) -> None:
    async def often(authority: Authority) -> None:
        for _ in range(5):
            await authority.report(CREDENTIALS, DOCUMENT)

    _talk(server.url, often)
    assert (len(server.asked), server.connections) == (5, 1)


def test_a_redirect_is_an_answer_and_is_not_followed(server: _Recorder) -> None:
    server.answer = (303, {"Location": "/elsewhere"}, b'{"message":"Clearance is deactiviated."}')
    verdict = _talk(server.url, lambda authority: authority.clear(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, len(server.asked)) == (Outcome.CLEARANCE_OFF, 1)


def test_retry_after_reaches_the_verdict(server: _Recorder) -> None:
    server.answer = (429, {"Retry-After": "17"}, b"")
    verdict = _talk(server.url, lambda authority: authority.report(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, verdict.retry_after) == (Outcome.LIMITED, 17.0)


def test_an_endless_answer_is_cut_off_and_unknown(server: _Recorder) -> None:
    server.answer = (200, {}, b'{"reportingStatus":"REPORTED","x":"' + b"x" * (MAX_ANSWER + 100_000) + b'"}')
    verdict = _talk(server.url, lambda authority: authority.report(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, verdict.status, len(verdict.body)) == (Outcome.UNKNOWN, 200, MAX_ANSWER)


def test_an_answer_cut_short_is_unknown(server: _Recorder) -> None:
    server.answer = (200, {"Content-Length": "99", "Connection": "close"}, b'{"reportingStatus":"REPORTED"}')
    verdict = _talk(server.url, lambda authority: authority.report(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, verdict.status, verdict.body) == (Outcome.UNKNOWN, 0, b"")


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[str]:
    """Accepts a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_connection_is_unknown_for_documents_and_unavailable_for_certificates(scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{_closed_port()}"
    verdict = _talk(url, lambda authority: authority.clear(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, verdict.status) == (Outcome.UNKNOWN, 0)
    assert "No answer came" in verdict.detail
    with pytest.raises(Unavailable, match="No answer came") as unavailable:
        _talk(url, lambda authority: authority.compliance_csid(b"PEM", "123456"))
    assert "s3cret" not in str(unavailable.value)
    assert unavailable.value.ar


def test_silence_is_unknown_after_the_timeout(silent: str) -> None:
    verdict = _talk(silent, lambda authority: authority.report(CREDENTIALS, DOCUMENT), timeout=0.2)
    assert (verdict.outcome, verdict.status) == (Outcome.UNKNOWN, 0)


def test_tls_that_fails_is_unknown(server: _Recorder) -> None:
    url = server.url.replace("http://", "https://")
    verdict = _talk(url, lambda authority: authority.report(CREDENTIALS, DOCUMENT))
    assert (verdict.outcome, verdict.status, server.asked) == (Outcome.UNKNOWN, 0, [])


@pytest.mark.parametrize("otp", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "12345\n"])
def test_a_malformed_otp_is_never_sent(server: _Recorder, otp: str) -> None:
    with pytest.raises(BadInput, match="six digits"):
        _talk(server.url, lambda authority: authority.compliance_csid(b"PEM", otp))
    assert server.asked == []


@pytest.mark.parametrize("url", ["", "gw-fatoora.zatca.gov.sa", "http://gw-fatoora.zatca.gov.sa/", "ftp://localhost"])
def test_credentials_never_travel_in_the_clear(url: str) -> None:
    with pytest.raises(Misconfigured, match="https"):
        Authority(url, timeout=1)


def test_every_environment_has_its_address() -> None:
    assert set(BASE_URLS) == set(Environment)
    assert all(Authority(url, timeout=1) for url in BASE_URLS.values())
