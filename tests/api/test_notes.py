"""Documents are corrected over HTTP: notes, corrections and previews, each refusal in words and without a trace."""

from tests.api.conftest import problem
from tests.installation import BUSINESS, order


def note(api, uuid, what, kind="credit-notes", **headers):
    return api.post(f"/v1/invoices/{uuid}/{kind}", json=what, headers=headers)


def test_a_credit_note_is_made_and_found_again(api):
    invoice = api.issue(1)
    refund = {"id": "R-1", "lines": [{"line": "1", "quantity": "1"}]}
    made, again = note(api, invoice["uuid"], refund), note(api, invoice["uuid"], refund)
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["uuid"] == again.json()["uuid"]
    assert made.json().items() >= {"kind": "credit_note", "total": "57.50", "corrects": invoice["uuid"]}.items()
    waited = note(api, invoice["uuid"], {"id": "R-2", "everything": True}, Prefer="wait=20")
    assert (waited.status_code, waited.json()["status"]) == (201, "reported")


def test_the_refunds_of_an_order_become_notes_whenever_it_is_sent(api):
    refund = {"id": "R-1", "money": "15.00"}
    first = api.order(1)
    again = api.order(1, refunds=[refund])
    once_more = api.order(1, refunds=[refund, {"id": "R-2", "everything": True}])
    assert [each.status_code for each in (first, again, once_more)] == [201, 200, 200]
    made = api.get("/v1/orders/erp-main/SO-1").json()["items"]
    assert [(each["kind"], each["total"]) for each in made] == [
        ("invoice", "115.00"), ("credit_note", "15.00"), ("credit_note", "100.00"),
    ]  # fmt: skip


def test_a_debit_note_charges_more(api):
    invoice = api.issue(1, buyer=BUSINESS)
    line = order(1)["lines"][0] | {"id": "x", "quantity": "1"}
    made = note(api, invoice["uuid"], {"id": "A-1", "lines": [line]}, "debit-notes", Prefer="wait=20")
    assert made.json().items() >= {"kind": "debit_note", "total": "57.50", "status": "cleared"}.items()


def test_more_than_is_left_is_a_conflict_in_both_languages(quiet):
    invoice, before = quiet.issue(1), None
    before = quiet.position()
    content = problem(note(quiet, invoice["uuid"], {"id": "R-1", "money": "115.01"}), 409)
    assert "115.00" in content["detail"]
    assert "115.00" in content["detail_ar"]
    content = problem(note(quiet, invoice["uuid"], {"id": "R-1", "cash": "1"}), 422)
    assert {each["field"] for each in content["problems"]} >= {"cash"}
    problem(note(quiet, invoice["uuid"], {"id": "A", "lines": []}, "debit-notes"), 422)
    problem(note(quiet, "no-such", {"id": "R-1", "everything": True}), 404)
    problem(note(quiet, invoice["uuid"], order(1), "correction"), 409)
    assert quiet.position() == before


def test_a_preview_shows_the_document_the_decisions_and_the_halalas(quiet):
    before = quiet.position()
    lines = [order(1)["lines"][0] | {"quantity": "13", "unit_price": "100.00"}]
    shown = quiet.post("/v1/preview", json=order(1, buyer=BUSINESS | {"kind": None}, lines=lines, declared={}))
    content = shown.json()
    assert shown.status_code == 200
    assert (content["kind"], content["profile"], content["totals"]["payable"]) == ("invoice", "standard", "1300.00")
    assert {"what": "profile", "value": "01"}.items() <= content["decisions"][1].items()
    assert "VAT number" in content["decisions"][1]["why"]["en"]
    assert any("0.01" in each["en"] and "BT-114" in each["en"] for each in content["halalas"])
    assert all(each["ar"] for each in content["halalas"])
    assert content["findings"] == []
    assert content["xml"].startswith("<Invoice")
    assert quiet.position() == before
    problem(quiet.post("/v1/preview", json=order(1, declared={"grand": "1.00"})), 422)
