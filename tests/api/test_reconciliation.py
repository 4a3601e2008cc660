"""The account over HTTP: for whom it is, in three forms, with the shops' own lists."""

import csv
import io
from datetime import timedelta

import pytest

from gateway.connection import Connection
from gateway.invoice.facts import RIYADH
from gateway.pipeline.connect import add_connection
from tests.api.conftest import problem
from tests.installation import OWNER, UNIT
from tests.shops.zid import zid_shop

ROUTE = "/v1/reports/reconciliation"


def days(api, *, ago=0):
    day = api.gateway.now().astimezone(RIYADH).date()
    return {"from": str(day - timedelta(days=ago)), "to": str(day)}


def ask(api, **more):
    return api.get(ROUTE, params=days(api) | more)


@pytest.fixture
def accountant(quiet):
    return quiet.as_role("accountant")


def test_what_does_not_agree_in_three_forms(quiet, accountant):
    issued = quiet.issue(1)
    shown = ask(accountant).json()
    (gap,) = shown["gaps"]
    assert (shown["agrees"], gap["gap"], gap["number"], gap["invoiced"]) == (
        False,
        "invoice_open",
        issued["number"],
        "115.00",
    )
    assert gap["meaning"]["ar"]
    table = ask(accountant, form="csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["gap"], row["invoiced"], row["uuid"]) == ("invoice_open", "115.00", issued["uuid"])
    page = ask(accountant, form="html")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert issued["number"] in page.text
    assert 'dir="rtl"' in page.text


def test_a_shop_is_asked_when_that_is_wanted(api):
    accountant = api.as_role("accountant")
    with zid_shop() as shop:
        shop.sell(1, api.gateway.now() - timedelta(minutes=1))
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        assert ask(accountant, connection="shop").json()["agrees"]
        shown = accountant.get(ROUTE, params=days(api, ago=1) | {"connection": "shop", "ask_shops": "true"}).json()
    assert [(each["gap"], each["order"], each["ordered"]) for each in shown["gaps"]] == [
        ("order_unseen", "1", "138.00")
    ]
    assert shown["asked_shops"]


def test_what_cannot_be_asked(quiet, accountant):
    problem(accountant.get(ROUTE), 422)
    problem(accountant.get(ROUTE, params={"from": "2026-02-02", "to": "2026-02-01"}), 400)
    problem(ask(accountant, connection="nobody"), 404)
    problem(ask(quiet), 403)
    add_connection(quiet.gateway, Connection("erp-2", OWNER, UNIT.id, "api"), actor="tests")
    assert ask(accountant, connection="erp-2").json()["sides"] == []
