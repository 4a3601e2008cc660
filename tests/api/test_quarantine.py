"""What waits for a person: the reason, both sums, what the shop said, and what can be decided about it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.demo.woocommerce import woocommerce_shop
from gateway.pipeline.connect import add_connection
from tests.api.conftest import problem, wait_for
from tests.api.test_auditor import key_of
from tests.installation import OWNER, UNIT

WRONG = "99"


@pytest.fixture
def shop(api):
    with woocommerce_shop() as shop:
        add_connection(api.gateway, shop.connection("shop", taxpayer_id=OWNER, unit_id=UNIT.id), actor="tests")
        yield shop


@pytest.fixture
def waiting(api, shop):
    shop.deliver("order.created", WRONG, f"{api.url}/v1/hooks/shop")
    (one,) = wait_for(lambda: api.get("/v1/quarantine").json()["items"], bool)
    return one


def test_both_sums_and_the_shops_own_words(api, shop, waiting):
    assert (waiting["declared"], waiting["computed"]) == ("395.49", "388.59")
    whole = api.get(f"/v1/quarantine/{waiting['id']}").json()
    assert whole["payload"]["id"] == int(WRONG)
    assert whole["payload"]["total"] == "395.49"
    assert set(whole["reason"]) == {"en", "ar"}


def test_retried_after_it_was_mended(api, shop, waiting):
    shop.orders[WRONG]["total"] = "388.59"
    assert api.post(f"/v1/quarantine/{waiting['id']}/retry").status_code == 202
    wait_for(api.documents, bool)
    assert api.get("/v1/quarantine").json()["items"] == []
    assert "looked at again" in problem(api.post(f"/v1/quarantine/{waiting['id']}/retry"), 409)["detail"]


def test_dismissed_with_a_reason_that_the_audit_log_keeps(api, waiting):
    path = f"/v1/quarantine/{waiting['id']}/dismissal"
    assert problem(api.post(path, json={}), 422)["detail"]
    assert problem(api.post(path, json={"reason": "x"}), 422)["detail"]
    assert api.post(path, json={"reason": "a gift to a friend"}).json() == {"status": "dismissed"}
    assert api.get("/v1/quarantine").json()["items"] == []
    (entry,) = [each for each in api.ledger.audit_log(OWNER) if each.action == "notice.dismissed"]
    assert entry.detail == {"reason": "a gift to a friend"}
    assert entry.actor.startswith("key:")


def test_how_a_document_got_back_to_its_shop_is_told_with_the_order(api, shop):
    shop.deliver("order.created", "46", f"{api.url}/v1/hooks/shop")
    look = lambda: api.get("/v1/orders/shop/46").json().get("items", [])  # noqa: E731
    (item,) = wait_for(look, lambda items: items and items[0]["written_back"][0]["state"] == "done")
    (link,) = item["written_back"]
    assert "woocommerce order 46" in link["receipt"]
    assert (link["error"], link["attempts"]) == ("", 1)


def test_issued_by_hand_under_its_own_id(api, waiting):
    """A corrected order that names the shop and the order is that order: the shop's own is not issued beside it."""
    answer = api.order(1, connection="shop", id=WRONG)
    assert answer.status_code == 201
    assert answer.json()["order"] == {"connection": "shop", "id": WRONG}


def test_of_others_nothing_is_shown(api, waiting):
    reader = api.as_role("auditor")
    assert reader.get("/v1/quarantine").status_code == 200
    assert problem(reader.get(f"/v1/quarantine/{waiting['id']}"), 403)
    assert problem(reader.post(f"/v1/quarantine/{waiting['id']}/retry"), 403)
    assert problem(api.get("/v1/quarantine/999999"), 404)


def test_of_two_people_who_decide_at_once_one_does_and_the_other_hears_who(api, waiting):
    people = [api.as_role("accountant"), api.as_role("admin")]
    path, both = f"/v1/quarantine/{waiting['id']}/dismissal", threading.Barrier(2)

    def decide(person):
        both.wait()
        return person.post(path, json={"reason": "decided"})

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, people))
    first, second = sorted(answers, key=lambda answer: answer.status_code)
    (entry,) = [each for each in api.ledger.audit_log(OWNER) if each.action == "notice.dismissed"]
    assert (first.status_code, entry.actor) == (200, key_of(people[answers.index(first)]))
    told = problem(second, 409)
    assert f"{entry.actor} set it aside" in told["detail"]
    assert entry.actor in told["detail_ar"]
    for late in (api.post(f"/v1/quarantine/{waiting['id']}/retry"), api.get(f"/v1/quarantine/{waiting['id']}")):
        assert entry.actor in problem(late, 409)["detail"]


def test_a_cursor_beyond_every_number_is_refused(quiet):
    problem(quiet.get(f"/v1/quarantine?cursor={2**70}"), 422)
