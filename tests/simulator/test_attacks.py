"""Nothing a caller sends makes the simulator fall over: arbitrary headers, bodies and documents to every call."""

import asyncio
import base64
import copy
import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.authority import Credentials, Submission
from gateway.errors import UnreadableXml
from gateway.simulator import Simulator, create
from gateway.simulator.ca import read_request
from gateway.simulator.calls import CALLS
from gateway.simulator.document import Document
from gateway.simulator.state import Csid, World

PLANNED = {200, 202, 208, 303, 400, 401, 404, 406, 409, 413, 428}
CALM = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("csr", "invoice", "invoiceHash", "uuid", "compliance_request_id")
BASE64 = st.binary(max_size=60).map(lambda content: base64.b64encode(content).decode())
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON | BASE64))
BODIES = st.binary(max_size=200) | (FIELDS | JSON).map(lambda value: json.dumps(value).encode())
HEADER = st.binary(max_size=40).map(lambda value: bytes(each for each in value if each >= 32 and each != 127).strip())
HEADERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("otp", "authorization", "accept-language", "clearance-status", "accept-version"), HEADER),
)


class Victim:
    """A simulator without a server between, so that what goes wrong within is raised here; and one of its tills."""

    def __init__(self, till: Any) -> None:
        self.simulator: Simulator = create()
        state = self.simulator.state
        request = read_request(base64.b64encode(till.csr()).decode(), World.DEVELOPER.templates)
        self.csids: dict[bool, Csid] = {
            kind: state.enrol(World.DEVELOPER, request, is_compliance=kind) for kind in (True, False)
        }
        csid = self.csids[False]
        till.take(Credentials("1", csid.token, csid.secret, "ISSUED", is_compliance=False))
        self.till = till

    def send(self, app: Any, method: str, path: str, body: bytes, headers: dict[str, bytes]) -> httpx2.Response:
        async def call() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, content=body, headers=list(headers.items()))

        return asyncio.run(call())

    def submit(self, path: str, body: bytes, **headers: bytes) -> httpx2.Response:
        """As the till, with the credentials that fit the call."""
        csid = self.csids[path in ("compliance", "compliance/invoices") or path == "production/csids"]
        password = base64.b64encode(f"{csid.token}:{csid.secret}".encode())
        known = {"accept-version": b"V2", "otp": b"123456", "authorization": b"Basic " + password}
        method = next(method for method, each, _ in CALLS if each == path)
        return self.send(self.simulator.api, method, f"/e-invoicing/developer-portal/{path}", body, known | headers)


@pytest.fixture
def victim(tool: Any) -> Victim:
    return Victim(tool.Till())


def _body(submission: Submission, xml: bytes) -> bytes:
    """The body a careful attacker sends: hash and UUID are those of the changed document."""
    try:
        document = Document.read(xml)
        claimed, uuid = document.hash_text, document.uuid
    except (UnreadableXml, ValueError):  # the simulator has to find out by itself
        claimed, uuid = submission.hash, submission.uuid
    encoded = base64.b64encode(xml).decode()
    return json.dumps({"invoiceHash": claimed, "uuid": uuid, "invoice": encoded}).encode()


@CALM
@given(data=st.data())
def test_any_headers_and_bodies(victim: Victim, data: st.DataObject) -> None:
    method, path, _ = data.draw(st.sampled_from(CALLS))
    world = data.draw(st.sampled_from([*World, "moon", "%00"]))
    body, headers = data.draw(BODIES), data.draw(HEADERS)
    answer = victim.send(victim.simulator.api, method, f"/e-invoicing/{world}/{path}", body, headers)
    assert answer.status_code in PLANNED


@CALM
@given(data=st.data())
def test_any_bodies_of_one_who_is_signed_in(victim: Victim, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted({path for _, path, _ in CALLS})))
    answer = victim.submit(path, data.draw(BODIES), **{"accept-language": data.draw(HEADER)})
    assert answer.status_code in PLANNED
    assert victim.send(victim.simulator.management, "GET", "/exchanges", b"", {}).status_code == 200


SPLINTERS = (b"", b"<", b">", b"&#0;", b"\xff", b"0", b"<cac:Signature/>", b" ")
EDITS = st.lists(
    st.tuples(st.floats(0, 0.9999), st.integers(0, 40), st.sampled_from(SPLINTERS)), min_size=1, max_size=3
)


@CALM
@given(profile=st.sampled_from(("01", "02")), edits=EDITS)
def test_documents_whose_bytes_were_changed(
    victim: Victim, profile: str, edits: list[tuple[float, int, bytes]]
) -> None:
    submission = victim.till.document(profile)
    xml = bytearray(submission.xml)
    for place, length, splinter in edits:
        start = int(place * len(xml))
        xml[start : start + length] = splinter
    assert victim.submit(PATHS[profile], _body(submission, bytes(xml))).status_code in PLANNED


PATHS = {"01": "invoices/clearance/single", "02": "invoices/reporting/single"}
TREE_EDITS = st.lists(
    st.tuples(st.floats(0, 0.9999), st.sampled_from(("delete", "double", "empty", "text")), st.text(max_size=12)),
    min_size=1,
    max_size=3,
)


@CALM
@given(profile=st.sampled_from(("01", "02")), edits=TREE_EDITS)
def test_documents_whose_elements_were_changed(
    victim: Victim, profile: str, edits: list[tuple[float, str, str]]
) -> None:
    submission = victim.till.document(profile)
    root = etree.fromstring(submission.xml)
    for place, what, text in edits:
        elements = list(root.iter("*"))
        _change(elements[int(place * len(elements))], what, text)
    assert victim.submit(PATHS[profile], _body(submission, etree.tostring(root))).status_code in PLANNED


def _change(element: etree._Element, what: str, text: str) -> None:
    parent = element.getparent()
    if what == "text":
        element.text = "".join(letter for letter in text if letter.isprintable())
    elif what == "empty":
        element.clear()
    elif parent is not None and what == "delete":
        parent.remove(element)
    elif parent is not None:
        element.addnext(copy.deepcopy(element))


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b"<cac:AccountingSupplierParty>", b"<cac:Signature/><cac:AccountingSupplierParty>"),
        lambda xml: xml[xml.index(b"<Invoice") :].replace(b"?>", b"", 1),
        lambda xml: xml.replace(b"cac:AccountingSupplierParty", b"cac:AccountingCustomerParty"),
        lambda xml: xml.replace(b"<ds:SignatureValue>", b"<ds:SignatureValue>=="),
        lambda xml: xml.replace(b"<ds:X509Certificate>", b"<ds:X509Certificate>AAAA"),
        lambda xml: xml.replace(b"<cbc:UUID>", b"<cbc:UUID>\n"),
        lambda xml: b"<a>" * 3000 + b"</a>" * 3000,
        lambda xml: b"<Invoice" + b"".join(b" a%d='1'" % i for i in range(500)) + b"/>",
        lambda xml: xml.decode().encode("utf-16"),
        lambda xml: b"",
    ],
)
def test_documents_that_were_made_to_hurt(victim: Victim, change: Any) -> None:
    for path, profile in (("invoices/clearance/single", "01"), ("invoices/reporting/single", "02")):
        submission = victim.till.document(profile)
        answer = victim.submit(path, _body(submission, change(submission.xml)))
        assert answer.status_code in (200, 202, 400)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"uuid":' * 5_000, b'{"uuid": 1' + b"0" * 9_999 + b"}", b"NaN"])
def test_json_that_was_made_to_hurt(victim: Victim, body: bytes) -> None:
    assert victim.submit("invoices/reporting/single", body).status_code == 400


def test_half_a_letter_is_no_harm(victim: Victim) -> None:
    body = b'{"uuid": "\\ud800", "invoiceHash": "\\ud800", "invoice": "\\ud800", "compliance_request_id": "\\ud800"}'
    for path in ("invoices/reporting/single", "production/csids", "compliance"):
        assert victim.submit(path, body).status_code == 400
    (first, *_) = victim.send(victim.simulator.management, "GET", "/exchanges", b"", {}).json()
    assert first["uuid"] == "?"


VALUES = JSON | st.sampled_from(
    ("unavailable", "2030-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "BR-KSA-98", "//cbc:ID")
)
VALUES |= st.sampled_from(("error", "core", True, 1, 0.5, 1e308, {"A": "b\r\nc"}, ["unavailable"]))
ORDERS = {
    "faults": "name status body headers delay drop reset refuse accept endpoint times retry_after until",
    "strict": "seed rate faults endpoints delay stall retry_after",
    "latency": "seconds",
    "clock": "now advance offset",
    "clearance": "on",
    "renewal": "direct",
    "canned": "on",
    "rules": "id severity xpath message",
    "otps": "world otp",
    "revoke": "csid",
    "reset": "",
}


@CALM
@given(data=st.data())
def test_any_orders_to_the_management(victim: Victim, data: st.DataObject) -> None:
    route = data.draw(st.sampled_from(sorted(ORDERS)))
    names = data.draw(st.lists(st.sampled_from(ORDERS[route].split() or ["x"]), max_size=3, unique=True))
    body = json.dumps({name: data.draw(VALUES) for name in names}).encode()
    management = victim.simulator.management
    answer = victim.send(management, "POST", f"/{route}", body, {"content-type": b"application/json"})
    assert answer.status_code in (200, 204, 404, 422)
    for view in ("state", "faults", "csids", "documents"):
        assert victim.send(management, "GET", f"/{view}", b"", {}).status_code == 200
    victim.simulator.faults.latency = 0.0
    # The transport of this test has no connection that could break off, and no time to wait.
    queue = [each for each in victim.simulator.faults.queue if not each.breaks_off and each.delay < 0.1]
    victim.simulator.faults.queue = queue
    answered = victim.send(victim.simulator.api, "POST", "/e-invoicing/core/compliance", b"", {})
    assert 200 <= answered.status_code <= 599
    assert victim.send(victim.simulator.api, "GET", "/crl", b"", {}).status_code == 200
    victim.simulator.state.reset()
