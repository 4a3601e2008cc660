"""The VAT report over HTTP, and the documents behind its fields, page by page."""

from decimal import Decimal

import pytest

from gateway.invoice.facts import RIYADH
from tests.api.conftest import problem
from tests.api.test_invoices import stranger_to
from tests.installation import BUSINESS, UNIT


@pytest.fixture
def accountant(api):
    return api.as_role("accountant")


def period(api):
    return f"{api.gateway.now().astimezone(RIYADH):%Y-%m}"


def test_the_report_and_what_is_behind_it(api, accountant):
    made = [api.settled(api.issue(number, buyer=BUSINESS)["uuid"]) for number in (1, 2, 3)]
    asked = f"period={period(api)}&by=issue"
    shown = accountant.get(f"/v1/reports/vat?{asked}&prove=true").json()
    assert (shown["agrees"], shown["proof"]) == (True, {"documents": 3, "differing": 0})
    assert accountant.get(f"/v1/reports/vat?{asked}").json()["agrees"] is None
    assert shown["boxes"][0] == {
        "box": "standard", "rate": "15",
        "name": {"en": "Standard-rated sales", "ar": "المبيعات الخاضعة للنسبة الأساسية"},
        "amount": "300.00", "adjustment": "0.00", "vat": "45.00", "documents": 3,
    }  # fmt: skip
    pages, cursor = [], ""
    while cursor is not None:
        page = accountant.get(f"/v1/reports/vat/documents?{asked}&box=standard&limit=2&cursor={cursor}").json()
        pages.append(page["items"])
        cursor = page.get("next")
    behind = [each for page in pages for each in page]
    assert [len(each) for each in pages] == [2, 1]
    assert {each["uuid"] for each in behind} == {each["uuid"] for each in made}
    assert sum(Decimal(each["taxable"]) for each in behind) == 300
    assert accountant.get(f"/v1/reports/vat/documents?{asked}&box=exports").json() == {"items": []}


def test_what_is_not_reported_is_apart(quiet):
    quiet.issue(1)
    accountant = quiet.as_role("accountant")
    shown = accountant.get(f"/v1/reports/vat?period={period(quiet)}&by=issue").json()
    assert (shown["total"]["amount"], shown["open"][0]["amount"]) == ("0.00", "100.00")
    behind = accountant.get(f"/v1/reports/vat/documents?period={period(quiet)}&by=issue&standing=open").json()
    assert [each["standing"] for each in behind["items"]] == ["open"]


def test_another_taxpayer_has_another_report(quiet):
    quiet.issue(1)
    stranger = stranger_to(quiet)
    asked = f"period={period(quiet)}&by=issue"
    assert stranger.get(f"/v1/reports/vat?{asked}").json()["documents"]["open"] == 0
    assert stranger.get(f"/v1/reports/vat/documents?{asked}&standing=open").json() == {"items": []}
    problem(stranger.get(f"/v1/reports/vat?{asked}&unit={UNIT.id}"), 404)


def test_what_cannot_be_asked(quiet):
    accountant = quiet.as_role("accountant")
    for wrong in ("2026-13", "2026-Q5", "x", "2026-02-01..2026-01-01", "1999", "9999", "2026-1", "2026-07..2026-08"):
        assert "2026-Q3" in problem(accountant.get(f"/v1/reports/vat?period={wrong}"), 400)["fix"]
    problem(accountant.get("/v1/reports/vat"), 422)
    problem(accountant.get("/v1/reports/vat?period=2026&by=payment"), 422)
    problem(accountant.get("/v1/reports/vat/documents?period=2026&cursor=x"), 400)
    problem(accountant.get("/v1/reports/vat/documents?period=2026&limit=0"), 422)
