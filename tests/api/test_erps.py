"""ERPs over the API: connected, looked at, and what waits in their books decided."""

import pytest

from gateway.demo.woocommerce import woocommerce_shop
from gateway.pipeline.connect import add_connection
from tests.api.conftest import problem, wait_for
from tests.erps.odoo_server import KEY, odoo_server
from tests.installation import OWNER, UNIT


@pytest.fixture
def odoo():
    with odoo_server() as server:
        yield server


@pytest.fixture
def operator(api):
    return api.as_role("admin")


@pytest.fixture
def accountant(api):
    return api.as_role("accountant")


def body(odoo, **more):
    wanted = odoo.connection()
    return {"name": "odoo-1", "unit": UNIT.id, "platform": "odoo", "url": odoo.url,
            "settings": dict(wanted.settings), "secrets": dict(wanted.secrets), **more}  # fmt: skip


@pytest.fixture
def books(operator, odoo, api):
    with woocommerce_shop() as shop:
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        assert operator.post("/v1/erps", json=body(odoo)).json() == {"connection": "odoo-1", "look_at": []}
        yield odoo


def postings(api, uuid):
    return api.get(f"/v1/invoices/{uuid}").json()["postings"]


def test_a_document_tells_how_it_stands_in_the_books(api, books, accountant):
    uuid = api.issue(1, connection="shop")["uuid"]
    (posting,) = wait_for(lambda: postings(api, uuid), lambda items: items and items[0]["state"] == "done")
    assert (posting["entry"]["state"], posting["entry"]["total"], posting["told"]) == ("posted", "115.00", "reported")
    assert accountant.get("/v1/postings").json()["items"] == [posting]
    assert accountant.get("/v1/postings", params={"state": ["held", "failed"]}).json()["items"] == []
    (erp,) = accountant.get("/v1/erps").json()["items"]
    assert (erp["connection"], erp["postings"]["done"], erp["warning"]) == ("odoo-1", 1, None)
    assert KEY not in accountant.get("/v1/erps").text


def test_what_waits_is_decided(api, books, accountant):
    books.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_per_line"
    lines = [{"id": str(number), "name": "coffee", "quantity": "1", "unit_price": "0.30",
              "tax": {"category": "S", "rate": "15"}} for number in range(3)]  # fmt: skip
    uuids = [
        api.issue(number, connection="shop", lines=lines, prices_include_tax=False, declared={})["uuid"]
        for number in (1, 2)
    ]
    held = {"state": "held"}
    wait_for(lambda: api.get("/v1/postings", params=held).json()["items"], lambda items: len(items) == 2)
    first, second = (postings(api, uuid)[0] for uuid in uuids)
    assert set(first["reason"]) == {"en", "ar"}
    books.tables["res.company"][0]["tax_calculation_rounding_method"] = "round_globally"
    assert accountant.post(f"/v1/postings/{first['id']}/retry").status_code == 202
    path = f"/v1/postings/{second['id']}/dismissal"
    assert problem(accountant.post(path, json={}), 422)["detail"]
    assert accountant.post(path, json={"reason": "by hand"}).json() == {"status": "dismissed"}
    wait_for(lambda: postings(api, uuids[0]), lambda items: items[0]["state"] == "done")
    assert postings(api, uuids[1])[0]["state"] == "ignored"
    assert problem(accountant.post(f"/v1/postings/{second['id']}/retry"), 404)["detail"]


def test_only_an_operator_connects_and_what_it_lacks_is_told(api, operator, accountant, odoo):
    assert problem(accountant.post("/v1/erps", json=body(odoo)), 403)["detail"]
    odoo.tables["account.tax"] = []
    refused = problem(operator.post("/v1/erps", json=body(odoo)), 400)
    assert "no sales tax of 15 %" in refused["detail"]
    wrong = operator.post("/v1/erps", json=body(odoo, platform="sap", secrets={"key": 5}))
    assert KEY not in wrong.text
    assert problem(wrong, 422)["detail"]
    assert operator.get("/v1/erps").json()["items"] == []


def test_another_taxpayer_sees_nothing_of_it(api, books):
    uuid = api.issue(1, connection="shop")["uuid"]
    (posting,) = postings(api, uuid)
    assert api.gateway.ledger.postings("other") == ()
    with pytest.raises(Exception, match="waits for a person"):
        api.gateway.ledger.retry_posting("other", posting["id"], now=api.gateway.now())
