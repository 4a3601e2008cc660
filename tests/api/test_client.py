"""The client kept beside the API: what it names is there, what it is told it understands, what it repeats is one."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx2
import pytest

from gateway import client as module
from gateway.client import Client, Document, NoAnswer, Problem, Route
from tests.erp_documents import erp_document
from tests.installation import BUSINESS, CONNECTION, order

ROUTES = {name: value for name, value in vars(module).items() if isinstance(value, Route)}


@pytest.fixture
def erp(api, installation):
    with Client(api.url, installation.key) as client:
        yield client


@pytest.mark.parametrize("name", ROUTES)
def test_every_route_parameter_and_header_is_in_the_description(quiet, name):
    route, description = ROUTES[name], quiet.get("/openapi.json").json()
    described = description["paths"][route.path][route.method.lower()]
    known = {(each["in"], each["name"].lower()) for each in described.get("parameters", ())}
    wanted = {("query", each) for each in route.query} | {("header", each.lower()) for each in route.headers}
    assert wanted <= known


def test_a_problem_has_all_that_the_description_says(quiet):
    described = quiet.get("/openapi.json").json()["components"]["schemas"]["Problem"]["properties"]
    assert described.keys() - {"type"} <= vars(Problem(400, {})).keys()


def test_an_order_its_files_and_what_corrects_it(erp, api):
    made = erp.send_order(order(1, buyer=BUSINESS), wait=20)
    assert (made.created, made.status, made.total, made.is_accepted) == (True, "cleared", Decimal("115.00"), True)
    again = erp.send_order(order(1, buyer=BUSINESS))
    assert (again.uuid, again.created) == (made.uuid, False)
    answer = api.get(f"/v1/invoices/{made.uuid}").json()
    assert {each.name for each in fields(Document)} - {"created"} == answer.keys() - {"postings"}
    assert erp.invoice(made.uuid) == next(erp.invoices(number=made.number))
    assert [each.uuid for each in erp.documents_of(CONNECTION, "SO-1")] == [made.uuid]
    assert made.number.encode() in erp.xml(made.uuid)
    assert erp.pdf(made.uuid).startswith(b"%PDF")
    assert b"<svg" in erp.qr(made.uuid)
    refund = {"id": "r1", "everything": True, "reason": {"code": "return"}}
    note = erp.credit(made.uuid, refund, wait=20)
    assert (note.corrects, note.total, note.is_final) == (made.uuid, Decimal("115.00"), True)
    line = {"id": "1", "name": "حليب", "quantity": "1", "unit_price": "11.50", "tax": {"category": "S", "rate": "15"}}
    added = {"id": "a1", "lines": [line], "reason": {"code": "correction"}, "prices_include_tax": True}
    assert erp.debit(made.uuid, added).total == Decimal("11.50")
    assert erp.preview(order(2))["totals"]["payable"] == "115.00"


def test_pages_are_read_to_the_end(erp, quiet):
    made = {erp.send_order(order(number)).uuid for number in range(5)}
    assert {each.uuid for each in erp.invoices(limit="2", connection=CONNECTION)} == made
    today = datetime.now(UTC).date()
    found = erp.invoices(since=str(today - timedelta(days=1)), until=str(today + timedelta(days=1)))
    assert {each.uuid for each in found} == made


def test_an_erps_own_document(erp):
    xml = erp_document("B-1", datetime.now(UTC), business=True)
    assert erp.judge_document(xml, CONNECTION).valid
    made = erp.send_document(xml, CONNECTION, wait=20)
    assert (made.number, made.status) == ("B-1", "cleared")
    with pytest.raises(Problem) as refused:
        erp.send_document(erp_document("B-2", datetime.now(UTC), gross="115.10"), CONNECTION)
    problem = refused.value
    assert (problem.status, bool(problem.detail_ar), bool(problem.fix)) == (422, True, True)
    assert {"BR-CO-15"} <= {each["rule"] for each in problem.findings}
    assert all(each["message"]["ar"] for each in problem.findings)


def test_the_books(api, installation):
    with Client(api.url, api.as_role("accountant").authorization.removeprefix("Bearer ")) as accountant:
        today = datetime.now(UTC).date()
        shown = accountant.reconciliation(today - timedelta(days=1), today + timedelta(days=1))
    assert shown["agrees"]


class Line:
    """A transport on which things go wrong as planned before the real one is reached."""

    def __init__(self, plan):
        self.plan, self.keys, self.pauses, self._now = list(plan), [], [], 0.0
        self._real = httpx2.HTTPTransport()

    def client(self, url, key, **more):
        clock = lambda: self._now  # noqa: E731
        return Client(url, key, transport=httpx2.MockTransport(self.answer), sleep=self.sleep, clock=clock, **more)

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self._now += seconds

    def answer(self, request):
        self.keys.append(request.headers.get("idempotency-key"))
        trouble = self.plan.pop(0) if self.plan else None
        if trouble == "unsent":
            raise httpx2.ConnectError("refused")
        if trouble and trouble != "lost":
            return trouble
        answer = self._real.handle_request(request)
        answer.read()
        if trouble == "lost":
            raise httpx2.ReadTimeout("late")
        return answer


def busy(after="7"):
    return httpx2.Response(503, json={"title": "Try again later", "detail": "Busy."}, headers={"Retry-After": after})


def test_what_fails_is_repeated_with_the_same_key_and_makes_one(quiet, installation):
    line = Line([busy(), "unsent", "lost", busy("x")])
    with line.client(quiet.url, installation.key) as client:
        made = client.send_order(order(1))
    assert len(set(line.keys)) == 1
    assert len(line.keys) == 5
    assert line.keys[0]
    assert line.pauses == [7.0, 2.0, 4.0, 8.0]
    assert [each.uuid for each in quiet.documents()] == [made.uuid]
    assert not made.created  # the answer that was lost had made it


def test_patience_has_an_end_and_refusals_are_not_repeated(quiet, installation):
    line = Line([busy()] * 99)
    with (
        line.client(quiet.url, installation.key, patience=20.0) as client,
        pytest.raises(Problem, match="Busy") as late,
    ):
        client.send_order(order(1))
    assert (late.value.retry_after, sum(line.pauses) <= 20.0) == (7.0, True)
    line = Line(["unsent"] * 99)
    with line.client(quiet.url, installation.key, patience=3.0) as client, pytest.raises(NoAnswer):
        client.invoice("x")
    line = Line([])
    with line.client(quiet.url, installation.key) as client, pytest.raises(Problem) as refused:
        client.send_order({**order(1), "colour": "red"})
    assert (refused.value.status, line.pauses) == (422, [])
    assert refused.value.problems[0]["field"] == "colour"
    with line.client(quiet.url, "gw_wrong") as client, pytest.raises(Problem) as unknown:
        client.invoice("x")
    assert unknown.value.status == 401


def test_what_is_no_problem_document_is_told_all_the_same():
    line = Line([httpx2.Response(502, text="<html>"), httpx2.Response(500, json=[1])])
    with line.client("http://gateway.invalid", "k") as client:
        for status in (502, 500):
            with pytest.raises(Problem) as odd:
                client.invoice("x")
            assert odd.value.status == status


def test_events_are_read_from_a_cursor(erp, api):
    made = erp.send_order(order(1), wait=20)
    api.ledger.seal_audit(now=api.gateway.now())
    first = erp.events(limit=1)
    second = erp.events(first.next)
    assert [each.type for each in (*first.events, *second.events)] == ["document.issued", "document.reported"]
    assert second.events[0].data["uuid"] == made.uuid
    assert second.events[0].timestamp >= first.events[0].timestamp
    assert erp.events(second.next) == ((), second.next)
    assert erp.events(types="document.reported").events == second.events
