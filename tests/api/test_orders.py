"""An ERP sends orders: made once, answered alike, refused in words, and a refusal consumes nothing."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.ledger import Ledger
from gateway.pipeline.connect import register
from gateway.simulator import Fault
from tests.api.conftest import Api, problem, serving
from tests.installation import BUSINESS, CONNECTION, OWNER, UNIT, order
from tests.ledger.many import break_line
from tests.slow_signer import FarStamper


def test_made_then_the_same_again(quiet):
    made, again = quiet.order(1), quiet.order(1)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert made.headers["location"] == f"/v1/invoices/{made.json()['uuid']}"
    assert quiet.get(made.headers["location"]).json() == made.json() | {"postings": []}


def test_the_answer_has_the_fields_that_programs_read(quiet):
    answer = quiet.issue(1, buyer=BUSINESS)
    assert (
        answer.items()
        >= {
            "number": "RUH1-000001",
            "kind": "invoice",
            "profile": "standard",
            "icv": 1,
            "status": "issued",
            "total": "115.00",
            "vat": "15.00",
            "rounding": "0.00",
            "currency": "SAR",
            "order": {"connection": CONNECTION, "id": "SO-1"},
            "rule_book": "R3.4.8",
            "allowed": [],
            "findings": [],
            "deadline": None,
            "replaces": None,
            "corrects": None,
        }.items()
    )
    assert answer["issued_at"].endswith("+03:00")
    assert {"uuid", "hash", "qr"} <= answer.keys()
    assert {"xml", "qr"} <= answer["links"].keys()
    assert quiet.issue(2)["deadline"].endswith("+03:00")


@pytest.mark.parametrize(("buyer", "status"), [(BUSINESS, "cleared"), ({}, "reported")])
def test_waiting_for_the_verdict(api, buyer, status):
    answer = api.order(1, buyer=buyer, headers={"Prefer": "wait=20"})
    assert answer.status_code == 201
    assert answer.json()["status"] == status
    again = api.order(1, buyer=buyer, headers={"Prefer": "respond-async, wait=20"})
    assert (again.status_code, again.json()["status"]) == (200, status)


def test_nobody_waits_for_a_unit_that_is_held_or_an_authority_that_is_down(api):
    api.ledger.hold_unit(OWNER, UNIT.id, reason="401", now=api.gateway.now())
    began = time.monotonic()
    held = api.order(1, buyer=BUSINESS, headers={"Prefer": "wait=30"})
    api.ledger.release_unit(OWNER, UNIT.id, now=api.gateway.now())
    break_line(api.ledger, "authority", now=api.gateway.now(), reason="HTTP 503")
    unanswered = api.order(2, buyer=BUSINESS, headers={"Prefer": "wait=30"})
    assert [(each.status_code, each.json()["status"]) for each in (held, unanswered)] == [
        (202, "held"),
        (202, "issued"),
    ]
    assert time.monotonic() - began < 30


def test_a_verdict_that_is_still_open_when_the_wait_ends(api, authority):
    authority.faults.add(Fault(status=503, times=1000))
    answer = api.order(1, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.json()["status"] in ("issued", "sending", "unknown")


def test_a_preference_that_cannot_be_read_is_ignored(quiet):
    for number, prefer in enumerate(["wait=abc", "wait=-1", "return=minimal", "", "wait"], 1):
        assert quiet.order(number, headers={"Prefer": prefer}).status_code == 201, prefer


def test_an_idempotency_key_stands_for_one_order(quiet):
    headers = {"Idempotency-Key": "key-1"}
    made = quiet.order(1, headers=headers)
    again = quiet.order(1, headers=headers)
    other = problem(quiet.order(2, headers=headers), 409)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json()
    assert "Idempotency-Key" in other["detail"]
    assert other["fix"]
    assert quiet.order(2, headers={"Idempotency-Key": "key-2"}).json()["icv"] == 2


def test_one_order_with_other_content_is_a_conflict(quiet):
    made = quiet.issue(1)
    conflict = problem(quiet.order(1, note="changed"), 409)
    assert made["number"] in conflict["detail"]
    assert "credit" in conflict["fix"]
    assert conflict["detail_ar"]
    assert len(quiet.documents()) == 1


def test_many_callers_with_one_order_at_once(api):
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: api.order(1), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["uuid"] for answer in answers}) == 1
    assert len(api.documents()) == 1


def test_many_callers_with_many_orders_at_once_make_one_chain(quiet):
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(quiet.order, range(1, 25)))
    assert [answer.status_code for answer in answers] == [201] * 24
    assert sorted(answer.json()["icv"] for answer in answers) == list(range(1, 25))
    assert len({answer.json()["number"] for answer in answers}) == 24


# -- what cannot be used ---------------------------------------------------------------------------------------


def line(**more):
    return [order(1)["lines"][0] | more]


UNUSABLE = {
    "negative quantity": ({"lines": line(quantity="-1")}, "lines[0].quantity"),
    "no quantity": ({"lines": line(quantity="0")}, "lines[0].quantity"),
    "a number instead of text": ({"lines": line(unit_price=57.5)}, "lines[0].unit_price"),
    "an exponent": ({"lines": line(unit_price="1e3")}, "lines[0].unit_price"),
    "another currency without rate": ({"currency": "USD"}, "the order"),
    "unknown currency": ({"currency": "XYZ", "fx": {"rate": "3.75"}}, "the order"),
    "unknown tax category": ({"lines": line(tax={"category": "Q", "rate": "15"})}, "lines[0].tax.category"),
    "a rate that is none": ({"lines": line(tax={"category": "S", "rate": "14"})}, "lines[0].tax"),
    "unknown field": ({"discount": "5.00"}, "discount"),
    "no lines": ({"lines": []}, "lines"),
    "no zone": ({"placed_at": "2026-11-23T09:58:12"}, "placed_at"),
    "a control character": ({"note": "a\u0000b"}, "note"),
    "half a character": ({"note": "a\ud800b"}, "the order"),
    "a VAT number that is none": ({"buyer": {"kind": "business", "name": "x", "vat": "12345"}}, "buyer.vat"),
    "too large a number": ({"lines": line(unit_price="9" * 20)}, "lines[0].unit_price"),
}


def test_an_order_that_breaks_its_schema(quiet, subtests):
    before = quiet.position()
    for name, (more, place) in UNUSABLE.items():
        with subtests.test(name):
            content = problem(quiet.order(1, **more), 422)
            assert place in [each["field"] for each in content["problems"]]
            assert all(each["message"] for each in content["problems"])
            assert place in content["detail"]
            assert content["fix"]
            assert content["detail_ar"]
            assert quiet.position() == before
    assert quiet.issue(2)["number"] == "RUH1-000001"


NO_ORDER = {
    "empty": b"",
    "cut off": b"{",
    "a list": b"[]",
    "a text": b'"order"',
    "not UTF-8": b"\xff\xfe",
    "null": b"null",
    "NaN": b'{"connection": NaN}',
    "deep": b"[" * 100_000,
    "UTF-16": json.dumps(order(1)).encode("utf-16"),
}


def test_a_body_that_is_no_order(quiet, subtests):
    before = quiet.position()
    for name, body in NO_ORDER.items():
        with subtests.test(name):
            assert problem(quiet.post("/v1/orders", content=body), 422)["fix"]
            assert quiet.position() == before
    assert quiet.issue(2)["icv"] == 1


REFUSED = {
    "a total that does not close": ({"declared": {"grand": "120.00"}}, 422, "120.00"),
    "unknown connection": ({"connection": "nobody"}, 404, "nobody"),
    "unknown unit": ({"unit": "JED1"}, 404, "JED1"),
}


def test_an_order_that_cannot_be_issued(quiet, subtests):
    before = quiet.position()
    for name, (more, status, says) in REFUSED.items():
        with subtests.test(name):
            content = problem(quiet.order(1, **more), status)
            assert says in content["detail"]
            assert content["fix"]
            assert quiet.position() == before
    assert quiet.issue(2)["number"] == "RUH1-000001"


def test_a_document_that_would_break_rules_is_refused_with_its_findings(quiet):
    before = quiet.position()
    sold = order(1)["lines"][0]
    content = problem(quiet.order(1, lines=[sold, sold | {"id": "2", "name": "تي"}], declared={}), 422)
    (finding,) = content["findings"]
    assert (finding["rule"], finding["order_field"]) == ("BR-KSA-F-06-C19", "lines[1].name")
    assert "BR-KSA-F-06-C19 (lines[1].name)" in content["detail"]
    assert "BR-KSA-F-06-C19 (lines[1].name)" in content["detail_ar"]
    assert finding["message"].keys() == finding["fix"].keys() == {"en", "ar"}
    assert content["fix"]
    assert quiet.position() == before
    assert quiet.issue(1)["icv"] == 1


def test_a_warning_that_is_allowed_stays_with_its_document(quiet):
    quiet.gateway.ledger.allow_warning(OWNER, "BR-KSA-71", reason="x", now=quiet.gateway.now())
    answer = quiet.issue(1, flags=["summary"])
    (finding,) = answer["allowed"]
    assert (finding["rule"], finding["severity"], finding["order_field"]) == ("BR-KSA-71", "warning", "buyer.name")
    assert (answer["rule_book"], answer["findings"]) == ("R3.4.8", [])
    assert quiet.issue(2)["allowed"] == []


def test_a_unit_that_is_not_onboarded(quiet):
    register(quiet.gateway, replace(UNIT, id="JED1", number_prefix="JED1-"), actor="tests")
    before = quiet.position()
    answer = quiet.order(1, unit="JED1")
    content = problem(answer, 503)
    assert "JED1" in content["detail"]
    assert "onboard" in content["fix"]
    assert int(answer.headers["retry-after"]) > 0
    assert quiet.position() == before
    assert quiet.issue(1)["icv"] == 1


def test_an_expired_certificate(quiet):
    end = quiet.ledger.current_csid(UNIT.taxpayer_id, UNIT.id).not_after
    before, now = quiet.position(), quiet.gateway.now
    object.__setattr__(quiet.gateway, "now", lambda: end + timedelta(seconds=1))
    answer = quiet.order(1)
    object.__setattr__(quiet.gateway, "now", now)
    assert "valid only" in problem(answer, 503)["detail"]
    assert answer.json()["fix"]
    assert int(answer.headers["retry-after"]) > 0
    assert quiet.position() == before
    assert quiet.issue(1)["icv"] == 1


TWO_MEGABYTES = b"x" * 2_000_000


def test_a_document_whose_stamp_is_to_follow_is_answered_and_not_shown(installation, gateway, tmp_path):
    far = replace(gateway, stamper=FarStamper(gateway.stamper, tmp_path / "nobody"))
    with serving(far, work=False) as url:
        api = Api(url, far, installation.key)
        answer, again = api.order(1), api.order(1)
        assert (answer.status_code, again.status_code) == (202, 202)
        made = answer.json()
        assert (made["status"], made["qr"], made["icv"]) == ("unstamped", None, 1)
        assert again.json() == made
        for path in ("xml", "qr.svg"):
            content = problem(api.get(f"/v1/invoices/{made['uuid']}/{path}"), 409)
            assert content["title"] == "Not stamped yet"


@pytest.mark.parametrize(
    "wrap", [bytes, lambda content: iter([content[:999_999], content[999_999:]])], ids=["declared", "in pieces"]
)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/hooks/nobody"])
def test_a_body_of_two_megabytes_is_not_read(quiet, wrap, path):
    before = quiet.position()
    assert problem(quiet.post(path, content=wrap(TWO_MEGABYTES)), 413)["fix"]
    assert quiet.position() == before
    assert quiet.issue(1)["icv"] == 1


def test_our_own_mistake_is_a_problem_too_and_tells_nothing_of_the_inside(quiet, installation, monkeypatch):
    def broken(*_, **__):
        raise ValueError("secret inside")

    before = quiet.position()
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", broken)
        answer = quiet.order(1)
    assert problem(answer, 500)["fix"]
    assert "secret" not in answer.text
    assert quiet.position() == before
    # The server ends a connection on which it failed.
    assert quiet.with_key(installation.key).issue(1)["icv"] == 1
