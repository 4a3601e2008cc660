"""An ERP hands in its own documents over HTTP: made once, refused in words, judged without a trace."""

import pytest

from gateway.invoice.facts import Kind
from tests.api.conftest import problem
from tests.erp_documents import erp_document
from tests.installation import CONNECTION


def send(api, number="B-1", headers=None, query="", **said):
    body = erp_document(number, api.gateway.now(), **said)
    return api.post(f"/v1/documents?connection={CONNECTION}{query}", content=body, headers=headers)


@pytest.mark.parametrize(("business", "status"), [(True, "cleared"), (False, "reported")])
def test_made_with_its_verdict_and_then_the_same_again(api, business, status):
    body = erp_document("B-1", api.gateway.now(), business=business)
    made, again = (
        api.post(f"/v1/documents?connection={CONNECTION}", content=body, headers={"Prefer": "wait=20"}) for _ in "12"
    )
    assert (made.status_code, again.status_code) == (201, 200)
    assert (made.json()["status"], made.json()["number"]) == (status, "B-1")
    assert made.json()["uuid"] == again.json()["uuid"]
    assert made.json()["order"] == {"connection": CONNECTION, "id": "B-1"}
    assert b"30 days net" in api.get(f"{made.headers['location']}/xml").content
    assert api.get(f"{made.headers['location']}/pdf").content.startswith(b"%PDF")


def test_refusals_name_official_rules_in_both_languages_and_consume_nothing(quiet):
    before = quiet.position()
    broken = problem(send(quiet, gross="115.10"), 422)
    assert {each["rule"] for each in broken["findings"]} >= {"BR-CO-15"}
    assert all(each["message"]["ar"] and each["message"]["en"] for each in broken["findings"])
    assert not any(each.get("order_field") for each in broken["findings"])
    other = problem(send(quiet, vat="310122393500003"), 422)
    assert (other["problems"][0]["field"], bool(other["detail_ar"])) == ("cac:AccountingSupplierParty", True)
    entity = b'<!DOCTYPE u [<!ENTITY e "x">]><u/>'
    problem(quiet.post(f"/v1/documents?connection={CONNECTION}", content=entity), 400)
    problem(quiet.post("/v1/documents?connection=nobody", content=b"<a/>"), 404)
    problem(quiet.post("/v1/documents", content=b"<a/>"), 422)
    assert quiet.position() == before


def test_the_same_number_or_key_with_another_body_is_a_conflict(quiet):
    assert send(quiet, headers={"Idempotency-Key": "k"}).status_code == 201
    before = quiet.position()
    problem(send(quiet, seller="Another"), 409)
    problem(send(quiet, "B-2", headers={"Idempotency-Key": "k"}), 409)
    assert quiet.position() == before


def test_a_dry_run_answers_what_would_be(quiet):
    before = quiet.position()
    good, bad = send(quiet, query="&dry_run=true"), send(quiet, query="&dry_run=true", code="0200001")
    assert (good.status_code, good.json()["valid"], good.json()["kind"]) == (200, True, Kind.INVOICE.word)
    assert bad.status_code in (200, 422)
    assert quiet.position() == before


@pytest.mark.parametrize("role", ["accountant", "auditor"])
def test_only_who_may_send_orders_may_hand_in(quiet, role):
    problem(send(quiet.as_role(role)), 403)
    problem(send(quiet.with_key("")), 401)
